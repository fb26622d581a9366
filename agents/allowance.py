"""A worker's share of the org's API calls: asks control for leases, holds calls back that may not be made yet, and says how many it has made.

Control may die at any time: without an answer the worker goes by what the org's answers say (`agents.purse`). Nothing fails for want of calls. A call
that has to wait waits before it is sent, ends with the assignment that it is made for, and is no stall (`agents.patience.meanwhile`).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, cast

from agents.patience import meanwhile
from agents.purse import ANSWER_SECONDS, Purse
from agents.room import Room
from connectors.salesforce.shares import AT_ONCE, Reserve
from topics.codec import Codec
from topics.messages import Lease, Spending
from topics.whole import decoded, followed, open_whole
from transport.publisher import Publisher

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.2
_ASK_SECONDS: Final = 20.0
_ASK_LEAST_SECONDS: Final = 1.0
_LONG_SECONDS: Final = ANSWER_SECONDS + 2
"""A wait this long is told; shorter ones are for an answer."""
_SAID_AGAIN_SECONDS: Final = 600.0
_OTHERS_SECONDS: Final = 90.0


class Allowance:
    """The meter of a worker's connection to Salesforce (`connectors.salesforce.session.Meter`).

    Arguments:
        worker: its name among the workers of the cutover.
        stage: `deliver` or `verify`, which waits earlier.
        reserve: what stays for the org's users.
        look_seconds: how often the org is asked whether it has calls again, once it had none and control is away.
        bootstrap: Kafka.
        topic: the `calls` topic.
        codec: the wire format.

    Attributes:
        room: whether the org has room for rows; told along with the calls.
    """

    def __init__(
        self, worker: str, stage: str, reserve: Reserve, look_seconds: float, bootstrap: str, topic: str, codec: Codec
    ) -> None:
        self._worker = worker
        self._stage = stage
        self._reserve = reserve
        self._bootstrap = bootstrap
        self._topic = topic
        self._codec = codec
        self._purse = Purse(reserve, checks=stage == "verify", look_seconds=look_seconds)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._life = uuid.uuid4().hex[:8]
        self._asks = 0
        self._asked_at = -_ASK_SECONDS
        self._told: tuple[bool, bool] = (False, False)
        self._since: float | None = None
        self._held = 0
        self._said = -_SAID_AGAIN_SECONDS
        self.room = Room()

    # -- calls -------------------------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Waits until a call may be made, and counts it.

        Raises:
            StaleAssignment: what it is made for was revoked while it waited.
        """
        async with self._places:
            await self._allowed()
            self._purse.begin()
            try:
                yield
            finally:
                self._purse.end()

    async def _allowed(self) -> None:
        meanwhile()
        if self._purse.may(time.monotonic()):
            return
        self._since = time.monotonic() if self._since is None else self._since
        self._held += 1
        try:
            while not self._purse.may(now := time.monotonic()):
                if self.waiting and now - self._said > _SAID_AGAIN_SECONDS:
                    self._said = now
                    log.warning("%s", self._purse.shortage(self._stage))
                await asyncio.sleep(_LOOK_SECONDS)
                meanwhile()
        finally:
            self._held -= 1
            if not self._held:
                self._since = None

    def heard(self, used: int, most: int) -> None:
        """An answer has told how the org stands."""
        self._purse.heard(used, most, time.monotonic())

    @property
    def waiting(self) -> bool:
        """Whether calls have been waiting for a while."""
        return self._since is not None and time.monotonic() - self._since > _LONG_SECONDS

    # -- leases ------------------------------------------------------------------------------------------------------------------------

    async def follow(self, publisher: Publisher) -> None:
        """Asks for leases and takes them; runs until cancelled."""
        await followed(partial(self._follow, publisher), "no lease of API calls can be had")

    async def _follow(self, publisher: Publisher) -> None:
        async with open_whole(self._bootstrap, self._topic) as topic:
            known = False
            while True:
                for record in await topic.records():
                    self._take(record)
                known = known or await topic.caught_up()
                # A process that is being stopped stops its publisher before this.
                if known and publisher.running and self._due(time.monotonic()):
                    await self._ask(publisher)

    def _due(self, now: float) -> bool:
        since = now - self._asked_at
        if since < _ASK_LEAST_SECONDS:
            return False
        news = self._told != (self.waiting, self.room.since is not None)
        return news or since >= _ASK_SECONDS or (self._purse.low() and not self._purse.pending)

    async def _ask(self, publisher: Publisher) -> None:
        now, at, purse = time.monotonic(), int(time.time() * 1000), self._purse
        self._asks += 1
        ask = f"{self._life}-{self._asks}"
        since = at - int(1000 * (now - self._since)) if self._since is not None and self.waiting else None
        said = Spending(
            worker=self._worker,
            stage=self._stage,
            ask=ask,
            spent=purse.spent,
            wants=purse.wants(now),
            used=purse.used,
            most=purse.most,
            waiting_since=since,
            storage_since=self.room.since,
            at=at,
        )
        key = self._worker.encode()
        self._asked_at, self._told = now, (since is not None, self.room.since is not None)
        purse.asked(ask, now)
        await publisher.publish(self._topic, self._codec.encode("spending", said, topic=self._topic, key=key), key=key)

    def _take(self, record: Any) -> None:
        found = decoded(self._codec, record, "a message about API calls")
        if found is None:
            return
        name, message = found
        if name == "lease":
            self._take_lease(cast("Lease", message))
        elif name == "spending":
            told = cast("Spending", message)
            if told["worker"] != self._worker:
                self._purse.other_spent(told["worker"], told["spent"])
            elif not self._asks:  # by the process before this one: the count goes on
                self._purse.before = told["spent"]

    def _take_lease(self, lease: Lease) -> None:
        if lease["worker"] == self._worker:
            self._purse.leased(lease["ask"], lease["upto"], lease["seconds"], lease["workers"])
        else:
            self._purse.other_leased(lease["worker"], lease["upto"], time.monotonic() + _OTHERS_SECONDS)
