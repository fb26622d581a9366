"""The walk over one object under one assignment: sweeps over rows, deletes and the archive, each from where the cursor stands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from agents.archive import read_feed
from agents.cursor import BEGINNING, Cursor, Seen, key_of
from agents.deferral import Deferral
from agents.drift import Watch
from connectors.errors import NotFound, PageTooSlow, RequestRefused
from connectors.visual_practice.client import Next, Page
from connectors.visual_practice.source_time import SourceTime, Span
from transport.assignment import StaleAssignment

if TYPE_CHECKING:
    from agents.extract import Extraction

_SAVE_SECONDS: Final = 1.0


class Walk:
    """One object's walk.

    Arguments:
        extraction: reads records and publishes them.
        watch: looks at what is read before it is published.
        number: the partition that holds the object's task.
        object_: which object.
        overlap: how far each sweep looks back behind the one before.
        deferral: keeps what has been published, for look-ups that wait; None when nobody waits for this object.
    """

    def __init__(
        self,
        extraction: Extraction,
        watch: Watch,
        number: int,
        object_: str,
        overlap: timedelta,
        deferral: Deferral | None = None,
    ) -> None:
        self._x = extraction
        self._watch = watch
        self._number = number
        self._object = object_
        self._overlap = overlap
        self._deferral = deferral
        self._resource = extraction.sources[object_].resource
        self._seen = Seen()
        self._floor = BEGINNING
        self._saved_at = 0.0
        self._cursor: Cursor | None = None
        self._doubted: set[tuple[str, str]] = set()

    def new(self, vp_id: str, version: str, modified: datetime, *, deleted: bool) -> bool:
        return self._seen.new(vp_id, version, modified, deleted=deleted, since=self._floor)

    def published(self, vp_id: str) -> None:
        """Notes that a record is on its way."""
        if self._deferral is not None:
            self._deferral.meet(vp_id)

    def knows(self, vp_id: str, version: str, *, deleted: bool) -> bool:
        return self._seen.knows(vp_id, version, deleted=deleted)

    async def sweep(self) -> None:
        """One pass over everything modified since the last one, and one over the deletes and the archive."""
        x = self._x
        time = await x.client.time()
        cursor = self._load()
        while True:
            try:
                page = await self._page(cursor)
                cursor = await self._begun(cursor, page)
                page, last = await self._rows(cursor, page, time)
            except PageTooSlow:
                cursor = cursor.again()
                continue
            except RequestRefused:
                if cursor.token is None:
                    raise
                cursor = cursor.again()  # the source has forgotten the place
                continue
            onward = page.next
            token = onward.token if onward is not None else None
            following = cursor.after_page(last, has_next=page.has_next, size=page.size, token=token)
            if following is None:
                break
            self._cursor = cursor = following
            await self._save(cursor, now=False)
        cursor = await self._sweep_feeds(cursor)
        assert cursor.sweep_started is not None
        self._cursor = cursor.after_sweep(time.floor(cursor.sweep_started - self._overlap))
        await self._save(self._cursor, now=self._cursor.sweeps == 1)

    def _load(self) -> Cursor:
        stored = self._x.table.partition(self._number).get(key_of(self._object))
        if stored is None:
            raise StaleAssignment
        cursor = Cursor.decode(stored)
        # What is stored may be a second behind; a new run begins where the store says.
        return self._cursor if self._cursor is not None and self._cursor.run == cursor.run else cursor

    async def _begun(self, cursor: Cursor, page: Page) -> Cursor:
        """The cursor, with the sweep's beginning, after a sweep's first page has been read.

        The snapshot's beginning is durable before any of its rows goes out: a row that is out and is deleted then is in no later page, and in the feed of
        deletes only for who asks from there on.
        """
        begun = cursor.begun(page.server_time, self._overlap)
        if cursor.deleted_since is None:
            await self._save(begun, now=True)
        return begun

    async def _rows(self, cursor: Cursor, page: Page, time: SourceTime) -> tuple[Page, datetime | None]:
        """Publishes the page that the cursor points at; the page, and when its last row was modified, as a parameter can say it."""
        x = self._x
        self._floor = cursor.since - 2 * self._overlap
        fresh, last = await x.read(self._object, cursor.run, page.records, page.seen, self)
        if fresh and not await self._watch.check(page.records):
            page = await self._page(cursor)
            fresh, last = await x.read(self._object, cursor.run, page.records, page.seen, self)
            await self._watch.check(page.records)
        await x.publish(self._object, cursor.run, "snapshot" if cursor.sweeps == 0 else "delta", fresh, self)
        if fresh:
            await self._watch.learn(page.records, first_sight=cursor.sweeps == 0)
        return page, None if last is None else time.floor(last)

    async def _page(self, cursor: Cursor) -> Page:
        after = None
        if cursor.token is not None:
            after = Next.placed(cursor.token)
        elif cursor.page > 1 or cursor.then is not None:
            after = Next.numbered(cursor.page, cursor.size)
        since = None if cursor.since <= BEGINNING else cursor.since
        return await self._x.client.page(self._resource, updated_since=since, after=after)

    async def _sweep_feeds(self, cursor: Cursor) -> Cursor:
        deleted_since = cursor.deleted_since
        first: datetime | None = None
        async for page in read_feed(self._x.client, self._resource, "deleted", deleted_since):
            first = first or page.server_time
            await self._x.publish_deleted(self._object, cursor.run, page.records, page.seen, self)
        assert first is not None
        cursor = replace(cursor, deleted_since=first - self._overlap)
        first, sound = None, True
        try:
            async for page in read_feed(self._x.client, self._resource, "archived", cursor.archived_since):
                first = first or page.server_time
                sound &= await self._archived(cursor, page.records, page.seen)
        except NotFound:
            return cursor  # an installation without an archive
        assert first is not None
        return replace(cursor, archived_since=first - self._overlap) if sound else cursor

    async def _archived(self, cursor: Cursor, records: Sequence[Any], seen: Span) -> bool:
        """Publishes entries of the archive, which are still there. False: they look odd, and have to be read once more."""
        x = self._x
        fresh, _ = await x.read(self._object, cursor.run, records, seen, self, archived=True)
        if fresh and not await self._watch.check(records):
            odd = {(one.record.vp_id, one.version) for one in fresh}
            if not odd <= self._doubted:
                self._doubted |= odd
                return False
            self._doubted -= odd
        await x.publish(self._object, cursor.run, "snapshot" if cursor.sweeps == 0 else "delta", fresh, self)
        return True

    async def _save(self, cursor: Cursor, *, now: bool) -> None:
        """Makes the cursor durable after everything published before it, at most once a second: what lies between is read again."""
        time = asyncio.get_running_loop().time()
        if now or time - self._saved_at >= _SAVE_SECONDS:
            met = {} if self._deferral is None else self._deferral.state(cursor.run)
            await self._x.outputs.publisher.settle()
            changes: dict[bytes, bytes | None] = {key_of(self._object): cursor.encode(), **self._watch.state(), **met}
            await self._x.table.write(self._number, changes)
            self._saved_at = time
