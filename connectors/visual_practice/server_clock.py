"""When an answer's data were read, by the server's own clock.

Owns the estimate. `Date` is written when an answer is finished: a change that came between the reading and that moment is not in it
although it bears an earlier second. So the time at which the request was sent counts, told by our clock from what earlier answers said.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from connectors.visual_practice.source_time import Span

__all__ = ["ServerClock"]

_DECAY: Final = 0.001
"""Seconds a second by which an old estimate is trusted less: what two clocks may run apart."""


class ServerClock:
    """Learns how far the server's clock is ahead of ours, at least.

    Safe as long as the server's clock runs at the pace of ours (one in a thousand) and is not set back by less than a second; a larger step is noticed.

    Args:
        now: A monotonic clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._ahead: float | None = None
        self._learned = 0.0

    def span(self, sent: float, date: datetime) -> Span:
        """When the data of an answer that has just come were read.

        Args:
            sent: When the request was sent, by `now`.
            date: The answer's `Date`, UTC.
        """
        received, told = self.now(), date.timestamp()
        known = None if self._ahead is None else self._ahead - _DECAY * (received - self._learned)
        if known is None or told + 1 < sent + known:  # the first, or the clock was set back
            known = told - received
        self._ahead, self._learned = max(known, told - received), received
        earliest = datetime.fromtimestamp(int(min(told, sent + self._ahead)), UTC)
        return Span(min(earliest, date), date)
