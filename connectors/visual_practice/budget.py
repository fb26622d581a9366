"""How fast Visual Practice may be asked: one budget for all walks and look-ups of a process.

Owns the pace. It is learned from headers where there are any (`X-RateLimit-*`, `Retry-After`), and else from refusals: a refusal halves the rate,
answers raise it again. Look-ups go first: somebody waits for them. Knows no HTTP beyond headers and status codes.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from connectors.errors import RateLimited
from connectors.retry import asked_wait

__all__ = ["Budget"]

log = logging.getLogger(__name__)

_SERVICE: Final = "Visual Practice"
_TOO_MANY: Final = 429
_WINDOW: Final = 60.0
"""Seconds over which requests are counted when a refusal tells nothing."""
_TELLING: Final = 20
"""Requests from which on their number in a window is taken for the limit; a single refusal may be a whim."""
_SLOWEST: Final = 1 / 60
"""Requests a second that are left however often we are refused: somebody has to find out when it is over."""
_GROWTH: Final = 1.02
"""Of the rate with each answer that is no refusal."""
_FIRST_REST, _LONGEST_REST = 1.0, 60.0
_BURST: Final = 5.0
"""Requests that may come at once after a pause."""
_URGENT_SHARE: Final = 0.1
"""Of what a window has left, for look-ups alone."""
_SPREAD_FROM: Final = 0.5
"""When less than that share of a window is left, walks spread it over the time until the next."""
_NEARLY: Final = 1e-6
"""Of a token: what rounding may lack."""
_SHORTEST: Final = 0.001
_LOG_SECONDS: Final = 60.0


class Budget:
    """Decides when the next request may leave. One for each connection; used from one event loop.

    Args:
        longest: Seconds that `admit` waits at most; a longer wait is its caller's, who may have better things to do.
        now: A monotonic clock.
        wall: UNIX time; for headers that name a moment.
        sleep: Waits.
    """

    def __init__(
        self,
        longest: float = 30.0,
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._longest, self._now, self._wall, self._sleep = longest, now, wall, sleep
        self._closed_until = 0.0
        self._rest = _FIRST_REST
        self._rate: float | None = None  # requests a second, None: as fast as we can
        self._tokens, self._filled_at = 0.0, now()
        self._window: tuple[float, int, int] | None = None  # ends at, limit, left
        self._walked_at = 0.0
        self._sent: deque[float] = deque()
        self._urgent = 0
        self._logged_at: float | None = None
        self.waited_seconds = 0.0
        """Seconds that requests have waited here in all; for metrics. A refused one waits with its caller, until it is tried again."""
        self.refusals = 0
        """Answers that said "too many"; for metrics."""

    @property
    def closed_seconds(self) -> float:
        """Seconds for which no request may leave because of a refusal; for metrics."""
        return max(0.0, self._closed_until - self._now())

    @property
    def rate(self) -> float | None:
        """Requests a second that we keep to because of refusals that told nothing; None: no such limit is known."""
        return self._rate

    async def admit(self, *, urgent: bool = False) -> None:
        """Wait until a request may leave, and count it.

        Args:
            urgent: A look-up: before any walk.

        Raises:
            RateLimited: It would take longer than `longest`; its `retry_after` says how long.
        """
        self._urgent += urgent
        try:
            waited = 0.0
            while (wait := self._wait(urgent=urgent)) > 0:
                if waited + wait > self._longest:
                    self._note(wait)
                    raise RateLimited(_SERVICE, "the limit of requests is used up", retry_after=wait)
                self._note(wait)
                await self._sleep(wait)
                waited += wait
                self.waited_seconds += wait
        finally:
            self._urgent -= urgent
        self._count(urgent=urgent)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer."""
        now = self._now()
        self._learn_window(headers, now)
        if status != _TOO_MANY:
            self._rest = _FIRST_REST
            if self._rate is not None:
                self._rate = min(self._rate * _GROWTH, 1000.0)
            return
        self.refusals += 1
        asked = asked_wait(headers, self._wall)
        if asked is not None:
            self._closed_until = max(self._closed_until, now + asked)
            self._note(asked)
            return
        if now < self._closed_until:
            return  # sent before the refusal that closed us
        self._fill(now)
        self._tokens = 0.0
        self._closed_until = now + self._rest
        first, self._rest = self._rest == _FIRST_REST, min(2 * self._rest, _LONGEST_REST)
        if not first:
            return  # the window that refused the one before: the rate isn't to blame again
        before = self._rate if self._rate is not None else self._pace(now)
        self._rate = max(before / 2, _SLOWEST)

    def _pace(self, now: float) -> float:
        """Requests a second lately: over a whole window when there were enough for one, else while we have been asking."""
        recent = [at for at in self._sent if at > now - _WINDOW]
        if len(recent) >= _TELLING:
            return len(recent) / _WINDOW
        return len(recent) / max(now - recent[0], 0.1) if recent else 1.0

    def _learn_window(self, headers: Mapping[str, str], now: float) -> None:
        values = [headers.get(f"X-RateLimit-{name}", "").strip() for name in ("Limit", "Remaining", "Reset")]
        if not all(value.isascii() and value.replace(".", "", 1).isdigit() for value in values):
            return
        limit, left, reset = (float(value) for value in values)
        ends = now + reset - self._wall()
        if self._window is not None and abs(ends - self._window[0]) < 1.0:
            left = min(left, self._window[2])  # answers overtake each other
            ends = self._window[0]
        self._window = (ends, int(limit), int(left))

    def _wait(self, *, urgent: bool) -> float:
        """Seconds until it is worth asking again; 0: go."""
        now = self._now()
        if now < self._closed_until:
            return self._closed_until - now
        waits = [0.0]
        if self._window is not None and now < self._window[0]:
            waits.append(self._wait_in_window(self._window, now, urgent=urgent))
        if self._rate is not None:
            self._fill(now)
            # A look-up that waits has the next token.
            wanted = 1.0 if urgent else 1.0 + self._urgent
            missing = wanted - self._tokens
            waits.append(max(missing / self._rate, _SHORTEST) if missing > _NEARLY else 0.0)
        return max(waits)

    def _wait_in_window(self, window: tuple[float, int, int], now: float, *, urgent: bool) -> float:
        ends, limit, left = window
        if urgent:
            return ends - now if left <= 0 else 0.0
        kept = max(1, int(limit * _URGENT_SHARE)) if limit > 1 else 0
        if left <= kept:
            return ends - now
        if left >= limit * _SPREAD_FROM:
            return 0.0
        return max(0.0, self._walked_at + (ends - now) / (left - kept) - now)

    def _fill(self, now: float) -> None:
        if self._rate is not None:
            self._tokens = min(_BURST, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now

    def _count(self, *, urgent: bool) -> None:
        now = self._now()
        self._sent.append(now)
        while self._sent[0] <= now - _WINDOW:
            self._sent.popleft()
        if self._rate is not None:
            self._tokens -= 1.0
        if self._window is not None:
            ends, limit, left = self._window
            self._window = (ends, limit, left - 1)
        if not urgent:
            self._walked_at = now

    def _note(self, wait: float) -> None:
        now = self._now()
        if wait >= 1.0 and (self._logged_at is None or now - self._logged_at >= _LOG_SECONDS):
            self._logged_at = now
            log.warning("Visual Practice's limit of requests: waiting %.0f s", wait)
