"""Remembers where pages of a listing ended, so that the next page can seek instead of skip.

Owns positions and totals, forgotten at every write. In memory only: a restart costs one slow page. Called by `storage`.
"""

import threading
from bisect import bisect_left, insort
from collections import OrderedDict
from typing import NamedTuple

Key = tuple[str | int, ...]

LISTINGS = 64  # listings remembered at once; the least recently used goes first


class Listing(NamedTuple):
    """What is listed, and in which order; `population` is the number of live records of the resource."""

    resource: str
    since: str | None
    fields: tuple[str, ...] | None
    by_time: bool
    descending: bool
    population: int

    @property
    def whole(self) -> bool:
        """Whether a record's body is needed, or the index alone can answer."""
        return self.fields is None or not {"id", "updated_at"}.issuperset(self.fields)


class _Trail:
    """The pages of one listing that were read: sorted numbers, and the key of each one's last row."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.keys: dict[int, Key] = {}
        self.total: int | None = None


class Anchors:
    """The trails of recent listings; read by one thread, forgotten by any."""

    def __init__(self) -> None:
        self.version = 0
        self._lock = threading.Lock()
        self._trails: OrderedDict[tuple[object, ...], _Trail] = OrderedDict()

    def change(self) -> None:
        """Forgets everything: a record was written."""
        with self._lock:
            self.version += 1
            self._trails = OrderedDict()

    def start(self, listing: Listing, per_page: int, page: int) -> tuple[Key | None, int]:
        """The key to seek from (None: the beginning) and how many rows to skip from there."""
        trail = self._trails.get((listing, per_page))
        if trail is None or (position := bisect_left(trail.pages, page)) == 0:
            return None, (page - 1) * per_page
        nearest = trail.pages[position - 1]
        return trail.keys[nearest], (page - 1 - nearest) * per_page

    def remember(self, listing: Listing, per_page: int, page: int, last: Key, version: int) -> None:
        """Notes the last row of a full page that was read when nothing newer than `version` had been written."""
        with self._lock:
            if version != self.version:
                return
            trail = self._trail((listing, per_page))
            if page not in trail.keys:
                insort(trail.pages, page)
            trail.keys[page] = last

    def total(self, listing: Listing) -> int | None:
        """The remembered length of a listing."""
        trail = self._trails.get((listing.resource, listing.since))
        return trail.total if trail else None

    def remember_total(self, listing: Listing, total: int, version: int) -> None:
        """Notes the length of a listing that was counted when nothing newer than `version` had been written."""
        with self._lock:
            if version == self.version:
                self._trail((listing.resource, listing.since)).total = total

    def _trail(self, key: tuple[object, ...]) -> _Trail:
        trail = self._trails.setdefault(key, _Trail())
        self._trails.move_to_end(key)
        if len(self._trails) > LISTINGS:
            self._trails.popitem(last=False)
        return trail
