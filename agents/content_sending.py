"""Sends rows that a content goes along with: it is streamed from the source while its row is written.

Owns what is common to Files (`agents.files`) and Attachments (`agents.attachments`): taking turns, opening the content, what a document that can't be loaded
becomes, reading back. Whether a content has to be sent is decided by what the org holds, never by what we remember: so it doesn't matter where a loader died.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from agents import papers
from agents.contents import Content, Contents, Found
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
from connectors.salesforce.files import Files
from connectors.salesforce.row_errors import DUPLICATE, RowError
from connectors.salesforce.session import Salesforce
from topics import reference
from transport import failpoint

__all__ = ["BATCH_ROWS", "DELETED", "TRIES", "ContentSending", "ContentsLoad", "watched"]

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Contents that a process has on their way at once, of each Salesforce object; each holds one of its places for calls for as long."""
BATCH_ROWS: Final = 8
"""Documents in a batch: what a crash has to look at again, and what waits for the slowest of them."""
TRIES: Final = 5
"""So often a row is sent again that does not come out right."""
DELETED: Final = RowError("ENTITY_IS_DELETED", (), "entity is deleted")

_T = TypeVar("_T")
_LOOKS: Final = 6
"""So often a document that the source is not done with is looked at again, in about a minute altogether."""
_WAIT_SECONDS: Final = 10.0
_CHANGED_RIGHTS: Final = frozenset({"INVALID_FIELD", "INVALID_TYPE", "INSUFFICIENT_ACCESS"})


class ContentsLoad(Load):
    """Loads documents: equal columns don't say that nothing is to be done, the content may be another one."""

    @staticmethod
    def _needs_no_call(item: Item, state: RowState, recalled: Recalled | None) -> bool:
        return item.op != "upsert" and Load._needs_no_call(item, state, recalled)  # noqa: SLF001 - its own


class ContentSending(Sending):
    """Sends rows with a content, by collections what goes without.

    Arguments:
        salesforce: an open connection.
        sobject: API name.
        external_id: the column that holds our reference.
        create_only: columns that may be sent only with a new row.
        journal: the batch journal.
        contents: by object, where the contents are.
        most: by object, the largest content in bytes.
    """

    def __init__(
        self,
        salesforce: Salesforce,
        sobject: str,
        external_id: str,
        create_only: Sequence[str],
        journal: Journal,
        contents: Mapping[str, Contents],
        most: Mapping[str, int],
    ) -> None:
        super().__init__(salesforce, sobject, external_id, create_only, journal)
        self._contents = contents
        self._most = most
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

    async def _delete(self, items: Sequence[tuple[Item, str | None]], touch: Callable[[], None]) -> list[Result]:
        """Deletes rows."""
        return await super().by_collections(items, "delete", touch)

    async def _columns(self, item: Item, sf_id: str, touch: Callable[[], None]) -> Result:
        """Writes the columns of a row whose content is right."""
        (result,) = await super().by_collections([(item, sf_id)], "update", touch)
        return result

    @abstractmethod
    async def _bring(self, item: Item, sf_id: str | None, found: Found, touch: Callable[[], None]) -> Result:
        """Brings one row and its content to what the source says of it; ``found`` is the content, which may be had.

        Raises:
            connectors.errors.ConnectorError: a step failed; nothing is known of what it sent.
        """

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
            if item.attempts < TRIES:
                return Result(item, again=True)
            what = f"{exc.what}: open it in Visual Practice; if it is damaged there, upload it anew"
            return Result(item, error=RowError(papers.LENGTH_DIFFERS, (), what))
        if isinstance(exc, RequestRefused) and exc.code not in {DUPLICATE, *_CHANGED_RIGHTS}:
            return Result(item, error=RowError(exc.code or "REFUSED", exc.fields, exc.what))
        log.warning("a document goes again: %s", exc)
        return Result(item, again=True)

    async def _carry(self, item: Item, sf_id: str | None, touch: Callable[[], None]) -> Result:
        """Looks at what the source says of one document now, and writes it if that can be loaded."""
        contents, vp_id = self._contents[item.layout.object], reference.split(item.reference)[1]
        found = await self.insist(lambda: contents.find(vp_id), touch)
        if found is None:
            return Result(item, held=contents.gone)
        if not found.paper.processed:
            if item.attempts < _LOOKS:
                return Result(item, again=True)
            return Result(item, held=(papers.NOT_PROCESSED, "Visual Practice is still processing the document"))
        refused = self._refused(item, found, None)
        return refused or await self._bring(item, sf_id, found, touch)

    def _refused(self, item: Item, found: Found, length: int | None) -> Result | None:
        """What becomes of a row whose content can't be loaded; ``length`` is what the source announces, None before that is known."""
        refused = found.paper.refused(length, self._most[item.layout.object])
        return None if refused is None else Result(item, error=RowError(refused[0], (), refused[1]))

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
            yield self._refused(item, found, content.length) or content
        finally:
            await opening.__aexit__(None, None, None)

    async def _came_back(self, row_id: str, size: int, sha256: str, touch: Callable[[], None]) -> bool:
        """Whether Salesforce gives back what the source gave."""
        stored = await self.insist(lambda: self._files.stored(self.sobject, row_id, touch), touch)
        return (stored.size, stored.sha256) == (size, sha256)

    @staticmethod
    def _unreadable(item: Item) -> Result:
        if item.attempts < TRIES:
            log.error("a document does not come back as it was sent; it goes again")
            return Result(item, again=True)
        what = "what Salesforce gives back is not what was sent, again and again: look at the file there, then replay the record"
        return Result(item, error=RowError(papers.UNREADABLE, (), what))


async def watched(content: Content, touch: Callable[[], None]) -> AsyncIterator[bytes]:
    """The blocks of a content on their way to Salesforce."""
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
