"""An extract on a real broker and a real sandbox, without the other stages: what it publishes, folded as the version guard folds it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import ConsumerRecord

from agents.cursor import Cursor, key_of
from agents.extract import Extraction, Source
from agents.outputs import Outputs
from connectors.retry import Retry
from connectors.visual_practice import VisualPractice
from mapping.source_fields import SOURCE_FIELDS
from sandbox.process import SandboxProcess
from state.table import StateTable
from tests.pipeline.practice import Practice
from topics.catalogue import Catalogue
from topics.codec import Codec
from topics.messages import Extract
from transport.assignment import Assignment, TopicPartition
from transport.chunk import Chunk
from transport.publisher import Publisher

CODEC: Final = Codec()
TARGETS: Final = {"practice": "Account", "patient": "Contact"}
STAMPS: Final = frozenset({"created_at", "updated_at"})


class Reading:
    """One worker's extract; partition 0 holds both objects.

    Arguments:
        bootstrap: Kafka; the topics are there.
        prefix: of the topics.
        sandbox: running.
        directory: its local files.
        more: for the client.
    """

    def __init__(self, bootstrap: str, prefix: str, sandbox: SandboxProcess, directory: Path, **more: Any) -> None:
        self.catalogue = Catalogue(prefix, 1, targets=TARGETS)
        self.practice = Practice(sandbox)
        card = sandbox.visual_practice
        retry = Retry(first=0.02, most=0.1, max_elapsed=2.0)
        self.client = VisualPractice(card["url"], card["api_key"], timeout=2.0, **{"retry": retry, **more})
        self._publisher = Publisher(bootstrap, max_request_bytes=2 << 20)
        names = self.catalogue
        self._table = StateTable(
            names.state("extract"), names.extract, bootstrap=bootstrap, publisher=self._publisher, directory=directory
        )
        needed = frozenset({"mrn", "middle_name", "last_name", "notes"})
        self.extraction = Extraction(
            Outputs(self._publisher, CODEC, names),
            self._table,
            self.client,
            {
                "practice": Source("practices", SOURCE_FIELDS["practices"], "Account", frozenset({"name"})),
                "patient": Source("patients", SOURCE_FIELDS["patients"], "Contact", needed, awaited="parent"),
            },
            overlap=timedelta(seconds=2),
            poll=timedelta(seconds=0.1),
        )
        self._assignment = Assignment.at(1, {TopicPartition(names.extract, 0): 0})
        self._offset = 0
        self._tick: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Opens what there is and goes on from there; the first time, from the beginning."""
        await self._publisher.start()
        await self._table.open(self._assignment, 0)
        fresh: dict[bytes, bytes | None] = {
            key_of(name): Cursor("run-1").encode()
            for name in TARGETS
            if self._table.partition(0).get(key_of(name)) is None
        }
        if fresh:
            await self._table.write(0, fresh)
        self._tick = asyncio.create_task(self.extraction.tick())

    async def end(self) -> None:
        """Ends without a farewell, as a killed worker does: what was not durable is lost."""
        self._assignment.close()
        if self._tick is not None:
            self._tick.cancel()
            await asyncio.gather(self._tick, return_exceptions=True)
        running = [task for _, task in self.extraction._running.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._publisher.stop()
        await self.client.__aexit__(None, None, None)
        await self._table.stop()
        self.practice.http.close()

    def check(self) -> None:
        """Fails when the extract has failed."""
        if self._tick is not None and self._tick.done():
            self._tick.result()

    async def ask(self, *requests: tuple[str, str, str]) -> Chunk:
        """Hands requests (kind, object, id) to the extract as one chunk."""
        records = []
        for kind, object_, vp_id in requests:
            request: Extract = {"kind": kind, "object": object_, "vp_id": vp_id, "run": "run-1", "at": 1}
            key, topic = object_.encode(), self.catalogue.extract
            value = CODEC.encode("extract", request, topic=topic, key=key)
            records.append(ConsumerRecord(topic, 0, self._offset, 0, 0, key, value, None, len(key), len(value), ()))
            self._offset += 1
        chunk = Chunk.of(records, self._assignment)
        self._assignment.watermarks[chunk.tp].deliver(chunk.last, len(records))
        await self.extraction.handle(chunk)
        return chunk

    def unfinished(self) -> int:
        return self._assignment.watermarks[TopicPartition(self.catalogue.extract, 0)].unfinished


def folded(records: list[ConsumerRecord], object_: str) -> dict[str, dict[str, Any]]:
    """The newest version of each record, as every reader of `vp.*` has to see it."""
    newest: dict[str, dict[str, Any]] = {}
    for record in records:
        vp_id = record.key.decode()
        change = CODEC.decode(record.value, topic=record.topic, key=record.key)[1]
        if vp_id not in newest or change["version"] > newest[vp_id]["version"]:
            newest[vp_id] = change
    return newest


def differences(
    found: Mapping[str, Mapping[str, Any]], dump: Mapping[str, list[dict[str, Any]]], plural: str
) -> list[str]:
    """What a practice's dump and the newest versions do not agree on; ids and names of fields."""
    there = {record["id"]: record for record in [*dump[plural], *dump.get(f"{plural}_archived", [])]}
    present = {vp_id for vp_id, change in found.items() if change["op"] == "upsert"}
    said = [f"{vp_id} is missing" for vp_id in there.keys() - present]
    said += [f"{vp_id} is not there any more" for vp_id in present - there.keys()]
    for vp_id in present & there.keys():
        fields = found[vp_id]["fields"]
        said += [
            f"{name} of {vp_id}"
            for name in fields.keys() - STAMPS
            if (fields[name] or None) != (text(there[vp_id].get(name)) or None)
        ]
    return sorted(said)


def text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
