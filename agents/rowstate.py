"""What is known of a row in Salesforce that we have written, and the guard that keeps older versions from overwriting newer ones.

Pure. Stored under ``R|<reference>`` in the state table of the row's topic.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b

import orjson

from topics.codec import compact_json
from topics.messages import Row


class Origin(StrEnum):
    """Where a row came from, decided before anything was sent for it; rollback believes only this."""

    ABSENT = "absent"  # it was not there: whatever is there now, we made
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(slots=True)
class RowState:
    """One row of ours.

    Attributes:
        sf_id: its Salesforce id, None when it is deleted or was never there.
        epoch: how often it was created.
        versions: the newest version applied, by facet; a delete leaves its version behind.
        digests: what that version wrote, by facet.
        adopted: somebody else made the row, and there is an image of what it was.
        contact: the contact that the row was given, "" for nobody; None when that is not known, or nothing carries one.
        lost: it was there, and somebody else has deleted it; what landed last may be written again.
    """

    sf_id: str | None = None
    epoch: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    adopted: bool = False
    contact: str | None = None
    lost: bool = False

    def encode(self) -> bytes:
        rare = [self.adopted, self.contact, self.lost]
        while rare and rare[-1] in {False, None}:  # without what isn't the case as before there was adoption
            rare.pop()
        return compact_json([self.sf_id, self.epoch, self.versions, self.digests, *rare])

    @classmethod
    def decode(cls, data: bytes | None) -> RowState:
        """The state that `encode` wrote; an empty one for None."""
        return cls(*orjson.loads(data)) if data is not None else cls()

    def has(self, facet: str, version: str) -> bool:
        """Whether this version of the facet, or a newer one, has been applied; of a lost row the newest counts as not applied."""
        newest = self.versions.get(facet, "")
        return version < newest or (version == newest and not self.lost)

    def missed(self) -> RowState:
        """The state once somebody else has deleted the row."""
        return replace(self, sf_id=None, epoch=max(self.epoch, 1), digests={}, contact=None, lost=True)

    def after(
        self,
        row: Row,
        sf_id: str | None,
        *,
        created: bool = False,
        digest: str = "",
        adopted: bool = False,
        contact: str | None = None,
    ) -> RowState:
        """The state once ``row`` has been applied as ``sf_id`` (None: the row is gone); ``digest`` is that of what it wrote, ``contact`` whom it was given."""
        facet = row["facet"]
        return RowState(
            sf_id,
            self.epoch + created,
            self.versions | {facet: row["version"]},
            self.digests | {facet: digest},
            sf_id is not None and (adopted or self.adopted),
            None if sf_id is None else self.contact if contact is None else contact,
        )

    def half(self, row: Row, sf_id: str, *, created: bool, adopted: bool) -> RowState:
        """The state once ``row`` was written, but something that belongs to it was refused: the row is known, its version is not applied."""
        facet = row["facet"]
        whole = self.after(row, sf_id, created=created, adopted=adopted)
        digests = {name: digest for name, digest in self.digests.items() if name != facet}
        return replace(whole, versions=self.versions, digests=digests, contact=None)


def digest_of(columns: bytes) -> str:
    """A fingerprint of what a row writes, from its packed columns; equal columns give equal text."""
    return blake2b(columns, digest_size=12).hexdigest()


def key_of(reference: str) -> bytes:
    """The state table's key of a row."""
    return b"R|" + reference.encode()
