"""The verify agent: every landed row is read back and compared with its source record, by the map's declared rules.

It shares no code with what mapped the row (`mapping.comparators`), takes the source's values from ``vp.*`` and the stored ones from the org. A row that
differs is read again before it is called a mismatch: it may have changed meanwhile, and then its next version is verified.

Not caught: a record that never reached ``vp.*`` (the census finds that), and what Salesforce shows to others than the integration user.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, cast

from agents.outputs import Outputs, row_of
from agents.source_records import SourceRecords
from connectors.errors import ConnectorError
from connectors.salesforce.collections import MOST_IDS, Collections
from connectors.salesforce.session import Salesforce
from mapping.comparators import Comparison
from topics import reference
from topics.codec import Undecodable
from topics.messages import Change, Operation, Outcome
from transport.chunk import Chunk

log = logging.getLogger(__name__)

STAGE: Final = "verify"
_AGAIN_SECONDS: Final = (0.5, 1.5, 3.0)
_PAUSE_MOST: Final = 30.0
_CACHE: Final = 50_000


class Lookup(NamedTuple):
    """A column that holds the id of another row."""

    column: str
    sobject: str
    external_id: str


class Verify:
    """Verifies landed rows.

    Arguments:
        outputs: where verifications go.
        salesforce: an open connection.
        source: reads records of ``vp.*``.
        comparisons: by object.
        lookups: by object, its lookup columns with the Salesforce object and the external id that each leads to.
    """

    def __init__(
        self,
        outputs: Outputs,
        salesforce: Salesforce,
        source: SourceRecords,
        comparisons: Mapping[str, Comparison],
        lookups: Mapping[str, Sequence[Lookup]],
    ) -> None:
        self._outputs = outputs
        self._salesforce = salesforce
        self._collections = Collections(salesforce)
        self._source = source
        self._comparisons = comparisons
        self._lookups = lookups
        self._references: dict[str, str] = {}

    async def handle(self, chunk: Chunk) -> None:
        """Verifies the newest landing of each row in the chunk."""
        landed: dict[str, Operation] = {}
        for record in chunk.records:
            try:
                _, decoded = self._outputs.codec.decode(record.value, topic=record.topic, key=record.key or b"")
            except Undecodable:
                continue  # the ledger reads the same topic and reports it
            operation = cast("Operation", decoded)
            own = operation["reference"]
            if operation["outcome"] == "deleted":
                landed.pop(own, None)
            elif (
                operation["outcome"] == "loaded" and operation["object"] in self._comparisons and _has_source(operation)
            ):
                known = landed.get(own)
                if known is None or known["version"] <= operation["version"]:
                    landed[own] = operation
        open_ = list(landed.values())
        for pause in (*_AGAIN_SECONDS, None):
            differing = await self._verify(chunk, open_, last=pause is None)
            if not differing or pause is None:
                break
            await asyncio.sleep(pause)
            chunk.assignment.check()
            open_ = differing
        chunk.done()

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        """Leaves the one landing unverified: it stays visible as such."""
        log.error("a landing can't be verified (%s); it stays unverified", type(exc).__name__)

    async def _verify(self, chunk: Chunk, operations: list[Operation], *, last: bool) -> list[Operation]:
        by_object: dict[str, list[Operation]] = defaultdict(list)
        for operation in operations:
            by_object[operation["object"]].append(operation)
        differing: list[Operation] = []
        for object_, members in by_object.items():
            for start in range(0, len(members), MOST_IDS):
                part = members[start : start + MOST_IDS]
                differing += await self._compare(chunk, object_, part, last=last)
        return differing

    async def _compare(self, chunk: Chunk, object_: str, operations: list[Operation], *, last: bool) -> list[Operation]:
        comparison = self._comparisons[object_]
        records = await self._source.read([cast("Any", operation["source"]) for operation in operations])
        ids = [operation["row_id"] or "" for operation in operations]
        sobject = operations[0]["sobject"]
        rows = await self._insist(
            chunk, lambda: self._collections.retrieve(sobject, ids, [*comparison.columns, "LastModifiedDate"])
        )
        for lookup in self._lookups[object_]:
            await self._learn(
                chunk, lookup, {row[lookup.column] for row in rows if row is not None and row.get(lookup.column)}
            )
        differing: list[Operation] = []
        for operation, row in zip(operations, rows, strict=True):
            change = self._change(operation, records)
            if change is None:
                continue
            _, vp_id = reference.split(operation["reference"])
            if row is None:
                columns = ["Id"]
            else:
                found = comparison.compare(vp_id, change["fields"] or {}, change["custom"], row, self._references.get)
                columns = list(dict.fromkeys(one.column for one in found))
            if columns and not last:
                differing.append(operation)
            else:
                await self._note(operation, comparison.count, columns)
        return differing

    def _change(self, operation: Operation, records: Mapping[tuple[str, int, int], Any]) -> Change | None:
        at = cast("Any", operation["source"])
        record = records.get((at["topic"], at["partition"], at["offset"]))
        if record is None:
            return None
        return cast("Change", self._outputs.codec.decode(record.value, topic=record.topic, key=record.key or b"")[1])

    async def _note(self, operation: Operation, count: int, columns: list[str]) -> None:
        row = row_of(
            operation["object"],
            operation["sobject"],
            operation["reference"],
            operation["version"],
            operation["run"],
            operation["source"],
        )
        outcome: Outcome | None = None
        what = "mismatch" if columns else "verify"
        await self._outputs.audit(what, row, outcome, row_id=operation["row_id"], detail=str(count), columns=columns)

    async def _learn(self, chunk: Chunk, lookup: Lookup, ids: set[str]) -> None:
        """Asks the org which of our references the given rows carry."""
        if len(self._references) > _CACHE:
            self._references.clear()
        unknown = sorted(ids - self._references.keys())
        for start in range(0, len(unknown), MOST_IDS):
            part = unknown[start : start + MOST_IDS]
            ask = partial(self._collections.retrieve, lookup.sobject, part, [lookup.external_id])
            for one, row in zip(part, await self._insist(chunk, ask), strict=True):
                if row is not None and row.get(lookup.external_id):
                    self._references[one] = row[lookup.external_id]

    async def _insist(self, chunk: Chunk, call: Any) -> Any:
        pause = 0.5
        while True:
            try:
                return await call()
            except ConnectorError as exc:
                log.warning("verification is waiting: %s", exc)
                chunk.assignment.check()
                chunk.assignment.touch(chunk.tp)
                await asyncio.sleep(exc.retry_after or pause)
                pause = min(2 * pause, _PAUSE_MOST)


def _has_source(operation: Operation) -> bool:
    source = operation["source"]
    return source is not None and source["offset"] >= 0
