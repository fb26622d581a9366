"""Sends documents to Salesforce: the content is streamed from the source while its row is written.

It is what `agents.sending` is for other rows, and everything around it (lane, guard, journal, settlement) is the loader's own. Whether a content has to be
uploaded is decided by what the org holds, never by what we remember: so it doesn't matter where a loader died (docs/design.md, "Documents").

Not prevented: a person who uploads a version of theirs in the moment between our look and our upload; it stays as an older version.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, TypeVar

from agents import papers
from agents.contents import Content, Contents, Found
from agents.file_places import FilePlaces
from agents.item import Item
from agents.journal import Journal
from agents.lane import Operation, Recalled
from agents.load import Load
from agents.rowstate import RowState
from agents.sending import Result, Sending
from connectors.errors import (
    ConnectorError,
    LengthDiffers,
    NotFound,
    QuotaExhausted,
    RequestRefused,
    StorageExhausted,
)
from connectors.salesforce import soql
from connectors.salesforce.files import VERSION, Files
from connectors.salesforce.row_errors import DUPLICATE, RowError
from connectors.salesforce.session import Salesforce
from mapping.rules import PATH, PLACE
from topics import reference
from topics.messages import Value
from transport import failpoint

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Contents that a process has on their way at once; each holds one of its places for calls for as long."""
BATCH_ROWS: Final = 8
"""Documents in a batch: what a crash has to look at again, and what waits for the slowest of them."""

_T = TypeVar("_T")
_LOOKS: Final = 6
"""So often a document that the source is not done with is looked at again, in about a minute altogether."""
_TRIES: Final = 5
_WAIT_SECONDS: Final = 10.0
_DELETED: Final = RowError("ENTITY_IS_DELETED", (), "entity is deleted")
_CHANGED_RIGHTS: Final = frozenset({"INVALID_FIELD", "INVALID_TYPE", "INSUFFICIENT_ACCESS"})


class FilesLoad(Load):
    """Loads documents: equal columns don't say that nothing is to be done, the content may be another one."""

    @staticmethod
    def _needs_no_call(item: Item, state: RowState, recalled: Recalled | None) -> bool:
        return item.op != "upsert" and Load._needs_no_call(item, state, recalled)  # noqa: SLF001 - its own


class Newest(NamedTuple):
    """The newest version of a document in the org.

    Attributes:
        id: Of the version.
        document: Id of its ContentDocument.
        md5: Of its content, hex.
        size: Of its content, bytes.
        path: Its file name.
        ours: Ids of the document's versions that carry our external id, usually its own.
    """

    id: str
    document: str
    md5: str
    size: int
    path: str | None
    ours: tuple[str, ...]


class FileSending(Sending):
    """Sends documents.

    Arguments:
        salesforce: an open connection.
        external_id: the column that holds our reference.
        create_only: columns that may be sent only with a new row.
        journal: the batch journal.
        contents: by object, where the contents are.
        most: by object, the largest content in bytes.
        places: moves documents from one patient to another.
    """

    def __init__(
        self,
        salesforce: Salesforce,
        external_id: str,
        create_only: Sequence[str],
        journal: Journal,
        contents: Mapping[str, Contents],
        most: Mapping[str, int],
        places: FilePlaces,
    ) -> None:
        super().__init__(salesforce, VERSION, external_id, create_only, journal)
        self._contents = contents
        self._most = most
        self._file_places = places
        self._files = Files(salesforce)
        self._on_their_way = asyncio.Semaphore(AT_ONCE)
        self._own = external_id

    async def by_collections(
        self, items: Sequence[tuple[Item, str | None]], operation: Operation, touch: Callable[[], None]
    ) -> list[Result]:
        """As `Sending.by_collections`; contents go along one by one, a few beside each other."""
        if operation == "delete":
            return await self._delete(items, touch)
        plain = [one for one in items if one[0].op != "upsert"]
        results = await super().by_collections(plain, operation, touch) if plain else []
        whole = [one for one in items if one[0].op == "upsert"]
        return results + await _together([self._in_turn(item, sf_id, touch) for item, sf_id in whole])

    async def _in_turn(self, item: Item, sf_id: str | None, touch: Callable[[], None]) -> Result:
        async with self._place(touch):
            try:
                return await self._carry(item, sf_id, touch)
            except ConnectorError as exc:
                return self._broken(item, exc)

    @asynccontextmanager
    async def _place(self, touch: Callable[[], None]) -> AsyncIterator[None]:
        """Waits for its turn; the rows before it may be large ones."""
        while True:
            touch()
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._on_their_way.acquire()
                break
            except TimeoutError:
                continue
        try:
            yield
        finally:
            self._on_their_way.release()

    def _broken(self, item: Item, exc: ConnectorError) -> Result:
        """What to do when a step failed: nothing is known of an upload then, so it is looked for before anything is sent again."""
        if isinstance(exc, StorageExhausted | QuotaExhausted):
            return Result(item, error=RowError(exc.code, (), exc.what))
        if isinstance(exc, LengthDiffers):  # the record may be a moment older than the content
            if item.attempts < _TRIES:
                return Result(item, again=True)
            what = f"{exc.what}: open it in Visual Practice; if it is damaged there, upload it anew"
            return Result(item, error=RowError(papers.LENGTH_DIFFERS, (), what))
        if isinstance(exc, RequestRefused) and exc.code not in {DUPLICATE, *_CHANGED_RIGHTS}:
            return Result(item, error=RowError(exc.code or "REFUSED", exc.fields, exc.what))
        log.warning("a document goes again: %s", exc)
        return Result(item, again=True)

    # -- one document ------------------------------------------------------------------------------------------------------------------

    async def _carry(self, item: Item, sf_id: str | None, touch: Callable[[], None]) -> Result:
        """Brings one document to what the source says of it."""
        contents, vp_id = self._contents[item.layout.object], reference.split(item.reference)[1]
        found = await self.insist(lambda: contents.find(vp_id), touch)
        if found is None:
            return Result(item, held=contents.gone)
        paper = found.paper
        if not paper.processed:
            if item.attempts < _LOOKS:
                return Result(item, again=True)
            return Result(item, held=(papers.NOT_PROCESSED, "Visual Practice is still processing the document"))
        refused = paper.refused(None, self._most[item.layout.object])
        if refused is not None:
            return Result(item, error=RowError(refused[0], (), refused[1]))
        if sf_id is None and item.attempts:
            sf_id = (await self.present([item.reference], touch)).get(item.reference)
        newest = None
        if sf_id is not None:
            newest = await self._newest(item.reference, sf_id, touch)
            if newest is None:
                return Result(item, error=_DELETED)
            if newest.path == item.columns.get(PATH):
                async with self._opened(item, found) as content:
                    if isinstance(content, Result):
                        return content
                    async for _ in content.blocks():
                        touch()
                if (content.received, content.md5) == (newest.size, newest.md5):
                    return await self._keep(item, sf_id, newest, content.sha256, touch)
        return await self._bring(item, found, newest, touch)

    @asynccontextmanager
    async def _opened(self, item: Item, found: Found) -> AsyncIterator[Content | Result]:
        """The content; instead of one that isn't there, or can't be loaded, what becomes of the row."""
        try:
            opening = found.open()
            content = await opening.__aenter__()
        except NotFound:
            what = (
                "the document's content is not there (404): upload it anew in Visual Practice, or delete the document"
            )
            yield Result(item, error=RowError(papers.MISSING, (), what))
            return
        try:
            refused = found.paper.refused(content.length, self._most[item.layout.object])
            yield content if refused is None else Result(item, error=RowError(refused[0], (), refused[1]))
        finally:
            await opening.__aexit__(None, None, None)

    async def _newest(self, own: str, sf_id: str, touch: Callable[[], None]) -> Newest | None:
        """The newest version of the document that ``sf_id`` is a version of; None when that is gone."""
        (row,) = await self.rows([sf_id], ["ContentDocumentId"], touch)
        if row is None:
            return None
        document = str(row["ContentDocumentId"])
        columns = f"Id, IsLatest, Checksum, ContentSize, {PATH}, {self._own}"
        where = f"ContentDocumentId = {soql.quoted(document)} AND (IsLatest = true OR {self._own} = {soql.quoted(own)})"
        query = f"SELECT {columns} FROM {VERSION} WHERE {where}"  # noqa: S608 - names of the confirmed map, values quoted
        found = await self.insist(lambda: self._salesforce.query(query), touch)
        latest = next((one for one in found if one["IsLatest"]), None)
        if latest is None:
            return None
        ours = tuple(one["Id"] for one in found if one[self._own] == own)
        md5, size = str(latest["Checksum"] or "").lower(), int(latest["ContentSize"] or 0)
        return Newest(latest["Id"], document, md5, size, latest[PATH], ours)

    async def _keep(self, item: Item, sf_id: str, newest: Newest, sha256: str, touch: Callable[[], None]) -> Result:
        """The content is there already: only the other columns are written."""
        others = [one for one in newest.ours if one != newest.id]
        await self._release(others, touch)
        (result,) = await super().by_collections([(item, newest.id)], "update", touch)
        if result.error is not None:
            return result
        unheard = newest.id != sf_id or item.found is not None or item.target is not None
        if unheard and not await self._came_back(newest.id, newest.size, sha256, touch):
            return self._unreadable(item)
        return await self._placed(item, newest, Result(item, newest.id), touch)

    async def _bring(self, item: Item, found: Found, newest: Newest | None, touch: Callable[[], None]) -> Result:
        """Uploads the content, as a new document or as a new version of one that is there."""
        values = self._values(item, "upsert")
        async with self._opened(item, found) as content:
            if isinstance(content, Result):
                return content
            if newest is not None:
                values.pop(PLACE, None)  # links carry it from the second version on
                values["ContentDocumentId"] = newest.document
                await self._release(newest.ours, touch)
                if failpoint.ARMED:
                    failpoint.hit("upload-released")
            size = found.paper.size if content.length is None else content.length
            try:
                row_id = await self._files.upload(VERSION, values, _watched(content, touch), size)
            except RequestRefused:
                if newest is not None:
                    await self._give_back(newest, item.reference, touch)
                raise
        if failpoint.ARMED:
            failpoint.hit("upload-sent")
        if not await self._came_back(row_id, content.received, content.sha256, touch):
            return self._unreadable(item)
        if failpoint.ARMED:
            failpoint.hit("upload-read-back")
        done = Result(item, row_id, created=newest is None)
        return done if newest is None else await self._placed(item, newest, done, touch)

    async def _came_back(self, row_id: str, size: int, sha256: str, touch: Callable[[], None]) -> bool:
        """Whether Salesforce gives back what the source gave."""
        stored = await self.insist(lambda: self._files.stored(VERSION, row_id, touch), touch)
        return (stored.size, stored.sha256) == (size, sha256)

    @staticmethod
    def _unreadable(item: Item) -> Result:
        if item.attempts < _TRIES:
            log.error("a document does not come back as it was sent; it goes again")
            return Result(item, again=True)
        what = "what Salesforce gives back is not what was sent, again and again: look at the file there, then replay the record"
        return Result(item, error=RowError(papers.UNREADABLE, (), what))

    async def _placed(self, item: Item, newest: Newest, done: Result, touch: Callable[[], None]) -> Result:
        """Shows a document that was there before at the patient whose it is now."""
        wanted = item.columns.get(PLACE)
        if not isinstance(wanted, str):
            return done
        error = await self.insist(lambda: self._file_places.move(newest.document, wanted), touch)
        return done if error is None else Result(item, done.sf_id, created=done.created, error=error)

    async def _release(self, ids: Sequence[str], touch: Callable[[], None]) -> None:
        """Takes our external id off versions: one row at a time may carry it."""
        await self._mark(ids, None, touch)

    async def _give_back(self, newest: Newest, own: str, touch: Callable[[], None]) -> None:
        """A version that was to follow was refused: the one before it is ours again."""
        await self._mark([newest.id], own, touch)

    async def _mark(self, ids: Sequence[str], own: Value, touch: Callable[[], None]) -> None:
        if ids:
            rows = [{"Id": one, self._own: own} for one in ids]
            for answer in await self.insist(lambda: self.collections.update(VERSION, rows), touch):
                if not answer.success:
                    code = answer.errors[0].code
                    raise RequestRefused("Salesforce", f"{self._own} of a version can't be changed", code=code)

    async def documents(self, ids: Sequence[str], touch: Callable[[], None]) -> dict[str, str]:
        """The documents of versions, by the versions' ids; one that is gone is missing."""
        rows = await self.rows(ids, ["ContentDocumentId"], touch)
        return {one: str(row["ContentDocumentId"]) for one, row in zip(ids, rows, strict=True) if row is not None}

    # -- deletes -----------------------------------------------------------------------------------------------------------------------

    async def _delete(self, items: Sequence[tuple[Item, str | None]], touch: Callable[[], None]) -> list[Result]:
        """Deletes the documents of rows: Salesforce deletes no version by itself."""
        found = await self.rows([sf_id or "" for _, sf_id in items], ["ContentDocumentId"], touch)
        results: list[Result] = []
        for (item, sf_id), row in zip(items, found, strict=True):
            if row is None:
                results.append(Result(item, error=_DELETED))
                continue
            document = str(row["ContentDocumentId"])
            (answer,) = await self.insist(lambda document=document: self.collections.delete([document]), touch)  # type: ignore[misc]
            results.append(Result(item, sf_id, error=None if answer.success else answer.errors[0]))
            if failpoint.ARMED:
                failpoint.hit("document-deleted")
        return results


async def _watched(content: Content, touch: Callable[[], None]) -> AsyncIterator[bytes]:
    async for block in content.blocks():
        touch()
        yield block
        if failpoint.ARMED:
            failpoint.hit("upload-begun")


async def _together(works: Sequence[Awaitable[_T]]) -> list[_T]:
    """All of it, in order; when one fails the others are ended first."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
