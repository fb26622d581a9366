"""The order of the versions of one record, as a string that sorts like it.

Owns the format only. Compared by the agents, by SQL in the ledger and, in a header, without decoding a record.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

LENGTH = len("2026-01-02T03:04:05.000000Z/1/0/0001/000000000000000000")
_BEFORE = LENGTH - len("000000000000000000")
LAST = 9999
"""Highest map sequence that fits the format."""
LAST_RESOLUTION = 10**18 - 1
"""Highest resolution number that fits the format."""
TELLINGS = 100
"""A parent's answer can be another one so often. A row's parents are asked one after the other, and each has two digits of the resolution, the last one the
lowest: no two of their answers make the same number."""
STEP = TELLINGS**4
"""Of the resolution of a row that others count in: below it is room for the answers of four parents."""


class VersionError(ValueError):
    """A version that can't be written or read; the text holds no value."""


class Version(NamedTuple):
    """What makes one version of a record newer than another, most significant first.

    Attributes:
        modified: When the source changed the record, with a time zone.
        closed: False when it was read within the second it was modified: provisional, it will be read again.
        deleted: A delete counts as newer than an upsert at the same instant.
        sequence: Number of the confirmed map that produced it, 0 to 9999.
        resolution: Raised when a parent's id, or a record that counts in the row, changes what the same source version resolves to, 0 to `LAST_RESOLUTION`.

    Comparing two encoded strings gives the same answer as comparing the tuples.
    """

    modified: datetime
    closed: bool = True
    deleted: bool = False
    sequence: int = 0
    resolution: int = 0

    def encode(self) -> str:
        """The version as 55 ASCII characters, e.g. `2026-01-02T03:04:05.000000Z/1/0/0001/000000000000000000`.

        Raises:
            VersionError: No time zone, or a number outside its range.
        """
        if self.modified.tzinfo is None:
            raise VersionError("A version's time has no time zone.")
        if not (0 <= self.sequence <= LAST and 0 <= self.resolution <= LAST_RESOLUTION):
            raise VersionError(f"A version's sequence goes from 0 to {LAST}, its resolution to {LAST_RESOLUTION}.")
        modified = self.modified.astimezone(UTC).isoformat(timespec="microseconds")[:26]
        return f"{modified}Z/{self.closed:d}/{self.deleted:d}/{self.sequence:04d}/{self.resolution:018d}"

    @classmethod
    def decode(cls, text: str) -> Version:
        """The version that `encode` wrote as `text`.

        Raises:
            VersionError: The text is not an encoded version.
        """
        try:
            modified = datetime.fromisoformat(text[:27])
            found = cls(modified, text[28] == "1", text[30] == "1", int(text[32:36]), int(text[37:55]))
        except (ValueError, IndexError):
            raise VersionError("Not an encoded version.") from None
        if len(text) != LENGTH or found.encode() != text:
            raise VersionError("Not an encoded version.")
        return found


def renumbered(version: str, told: int, left: int) -> str:
    """The version of a row that one of its parents has answered for the ``told``-th time, while ``left`` others are asked after it."""
    return with_resolution(version, int(version[_BEFORE:]) + told * TELLINGS**left) if told else version


def with_resolution(version: str, number: int) -> str:
    """An encoded version with another resolution number.

    Raises:
        VersionError: The text is not as long as an encoded version, or the number is outside its range.
    """
    if len(version) != LENGTH:
        raise VersionError("Not an encoded version.")
    if not 0 <= number <= LAST_RESOLUTION:
        raise VersionError(f"A version's resolution goes from 0 to {LAST_RESOLUTION}.")
    return f"{version[:_BEFORE]}{number:018d}"
