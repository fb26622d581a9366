"""How far behind each consumer group is, as the broker knows it: log ends against committed offsets.

Owns the measuring; a stage can't make itself look better than it is, because it isn't asked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from topics.broker import Broker
from topics.catalogue import Catalogue


@dataclass(frozen=True)
class Group:
    """One consumer group.

    Attributes:
        members: How many processes are in it now.
        committed: Next offset of each partition it has committed.
        lag: Records between that and the log's end; a partition never committed lags by all it holds.
    """

    members: int
    committed: Mapping[TopicPartition, int]
    lag: Mapping[TopicPartition, int]

    @property
    def total(self) -> int:
        """Records over all partitions."""
        return sum(self.lag.values())


@dataclass(frozen=True)
class Lag:
    """One measurement.

    Attributes:
        at: When, ms since 1970.
        brokers: How many brokers the cluster has.
        partitions: Partition count of each of the cutover's topics.
        starts, ends: Log start and end of each partition.
        groups: Each stage's group by name.
    """

    at: int
    brokers: int
    partitions: Mapping[str, int]
    starts: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    groups: Mapping[str, Group]


async def measure(broker: Broker, catalogue: Catalogue) -> Lag:
    """Ask the broker once.

    Committed offsets are read before the log ends, so that lag is never below zero and never too small.
    """
    counts = await broker.partitions([topic.name for topic in catalogue.topics])
    committed = {name: await broker.committed(name) for name in catalogue.groups}
    members = {name: await broker.members(name) for name in catalogue.groups}
    starts, ends = await broker.bounds(counts)
    groups = {}
    for stage, topics in catalogue.sources.items():
        name = catalogue.group(stage)
        parts = [TopicPartition(topic, number) for topic in topics for number in range(counts.get(topic, 0))]
        lag = {part: max(ends[part] - committed[name].get(part, starts[part]), 0) for part in parts}
        mine = {part: committed[name][part] for part in parts if part in committed[name]}
        groups[name] = Group(members[name], mine, lag)
    return Lag(int(time.time() * 1000), await broker.brokers(), counts, starts, ends, groups)


def summary(lag: Lag) -> dict[str, dict[str, object]]:
    """Per group: `members`, `lag` (records), and `topics` with the lag of each; JSON-ready."""
    found: dict[str, dict[str, object]] = {}
    for name, group in lag.groups.items():
        topics: dict[str, int] = {}
        for part, records in group.lag.items():
            topics[part.topic] = topics.get(part.topic, 0) + records
        found[name] = {"members": group.members, "lag": group.total, "topics": topics}
    return found
