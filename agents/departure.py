"""When the waiting rows of a Salesforce object leave: all lanes together, so that their batches are as full as they can be. Pure but for the clock.

Each batch costs calls, however few rows it has.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

from agents.item import moment
from agents.lane import Lane

COMPANY: Final = 200
"""So many new rows within the idle time, a collections call's worth, and more are coming: a Bulk job is worth the wait."""

_PATIENCE: Final = 10
_BURST_PATIENCE: Final = 60
_MOST_PATIENCE: Final = 120
_OLD_PATIENCE: Final = 6
_OLD_SECONDS: Final = 600.0


class Departure:
    """Of one Salesforce object.

    Arguments:
        idle_seconds: how long a row waits for company.
        full: rows of a full batch.
    """

    def __init__(self, idle_seconds: float, full: int) -> None:
        self._idle_seconds = idle_seconds
        self._full = full
        self._waiting = False
        self._begun = 0.0
        self._since = 0.0
        self._looked_at = 0

    def due(self, now: float, lanes: Collection[Lane]) -> bool:
        """Whether a batch should leave: a full one, or what there is when nothing flies and nothing has joined it within the idle time.

        While rows come the wait starts over: for ten times the idle time at most, for sixty times when a call's worth is there already (somebody has changed
        many at once), and as long as it takes when they come fast. For rows that were changed long ago (a snapshot's) nobody waits: they get six times as long,
        but no more than 120 idle times: others wait for them to land.

        Arguments:
            now: monotonic seconds; asked at least as often as rows should leave.
            lanes: those that may send.
        """
        queued = sum(len(lane.queued) for lane in lanes)
        if not queued:
            self._waiting = False
            return False
        if not self._waiting:
            self.begin(now, lanes)
        if queued >= self._full:
            return True
        if any(lane.flying for lane in lanes) or now - self._since < self._idle_seconds:
            return False
        youngest = max(lane.youngest for lane in lanes)
        unit = self._idle_seconds * (_OLD_PATIENCE if youngest < moment(time.time() - _OLD_SECONDS) else 1)
        if now - self._since < unit:
            return False
        joined = queued - self._looked_at
        patience = min((_PATIENCE if queued < COMPANY else _BURST_PATIENCE) * unit, _MOST_PATIENCE * self._idle_seconds)
        if joined <= 0 or (joined < COMPANY and now - self._begun >= patience):
            return True
        self._wait(now, queued)
        return False

    def begin(self, now: float, lanes: Collection[Lane]) -> None:
        """The wait of what is there begins: the first rows have come, or a batch has left without them."""
        self._waiting, self._begun = True, now
        self._wait(now, sum(len(lane.queued) for lane in lanes))

    def _wait(self, now: float, queued: int) -> None:
        self._since, self._looked_at = now, queued
