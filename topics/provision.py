"""Creates the catalogue's topics on a broker, and says what is wrong with those that are there.

Called by `carryover topics` and at the start of every process. Never deletes a topic and never changes a partition
count: neither can be done without losing something.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.new_topic import NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from topics.broker import Broker, open_broker
from topics.catalogue import Catalogue, Topic

SETTLE_SECONDS = 30.0

SAID_BY_US = ("cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes", "min.insync.replicas")
"""Settings whose wrong value loses records or stops a stage: `check` compares these, `apply` sets all of ours."""


class ProvisionError(Exception):
    """The broker refused a topic; the text is one sentence with the broker's reason."""


async def apply(bootstrap: str, catalogue: Catalogue) -> list[str]:
    """Create the topics that are missing and correct settings of ours that differ; safe to repeat and to run twice at once.

    Settings that others made on a topic stay. Partition counts are left as they are: `check` reports them.

    Returns:
        Names of the topics that were created or corrected.

    Raises:
        KafkaUnreachable: No broker answers.
        ProvisionError: The broker refused.
    """
    async with open_broker(bootstrap) as broker:
        there = await broker.partitions([topic.name for topic in catalogue.topics])
        missing = [topic for topic in catalogue.topics if topic.name not in there]
        created = await _create(broker, missing, catalogue.replication)
        corrected = await _correct(broker, [topic for topic in catalogue.topics if topic.name in there])
        await _settle(broker, [topic for topic in catalogue.topics if topic.name in {*created, *corrected}])
        return created + corrected


async def check(bootstrap: str, catalogue: Catalogue) -> list[str]:
    """What keeps the stages from running safely, as sentences; empty when all is well.

    Finds missing topics, wrong partition counts, wrong clean-up or retention, and committed offsets that lie outside
    the log: a consumer would silently jump over what was there.

    Raises:
        KafkaUnreachable: No broker answers.
    """
    async with open_broker(bootstrap) as broker:
        there = await broker.partitions([topic.name for topic in catalogue.topics])
        found = [error for topic in catalogue.topics for error in _count_errors(topic, there.get(topic.name))]
        present = [topic for topic in catalogue.topics if topic.name in there]
        configs = await broker.configs([topic.name for topic in present])
        for topic in present:
            found += _config_errors(topic, configs.get(topic.name, {}))
        return found + await _offset_errors(broker, catalogue, there)


async def _create(broker: Broker, topics: list[Topic], replication: int) -> list[str]:
    if not topics:
        return []
    wanted = [
        NewTopic(topic.name, topic.partitions, replication, topic_configs=dict(topic.configs)) for topic in topics
    ]
    response = await broker.admin.create_topics(wanted)
    created = []
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if not code:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            reason = next((text for text in message if isinstance(text, str) and text), error.__name__)
            raise ProvisionError(f"Kafka refused to create the topic {name}: {reason}")
    return created


async def _settle(broker: Broker, topics: list[Topic]) -> None:
    """Wait until the brokers have heard from their controller what was just made; raises when they don't."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while topics:
        there = await broker.partitions([topic.name for topic in topics], led=True)
        if all(topic.name in there for topic in topics):
            configs = await broker.configs([topic.name for topic in topics])
            topics = [topic for topic in topics if _config_errors(topic, configs[topic.name])]
        if topics and time.monotonic() > deadline:
            raise ProvisionError(
                f"Kafka took the topic {topics[0].name} but doesn't serve it after {SETTLE_SECONDS:.0f} s: "
                "check that all brokers are up."
            )
        if topics:
            await asyncio.sleep(0.05)


async def _correct(broker: Broker, topics: list[Topic]) -> list[str]:
    configs = await broker.configs([topic.name for topic in topics])
    changed = []
    for topic in topics:
        now = configs.get(topic.name, {})
        if all(now.get(name, ("", False))[0] == value for name, value in topic.configs.items()):
            continue
        # This request replaces all of a topic's own settings, so those that others made go along.
        kept = {name: value for name, (value, own) in now.items() if own}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, {**kept, **topic.configs})
        for response in await broker.admin.alter_configs([resource]):
            for code, reason, *_ in response.resources:
                if code:
                    raise ProvisionError(f"Kafka refused the settings of the topic {topic.name}: {reason or code}")
        changed.append(topic.name)
    return changed


def _count_errors(topic: Topic, partitions: int | None) -> list[str]:
    if partitions is None:
        return [f"The topic {topic.name} is missing: run `carryover topics apply`."]
    if partitions != topic.partitions:
        wrong = f"The topic {topic.name} has {partitions} partitions instead of {topic.partitions}"
        same = f"set kafka.partitions to {partitions} if all topics have that many"
        return [f"{wrong}: {same}, else start the cutover under another kafka.prefix."]
    return []


def _config_errors(topic: Topic, now: Mapping[str, tuple[str, bool]]) -> list[str]:
    return [
        f"The topic {topic.name} has {name}={now[name][0]} instead of {topic.configs[name]}: "
        "run `carryover topics apply`."
        for name in SAID_BY_US
        if name in topic.configs and name in now and now[name][0] != topic.configs[name]
    ]


async def _offset_errors(broker: Broker, catalogue: Catalogue, there: Mapping[str, int]) -> list[str]:
    starts, ends = await broker.bounds(there)
    found = []
    for group in catalogue.groups:
        for partition, offset in sorted((await broker.committed(group)).items()):
            where = f"Group {group} stands at {offset} of {partition.topic}/{partition.partition}"
            if offset < starts.get(partition, 0):
                found.append(
                    f"{where}, but the log begins at {starts[partition]}, so records were deleted unread: restore the "
                    "topic, or start the cutover under another kafka.prefix."
                )
            elif offset > ends.get(partition, offset):
                found.append(
                    f"{where}, but the log ends at {ends[partition]}, so the topic was made anew: start the cutover "
                    "under another kafka.prefix."
                )
    return found
