"""Deletes the topics of tests that are over: those of a hundred cutovers, some 13,000 partitions, take all of a test broker's memory and stall it."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient


async def delete_topics(bootstrap: str, prefix: str = "") -> int:
    """Deletes the topics whose names begin with ``prefix``, but for Kafka's own; returns how many. The broker lets go of their files a little later."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix) and not name.startswith("__")]
        if names:
            await admin.delete_topics(names)
        return len(names)
    finally:
        await admin.close()
