"""Reads source records again by their place in ``vp.*``, for the verifier: nothing of a patient needs to be kept for that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from topics.messages import Position

_NEAR: Final = 2000  # offsets: further apart, a seek is cheaper than reading what lies between
_FETCH_BYTES: Final = 4 << 20


class SourceRecords:
    """A reader without a group; one call at a time.

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

    async def start(self) -> None:
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(self, positions: Iterable[Position]) -> dict[tuple[str, int, int], Any]:
        """The records (aiokafka ``ConsumerRecord``) at ``positions``, by (topic, partition, offset); one that was deleted is missing."""
        wanted: dict[TopicPartition, list[int]] = defaultdict(list)
        for position in positions:
            wanted[TopicPartition(position["topic"], position["partition"])].append(position["offset"])
        found: dict[tuple[str, int, int], Any] = {}
        for tp, offsets in wanted.items():
            self._consumer.assign([tp])
            await self._read_partition(tp, sorted(set(offsets)), found)
        return found

    async def _read_partition(
        self, tp: TopicPartition, offsets: list[int], found: dict[tuple[str, int, int], Any]
    ) -> None:
        start = (await self._consumer.beginning_offsets([tp]))[tp]
        left = [offset for offset in offsets if offset >= start]
        position = -1
        while left:
            if position < 0 or left[0] - position > _NEAR:
                self._consumer.seek(tp, left[0])
            wanted, last = set(left), left[-1]
            fetched = await self._consumer.getmany(tp, timeout_ms=5000)
            records = fetched.get(tp, [])
            if not records:
                return  # past the end: what is wanted is not there (any more)
            for record in records:
                if record.offset in wanted:
                    found[record.topic, record.partition, record.offset] = record
            position = records[-1].offset + 1
            if position > last:
                return
            left = [offset for offset in left if offset >= position]
