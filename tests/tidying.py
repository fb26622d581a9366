"""Deletes the topics of tests that are over: those of a hundred cutovers, some 13,000 partitions, take all of a test broker's memory and stall it."""

from __future__ import annotations

from topics.broker import open_broker


async def delete_topics(bootstrap: str, prefix: str = "") -> None:
    """Deletes the topics whose names begin with ``prefix``, but for Kafka's own. The broker lets go of their files a little later."""
    async with open_broker(bootstrap) as broker:
        there = await broker.admin.list_topics()
        names = [name for name in there if name.startswith(prefix) and not name.startswith("__")]
        if names:
            await broker.admin.delete_topics(names)
