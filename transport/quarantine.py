"""How often the record at the head of a partition has crashed its worker, and from when on it is taken alone.

The count has to outlive the process and follow the partition to another worker, so it is kept in the metadata of the committed offset, which Kafka
stores for us. First and second crash: the process dies and re-reads. Third: the suspect run is delivered record by record, and the one that still
raises is quarantined by the agent. Not counted: a process killed from outside, or by the kernel for its memory.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_FORM: Final = re.compile(r"crashes=(\d+);until=(\d+)")
CRASHES_BEFORE_ALONE: Final = 2


class Suspicion(NamedTuple):
    """``crashes`` so far while working on offsets up to and including ``until``."""

    crashes: int
    until: int

    def encode(self) -> str:
        return f"crashes={self.crashes};until={self.until}"

    @classmethod
    def decode(cls, metadata: str) -> Suspicion | None:
        """None for metadata that says nothing of crashes."""
        found = _FORM.fullmatch(metadata or "")
        return cls(int(found[1]), int(found[2])) if found else None

    def covers(self, offset: int) -> bool:
        return offset <= self.until

    def alone(self, offset: int) -> bool:
        """Whether the record at ``offset`` must be delivered in a chunk of its own."""
        return self.covers(offset) and self.crashes >= CRASHES_BEFORE_ALONE


def another(earlier: Suspicion | None, first: int, last: int) -> Suspicion:
    """The suspicion after a crash on the chunk ``first..last``."""
    if earlier is not None and earlier.covers(first):
        return Suspicion(earlier.crashes + 1, max(earlier.until, last))
    return Suspicion(1, last)
