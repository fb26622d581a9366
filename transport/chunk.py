"""A chunk: the run of records of one partition that is handed to an agent as one Faust event.

Faust spends about 100 µs on each message it hands out; a chunk pays that once for up to a thousand records. It is a ``bytes`` subclass because Faust's
raw codec lets ``bytes`` through untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from transport.assignment import Assignment, TopicPartition

MAX_RECORDS: Final = 1000
MAX_BYTES: Final = 4 * 1024 * 1024


class Chunk(bytes):
    """Consecutive records of one partition, ascending by offset, never empty.

    Attributes:
        records: aiokafka ``ConsumerRecord``s (``.offset``, ``.key``, ``.value``, ``.headers``, ``.timestamp`` in ms).
        tp: the partition they are of.
        assignment: the assignment it was delivered under; ``chunk.live`` turns false when that is revoked, and nothing a dead chunk
            does counts any more.

    Chunk borders are not stable: after a restart the same records may come in other chunks.
    """

    # No __slots__: a variable-size type such as bytes can't have them.
    records: list[Any]
    assignment: Assignment
    tp: TopicPartition
    _bytes: int = 0

    @classmethod
    def of(cls, records: Sequence[Any], assignment: Assignment) -> Chunk:
        """Makes a chunk of ``records`` (all of one partition)."""
        chunk = cls(b"chunk")
        chunk.records = list(records)
        chunk._bytes = sum(map(_weight, records))
        chunk.assignment = assignment
        chunk.tp = TopicPartition(records[0].topic, records[0].partition)
        return chunk

    @property
    def first(self) -> int:
        return int(self.records[0].offset)

    @property
    def last(self) -> int:
        return int(self.records[-1].offset)

    @property
    def live(self) -> bool:
        return self.assignment.live

    def append(self, records: Sequence[Any]) -> bool:
        """Takes the records that follow in its partition along, if it doesn't become too large. Only before an agent has begun with it (`Consumer.begin`).

        An agent that is behind so gets few large chunks instead of many small ones, and what it does once a chunk it does less often.
        """
        if len(self.records) + len(records) > MAX_RECORDS:
            return False
        weight = sum(map(_weight, records))
        if self._bytes + weight > MAX_BYTES:
            return False
        before = self.last
        self.records += records
        self._bytes += weight
        self.assignment.watermarks[self.tp].extend(before, self.last, len(records))
        return True

    def done(self) -> None:
        """Says that every effect of this chunk has been published or staged: it may be committed. A stale chunk's word does not count."""
        self.assignment.done(self.tp, self.last)


def _weight(record: Any) -> int:
    return len(record.value or b"") + len(record.key or b"")


def split(records: Sequence[Any], max_records: int, max_bytes: int = MAX_BYTES) -> Iterator[Sequence[Any]]:
    """Yields runs of ``records`` within both bounds; a record larger than ``max_bytes`` makes a run of its own."""
    start = size = 0
    for index, record in enumerate(records):
        weight = _weight(record)
        if index > start and (index - start >= max_records or size + weight > max_bytes):
            yield records[start:index]
            start, size = index, 0
        size += weight
    if start < len(records):
        yield records[start:]
