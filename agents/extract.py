"""The extract agent: pages of Visual Practice in, change records out, from the snapshot on and for ever.

A task is state (`agents.cursor`) driven by time; messages only start it, or ask for a single record. How it copes with what a source can do: docs/extract.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, cast

import orjson

from agents.archive import Archive
from agents.cursor import BEGINNING, Cursor, key_of
from agents.deferral import Deferral
from agents.drift import Drifted, Watch
from agents.lookups import Again, Lookups
from agents.outputs import Outputs, now_ms, position_of, row_of
from agents.patience import PAUSE_MOST, rest
from agents.shape import Shape
from agents.taking import Taken, Taking
from agents.walk import Walk
from connectors.errors import ConnectorError
from connectors.visual_practice.change import Change as Record
from connectors.visual_practice.change import ChangeReader, RecordUnreadable
from connectors.visual_practice.client import VisualPractice
from connectors.visual_practice.source_time import Span, Undecided
from mapping.note_images import place_of
from state.table import StateTable
from topics.catalogue import SOURCE_BYTES
from topics.codec import Undecodable, Unencodable
from topics.messages import Change, Extract, Ready
from topics.version import Version
from transport.assignment import Assignment, StaleAssignment, TopicPartition
from transport.chunk import Chunk

log = logging.getLogger(__name__)

STAGE: Final = "extract"
_SAID_AGAIN_SECONDS: Final = 60.0
_SETTLES: Final = timedelta(seconds=1)  # at most the overlap: what is not final yet has to be read again
_LARGEST: Final = SOURCE_BYTES - 4096  # room for key, headers and the batch around the value
_NEVER: Final = Version(BEGINNING, closed=False).encode()


@dataclass(frozen=True)
class Source:
    """How one object is read.

    Attributes:
        resource: its name in the API.
        fields: its standard fields.
        sobject: the Salesforce object it becomes.
        needed: the fields the map reads.
        awaited: as what other records wait for those of this object, None when none do; see `mapping.rules.MapDocument.awaited`.
        also: other objects that take its records, and the Salesforce object of each.
        taken: what is taken out of its records before they are published.
    """

    resource: str
    fields: Sequence[str]
    sobject: str
    needed: frozenset[str] = field(default_factory=frozenset)
    awaited: str | None = None
    also: Mapping[str, str] = field(default_factory=dict)
    taken: Taken | None = None


class Fresh(NamedTuple):
    """A record that has not been published yet, and its version."""

    record: Record
    version: str


class Extraction:
    """Reads the source.

    Arguments:
        outputs: where change records go.
        table: the state table bound to ``extract``.
        client: an open connection.
        sources: by object.
        overlap: how far each sweep looks back behind the one before.
        poll: pause between two sweeps.
    """

    def __init__(
        self,
        outputs: Outputs,
        table: StateTable,
        client: VisualPractice,
        sources: Mapping[str, Source],
        *,
        overlap: timedelta,
        poll: timedelta,
    ) -> None:
        self.outputs = outputs
        self.table = table
        self.client = client
        self.sources = sources
        flat = client.custom == "flat"
        self._readers = {name: ChangeReader(source.fields, flat=flat) for name, source in sources.items()}
        self._archives = {name: Archive(client, source.resource, overlap) for name, source in sources.items()}
        found = {name: source.taken for name, source in sources.items() if source.taken is not None}
        self._takings = {name: Taking(table, taken, client.home) for name, taken in found.items()}
        self._taken = {taken.object: taken for taken in found.values()}
        self._overlap = overlap
        self._poll = poll
        self._lookups = Lookups(self._look_up, self._refuse_request, self._fail)
        self._watches: dict[str, tuple[Assignment, Watch]] = {}
        self._deferrals: dict[str, tuple[Assignment, Deferral]] = {}
        self._running: dict[str, tuple[Assignment, asyncio.Task[None]]] = {}
        self._failure: BaseException | None = None

    # -- requests ----------------------------------------------------------------------------------------------------------------------

    async def handle(self, chunk: Chunk) -> None:
        state = self.table.partition(chunk.tp.partition)
        lookups: list[Extract] = []
        deferred: dict[bytes, bytes | None] = {}
        for record in chunk.records:
            try:
                _, decoded = self.outputs.decode(record)
            except Undecodable as exc:
                await self._reject("unknown:?", f"UNDECODABLE_{exc.code.upper()}", record.value or b"", record)
                continue
            request = cast("Extract", decoded)
            if request["object"] in self._taken:
                lookups.append(request)
            elif request["object"] not in self.sources:
                await self._reject("unknown:?", "UNKNOWN_OBJECT", record.value, record)
            elif request["kind"] == "start":
                stored = state.get(key_of(request["object"]))
                if stored is None or Cursor.decode(stored).run != request["run"]:
                    # Now, not with the chunk: that has to wait for its look-ups.
                    key = key_of(request["object"])
                    await self.table.write(chunk.tp.partition, {key: Cursor(request["run"]).encode()})
            elif (later := self._defer(chunk, request)) is None:
                lookups.append(request)
            else:
                deferred |= later
        if deferred:
            await self.table.write(chunk.tp.partition, deferred)
        self._lookups.begin(chunk, lookups)

    def _defer(self, chunk: Chunk, request: Extract) -> Mapping[bytes, bytes] | None:
        """What is to be written for a look-up that needs no request, or none yet; None for one that does."""
        object_, number = request["object"], chunk.tp.partition
        stored = self.table.partition(number).get(key_of(object_))
        if request["kind"] != "lookup" or stored is None or self.sources[object_].awaited is None:
            return None
        cursor, deferral = Cursor.decode(stored), self._deferral(chunk.assignment, number, object_)
        if deferral.knows(request["vp_id"] or "", cursor.run):
            return {}
        return deferral.waits(request) if cursor.sweeps == 0 else None

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        record = chunk.records[0]
        await self._reject("unknown:?", f"QUARANTINED_{type(exc).__name__.upper()}", record.value or b"", record)

    async def _look_up(self, assignment: Assignment, tp: TopicPartition, request: Extract) -> None:
        """Reads one record; ``lookup`` asks for a parent somebody waits for, ``census`` for one that ledger and source disagree on."""
        object_, vp_id = request["object"], request["vp_id"] or ""
        if object_ in self._taken:
            await self._look_up_taken(assignment, self._taken[object_], request)
            return
        found = await self.client.get(self.sources[object_].resource, vp_id)
        record, seen, archived = found.record, found.seen, False
        if record is None:
            kept = await self._archives[object_].find(vp_id)
            if kept is not None:
                (record, seen), archived = kept, True
        assignment.check()
        if record is not None:
            try:
                fresh, _ = await self.read(object_, request["run"], [record], seen, None, archived=archived)
                if fresh and not await self._watch(assignment, tp.partition, object_).check([record]):
                    again = await self.client.get(self.sources[object_].resource, vp_id)
                    if again.record is not None:
                        fresh, _ = await self.read(object_, request["run"], [again.record], again.seen, None)
            except Undecided:
                raise Again("its time of modification exists twice tonight") from None
            except Drifted as exc:
                raise Again(str(exc)) from None
            await self.publish(object_, request["run"], "lookup", fresh, None)
        elif request["kind"] == "census":
            # Provisional: a record that is made or taken out of the archive within this second goes over it.
            version = Version(found.server_time, closed=False, deleted=True).encode()
            await self._send(object_, vp_id, self._change("delete", version, request["run"], "lookup"))
        else:
            for name in (object_, *self.sources[object_].also):
                await self.outputs.fate("absent", f"{name}:{vp_id}")

    async def _look_up_taken(self, assignment: Assignment, taken: Taken, request: Extract) -> None:
        """Reads one of the records that stand in others: its own change only, the other record's has its walk."""
        own, run = request["vp_id"] or "", request["run"]
        within, place = place_of(own) or ("", 0)
        if within and self._takings[taken.of].told_of(within, place):
            return
        found = await self.client.get(self.sources[taken.of].resource, within) if within else None
        kept = None if found is None else (found.record, found.seen)
        archived = kept is not None and kept[0] is None
        if archived:
            kept = await self._archives[taken.of].find(within)
        assignment.check()
        there: dict[str, Change] = {}
        if kept is not None:
            try:
                fresh, _ = await self.read(taken.of, run, [kept[0]], kept[1], None, archived=archived)
            except Undecided:
                raise Again("its time of modification exists twice tonight") from None
            for record, version in fresh:
                change = self._change("upsert", version, run, "lookup")
                change["fields"], change["custom"] = record.fields, record.custom
                there |= self._takings[taken.of].images(within, change)
        if own in there:
            await self._publish(taken.object, own, there[own])
        else:
            await self.outputs.fate("absent", f"{taken.object}:{own}")

    async def _refuse_request(self, request: Extract, code: str) -> None:
        own = f"{request['object']}:{request['vp_id'] or '?'}"
        advice = "this look-up failed in a way that nobody expected: please report it; the next census asks for the record again"
        await self.outputs.reject(STAGE, own, code, advice, orjson.dumps(request), None)

    # -- the walk ----------------------------------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Keeps one walk running for each object whose task is in an open partition; runs until cancelled.

        Raises:
            Exception: whatever a walk has failed with that nobody expected.
        """
        while True:
            await asyncio.sleep(0.2)
            if self._failure is not None:
                raise self._failure
            for partition in self.table.partitions():
                for object_ in self.sources:
                    running = self._running.get(object_)
                    idle = running is None or running[0] is not partition.assignment or running[1].done()
                    if idle and partition.get(key_of(object_)) is not None:
                        task = asyncio.create_task(self._follow(partition.assignment, partition.number, object_))
                        self._running[object_] = (partition.assignment, task)

    async def _follow(self, assignment: Assignment, number: int, object_: str) -> None:
        pause = 1.0
        paused_said = 0.0
        loop = asyncio.get_running_loop()
        deferral = self._deferral(assignment, number, object_) if self.sources[object_].awaited is not None else None
        ending: asyncio.Task[None] | None = None
        try:
            walk = Walk(self, self._watch(assignment, number, object_), number, object_, self._overlap, deferral)
            while assignment.live:
                try:
                    await walk.sweep()
                    pause = 1.0
                    if deferral is not None and (ending is None or ending.done()):
                        ending = asyncio.create_task(self._end_deferral(assignment, number, object_, deferral))
                    await asyncio.sleep(self._poll.total_seconds())
                except Drifted as exc:
                    if not paused_said or loop.time() - paused_said >= _SAID_AGAIN_SECONDS:
                        paused_said = loop.time()
                        log.error("the extract of %s is paused: %s", object_, exc)
                    await asyncio.sleep(self._poll.total_seconds())
                except ConnectorError as exc:
                    log.warning("the extract of %s is waiting: %s", object_, exc)
                    await rest(assignment, exc.retry_after or pause)
                    pause = min(2 * pause, PAUSE_MOST)
        except StaleAssignment:
            return
        except Exception as exc:  # noqa: BLE001 - the tick crashes the process
            self._fail(exc)

    def _deferral(self, assignment: Assignment, number: int, object_: str) -> Deferral:
        known, awaited = self._deferrals.get(object_), self.sources[object_].awaited or ""
        if known is None or known[0] is not assignment:
            self._deferrals[object_] = known = (assignment, Deferral(self.table, number, object_, awaited))
        return known[1]

    async def _end_deferral(self, assignment: Assignment, number: int, object_: str, deferral: Deferral) -> None:
        """After a sweep: looks up what waited for it and was not in it, beside the next sweeps."""
        tp = TopicPartition(self.table.source, number)

        async def ask(vp_id: str, run: str) -> None:
            request: Extract = {"kind": "lookup", "object": object_, "vp_id": vp_id, "run": run, "at": now_ms()}
            await self._lookups.one(assignment, tp, request)

        try:
            await deferral.end(ask, self.outputs.publisher.settle)
        except StaleAssignment:
            return
        except Exception as exc:  # noqa: BLE001 - the tick crashes the process
            self._fail(exc)

    def _watch(self, assignment: Assignment, number: int, object_: str) -> Watch:
        known = self._watches.get(object_)
        if known is None or known[0] is not assignment:
            source = self.sources[object_]
            shape = Shape(source.fields, source.needed)
            watch = Watch(self.outputs, self.table, self.client, number, object_, source.resource, shape)
            self._watches[object_] = known = (assignment, watch)
        return known[1]

    def _fail(self, exc: BaseException) -> None:
        self._failure = exc

    # -- records -----------------------------------------------------------------------------------------------------------------------

    async def read(
        self, object_: str, run: str, records: Sequence[Any], seen: Span, walk: Walk | None, *, archived: bool = False
    ) -> tuple[list[Fresh], datetime | None]:
        """Those of ``records`` that have not been published, and when the last one was modified; unreadable ones are rejected.

        Raises:
            Undecided: without a walk: it can't be said yet which of two instants a local time is. A walk meets the record again.
        """
        fresh: list[Fresh] = []
        last: datetime | None = None
        time, read = await self.client.time(), self._readers[object_].read
        for record in records:
            try:
                found = read(record, time, seen, archived=archived)
            except RecordUnreadable as exc:
                await self._unreadable(object_, run, record, exc)
                continue
            except Undecided:
                if walk is None:
                    raise
                last = time.instant(record["updated_at"])
                continue
            last = found.modified
            version = Version(last, closed=last < self._final_before(seen)).encode()
            if walk is None or not walk.knows(found.vp_id, version, deleted=False):
                fresh.append(Fresh(found, version))
        return fresh, last

    async def publish(self, object_: str, run: str, origin: str, fresh: Sequence[Fresh], walk: Walk | None) -> None:
        """Publishes records as upserts."""
        for found, version in fresh:
            if walk is not None and not walk.new(found.vp_id, version, found.modified, deleted=False):
                continue
            change = self._change("upsert", version, run, origin)
            change["fields"], change["custom"] = found.fields, found.custom
            await self._send(object_, found.vp_id, change)
            if walk is not None:
                walk.published(found.vp_id)

    def _final_before(self, seen: Span) -> datetime:
        """What was modified before this will not change under the same stamp any more: changes are stamped a moment before they can be read."""
        return seen.earliest - min(_SETTLES, self._overlap)

    async def publish_deleted(self, object_: str, run: str, records: Sequence[Any], seen: Span, walk: Walk) -> None:
        time = await self.client.time()
        for record in records:
            try:
                vp_id, deleted_at = ChangeReader.read_deleted(record, time, seen)
            except RecordUnreadable as exc:
                await self._unreadable(object_, run, record, exc)
                continue
            except Undecided:
                continue  # met again
            version = Version(deleted_at, closed=deleted_at < self._final_before(seen), deleted=True).encode()
            if walk.new(vp_id, version, deleted_at, deleted=True):
                await self._send(object_, vp_id, self._change("delete", version, run, "delta"))

    @staticmethod
    def _change(op: str, version: str, run: str, origin: str) -> Change:
        return {
            "op": op,
            "version": version,
            "run": run,
            "origin": origin,
            "read_at": now_ms(),
            "fields": None,
            "custom": {},
        }

    async def _send(self, object_: str, vp_id: str, change: Change) -> None:
        """Publishes a change, and before it those of what is taken out of it."""
        taking = self._takings.get(object_)
        if taking is not None:
            for own, of_image in await taking.all(self._number(object_), vp_id, change):
                await self._publish(taking.taken.object, own, of_image)
        await self._publish(object_, vp_id, change)

    def _number(self, object_: str) -> int:
        """The partition that holds the object's task."""
        key = key_of(object_)
        numbers = [one.number for one in self.table.partitions() if one.get(key) is not None]
        if not numbers:
            raise StaleAssignment
        return numbers[0]

    async def _publish(self, object_: str, vp_id: str, change: Change) -> None:
        topic, key = self.outputs.catalogue.vp(object_), vp_id.encode()
        try:
            value = self.outputs.codec.encode(f"change.{object_}", change, topic=topic, key=key)
        except Unencodable:
            await self._refuse(
                object_,
                vp_id,
                change,
                "VALUE_UNSTORABLE",
                "a text of it is no valid Unicode; correct it in Visual Practice",
            )
            return
        if len(value) > _LARGEST:
            advice = f"it has {len(value)} bytes, at most {_LARGEST} are possible; shorten its longest text in Visual Practice"
            await self._refuse(object_, vp_id, change, "RECORD_TOO_LARGE", advice)
            return
        headers = (
            ("version", change["version"].encode()),
            ("op", change["op"].encode()),
            ("origin", change["origin"].encode()),
        )
        await self.outputs.publisher.publish(topic, value, key=key, headers=headers)

    async def _refuse(self, object_: str, vp_id: str, change: Change, code: str, advice: str) -> None:
        data = (
            orjson.dumps({"fields": change["fields"], "custom": change["custom"]})
            if code != "VALUE_UNSTORABLE"
            else b""
        )
        for own, row in self._rows(object_, vp_id, change["version"], change["run"]):
            await self.outputs.reject(STAGE, own, code, advice, data[:_LARGEST], None)
            await self.outputs.audit("reject", row, "rejected", code=code)
            await self.outputs.fate("rejected", own, version=change["version"], code=code)

    async def _unreadable(self, object_: str, run: str, record: Any, exc: RecordUnreadable) -> None:
        vp_id = str(record.get("id") or "?") if isinstance(record, dict) else "?"
        for own, row in self._rows(object_, vp_id, _NEVER, run):
            await self.outputs.reject(STAGE, own, exc.code, str(exc), orjson.dumps(record)[:_LARGEST], None)
            await self.outputs.audit("reject", row, "rejected", code=exc.code)

    def _rows(self, object_: str, vp_id: str, version: str, run: str) -> Iterator[tuple[str, Ready]]:
        """Reference and row of all that a record becomes."""
        source = self.sources.get(object_)
        also = {object_: self._taken[object_].sobject} if source is None else {object_: source.sobject, **source.also}
        for name, sobject in also.items():
            own = f"{name}:{vp_id}"
            yield own, row_of(name, sobject, own, version, run, None)

    async def _reject(self, own: str, code: str, data: bytes, record: Any) -> None:
        advice = "this is no request that the extract knows; find out who wrote it to this topic"
        await self.outputs.reject(STAGE, own, code, advice, data, position_of(record))
