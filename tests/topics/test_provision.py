"""Topics on a real broker: created once, corrected, and every way of being wrong said in a sentence."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from ops.kafka import LocalKafka
from tests.conftest import CreateTopics, commit_offset
from topics.broker import KafkaUnreachable
from topics.catalogue import Catalogue
from topics.provision import apply, check

pytestmark = pytest.mark.kafka


async def test_apply_creates_every_topic_and_changes_nothing_the_second_time(
    kafka: LocalKafka, topic_prefix: str
) -> None:
    catalogue = Catalogue(topic_prefix, partitions=3)
    assert len(await check(kafka.bootstrap, catalogue)) == len(catalogue.topics)
    assert set(await apply(kafka.bootstrap, catalogue)) == {topic.name for topic in catalogue.topics}
    assert await check(kafka.bootstrap, catalogue) == []
    assert await apply(kafka.bootstrap, catalogue) == []


async def test_a_wrong_retention_is_reported_then_corrected_and_other_settings_stay(
    kafka: LocalKafka, topic_prefix: str, create_topics: CreateTopics
) -> None:
    catalogue = Catalogue(topic_prefix, partitions=2)
    await create_topics(catalogue.audit, partitions=2, configs={"retention.ms": "1000", "compression.type": "zstd"})
    assert f"{catalogue.audit} has retention.ms=1000 instead of -1" in "\n".join(
        await check(kafka.bootstrap, catalogue)
    )
    assert catalogue.audit in await apply(kafka.bootstrap, catalogue)
    assert await check(kafka.bootstrap, catalogue) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    from topics.broker import Broker

    broker = Broker(kafka.bootstrap)
    await broker.start()
    assert (await broker.configs([catalogue.audit]))[catalogue.audit]["compression.type"] == ("zstd", True)
    await broker.close()
    await admin.close()


async def test_a_wrong_partition_count_is_reported_and_left(
    kafka: LocalKafka, topic_prefix: str, create_topics: CreateTopics
) -> None:
    catalogue = Catalogue(topic_prefix, partitions=2)
    await create_topics(catalogue.refs, partitions=5)
    await apply(kafka.bootstrap, catalogue)
    (error,) = await check(kafka.bootstrap, catalogue)
    assert f"{catalogue.refs} has 5 partitions instead of 2" in error


async def test_a_committed_offset_below_the_log_start_is_an_error(kafka: LocalKafka, topic_prefix: str) -> None:
    catalogue = Catalogue(topic_prefix, partitions=1)
    await apply(kafka.bootstrap, catalogue)
    part = TopicPartition(catalogue.refs, 0)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for _ in range(5):
        await producer.send_and_wait(part.topic, b"x", partition=0)
    await producer.stop()
    await commit_offset(kafka.bootstrap, catalogue.group("resolve"), part, 2)
    assert await check(kafka.bootstrap, catalogue) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_records({part: RecordsToDelete(before_offset=4)})
    await admin.close()
    (error,) = await check(kafka.bootstrap, catalogue)
    assert f"stands at 2 of {catalogue.refs}/0, but the log begins at 4" in error


async def test_an_unreachable_broker_is_one_sentence() -> None:
    with pytest.raises(KafkaUnreachable, match=r"Kafka does not answer at 127\.0\.0\.1:1: start it"):
        await check("127.0.0.1:1", Catalogue())
