"""Reads a small topic from its start: all that it holds now, and what comes after.

For topics that a program follows without a group and without committing: each reader needs everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from topics.codec import Codec, Undecodable

log = logging.getLogger(__name__)

_WAIT_MS: Final = 300
_AGAIN_SECONDS: Final = 1.0


class WholeTopic:
    """A topic that is being read from its start; made by `open_whole`.

    Arguments:
        consumer: at the start of every partition of the topic.
        ends: the log ends when reading began.
    """

    def __init__(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._ends = ends

    async def records(self) -> list[Any]:
        """The next records (aiokafka ``ConsumerRecord``s); none when nothing came for a moment. In order within a partition only."""
        found = await self._consumer.getmany(timeout_ms=_WAIT_MS)
        return [record for records in found.values() for record in records]

    async def caught_up(self) -> bool:
        """Whether all that the topic held when reading began has been read."""
        positions = [await self._consumer.position(tp) >= end for tp, end in self._ends.items()]
        return all(positions)


@asynccontextmanager
async def open_whole(bootstrap: str, topic: str) -> AsyncIterator[WholeTopic]:
    """Begins at the start of every partition of ``topic``.

    Raises:
        aiokafka.errors.KafkaError: no broker answers, or none knows the topic (one that has just started doesn't for a moment).
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.set_topics([topic])  # noqa: SLF001 - without a subscription nothing else makes it ask
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise UnknownTopicOrPartitionError
        tps = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        yield WholeTopic(consumer, await consumer.end_offsets(tps))
    finally:
        await consumer.stop()


async def followed(follow: Callable[[], Awaitable[None]], trouble: str) -> None:
    """Follows a topic until cancelled: ``follow`` begins anew when Kafka fails it, which is logged as ``trouble``."""
    while True:
        try:
            await follow()
        except KafkaError as exc:
            log.warning("%s (%s); trying again", trouble, type(exc).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)


def decoded(codec: Codec, record: Any, what: str) -> tuple[str, dict[str, Any]] | None:
    """The message that a record carries, its name and its content; of one that can't be read ``what`` it is is logged, and it is left out."""
    try:
        return codec.decode(record.value, topic=record.topic, key=record.key or b"")
    except Undecodable as exc:
        log.error("%s can't be read (%s); it is left out", what, exc.code)
        return None
