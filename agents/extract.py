"""The extract agent: pages of Visual Practice in, change records out, from the snapshot on and for ever.

A task is state (`agents.cursor`) driven by time; messages only start it, or ask for a single record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import orjson

from agents.cursor import BEGINNING, Cursor, Seen, key_of
from agents.outputs import Outputs, now_ms, position_of, row_of
from connectors.errors import ConnectorError
from connectors.visual_practice.change import ChangeReader, RecordUnreadable
from connectors.visual_practice.client import Page, VisualPractice
from state.table import StateTable
from topics.catalogue import SOURCE_BYTES
from topics.codec import Undecodable, Unencodable
from topics.messages import Change, Extract
from topics.version import Version
from transport.assignment import Assignment, StaleAssignment
from transport.chunk import Chunk

log = logging.getLogger(__name__)

STAGE: Final = "extract"
_SAVE_SECONDS: Final = 1.0
_PAUSE_MOST: Final = 30.0
_LARGEST: Final = SOURCE_BYTES - 4096  # room for key, headers and the batch around the value
_SETTLES: Final = timedelta(seconds=1)  # at most the overlap: what is not final yet has to be read again
_NEVER: Final = Version(BEGINNING, closed=False).encode()


@dataclass(frozen=True)
class Source:
    """How one object is read: the resource's name in the API, its standard fields, and the Salesforce object it becomes."""

    resource: str
    fields: Sequence[str]
    sobject: str


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
        self._readers = {name: ChangeReader(source.fields) for name, source in sources.items()}
        self.overlap = overlap
        self._poll = poll
        self._running: dict[str, tuple[Assignment, asyncio.Task[None]]] = {}
        self._failure: BaseException | None = None

    # -- requests ----------------------------------------------------------------------------------------------------------------------

    async def handle(self, chunk: Chunk) -> None:
        state = self.table.partition(chunk.tp.partition)
        for record in chunk.records:
            try:
                _, decoded = self.outputs.decode(record)
            except Undecodable as exc:
                await self._reject("unknown:?", f"UNDECODABLE_{exc.code.upper()}", record.value or b"", record)
                continue
            request = cast("Extract", decoded)
            if request["object"] not in self.sources:
                await self._reject("unknown:?", "UNKNOWN_OBJECT", record.value, record)
            elif request["kind"] == "start":
                stored = state.get(key_of(request["object"]))
                if stored is None or Cursor.decode(stored).run != request["run"]:
                    state.put(chunk, key_of(request["object"]), Cursor(request["run"]).encode())
            else:
                await self._look_up(chunk, request)
        chunk.done()

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        record = chunk.records[0]
        await self._reject("unknown:?", f"QUARANTINED_{type(exc).__name__.upper()}", record.value or b"", record)

    async def _look_up(self, chunk: Chunk, request: Extract) -> None:
        """Reads one record; ``lookup`` asks for a parent somebody waits for, ``census`` for one that ledger and source disagree on."""
        object_, vp_id = request["object"], request["vp_id"] or ""
        pause = 1.0
        while True:
            try:
                found = await self.client.get(self.sources[object_].resource, vp_id)
                break
            except ConnectorError as exc:
                log.warning("a look-up of a %s is waiting: %s", object_, exc)
                chunk.assignment.check()
                chunk.assignment.touch(chunk.tp)
                await asyncio.sleep(exc.retry_after or pause)
                pause = min(2 * pause, _PAUSE_MOST)
        if found.record is not None:
            await self.publish(object_, request["run"], "lookup", [found.record], found.server_time, None)
        elif request["kind"] == "census":
            version = Version(found.server_time.replace(microsecond=0), closed=True, deleted=True).encode()
            await self._send(object_, vp_id, self._change("delete", version, request["run"], "lookup"))
        else:
            await self.outputs.fate("absent", f"{object_}:{vp_id}")

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
        walk = _Walk(self, number, object_)
        while assignment.live:
            try:
                await walk.sweep()
                pause = 1.0
                await asyncio.sleep(self._poll.total_seconds())
            except StaleAssignment:
                return
            except ConnectorError as exc:
                log.warning("the extract of %s is waiting: %s", object_, exc)
                await asyncio.sleep(exc.retry_after or pause)
                pause = min(2 * pause, _PAUSE_MOST)
            except Exception as exc:  # noqa: BLE001 - the tick crashes the process
                self._failure = exc
                return

    async def publish(
        self, object_: str, run: str, origin: str, records: Sequence[Any], server_time: datetime, walk: _Walk | None
    ) -> datetime | None:
        """Publishes records as upserts; returns when the last one was modified."""
        last: datetime | None = None
        read = self._readers[object_].read
        final_before = self._final_before(server_time)
        for record in records:
            try:
                found = read(record)
            except RecordUnreadable as exc:
                await self._unreadable(object_, run, record, exc)
                continue
            last = found.modified.astimezone(UTC)
            version = Version(last, closed=last < final_before).encode()
            if walk is not None and not walk.new(found.vp_id, version, last, deleted=False):
                continue
            change = self._change("upsert", version, run, origin)
            change["fields"], change["custom"] = found.fields, found.custom
            await self._send(object_, found.vp_id, change)
        return last

    def _final_before(self, server_time: datetime) -> datetime:
        """What was modified before this will not change under the same stamp any more.

        An answer is dated when it leaves; what it says was read up to a moment earlier, and changes are stamped a moment before they can be read.
        """
        return server_time.replace(microsecond=0) - min(_SETTLES, self.overlap)

    async def publish_deleted(
        self, object_: str, run: str, records: Sequence[Any], server_time: datetime, walk: _Walk
    ) -> None:
        for record in records:
            try:
                vp_id, deleted_at = ChangeReader.read_deleted(record)
            except RecordUnreadable as exc:
                await self._unreadable(object_, run, record, exc)
                continue
            deleted_at = deleted_at.astimezone(UTC)
            closed = deleted_at < self._final_before(server_time)
            version = Version(deleted_at, closed=closed, deleted=True).encode()
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
        own = f"{object_}:{vp_id}"
        data = (
            orjson.dumps({"fields": change["fields"], "custom": change["custom"]})
            if code != "VALUE_UNSTORABLE"
            else b""
        )
        row = row_of(object_, self.sources[object_].sobject, own, change["version"], change["run"], None)
        await self.outputs.reject(STAGE, own, code, advice, data[:_LARGEST], None)
        await self.outputs.audit("reject", row, "rejected", code=code)
        await self.outputs.fate("rejected", own, version=change["version"], code=code)

    async def _unreadable(self, object_: str, run: str, record: Any, exc: RecordUnreadable) -> None:
        vp_id = str(record.get("id") or "?") if isinstance(record, dict) else "?"
        own = f"{object_}:{vp_id}"
        await self.outputs.reject(STAGE, own, exc.code, str(exc), orjson.dumps(record)[:_LARGEST], None)
        row = row_of(object_, self.sources[object_].sobject, own, _NEVER, run, None)
        await self.outputs.audit("reject", row, "rejected", code=exc.code)

    async def _reject(self, own: str, code: str, data: bytes, record: Any) -> None:
        advice = "this is no request that the extract knows; find out who wrote it to this topic"
        await self.outputs.reject(STAGE, own, code, advice, data, position_of(record))


class _Walk:
    """The walk over one object under one assignment: sweeps over rows and deletes, each from where the cursor stands."""

    def __init__(self, extraction: Extraction, number: int, object_: str) -> None:
        self._x = extraction
        self._number = number
        self._object = object_
        self._resource = extraction.sources[object_].resource
        self._seen = Seen()
        self._floor = BEGINNING
        self._saved_at = 0.0
        self._cursor: Cursor | None = None

    def new(self, vp_id: str, version: str, modified: datetime, *, deleted: bool) -> bool:
        return self._seen.new(vp_id, version, modified, deleted=deleted, since=self._floor)

    async def sweep(self) -> None:
        """One pass over everything modified since the last one, and one over the deletes."""
        x = self._x
        cursor = self._load()
        while True:
            self._floor = cursor.since - 2 * x.overlap
            page = await x.client.page(self._resource, updated_since=cursor.since, page=cursor.page)
            cursor = cursor.begun(page.server_time, x.overlap)
            origin = "snapshot" if cursor.sweeps == 0 else "delta"
            last = await x.publish(self._object, cursor.run, origin, page.records, page.server_time, self)
            following = cursor.after_page(last, has_next=page.has_next)
            if following is None:
                break
            cursor = following
            await self._save(cursor, now=False)
        cursor = await self._sweep_deletes(cursor)
        self._cursor = cursor.after_sweep(x.overlap)
        await self._save(self._cursor, now=self._cursor.sweeps == 1)

    def _load(self) -> Cursor:
        stored = self._x.table.partition(self._number).get(key_of(self._object))
        if stored is None:
            raise StaleAssignment
        cursor = Cursor.decode(stored)
        # What is stored may be a second behind; a new run begins where the store says.
        return self._cursor if self._cursor is not None and self._cursor.run == cursor.run else cursor

    async def _sweep_deletes(self, cursor: Cursor) -> Cursor:
        """Reads the feed to its end and back: an undeleted record leaves it, and later ones move up past a reader on his way down."""
        first = page = await self._deletes(cursor, 1)
        number = 1
        while page.has_next:
            number += 1
            page = await self._deletes(cursor, number)
        for back in range(number - 1, 0, -1):
            await self._deletes(cursor, back)
        return replace(cursor, deleted_since=first.server_time - self._x.overlap)

    async def _deletes(self, cursor: Cursor, number: int) -> Page:
        page = await self._x.client.deleted(self._resource, cursor.deleted_since, page=number)
        await self._x.publish_deleted(self._object, cursor.run, page.records, page.server_time, self)
        return page

    async def _save(self, cursor: Cursor, *, now: bool) -> None:
        """Makes the cursor durable after everything published before it, at most once a second: what lies between is read again."""
        time = asyncio.get_running_loop().time()
        if now or time - self._saved_at >= _SAVE_SECONDS:
            await self._x.outputs.publisher.settle()
            await self._x.table.write(self._number, {key_of(self._object): cursor.encode()})
            self._saved_at = time
