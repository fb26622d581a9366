"""Look-ups of single records: several at a time, beside the walks, and none forgotten.

A chunk of requests is done when each of its look-ups has been published; until then it is not committed, and whoever owns the partition after us does it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiokafka.errors import KafkaError

from agents.patience import PAUSE_MOST, rest
from connectors.errors import ConnectorError
from topics.messages import Extract
from transport.assignment import Assignment, StaleAssignment, TopicPartition
from transport.chunk import Chunk
from transport.publisher import PublishFailed

log = logging.getLogger(__name__)

AT_ONCE: Final = 6
_PAUSE_FIRST: Final = 1.0
_SAID_AGAIN_SECONDS: Final = 60.0


class Again(Exception):
    """A look-up has no answer yet; the text says why, when an operator has to know."""


class Lookups:
    """Carries out the look-ups of chunks.

    Arguments:
        look_up: does one: reads the record and publishes what follows; raises `Again` or a connector's error to be called once more.
        refuse: publishes a request as a reject, with a code.
        failed: told what must take the process down.
        at_once: how many run beside each other.
    """

    def __init__(
        self,
        look_up: Callable[[Assignment, TopicPartition, Extract], Awaitable[None]],
        refuse: Callable[[Extract, str], Awaitable[None]],
        failed: Callable[[BaseException], None],
        at_once: int = AT_ONCE,
    ) -> None:
        self._look_up, self._refuse, self._failed = look_up, refuse, failed
        self._places = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet_until: dict[str, float] = {}

    def begin(self, chunk: Chunk, requests: Sequence[Extract]) -> None:
        """Starts the look-ups of a chunk and returns; the chunk is done when they are, at once when there are none."""
        if not requests:
            chunk.done()
            return
        task = asyncio.create_task(self._all(chunk, requests))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _all(self, chunk: Chunk, requests: Sequence[Extract]) -> None:
        ends = await asyncio.gather(
            *(self.one(chunk.assignment, chunk.tp, request) for request in requests), return_exceptions=True
        )
        failures = [end for end in ends if isinstance(end, BaseException) and not isinstance(end, StaleAssignment)]
        if failures:
            self._failed(failures[0])
        elif not any(ends):
            chunk.done()

    async def one(self, assignment: Assignment, tp: TopicPartition, request: Extract) -> None:
        """Carries out one look-up, however long it takes until it has an answer; ``tp`` waits for it.

        Raises:
            StaleAssignment: the partition was revoked meanwhile.
        """
        pause = _PAUSE_FIRST
        while True:
            assignment.check()
            try:
                async with self._places:
                    assignment.check()
                    await self._look_up(assignment, tp, request)
                assignment.touch(tp)
            except (ConnectorError, Again) as exc:
                self._say(request["object"], exc)
                asked = exc.retry_after if isinstance(exc, ConnectorError) else None
                await rest(assignment, asked or pause, tp)
                pause = min(2 * pause, PAUSE_MOST)
                continue
            except (StaleAssignment, PublishFailed, KafkaError):
                raise
            except Exception as exc:  # noqa: BLE001 - one request that nobody can carry out must not end all others again and again
                log.error("%s in a look-up of a %s", type(exc).__name__, request["object"])
                await self._refuse(request, f"LOOKUP_FAILED_{type(exc).__name__.upper()}")
            return

    def _say(self, object_: str, exc: Exception) -> None:
        """Once a minute for each object: thousands may wait for the same reason."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until.get(object_, 0.0):
            self._quiet_until[object_] = now + _SAID_AGAIN_SECONDS
            log.warning("a look-up of a %s is waiting: %s", object_, exc)
