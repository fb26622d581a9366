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
        lost: it was there, and somebody else has deleted it; what landed last may be written again.
    """

    sf_id: str | None = None
    epoch: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    adopted: bool = False
    lost: bool = False

    def encode(self) -> bytes:
        known = [self.sf_id, self.epoch, self.versions, self.digests]
        rare = [self.adopted, self.lost] if self.lost else [True] if self.adopted else []
        return compact_json([*known, *rare])  # without them as before there was adoption

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
        return replace(self, sf_id=None, epoch=max(self.epoch, 1), digests={}, lost=True)

    def after(
        self, row: Row, sf_id: str | None, *, created: bool = False, digest: str = "", adopted: bool = False
    ) -> RowState:
        """The state once ``row`` has been applied as ``sf_id`` (None: the row is gone); ``digest`` is that of what it wrote."""
        facet = row["facet"]
        return RowState(
            sf_id,
            self.epoch + created,
            self.versions | {facet: row["version"]},
            self.digests | {facet: digest},
            sf_id is not None and (adopted or self.adopted),
        )


def digest_of(columns: bytes) -> str:
    """A fingerprint of what a row writes, from its packed columns; equal columns give equal text."""
    return blake2b(columns, digest_size=12).hexdigest()


def key_of(reference: str) -> bytes:
    """The state table's key of a row."""
    return b"R|" + reference.encode()
