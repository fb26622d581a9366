"""A worker asks for calls as long as it can say so, and no longer."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from agents.allowance import Allowance
from connectors.salesforce.shares import Reserve
from ops.kafka import LocalKafka
from tests.conftest import CreateTopics, ReadTopic
from tests.transport.waiting import eventually
from topics.codec import Codec
from transport.publisher import Publisher

pytestmark = pytest.mark.kafka


async def test_a_worker_that_is_being_stopped_asks_for_no_more_calls_and_does_not_crash(
    kafka: LocalKafka, topic_prefix: str, create_topics: CreateTopics, read_topic: ReadTopic
) -> None:
    (topic,) = await create_topics(f"{topic_prefix}calls", partitions=1)
    publisher = Publisher(kafka.bootstrap)
    await publisher.start()
    allowance = Allowance("deliver-0", "deliver", Reserve(), 1.0, kafka.bootstrap, topic, Codec())
    following = asyncio.create_task(allowance.follow(publisher))

    async def asked() -> int:
        return len(await read_topic(topic))

    first = await eventually(asked)
    try:
        await publisher.stop()
        allowance.room.refused()  # is told at once
        ended, _ = await asyncio.wait([following], timeout=3)
        assert not ended, following.exception()
        await publisher.start()

        async def asked_again() -> bool:
            return await asked() > first

        await eventually(asked_again)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError, AssertionError):
            await following
        await publisher.stop()
