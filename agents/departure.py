"""When the waiting rows of a Salesforce object leave: all lanes together, so that their batches are as full as they can be. Pure but for the clock.

Each batch costs calls, however few rows it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from agents.item import moment
from agents.lane import Lane

COMPANY: Final = 200
"""So many new rows within the idle time, a collections call's worth, and more are coming: a Bulk job is worth the wait."""

_PATIENCE: Final = 10
_BURST_SILENCE: Final = 10
_MOST_BURST_PATIENCE: Final = 60
_OLD_PATIENCE: Final = 6
_OLD_SECONDS: Final = 600.0
_CROWD_PATIENCE: Final = 20
"""Of more old rows than a call takes: children come in lumps, each time their parents have landed."""
_MOST_CROWD_PATIENCE: Final = 400
_MOST_AWAITED_PATIENCE: Final = 240
_MOST_STAYS: Final = 5


def is_old(version: str) -> bool:
    """Whether a version is of a change so long ago that nobody watches for it: what is there of it came with the snapshot."""
    return version < moment(time.time() - _OLD_SECONDS)


class Departure:
    """Of one Salesforce object.

    Arguments:
        idle_seconds: how long a row waits for company.
        full: rows of a full batch.
        awaited: whether other rows wait for these to land.
        complete: whether no further rows of the object are on their way, as far as one knows (`agents.upstream`); asked only while rows wait.
        coming: whether further ones will follow from what is being loaded now.
        burst: whether many records of the object are being changed at this moment.
    """

    def __init__(
        self,
        idle_seconds: float,
        full: int,
        *,
        awaited: bool = True,
        complete: Callable[[], bool] = lambda: False,
        coming: Callable[[], bool] = lambda: False,
        burst: Callable[[], bool] = lambda: False,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._full = full
        self._awaited = awaited
        self._complete = complete
        self._coming = coming
        self._burst = burst
        self._waiting = False
        self._begun = 0.0
        self._since = 0.0
        self._looked_at = 0
        self._queued = 0
        self._joined_at = 0.0

    def due(self, now: float, lanes: Collection[Lane]) -> bool:
        """Whether a batch should leave: a full one, or what there is when nothing flies and nothing has joined it within the idle time.

        While rows come the wait starts over: for ten times the idle time at most, and as long as it takes when they come fast. So it does for the first few
        of many records that are being changed at once. When a call's worth is there already, the wait is ten times with each call's worth, sixty at most: the
        more there are, the more calls it saves, and the less is anybody waiting for one of them. It then takes ten idle times without another, and parents
        that are being loaded are waited for. Nobody watches for rows that were changed long ago (a snapshot's): a few that others wait for wait for six idle
        times without another and sixty at most, and any others for twenty without another: a few for 200 at most, a crowd for 400, 240 where others wait for
        it. None of them waits for longer than an idle time without another when all rows of the object have come.

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
        if queued != self._queued:
            self._queued, self._joined_at = queued, now
        if queued >= self._full:
            return True
        if any(lane.flying for lane in lanes):
            return False
        many, old = queued >= COMPANY, is_old(max(lane.youngest for lane in lanes))
        # Asked from the first moment on, or it wouldn't be known when it matters: it takes a look at the broker.
        first = not many and not old and self._burst()
        if now - self._since < self._idle_seconds:
            return False
        crowd = old and many
        if crowd:
            silence, patience = _CROWD_PATIENCE, _MOST_AWAITED_PATIENCE if self._awaited else _MOST_CROWD_PATIENCE
        elif old:
            silence = _OLD_PATIENCE if self._awaited else _CROWD_PATIENCE
            patience = _PATIENCE * silence
        else:
            silence = _BURST_SILENCE if many else 1
            patience = min(_PATIENCE * max(1, queued // COMPANY), _MOST_BURST_PATIENCE)
        if now - self._since < silence * self._idle_seconds:
            return now - self._joined_at >= self._idle_seconds and self._complete()
        joined = queued - self._looked_at
        waited = now - self._begun >= patience * self._idle_seconds
        if joined <= 0 and not waited and (first or (many and not old and self._coming())):
            return False
        if joined <= 0 or ((crowd or joined < COMPANY) and waited):
            return True
        self._wait(now, queued)
        return False

    def begin(self, now: float, lanes: Collection[Lane]) -> None:
        """The wait of what is there begins: the first rows have come, or a batch has left without them."""
        self._waiting, self._begun = True, now
        self._wait(now, sum(len(lane.queued) for lane in lanes))

    def _wait(self, now: float, queued: int) -> None:
        self._since, self._looked_at = now, queued


class Staying:
    """Rows of one Salesforce object that are there already and that others, which come later, complete: in a snapshot a patient's policies.

    New rows leave without them, until they fill a Bulk job: nobody waits for them.

    Arguments:
        enough: rows that fill a Bulk job.
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._stayed = 0

    def stay(self, versions: Sequence[str], *, others: bool) -> bool:
        """Whether the updates that could leave now stay behind; not for ever, as what is committed waits for them.

        Arguments:
            versions: of the updates, one at least.
            others: whether new rows leave.
        """
        stay = others and len(versions) < self._enough and self._stayed < _MOST_STAYS and is_old(max(versions))
        self._stayed = self._stayed + 1 if stay else 0
        return stay
