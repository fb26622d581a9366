"""One assignment of partitions to this process, from the moment it is positioned until it is revoked.

Fencing is by identity: chunks, state partitions and acks hold the assignment they were made under. A rebalance closes it and makes a new one, so
nothing late can count for its successor, whatever generation numbers say.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class TopicPartition(NamedTuple):
    """A partition; equal and hash-equal to Faust's and aiokafka's own named tuples of the same fields."""

    topic: str
    partition: int


class StaleAssignment(Exception):
    """The partitions were revoked while this work was under way. Drop it: their next owner redoes it."""


class Watermark:
    """What was delivered of one partition, and how much of it is done as a contiguous prefix.

    Works on chunk-end offsets in the order of delivery. Gaps between offsets (compaction, transaction markers) need no bookkeeping:
    an offset never delivered is never waited for.
    """

    __slots__ = ("_delivered", "_done", "_sizes", "changed_at", "committed", "unfinished_records")

    def __init__(self, committed: int) -> None:
        self.committed = committed
        self.changed_at = time.monotonic()
        self.unfinished_records = 0
        self._delivered: deque[int] = deque()
        self._sizes: dict[int, int] = {}
        self._done: set[int] = set()

    def deliver(self, last: int, records: int = 1) -> None:
        """Notes that the chunk of ``records`` records ending at offset ``last`` was handed out; call in ascending order."""
        if self._delivered and last <= self._delivered[-1]:
            raise ValueError(f"chunk end {last} delivered after {self._delivered[-1]}")
        self.changed_at = time.monotonic()
        self._delivered.append(last)
        self._sizes[last] = records
        self.unfinished_records += records

    def extend(self, before: int, last: int, records: int) -> None:
        """Notes that the newest chunk, which ended at ``before``, has been joined by ``records`` records and ends at ``last``."""
        if not self._delivered or self._delivered[-1] != before or before not in self._sizes or last <= before:
            raise ValueError(f"the chunk that ended at {before} is not the newest, or is done")
        self._delivered[-1] = last
        self._sizes[last] = self._sizes.pop(before) + records
        self.unfinished_records += records

    def done(self, last: int) -> None:
        """Notes that the chunk ending at ``last`` is finished; chunks may finish in any order, and say so twice."""
        size = self._sizes.pop(last, None)
        if size is not None:
            self.unfinished_records -= size
            self._done.add(last)
            self.changed_at = time.monotonic()

    def committable(self) -> int | None:
        """The offset to commit: one past the contiguous done prefix, or None when the head is unfinished."""
        end: int | None = None
        for last in self._delivered:
            if last not in self._done:
                break
            end = last
        return None if end is None else end + 1

    def advance(self, offset: int) -> None:
        """Forgets everything below ``offset``, which has just been committed."""
        while self._delivered and self._delivered[0] < offset:
            self._done.discard(self._delivered.popleft())
        self.committed = offset

    @property
    def unfinished(self) -> int:
        """Chunks delivered and not done."""
        return len(self._delivered) - len(self._done)


@dataclass(eq=False)
class Assignment:
    """The partitions this process owns now, with the position and the watermark of each.

    Attributes:
        generation: the consumer group's generation, for logs only.
        positions: the next offset to deliver, per partition.
        opened: partitions whose state is recovered; only these are delivered.
        live: false for ever once revoked.
        on_done: called when a chunk is finished, so that the drain loop looks for room.
    """

    generation: int
    positions: dict[TopicPartition, int]
    watermarks: dict[TopicPartition, Watermark] = field(default_factory=dict)
    opened: set[TopicPartition] = field(default_factory=set)
    live: bool = True
    on_done: Callable[[], None] | None = None

    @classmethod
    def at(cls, generation: int, positions: Mapping[TopicPartition, int]) -> Assignment:
        """An assignment positioned at ``positions`` (the next offset of each partition)."""
        return cls(generation, dict(positions), {tp: Watermark(offset) for tp, offset in positions.items()})

    def close(self) -> None:
        """Ends it: everything that still holds it is stale from here on."""
        self.live = False

    def check(self) -> None:
        """Raises `StaleAssignment` unless it is still live. Call after every await that precedes an effect."""
        if not self.live:
            raise StaleAssignment

    def done(self, tp: TopicPartition, last: int) -> None:
        """Notes that the chunk of ``tp`` ending at ``last`` is finished; nothing happens when this assignment is stale."""
        if self.live:
            self.watermarks[tp].done(last)
            if self.on_done is not None:
                self.on_done()

    def touch(self, tp: TopicPartition) -> None:
        """Says that unfinished work of ``tp`` is being worked on (a Bulk job polled, a retry waited for): the watchdog leaves it alone."""
        mark = self.watermarks.get(tp)
        if mark is not None:
            mark.changed_at = time.monotonic()
