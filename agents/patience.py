"""Waiting for a system that does not answer: as long as it takes, but never beyond the assignment, and never taken for a stall."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol, TypeVar

from connectors.errors import ConnectorError
from transport.assignment import Assignment, TopicPartition

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_PAUSE_FIRST: Final = 0.5
PAUSE_MOST: Final = 30.0

_meanwhile: ContextVar[Callable[[], None] | None] = ContextVar("meanwhile", default=None)


@contextmanager
def waiting_for(touch: Callable[[], None]) -> Iterator[None]:
    """Whatever waits inside this block, however deep in a client, calls ``touch`` (by `meanwhile`).

    ``touch`` tells the watchdog, and raises `StaleAssignment` when nobody waits any more.
    """
    token = _meanwhile.set(touch)
    try:
        yield
    finally:
        _meanwhile.reset(token)


def meanwhile() -> None:
    """To be called now and then by what waits for long.

    Raises:
        StaleAssignment: what it waits for was revoked.
    """
    touch = _meanwhile.get()
    if touch is not None:
        touch()


async def rest(assignment: Assignment, seconds: float, tp: TopicPartition | None = None) -> None:
    """Waits; a long wait ends with the assignment. The watchdog is told that ``tp`` is meant to wait.

    Raises:
        StaleAssignment: it was revoked meanwhile.
    """
    while True:
        assignment.check()
        if tp is not None:
            assignment.touch(tp)
        if seconds <= 0:
            return
        await asyncio.sleep(min(seconds, PAUSE_MOST))
        seconds -= PAUSE_MOST


class Waits(Protocol):
    """Who waits: a chunk, or what came in one."""

    @property
    def assignment(self) -> Assignment: ...

    @property
    def tp(self) -> TopicPartition: ...


async def insist(waits: Waits, who: str, call: Callable[[], Awaitable[_T]]) -> _T:
    """What ``call`` answers, which is called again until it does; ``who`` waits for it, as the log says.

    Raises:
        StaleAssignment: its partition was revoked meanwhile.
    """
    pause = _PAUSE_FIRST

    def touch() -> None:
        waits.assignment.check()
        waits.assignment.touch(waits.tp)

    while True:
        try:
            with waiting_for(touch):
                return await call()
        except ConnectorError as exc:
            log.warning("%s waiting: %s", who, exc)
            await rest(waits.assignment, exc.retry_after or pause, waits.tp)
            pause = min(2 * pause, PAUSE_MOST)
