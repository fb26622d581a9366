"""Waiting and trying again: capped exponential backoff with full jitter.

Owns when a failed call is tried again and for how long altogether. Only errors marked transient are; whether a call
may be repeated at all (a write may already have happened) is its caller's decision.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from connectors.errors import ConnectorError

__all__ = ["NO_RETRY", "Retry", "asked_wait"]

_Answer = TypeVar("_Answer")
_LONGEST_ASKED: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to go on. All times in seconds.

    Attributes:
        first: Upper end of the first wait; it doubles each time.
        most: Upper end of any wait that the service didn't ask for.
        max_elapsed: No wait begins that would end later than this after the first try.
        clock: A monotonic clock.
        sleep: Waits.
        jitter: Gives a number from 0 to 1.
    """

    first: float = 0.25
    most: float = 20.0
    max_elapsed: float = 120.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    async def run(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Call until it succeeds.

        Args:
            call: Makes one try.

        Raises:
            ConnectorError: The last try's error, when it isn't transient or the time is up. A wait that the service
                asked for and that is too long isn't begun; the error's `retry_after` still tells it.
        """
        start = self.clock()
        tries = 0
        while True:
            try:
                return await call()
            except ConnectorError as error:
                if not error.transient:
                    raise
                wait = self._wait(tries, error.retry_after)
                if self.clock() - start + wait > self.max_elapsed:
                    raise
            tries += 1
            await self.sleep(wait)

    def _wait(self, tries: int, asked: float | None) -> float:
        ceiling = min(self.most, self.first * 2.0 ** min(tries, 32))
        if asked is None:
            return self.jitter() * ceiling
        # Everybody else was told the same moment: spread over it, never before it.
        return asked + self.jitter() * min(self.first, 1.0)


NO_RETRY: Final = Retry(max_elapsed=-1.0)
"""One try only."""


def asked_wait(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """The wait that an answer's headers ask for.

    Args:
        headers: Of the answer; looked up without regard to case when they are httpx's.
        now: UNIX time, for headers that name a moment.

    Returns:
        Seconds from 0 to a day; None when neither `Retry-After` (seconds or a date) nor `X-RateLimit-Reset` (UNIX
        seconds) can be read.
    """
    text = headers.get("Retry-After", "").strip()
    wait: float | None = None
    if text:
        wait = _number(text)
        if wait is None:
            try:
                wait = parsedate_to_datetime(text).timestamp() - now()
            except (ValueError, TypeError, OverflowError):
                wait = None
    if wait is None:
        reset = _number(headers.get("X-RateLimit-Reset", "").strip())
        wait = None if reset is None else reset - now()
    return None if wait is None else min(max(wait, 0.0), _LONGEST_ASKED)


def _number(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() and text.isascii() else None
