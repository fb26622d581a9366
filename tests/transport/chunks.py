"""Records and chunks as the consumer would hand them out, for tests without a consumer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transport.assignment import Assignment, TopicPartition
from transport.chunk import Chunk


@dataclass(frozen=True)
class Record:
    """As much of an aiokafka `ConsumerRecord` as the transport and the agents look at."""

    offset: int
    value: bytes | None = b""
    key: bytes | None = b"k"
    topic: str = "in"
    partition: int = 0
    timestamp: int = 0
    headers: tuple[Any, ...] = ()


def assignment(topic: str = "in", *partitions: int) -> Assignment:
    return Assignment.at(1, {TopicPartition(topic, number): 0 for number in partitions or (0,)})


def chunk(under: Assignment, first: int, last: int | None = None, *, topic: str = "in", partition: int = 0) -> Chunk:
    """A chunk of the offsets `first..last`, delivered under the given assignment."""
    offsets = range(first, (first if last is None else last) + 1)
    records = [Record(offset, topic=topic, partition=partition) for offset in offsets]
    under.watermarks[TopicPartition(topic, partition)].deliver(records[-1].offset, len(records))
    return Chunk.of(records, under)
