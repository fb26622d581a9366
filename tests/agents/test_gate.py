"""The gate on a real broker: closed until this very cutover has begun with this very map."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaProducer

from agents.gate import Gate
from ops.kafka import LocalKafka
from tests.agents.rows import CODEC
from tests.conftest import CreateTopics
from tests.transport.waiting import eventually
from topics.messages import Transition

pytestmark = pytest.mark.kafka

Move = Callable[..., Awaitable[None]]


@pytest.fixture
async def topic(topic_prefix: str, create_topics: CreateTopics) -> str:
    (name,) = await create_topics(f"{topic_prefix}control", partitions=3)
    return name


@pytest.fixture
async def move(kafka: LocalKafka, topic: str) -> AsyncIterator[Move]:
    """`await move("SNAPSHOT", map_hash="abc", cutover="ours")` publishes a transition."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()

    async def publish(phase: str, map_hash: str = "abc", cutover: str = "ours", value: bytes | None = None) -> None:
        moved: Transition = {
            "phase": phase,
            "run": "run-1",
            "map_hash": map_hash,
            "by": "me",
            "at": 1,
            "detail": None,
        }
        if value is None:
            value = CODEC.encode("transition", moved)
        await producer.send_and_wait(topic, value, key=cutover.encode())

    yield publish
    await producer.stop()


@pytest.fixture
async def gate(kafka: LocalKafka, topic: str) -> AsyncIterator[Callable[[], Gate]]:
    """`gate()` is one that follows the topic from now on."""
    tasks: list[asyncio.Task[None]] = []

    def follow() -> Gate:
        made = Gate(kafka.bootstrap, topic, CODEC, "ours", "abc")
        tasks.append(asyncio.create_task(made.follow()))
        return made

    yield follow
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def opens(gate: Gate) -> None:
    async def look() -> bool:
        return gate.open()

    await eventually(look, within=20)


async def closes(gate: Gate) -> None:
    async def look() -> bool:
        return not gate.open()

    await eventually(look, within=20)


async def test_it_opens_when_the_snapshot_begins_and_closes_again(gate: Callable[[], Gate], move: Move) -> None:
    one = gate()
    assert not one.open()
    await move("CONFIRMED")
    await move("SNAPSHOT")
    await opens(one)
    await move("PAUSED")
    await closes(one)
    await move("CATCHING_UP")
    await opens(one)


async def test_only_the_newest_transition_counts_for_one_who_comes_late(
    gate: Callable[[], Gate], move: Move, caplog: pytest.LogCaptureFixture
) -> None:
    await move("SNAPSHOT")
    await move("FAILED")
    await move("SNAPSHOT", cutover="another")
    late = gate()
    await move("SNAPSHOT", map_hash="other")

    async def told() -> bool:
        late.open()
        return "the cutover was started with map other" in caplog.text

    await eventually(told, within=20)
    assert not late.open()
    await move("SNAPSHOT")
    await opens(late)


async def test_bytes_that_are_no_transition_change_nothing(gate: Callable[[], Gate], move: Move) -> None:
    one = gate()
    await move("SNAPSHOT")
    await opens(one)
    await move("", value=b"poison")
    await move("PAUSED", cutover="another")
    await move("PAUSED")
    await closes(one)
    await move("", value=b"poison")
    await move("READY")
    await opens(one)


async def test_a_topic_that_the_broker_does_not_know_yet_is_asked_for_again(
    kafka: LocalKafka, topic_prefix: str, create_topics: CreateTopics
) -> None:
    """As after a restart of the broker: were one partition guessed, a transition in another would never be seen."""
    name = f"{topic_prefix}control"
    gate = Gate(kafka.bootstrap, name, CODEC, "ours", "abc")
    following = asyncio.create_task(gate.follow())
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    try:
        await asyncio.sleep(1)
        await create_topics(name, partitions=3)
        moved: Transition = {"phase": "SNAPSHOT", "run": "r", "map_hash": "abc", "by": "me", "at": 1, "detail": None}
        await producer.start()
        await producer.send_and_wait(name, CODEC.encode("transition", moved), key=b"ours", partition=2)
        await opens(gate)
    finally:
        await producer.stop()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
