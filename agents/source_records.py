"""Reads source records again by their place in ``vp.*``, for the verifier: nothing of a patient needs to be stored for that.

Rows land by the batch of a partition, their sources lie close together but in no order, and a fetch brings whatever lies there. What was not asked for yet is
remembered for a while: most of it is asked for soon.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from topics.codec import Codec
from topics.messages import Change, Position

_NEAR: Final = 2000  # offsets: further apart, a seek is cheaper than reading what lies between
_FETCH_BYTES: Final = 256 * 1024
_REMEMBERED: Final = 10_000  # records of about a kB


class Place(NamedTuple):
    """Where a source record lies."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, position: Position) -> Place:
        return cls(sys.intern(position["topic"]), position["partition"], position["offset"])

    @property
    def position(self) -> Position:
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}


class SourceRecord(NamedTuple):
    """What is kept of a fetched record."""

    topic: str
    key: bytes | None
    value: bytes | None


class SourceRecords:
    """A reader without a group; calls wait for each other.

    Arguments:
        bootstrap: Kafka.
    """

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=50,
        )
        self._recent: dict[Place, SourceRecord] = {}  # oldest first
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(self, places: Iterable[Place]) -> dict[Place, SourceRecord]:
        """The records at ``places``; one that was deleted is missing."""
        found: dict[Place, SourceRecord] = {}
        missing: dict[TopicPartition, set[int]] = defaultdict(set)
        for place in places:
            known = self._recent.pop(place, None)
            if known is not None:
                found[place] = known
            elif place not in found:
                missing[TopicPartition(place.topic, place.partition)].add(place.offset)
        if missing:
            async with self._reading:
                await self._fetch({tp: sorted(offsets) for tp, offsets in missing.items()}, found)
        return found

    async def _fetch(self, missing: dict[TopicPartition, list[int]], found: dict[Place, SourceRecord]) -> None:
        self._consumer.assign(list(missing))
        starts = await self._consumer.beginning_offsets(list(missing))
        left = {tp: [offset for offset in offsets if offset >= starts[tp]] for tp, offsets in missing.items()}
        left = {tp: offsets for tp, offsets in left.items() if offsets}
        for tp, offsets in left.items():
            self._consumer.seek(tp, offsets[0])
        while left:
            fetched = await self._consumer.getmany(*left, timeout_ms=5000)
            if not fetched:  # past the end, or the broker is slow: a row must not stay unverified for that
                ends = await self._consumer.end_offsets(list(left))
                left = {tp: [offset for offset in left[tp] if offset < ends[tp]] for tp in left}
                left = {tp: offsets for tp, offsets in left.items() if offsets}
            for tp, records in fetched.items():
                wanted, position = set(left[tp]), records[-1].offset + 1
                for record in records:
                    to = found if record.offset in wanted else self._recent
                    to[Place(record.topic, record.partition, record.offset)] = SourceRecord(
                        record.topic, record.key, record.value
                    )
                left[tp] = [offset for offset in left[tp] if offset >= position]
                if not left[tp]:
                    del left[tp]
                elif left[tp][0] - position > _NEAR:
                    self._consumer.seek(tp, left[tp][0])
            self._forget()

    def _forget(self) -> None:
        for place in list(islice(self._recent, max(0, len(self._recent) - _REMEMBERED))):
            del self._recent[place]


def change_at(found: Mapping[Place, SourceRecord], at: Place, codec: Codec) -> Change | None:
    """The change at a place, of what `SourceRecords.read` has found; None when it is not there any more.

    Raises:
        topics.codec.Undecodable: what lies there can't be read.
    """
    record = found.get(at)
    if record is None:
        return None
    return cast("Change", codec.decode(record.value, topic=record.topic, key=record.key or b"")[1])
