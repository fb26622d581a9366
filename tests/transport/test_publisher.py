"""The publisher on a real broker: what is settled is durable, and one failed send is fatal."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from aiokafka import codec
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from ops.kafka import LocalKafka
from tests.conftest import CreateTopics, ReadTopic
from transport.publisher import MessageTooLarge, Publisher, PublishFailed

pytestmark = pytest.mark.kafka

_LZ4 = 3
_HEADER = 61
"""Bytes of a batch before its records (Kafka's record batch, format 2)."""


@pytest.fixture
async def publisher(kafka: LocalKafka) -> AsyncIterator[Publisher]:
    made = Publisher(kafka.bootstrap, max_request_bytes=100_000)
    await made.start()
    yield made
    await made.stop()


async def test_what_is_settled_is_durable_and_in_order(
    publisher: Publisher, topic_prefix: str, create_topics: CreateTopics, read_topic: ReadTopic
) -> None:
    (topic,) = await create_topics(f"{topic_prefix}out", partitions=2)
    assert await publisher.partitions(topic) == 2
    for number in range(2000):
        await publisher.publish(topic, b"%d" % number, key=b"%d" % (number % 7), headers=[("n", b"%d" % number)])
    placed = await publisher.publish(topic, None, key=b"gone", partition=1)
    await publisher.settle()
    records = await read_topic(topic)
    assert records[-1].offset == placed.result().offset
    assert (records[-1].key, records[-1].value, records[-1].partition) == (b"gone", None, 1)
    for key in {record.key for record in records[:-1]}:
        sent = [number for number in range(2000) if b"%d" % (number % 7) == key]
        assert [int(record.value) for record in records if record.key == key] == sent
    assert all(dict(record.headers)["n"] == record.value for record in records if record.value is not None)


@pytest.mark.usefixtures("publisher")
async def test_batches_are_compressed_at_the_fast_level() -> None:
    batch = DefaultRecordBatchBuilder(2, _LZ4, 0, -1, -1, -1, 100_000)
    for number in range(1000):
        batch.append(number, 0, b"%d" % (number * 7919), b'{"LastName": "name %d"}' % (number * number), [])
    compressed = bytes(batch.build())[_HEADER:]
    records = codec.lz4_decode(compressed)
    assert compressed == codec.lz4_encode(records, level=1)
    assert compressed != codec.lz4_encode(records)


async def test_settling_some_waits_for_those(
    publisher: Publisher, topic_prefix: str, create_topics: CreateTopics
) -> None:
    (topic,) = await create_topics(f"{topic_prefix}out", partitions=1)
    future = await publisher.publish(topic, b"1", key=b"k")
    await publisher.settle([future])
    assert future.result().offset == 0


async def test_a_message_over_the_limit_is_a_data_error_and_hurts_nobody(
    publisher: Publisher, topic_prefix: str, create_topics: CreateTopics, read_topic: ReadTopic
) -> None:
    (topic,) = await create_topics(f"{topic_prefix}out", partitions=1)
    with pytest.raises(MessageTooLarge) as caught:
        await publisher.publish(topic, bytes(100_001), key=b"k")
    assert caught.value.size == 100_001
    await publisher.publish(topic, b"small", key=b"k")
    await publisher.settle()
    assert [record.value for record in await read_topic(topic)] == [b"small"]


async def test_a_send_that_the_broker_refuses_is_fatal_for_everything_after_it(
    kafka: LocalKafka, topic_prefix: str, create_topics: CreateTopics
) -> None:
    (narrow,) = await create_topics(f"{topic_prefix}narrow", partitions=1, configs={"max.message.bytes": "1000"})
    failures: list[BaseException] = []
    publisher = Publisher(kafka.bootstrap, max_request_bytes=100_000, on_failure=failures.append)
    await publisher.start()
    try:
        await publisher.publish(narrow, os.urandom(5000), key=b"k")
        with pytest.raises(PublishFailed):
            await publisher.settle()
        with pytest.raises(PublishFailed):
            await publisher.settle()
        with pytest.raises(PublishFailed):
            await publisher.publish(narrow, b"small", key=b"k")
        assert len(failures) == 1
    finally:
        await publisher.stop()
