"""Sends one batch to Salesforce, by collections or as a Bulk job, and says what became of each row.

Called once the journal is durable. Every call here may be made twice: upserts go by external id, updates and deletes by row id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, cast

from agents.item import Item
from agents.journal import Journal
from agents.lane import Operation
from connectors.errors import ConnectorError, NotFound, QuotaExhausted, RequestRefused, StorageExhausted
from connectors.salesforce.bulk import Bulk, JobInfo
from connectors.salesforce.bulk import Operation as BulkOperation
from connectors.salesforce.collections import MOST_IDS, MOST_ROWS, Collections
from connectors.salesforce.csv_rows import CellRefused, CsvRows
from connectors.salesforce.row_errors import RowError
from connectors.salesforce.session import Salesforce
from topics.messages import Batch
from transport import failpoint

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_PAUSE_FIRST: Final = 0.5
_PAUSE_MOST: Final = 30.0
_PAUSE_QUOTA: Final = 60.0
_LOOK_FIRST: Final = 0.5
_LOOK_EARLIER: Final = 0.9
_LOOK_LATER: Final = 0.25
_LOOK_MOST: Final = 10.0
"""When a job is looked at: after most of the time that the last one took, then after part of the time that it has taken (all of it while no other one is
known); never after longer."""
_SCHEMA_CODES: Final = frozenset({"INVALID_FIELD", "INVALID_TYPE", "INSUFFICIENT_ACCESS"})


async def _rest(seconds: float, touch: Callable[[], None]) -> None:
    """Waits, and calls ``touch`` often enough that nobody takes it for a stall."""
    while seconds > 0:
        touch()
        await asyncio.sleep(min(seconds, _PAUSE_MOST))
        seconds -= _PAUSE_MOST
    touch()


@dataclass(slots=True)
class Result:
    """What became of one row: written as ``sf_id``, refused with ``error``, held by (code, detail) ``held``, or none of these (send it again).

    Attributes:
        created: the call made the row, with all its columns.
        contact: the contact that the row has now, "" for nobody; None when that is not known, see `agents.contact_step`.
        moved: the column of the contact, when it is another one than before.
        written: the row was written, but its contact couldn't be changed, or the row that it takes the place of is left: ``error`` or ``again`` is about that.
        lost: the row is not in Salesforce any more.
        orphan: it was refused because what it refers to is not.
    """

    item: Item
    sf_id: str | None = None
    created: bool = False
    error: RowError | None = None
    held: tuple[str, str] | None = None
    again: bool = False
    contact: str | None = None
    moved: str | None = None
    written: bool = False
    lost: bool = False
    orphan: bool = False

    def leave_former(self, error: RowError, tries: int) -> None:
        """The row is written, but the one that it takes the place of can't be deleted: tried again ``tries`` times, then refused with ``error``.

        As long as it is tried again the former row stays the known one: nobody would find it else.
        """
        if self.item.attempts < tries:
            self.again = True
        else:
            self.written, self.error = True, error


class Written(NamedTuple):
    """A row of a job's results."""

    sf_id: str | None
    created: bool
    error: RowError | None


class Sending:
    """Sends batches of one Salesforce object.

    Arguments:
        salesforce: an open connection.
        sobject: API name.
        external_id: the column that holds our reference.
        create_only: columns that may be sent only with a new row.
        journal: where the steps of a Bulk job become durable.
    """

    def __init__(
        self, salesforce: Salesforce, sobject: str, external_id: str, create_only: Sequence[str], journal: Journal
    ) -> None:
        self._salesforce = salesforce
        self.sobject = sobject
        self._external_id = external_id
        self._select = f"SELECT Id, {external_id} FROM {sobject}"  # noqa: S608 - names of the confirmed map
        self.create_only = frozenset(create_only)
        self._journal = journal
        self._user: str | None = None
        self._job_seconds = 0.0
        self.collections = Collections(salesforce)
        self.bulk = Bulk(salesforce)

    async def present(self, items: Sequence[Item], touch: Callable[[], None]) -> dict[str, str]:
        """The Salesforce ids of rows that the org has under our external id, by reference."""
        own = [item.reference for item in items]
        rows = await self.insist(lambda: self._salesforce.query_in(self._select, self._external_id, own), touch)
        return {row[self._external_id]: row["Id"] for row in rows}

    async def matching(
        self, columns: Sequence[str], field: str, values: Sequence[str], touch: Callable[[], None]
    ) -> list[dict[str, Any]]:
        """All rows that have one of ``values`` in ``field``; Salesforce ignores upper and lower case."""
        select = f"SELECT {', '.join(columns)} FROM {self.sobject}"  # noqa: S608 - names of the confirmed map
        return await self.insist(lambda: self._salesforce.query_in(select, field, values), touch)

    async def rows(
        self, ids: Sequence[str], columns: Sequence[str], touch: Callable[[], None]
    ) -> list[dict[str, Any] | None]:
        """The rows of ``ids``, in their order; None for one that isn't there."""
        found: list[dict[str, Any] | None] = []
        for start in range(0, len(ids), MOST_IDS):
            ask = partial(self.collections.retrieve, self.sobject, ids[start : start + MOST_IDS], columns)
            found += await self.insist(ask, touch)
        return found

    async def user(self, touch: Callable[[], None]) -> str:
        """The Salesforce id of the user that we are."""
        if self._user is None:
            self._user = await self.insist(self._salesforce.user_id, touch)
        return self._user

    async def insist(self, call: Callable[[], Awaitable[_T]], touch: Callable[[], None]) -> _T:
        """Repeats ``call`` until it goes through or is refused for good.

        Not given up: an unreachable org, a used-up quota and full storage are waited for, however long; ``touch`` is called
        on each round so that the watchdog knows.

        Raises:
            connectors.errors.RequestRefused: the same call will be refused again.
            connectors.errors.NotFound: what it names does not exist.
        """
        pause = _PAUSE_FIRST
        while True:
            try:
                return await call()
            except (RequestRefused, NotFound) as exc:
                if exc.code not in _SCHEMA_CODES:
                    raise
                wait = _PAUSE_MOST  # the org's schema or our rights have changed: rejecting every row would help nobody
                log.error("%s is waiting: %s", self.sobject, exc)
            except (QuotaExhausted, StorageExhausted) as exc:
                wait = exc.retry_after or _PAUSE_QUOTA
                log.error("%s is paused for %.0f s: %s", self.sobject, wait, exc)
            except ConnectorError as exc:
                wait = exc.retry_after or random.uniform(pause / 2, pause)
                pause = min(pause * 2, _PAUSE_MOST)
                log.warning("%s is waiting %.1f s: %s", self.sobject, wait, exc)
            await _rest(wait, touch)

    async def _admitted(self, call: Callable[[], Awaitable[_T]], touch: Callable[[], None]) -> _T:
        """Repeats a call that must not be made twice while it is refused for want of quota: then it was not carried out."""
        while True:
            try:
                return await call()
            except QuotaExhausted as exc:
                log.error("%s is paused: %s", self.sobject, exc)
                await _rest(exc.retry_after or _PAUSE_QUOTA, touch)

    def _values(self, item: Item, operation: Operation) -> dict[str, Any]:
        if operation == "update" and item.removes:
            return {self._external_id: None}  # a row that somebody else made stays, and is ours no longer
        values: dict[str, Any] = item.columns
        if operation == "update":
            values = {name: value for name, value in values.items() if name not in self.create_only}
        else:
            values |= item.insert_only
        values[self._external_id] = item.reference
        return values

    # -- collections -------------------------------------------------------------------------------------------------------------------

    async def by_collections(
        self, items: Sequence[tuple[Item, str | None]], operation: Operation, touch: Callable[[], None]
    ) -> list[Result]:
        """Sends ``items`` (each with its row id, where it has one) 200 a call."""
        results: list[Result] = []
        for start in range(0, len(items), MOST_ROWS):
            results += await self._call(items[start : start + MOST_ROWS], operation, touch)
            if failpoint.ARMED:
                failpoint.hit("collections-sent")
        return results

    async def _call(
        self, items: Sequence[tuple[Item, str | None]], operation: Operation, touch: Callable[[], None]
    ) -> list[Result]:
        try:
            answers = await self.insist(lambda: self._write(items, operation), touch)
        except (RequestRefused, NotFound) as exc:
            if len(items) == 1:
                return [Result(items[0][0], error=RowError(exc.code or "REFUSED", (), exc.what))]
            # One row makes the whole request unreadable to Salesforce: halve until it stands alone.
            half = len(items) // 2
            return [
                *await self._call(items[:half], operation, touch),
                *await self._call(items[half:], operation, touch),
            ]
        return [
            Result(item, answer.id or sf_id, bool(answer.created), None if answer.success else answer.errors[0])
            for (item, sf_id), answer in zip(items, answers, strict=True)
        ]

    async def _write(self, items: Sequence[tuple[Item, str | None]], operation: Operation) -> list[Any]:
        if operation == "delete":
            return await self.collections.delete([sf_id or "" for _, sf_id in items])
        rows = [self._values(item, operation) for item, _ in items]
        if operation == "upsert":
            return await self.collections.upsert(self.sobject, self._external_id, rows)
        for row, (_, sf_id) in zip(rows, items, strict=True):
            row["Id"] = sf_id
        return await self.collections.update(self.sobject, rows)

    # -- Bulk --------------------------------------------------------------------------------------------------------------------------

    async def by_bulk(
        self,
        batches: Sequence[Batch],
        items: Sequence[tuple[Item, str | None]],
        operation: Operation,
        touch: Callable[[], None],
    ) -> list[Result]:
        """Sends ``items``, the rows of ``batches``, as one Bulk job; each step that another worker would need to know is durable before the next.

        Not for deletes: their result files name rows by Salesforce id only.
        """
        insist, upload = self.insist, self._upload(items, operation)
        external = self._external_id if operation == "upsert" else None
        job = await insist(lambda: self.bulk.create(self.sobject, cast("BulkOperation", operation), external), touch)
        if failpoint.ARMED:
            failpoint.hit("job-created")
        await asyncio.gather(*(self._journal.note(batch, "created", job) for batch in batches))
        if failpoint.ARMED:
            failpoint.hit("job-id-durable")
        try:
            await self._admitted(lambda: self.bulk.upload(job, upload), touch)
            if failpoint.ARMED:
                failpoint.hit("job-uploaded")
            await self._admitted(lambda: self.bulk.close(job), touch)
        except ConnectorError as exc:
            log.warning("an upload of %s broke off (%s)", self.sobject, exc)
            await self.abort_if_open(job, touch)
        if failpoint.ARMED:
            failpoint.hit("job-closed")
        info = await self.wait(job, touch)
        if failpoint.ARMED:
            failpoint.hit("job-complete")
        if info is not None and info.state == "Failed":
            log.warning("a Bulk job of %s failed (%s); its open rows go by collections", self.sobject, info.reason)
        found = await self.results(info, touch)
        if failpoint.ARMED:
            failpoint.hit("results-read")
        results = []
        for item, sf_id in items:
            known = found.get(item.reference)
            if known is None:
                # A failed job refuses what it did not look at as a whole; by collections each row gets its own answer.
                item.by_collections = True
                results.append(Result(item))
            else:
                results.append(Result(item, known.sf_id or sf_id, known.created, known.error))
        return results

    def _upload(self, items: Sequence[tuple[Item, str | None]], operation: Operation) -> bytes:
        upload = CsvRows(self._header([item for item, _ in items], operation), most_rows=len(items))
        for item, sf_id in items:
            row = self._values(item, operation)
            if operation == "update":
                row["Id"] = sf_id
            # A row that can't travel as CSV, or has no room, is missing from the results and goes by collections then.
            with contextlib.suppress(CellRefused):
                upload.add(row)
        return upload.data()

    def _header(self, items: Iterable[Item], operation: Operation) -> list[str]:
        """Every column that one of the rows has; made without unpacking a row, of which there are thousands."""
        names = dict.fromkeys([self._external_id])
        for layout in dict.fromkeys(item.layout for item in items):
            names |= dict.fromkeys(layout.names if operation == "update" else layout.names + layout.insert_only)
        if operation == "update":
            return ["Id", *(name for name in names if name not in self.create_only)]
        return [*names]

    async def abort_if_open(self, job: str, touch: Callable[[], None]) -> None:
        """Aborts a job whose upload may or may not have arrived; one that is closed already is left to run."""
        info = await self.info(job, touch)
        if info is not None and info.state == "Open":
            with contextlib.suppress(RequestRefused, NotFound):
                await self.insist(lambda: self.bulk.abort(job), touch)

    async def info(self, job: str, touch: Callable[[], None]) -> JobInfo | None:
        """The job as it stands, None when Salesforce no longer knows it."""
        try:
            return await self.insist(lambda: self.bulk.info(job), touch)
        except NotFound:
            return None

    async def wait(self, job: str, touch: Callable[[], None]) -> JobInfo | None:
        """Waits until a closed job is done; None when Salesforce no longer knows it."""
        began, growth = time.monotonic(), _LOOK_LATER if self._job_seconds else 1.0
        pause = max(_LOOK_FIRST, min(_LOOK_EARLIER * self._job_seconds, _LOOK_MOST))
        while True:
            # A job has never finished in the moment in which it was closed; it takes about as long as the one before. Each look is a call.
            touch()
            await asyncio.sleep(pause)
            info = await self.info(job, touch)
            if info is None or info.done:
                self._job_seconds = time.monotonic() - began
                return info
            pause = max(_LOOK_FIRST, min((time.monotonic() - began) * growth, _LOOK_MOST))

    async def results(self, info: JobInfo | None, touch: Callable[[], None]) -> dict[str, Written]:
        """The rows that a done job has written or refused, by reference; about others, and of no job at all, it says nothing."""
        if info is None or (info.state == "Aborted" and not info.processed):
            return {}  # aborted before its upload it has no results to ask for
        job, whole = info.id, info.state == "JobComplete" and info.processed is not None
        # What a whole job says of its numbers saves asking for a list that is empty; each list is a call.
        some_failed = not whole or info.failed != 0
        some_landed = not whole or info.failed != info.processed

        async def read() -> dict[str, Written]:
            found: dict[str, Written] = {}
            if some_landed:
                async for landed in self.bulk.successful(job):
                    found[landed.columns.get(self._external_id, "")] = Written(landed.id, landed.created, None)
            if some_failed:
                async for failed in self.bulk.failed(job):
                    found[failed.columns.get(self._external_id, "")] = Written(
                        failed.id or None, created=False, error=failed.error
                    )
            return found

        return await self.insist(read, touch)
