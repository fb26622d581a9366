"""What is known of the records that a failure names: versions, outcomes and whether they agree, never a value."""

from __future__ import annotations

import re
from typing import Any, Final

from aiokafka.coordinator.protocol import ConsumerProtocol

from cutover.census import RESOURCES
from tests.chaos.crew import Crew
from tests.pipeline.pipeline import CODEC
from topics.broker import open_broker

_NAMED: Final = re.compile(rf"\b({'|'.join(RESOURCES)}):(\w+)\b")
_MOST: Final = 3


async def gathered(crew: Crew, error: BaseException) -> list[str]:
    """Lines about the consumer groups, and about the first records that `error` names."""
    lines = await _groups(crew)
    for object_, vp_id in list(dict.fromkeys(_NAMED.findall(str(error))))[:_MOST]:
        lines += await _of(crew, object_, vp_id)
    return lines


async def _groups(crew: Crew) -> list[str]:
    """What each stage has not committed, by partition, and whose that partition is by the broker's word."""
    lines: list[str] = []
    async with open_broker(crew.settings.kafka.bootstrap) as broker:
        for stage, names in crew.catalogue.sources.items():
            group = crew.catalogue.group(stage)
            starts, ends = await broker.bounds(dict.fromkeys(names, crew.catalogue.partitions))
            committed = await broker.committed(group)
            owners: dict[tuple[str, int], str] = {}
            for answer in await broker.admin.describe_consumer_groups([group]):
                for _, name, state, _, _, members, *_ in answer.groups:
                    lines.append(f"{name} is {state} with {len(members)} members")
                    for member in members:
                        for topic, numbers in _assigned(member[-1]):
                            owners |= dict.fromkeys(((topic, number) for number in numbers), str(member[0]))
            lines += [
                f"{stage}: {part.topic}[{part.partition}] {committed.get(part)} of {end}, {owners.get(part, 'nobody')}"
                for part, end in ends.items()
                if end != committed.get(part, starts[part]) or part not in owners
            ]
    return lines


def _assigned(data: bytes) -> list[tuple[str, list[int]]]:
    return list(ConsumerProtocol.ASSIGNMENT.decode(data).assignment) if data else []


async def _of(crew: Crew, object_: str, vp_id: str) -> list[str]:
    reference = f"{object_}:{vp_id}"
    lines = [
        f"{reference} in the source: {record['updated_at']}"
        for record in crew.practice.dump()[RESOURCES[object_]]
        if record["id"] == vp_id
    ]
    sobject = crew.catalogue.targets[object_]
    lines += [
        f"{reference} in the org: {row['Id']} deleted {row['IsDeleted']} stands at {row.get('VP_Modified_At__c')}, written {row['SystemModstamp']}"
        for row in crew.org.dump().get(sobject, ())
        if row.get("VP_Id__c") == reference
    ]
    for topic in (crew.catalogue.vp(object_), crew.catalogue.sf(sobject)):
        for record in await crew.records(topic):
            if record.key in {vp_id.encode(), reference.encode()}:
                lines.append(f"{topic}[{record.partition}] {record.offset} at {record.timestamp}: {_told(record)}")
    for record in await crew.records(crew.catalogue.refs):
        _, message = CODEC.decode(record.value)
        if reference in {message["parent"], message.get("child"), message.get("reference")}:
            lines.append(
                f"{record.topic}[{record.partition}] {record.offset} at {record.timestamp}: {_told(record)} "
                f"{message['parent']} {message.get('child', '')} {message.get('sf_id', '')}"
            )
    lines += [
        f"audit at {one['at']}: {one['what']} {one['outcome']} {one['code']} {one['version']} {one['row_id']}"
        for one in await crew.operations(reference)
    ]
    return lines


def _told(record: Any) -> str:
    name, message = CODEC.decode(record.value)
    version = message.get("version") or (message.get("row") or {}).get("version")
    return f"{name} {version} {message.get('read_at', '')}"
