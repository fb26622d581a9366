"""Which records are in the source's archive: in no listing and no feed of deletes, and 404 when asked for by id, yet still there.

Owns an index of ids in memory, brought up to date when somebody asks; the records themselves are read again from the feed. Nothing is kept over a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import NotFound, PageTooSlow
from connectors.visual_practice.client import Feed, Page, VisualPractice
from connectors.visual_practice.source_time import Span


class Archive:
    """The archive of one resource.

    Arguments:
        client: an open connection.
        resource: its name in the API.
        overlap: how far each look goes back behind the one before, for entries that became visible late.
    """

    def __init__(self, client: VisualPractice, resource: str, overlap: timedelta) -> None:
        self._client = client
        self._resource = resource
        self._overlap = overlap
        self._since: datetime | None = None
        self._ids: dict[str, datetime | None] = {}  # and where to look for it in the feed
        self._lock = asyncio.Lock()

    async def find(self, vp_id: str) -> tuple[dict[str, Any], Span] | None:
        """The record of that id and when it was read; None when it is not in the archive now.

        Raises:
            connectors.errors.ConnectorError: the source can't be read.
        """
        async with self._lock:
            await self._catch_up()
            if vp_id not in self._ids:
                return None
            since = self._ids[vp_id]
        async for page in read_feed(self._client, self._resource, "archived", since):
            for record in page.records:
                if isinstance(record, dict) and str(record.get("id")) == vp_id:
                    return record, page.seen
        self._ids.pop(vp_id, None)  # taken out again
        return None

    async def _catch_up(self) -> None:
        time = await self._client.time()
        starts: list[datetime] = []
        try:
            async for page in read_feed(self._client, self._resource, "archived", self._since):
                starts.append(page.server_time)
                for record in page.records:
                    if isinstance(record, dict):
                        self._ids[str(record.get("id"))] = _at(record, time.instant)
        except NotFound:
            return  # an installation without an archive
        self._since = min(starts) - self._overlap


def _at(record: dict[str, Any], instant: Any) -> datetime | None:
    try:
        found: datetime = instant(record.get("archived_at"))
    except (ValueError, TypeError, OverflowError):
        return None  # wherever it is, it is behind the beginning
    return found


async def read_feed(client: VisualPractice, resource: str, which: Feed, since: datetime | None) -> AsyncIterator[Page]:
    """The pages of a feed, to its end and back to the first: entries leave it, and later ones move up past a reader on his way down.

    Raises:
        connectors.errors.ConnectorError: the source can't be read.
    """
    while True:
        try:
            async for page in _down_and_back(client, resource, which, since):
                yield page
        except PageTooSlow:
            continue
        return


async def _down_and_back(
    client: VisualPractice, resource: str, which: Feed, since: datetime | None
) -> AsyncIterator[Page]:
    page = await client.feed(resource, which, since)
    yield page
    number = 1
    following = page.next
    while following is not None:
        page = await client.feed(resource, which, since, after=following)
        yield page
        number += 1
        if page.next is None and not following.onward.place:
            for back in range(number - 1, 0, -1):
                yield await client.feed(resource, which, since, after=following.at(back))
        following = page.next
