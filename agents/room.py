"""Whether the org has room for rows: what to do when it has none is to wait, and to try a few rows now and then.

Pure but for the clock. One for each worker process. Source of fact: `STORAGE_LIMIT_EXCEEDED` is told row by row; rows that exist may still be updated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Final

from agents.sending import Result

log = logging.getLogger(__name__)

_CODE: Final = "STORAGE_LIMIT_EXCEEDED"
_PAUSE_FIRST: Final = 30.0
_PAUSE_MOST: Final = 300.0


class Room:
    """Room in the org for rows of ours.

    Arguments:
        first: seconds until the first try after a refusal; each further one waits twice as long, up to five minutes.

    Attributes:
        since: ms since 1970, when a row was refused for want of room; None while there is room.
    """

    def __init__(self, first: float = _PAUSE_FIRST) -> None:
        self._first = first
        self._pause = first
        self._until = 0.0
        self.since: int | None = None

    def note(self, results: Iterable[Result]) -> None:
        """Learns from what became of a batch."""
        results = list(results)
        if any(result.error is not None and result.error.code == _CODE for result in results):
            self.refused()
        elif any(result.created for result in results):
            self.taken()

    def refused(self) -> None:
        """A row was refused for want of room."""
        now = time.monotonic()
        if self.since is None:
            self.since = int(time.time() * 1000)
            log.error(
                "the org's data storage is full: loading waits, and tries again by itself. Free storage in the org (Setup, Storage Usage; "
                "empty the recycle bin), or buy some"
            )
        elif now < self._until:
            return  # of the same moment
        self._until = now + self._pause
        self._pause = min(2 * self._pause, _PAUSE_MOST)

    def taken(self) -> None:
        """A new row was taken."""
        if self.since is not None:
            log.warning("the org takes rows again")
        self.since, self._pause, self._until = None, self._first, 0.0

    @property
    def closed(self) -> bool:
        """Whether nothing is to be sent now."""
        return self.since is not None and time.monotonic() < self._until
