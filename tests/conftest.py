"""Fixtures for every test: one real broker for the whole run, and topics of its own for each test."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_topic import NewTopic

from ops.kafka import LocalKafka
from tests.tidying import delete_topics

CreateTopics = Callable[..., Awaitable[list[str]]]
ReadTopic = Callable[..., Awaitable[list[ConsumerRecord]]]


async def commit_offset(bootstrap: str, group: str, tp: TopicPartition, offset: int) -> None:
    """Commits as a member of `group` would have.

    Without auto-commit: a consumer that has looked before there was an offset stands at the log's end, and would commit that when it stops.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([tp])
    await consumer.commit({tp: offset})
    await consumer.stop()


_SHARED: Final = pytest.StashKey[LocalKafka]()


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[LocalKafka]:
    """The broker all tests share: `kafka.bootstrap`. Tests that kill a broker start one of their own."""
    with LocalKafka() as broker:
        pytestconfig.stash[_SHARED] = broker
        yield broker


@pytest.fixture(scope="module", autouse=True)
async def tidy(pytestconfig: pytest.Config) -> AsyncIterator[None]:
    """Deletes a module's topics when all of its fixtures are gone; on a given broker they stay, there are others' as well."""
    yield
    broker = pytestconfig.stash.get(_SHARED, None)
    if broker is not None and broker.kind != "given":
        await delete_topics(broker.bootstrap)


@pytest.fixture
def own_kafka(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalKafka]:
    """A broker for one test alone, to be killed, restarted or frozen; never a given one."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    with LocalKafka() as broker:
        yield broker


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """Goes before every topic and group of this test, so that no two tests meet on the shared broker."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    return f"{name}.{uuid4().hex[:6]}."


@pytest.fixture
async def create_topics(kafka: LocalKafka) -> AsyncIterator[CreateTopics]:
    """`await create_topics("a", "b", partitions=4, configs={...})`: created and led; returns the names."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()

    async def create(*names: str, partitions: int = 4, configs: dict[str, str] | None = None) -> list[str]:
        wanted = [NewTopic(name, partitions, 1, topic_configs=configs or {}) for name in names]
        response = await admin.create_topics(wanted)
        codes = {error[0]: error[1] for error in response.topic_errors}
        assert not any(codes.values()), codes
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = await admin.describe_topics(list(names))
            if all(
                len(topic["partitions"]) == partitions and all(p["leader"] >= 0 for p in topic["partitions"])
                for topic in found
            ):
                return list(names)
            await asyncio.sleep(0.05)
        raise AssertionError("topics have no leaders")

    yield create
    await admin.close()


@pytest.fixture
async def read_topic(kafka: LocalKafka) -> AsyncIterator[ReadTopic]:
    """`await read_topic(name)`: all records that the topic holds now, partition by partition, in order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", max_poll_records=10_000
    )
    await consumer.start()

    async def read(name: str) -> list[ConsumerRecord]:
        cluster = await consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(name)
        assert numbers, f"no topic {name}"
        parts = [TopicPartition(name, number) for number in sorted(numbers)]
        ends = await consumer.end_offsets(parts)
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        records: dict[TopicPartition, list[ConsumerRecord]] = {part: [] for part in parts}
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for part, fetched in (await consumer.getmany(timeout_ms=200)).items():
                records[part] += [record for record in fetched if record.offset < ends[part]]
        return [record for part in parts for record in records[part]]

    yield read
    await consumer.stop()
