"""Topics for a benchmark: created, and filled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_topic import NewTopic

Record = tuple[str, bytes, bytes, Sequence[tuple[str, bytes]]]
"""Topic, key, value, headers."""


async def create(bootstrap: str, topics: Mapping[str, Mapping[str, str]], partitions: int) -> None:
    """Creates topics (name to settings), and waits until each has its leaders."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(name, partitions, 1, topic_configs=dict(configs)) for name, configs in topics.items()]
        )
        while True:
            found = await admin.describe_topics(list(topics))
            if all(
                len(topic["partitions"]) == partitions and all(p["leader"] >= 0 for p in topic["partitions"])
                for topic in found
            ):
                return
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def fill(bootstrap: str, records: Iterable[Record]) -> int:
    """Writes records and waits until all are durable; returns how many."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=20,
        max_batch_size=256 * 1024,
        compression_type="lz4",
    )
    await producer.start()
    count, last = 0, None
    try:
        for topic, key, value, headers in records:
            last = await producer.send(topic, value, key=key, headers=list(headers) or None)
            count += 1
        await producer.flush()
        if last is not None:
            await last
    finally:
        await producer.stop()
    return count
