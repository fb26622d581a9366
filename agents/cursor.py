"""How far the extract of one object has come. Pure; stored under ``T|<object>`` in the extract's state table.

The snapshot and the delta are the same walk: rows by modification time, from ``since`` on. A walk by key and not by page number skips nothing when
earlier rows are deleted or modified meanwhile; page numbers serve only within a second (of an autumn night: within the two hours that can't be told apart)
that has more rows than a page. Such a second is read to its end and then back to its first page: rows only leave it, which moves later ones up, past a reader
on his way down but never past one on his way back. A source that pages by place and not by number needs no way back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins.

    Attributes:
        run: the run that reads.
        since: rows modified at or after this second; inclusive, as the source's ``updated_since``, and one that its parameters can say.
        page: within ``since``, from 1.
        size: records of a page, as ``page`` counts; 0 on page 1.
        token: what the source calls the place of ``page``, when it pages by place.
        then: on the way back to the first page, where to go on from there; ``since`` itself when the sweep ends there.
        sweep_started: the source's clock when this sweep began, None between sweeps: the next sweep begins there, less the overlap.
        deleted_since: the same for the feed of deletes, None until the first sweep says when the snapshot began.
        archived_since: the same for the archive, None until it has been read from its beginning.
        sweeps: completed sweeps; the first is the snapshot.
    """

    run: str
    since: datetime = BEGINNING
    page: int = 1
    size: int = 0
    token: str | None = None
    then: datetime | None = None
    sweep_started: datetime | None = None
    deleted_since: datetime | None = None
    archived_since: datetime | None = None
    sweeps: int = 0

    def encode(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def decode(cls, data: bytes) -> Cursor:
        """What `encode` wrote."""
        found = orjson.loads(data)
        for name in ("since", "then", "sweep_started", "deleted_since", "archived_since"):
            if found.get(name) is not None:
                found[name] = datetime.fromisoformat(found[name])
        return cls(**found)

    def begun(self, server_time: datetime, overlap: timedelta) -> Cursor:
        """Notes the source's clock at the first page of a sweep."""
        if self.sweep_started is not None:
            return self
        # A row deleted before the snapshot began is in no page; deletes count from there on.
        return replace(self, sweep_started=server_time, deleted_since=self.deleted_since or server_time - overlap)

    def after_page(
        self, last: datetime | None, *, has_next: bool, size: int = 0, token: str | None = None
    ) -> Cursor | None:
        """The page to read after this one, None behind the sweep's last.

        Arguments:
            last: of the last row that this page has, as ``since`` can say it; None when it has none that can be read.
            has_next: whether the source has a page after this one.
            size: records of a page, for a source that pages by number.
            token: the next page's place, for a source that pages by place.
        """
        if self.then is not None:
            if self.page > 1:
                return replace(self, page=self.page - 1)
            return replace(self, since=self.then, then=None, size=0) if self.then > self.since else None
        last = self.since if last is None else last
        if has_next and last <= self.since:
            return replace(self, page=self.page + 1, size=size, token=token)
        following = last if has_next else self.since
        if self.page > 1 and self.token is None:
            return replace(self, page=self.page - 1, then=following)
        return replace(self, since=following, page=1, size=0, token=None) if has_next else None

    def again(self) -> Cursor:
        """From the first page of ``since``: its page numbers or places mean nothing any more."""
        return replace(self, page=1, size=0, token=None, then=None)

    def after_sweep(self, since: datetime) -> Cursor:
        """Behind the last page: the next sweep begins at ``since``, the beginning of this one less the overlap, for rows that became visible late."""
        assert self.sweep_started is not None
        since = max(BEGINNING, since)
        return replace(self.again(), since=since, sweep_started=None, sweeps=self.sweeps + 1)


def key_of(object_: str) -> bytes:
    """The state table's key of an object's cursor."""
    return b"T|" + object_.encode()


class Seen:
    """What has been published of the overlap, so that a sweep publishes only what is new.

    Memory only: after a restart an overlap is published again, and the version guard drops it.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._seen: dict[tuple[str, bool], tuple[str, datetime]] = {}

    def knows(self, vp_id: str, version: str, *, deleted: bool) -> bool:
        """Whether this version has been published."""
        known = self._seen.get((vp_id, deleted))
        return known is not None and known[0] == version

    def new(self, vp_id: str, version: str, modified: datetime, *, deleted: bool, since: datetime) -> bool:
        """Whether this version has not been published yet; ``since`` is how far back the walk may still look."""
        known = self._seen.get((vp_id, deleted))
        if known is not None and known[0] == version:
            return False
        self._seen[vp_id, deleted] = (version, modified)
        if len(self._seen) > self._most:
            self._seen = {key: value for key, value in self._seen.items() if value[1] >= since}
            self._most = max(self._most, 2 * len(self._seen))
        return True
