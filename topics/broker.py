"""Reads what the broker says about topics and groups: partitions, settings, offsets. Called by provision and metrics.

Owns one admin client and one consumer without a group, opened by `open_broker`; it changes nothing on the broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

REQUEST_MS = 15_000
RETRY_MS = 10
COORDINATOR_TRIES = 25
COORDINATOR_WAIT = 0.2
DEFAULT_CONFIG = 5
"""`config_source` of a setting that nobody set on the topic (Kafka protocol, DescribeConfigs)."""

TOPIC_CONFIG = 1
"""`config_source` of a setting made on the topic itself."""


class KafkaUnreachable(Exception):
    """No broker answers at the configured address."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(f"Kafka does not answer at {bootstrap}: start it, or correct kafka.bootstrap.")


class Broker:
    """Questions to one Kafka cluster.

    Args:
        bootstrap: `host:port`, or several separated by commas.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_MS)
        # The first question about each topic waits for one turn of the back-off: 2 s over all topics at its default.
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_MS, retry_backoff_ms=RETRY_MS
        )

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaUnreachable: No broker answers.
        """
        try:
            await self.admin.start()
            await self.consumer.start()
            # aiokafka's `stop` waits for a task that, cancelled before it has begun, passes the cancellation on to whoever waits.
            await asyncio.sleep(0)
        except (KafkaError, OSError) as error:
            await self.close()
            raise KafkaUnreachable(self.bootstrap) from error

    async def close(self) -> None:
        await self.consumer.stop()
        await self.admin.close()

    async def partitions(self, names: Collection[str], *, led: bool = False) -> dict[str, int]:
        """Partition count of each named topic that exists; with `led`, only of those whose partitions all have leaders."""
        wanted = set(names)
        found = await self.admin.describe_topics() if wanted else []
        return {
            item["topic"]: len(item["partitions"])
            for item in found
            if item["topic"] in wanted and not (led and any(part["leader"] < 0 for part in item["partitions"]))
        }

    async def brokers(self) -> int:
        """How many brokers the cluster has."""
        return len((await self.admin.describe_cluster())["brokers"])

    async def configs(self, names: Collection[str]) -> dict[str, dict[str, tuple[str, bool]]]:
        """Settings of each topic: value in force, and whether it was set on the topic itself.

        Args:
            names: Topics that exist.
        """
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found: dict[str, dict[str, tuple[str, bool]]] = {}
        for response in await self.admin.describe_configs(resources) if resources else ():
            for _code, _message, _kind, topic, entries in response.resources:
                found[topic] = {entry[0]: (entry[1], entry[3] == TOPIC_CONFIG) for entry in entries}
        return found

    async def bounds(
        self, partitions: Mapping[str, int]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Log start and log end of every partition of the given topics (name to partition count)."""
        wanted = [TopicPartition(name, number) for name, count in partitions.items() for number in range(count)]
        if not wanted:
            return {}, {}
        return await self.consumer.beginning_offsets(wanted), await self.consumer.end_offsets(wanted)

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Offsets that a consumer group has committed; empty for a group that never did.

        Raises:
            GroupCoordinatorNotAvailableError: The broker can't say just now. Taken for "never committed", it would show as a false lag.
        """
        for left in reversed(range(COORDINATOR_TRIES)):
            try:
                found = await self.admin.list_consumer_group_offsets(group)
                break
            except GroupCoordinatorNotAvailableError:
                # On a fresh cluster the first question creates the offsets topic; after a failover it is being loaded.
                if not left:
                    raise
                await asyncio.sleep(COORDINATOR_WAIT)
        return {partition: item.offset for partition, item in found.items() if item.offset >= 0}

    async def members(self, group: str) -> int:
        """How many members a consumer group has now; 0 for an unknown one."""
        found = 0
        for response in await self.admin.describe_consumer_groups([group]):
            for described in response.groups:
                found += len(described[5])
        return found


@asynccontextmanager
async def open_broker(bootstrap: str) -> AsyncIterator[Broker]:
    """A connected `Broker`, closed afterwards.

    Raises:
        KafkaUnreachable: No broker answers.
    """
    broker = Broker(bootstrap)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.close()
