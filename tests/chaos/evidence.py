"""What is known of the records that a failure names: versions, outcomes and whether they agree, never a value."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.chaos.crew import Crew
from tests.pipeline.pipeline import CODEC

_NAMED: Final = re.compile(r"\b(practice|patient):(\d+)\b")
_MOST: Final = 3


async def gathered(crew: Crew, error: BaseException) -> list[str]:
    """Lines about the first records that `error` names."""
    lines: list[str] = []
    for object_, vp_id in list(dict.fromkeys(_NAMED.findall(str(error))))[:_MOST]:
        lines += await _of(crew, object_, vp_id)
    return lines


async def _of(crew: Crew, object_: str, vp_id: str) -> list[str]:
    reference = f"{object_}:{vp_id}"
    (resource,) = (name for name in crew.practice.dump() if name == f"{object_}s")
    lines = [
        f"{reference} in the source: {record['updated_at']}"
        for record in crew.practice.dump()[resource]
        if record["id"] == vp_id
    ]
    sobject = crew.catalogue.targets[object_]
    lines += [
        f"{reference} in the org: {row['Id']} deleted {row['IsDeleted']} stands at {row.get('VP_Modified_At__c')}, written {row['SystemModstamp']}"
        for row in crew.org.dump()[sobject]
        if row.get("VP_Id__c") == reference
    ]
    for topic in (crew.catalogue.vp(object_), crew.catalogue.sf(sobject)):
        for record in await crew.records(topic):
            if record.key in {vp_id.encode(), reference.encode()}:
                lines.append(f"{topic}[{record.partition}] {record.offset} at {record.timestamp}: {_told(record)}")
    lines += [
        f"audit at {one['at']}: {one['what']} {one['outcome']} {one['code']} {one['version']} {one['row_id']}"
        for one in await crew.operations(reference)
    ]
    return lines


def _told(record: Any) -> str:
    name, message = CODEC.decode(record.value)
    return f"{name} {message['version']} {message.get('read_at', '')}"
