"""Control's side of the API calls: asks the org how it stands, gives workers leases out of what may be used, and tells everybody both.

Owns nothing that can't be lost: what it has given is in the topic, and without it the workers go by what the org tells them (`agents.purse`). It makes
a call every `target.limits_seconds` while somebody works, earlier when calls run short or a worker has heard that others use many, and one every
`target.look_seconds` when nobody does or the calls are used up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any, Final, cast

from aiokafka import AIOKafkaProducer

from connectors.errors import QuotaExhausted
from connectors.salesforce.session import Salesforce
from cutover.lease_book import LEASE_SECONDS, Asker, Book, Lease
from cutover.publish import open_producer
from cutover.settings import Settings
from cutover.target import open_target
from topics import messages
from topics.codec import Codec
from topics.whole import decoded, open_whole

log = logging.getLogger(__name__)

ORG: Final = b"org"
LEASE: Final = b"lease:"
_CALLS: Final = "DailyApiRequests"
_STORAGE: Final = "DataStorageMB"
_LEAST_SECONDS: Final = 30.0
"""Between two looks, whatever is heard."""


class Governor:
    """Shares out the API calls of one org.

    Args:
        settings: The cutover's settings; `target` is complete.
        codec: The wire format.
    """

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings = settings
        self._codec = codec
        self._topic = settings.catalogue.calls
        self._reserve = settings.target.kept
        self._book = Book(self._reserve)
        self._most = 0
        self._spent_before = 0
        self._short_since: int | None = None
        self._looked_at: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._early = asyncio.Event()
        self._read_all = False

    async def run(self) -> None:
        """Serves until cancelled.

        Raises:
            ConnectorError: The org can't be asked; begin again.
            KafkaError: Kafka can't be reached; begin again.
        """
        async with (
            open_producer(self._settings.kafka.bootstrap) as producer,
            open_target(self._settings) as org,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._follow(producer))
            tasks.create_task(self._measure(producer, org))

    # -- what workers say --------------------------------------------------------------------------------------------------------------

    async def _follow(self, producer: AIOKafkaProducer) -> None:
        async with open_whole(self._settings.kafka.bootstrap, self._topic) as topic:
            while True:
                for record in await topic.records():
                    self._take(record)
                self._read_all = self._read_all or await topic.caught_up()
                if self._read_all:
                    await self._grant(producer)

    def _take(self, record: Any) -> None:
        found = decoded(self._codec, record, "a message about API calls")
        if found is None:
            return
        name, message = found
        if name == "spending":
            self._hear(cast("messages.Spending", message))
        elif name == "lease" and not self._read_all:
            # When it was given is not known by this process's clock: it counts as new.
            given = cast("messages.Lease", message)
            self._book.restore(Lease(given["worker"], given["ask"], given["upto"], time.monotonic() + given["seconds"]))
        elif name == "org_limits" and not self._read_all:
            told = cast("messages.OrgLimits", message)
            self._spent_before, self._short_since = told["spent"], told["short_since"]

    def _hear(self, told: messages.Spending) -> None:
        # What was asked before this process began was asked of another one; but what was spent counts.
        at = time.monotonic() if self._read_all or _recent(told["at"]) else -LEASE_SECONDS
        checks = told["stage"] == "verify"
        self._book.ask(Asker(told["worker"], told["ask"], told["spent"], told["wants"], checks, at))
        if told["spent"] != self._looked_at.get(told["worker"]) or self._short_since:
            self._wanted.set()
        news = self._book.short(time.monotonic()) or self._book.outdated(told["used"] or 0)
        if news and self._read_all and self._most and not self._short_since:  # before the first look all are short
            self._early.set()

    async def _grant(self, producer: AIOKafkaProducer) -> None:
        now, at = time.monotonic(), int(time.time() * 1000)
        leases = self._book.grants(now)
        workers = len(self._book.workers(now))
        for lease in leases:
            message = messages.Lease(
                worker=lease.worker, ask=lease.ask, upto=lease.upto, seconds=LEASE_SECONDS, workers=workers, at=at
            )
            key = LEASE + lease.worker.encode()
            await producer.send(self._topic, self._codec.encode("lease", message, topic=self._topic, key=key), key=key)

    # -- what the org says -------------------------------------------------------------------------------------------------------------

    async def _measure(self, producer: AIOKafkaProducer, org: Salesforce) -> None:
        while True:
            with contextlib.suppress(TimeoutError):  # nobody makes calls: then a look now and then is enough
                await asyncio.wait_for(self._wanted.wait(), self._settings.target.look_seconds)
            self._wanted.clear()
            if self._read_all and self._book.workers(time.monotonic()):
                await self._pause(await self._look(producer, org))

    async def _pause(self, seconds: float) -> None:
        """Until the next look is due, or news make it so."""
        least = min(seconds, self._settings.target.look_seconds, _LEAST_SECONDS)
        await asyncio.sleep(least)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._early.wait(), seconds - least)
            self._wanted.set()

    async def _look(self, producer: AIOKafkaProducer, org: Salesforce) -> float:
        """Asks the org once, and tells everybody; returns the seconds until the next look is due."""
        self._early.clear()
        spent, at = self._book.spent(), time.monotonic()
        limits: dict[str, Any] = {}
        try:
            limits = await org.limits()
            used, most = _calls(limits)
        except QuotaExhausted:
            used = most = org.api_max or self._most
        if not most:
            log.error("the org does not say how many API calls it has: no leases are given")
            return self._settings.target.look_seconds
        self._most, self._looked_at = most, spent
        self._book.measured(used, most, spent, at)
        await self._grant(producer)
        now, workers = int(time.time() * 1000), len(self._book.workers(time.monotonic()))
        short = self._book.short(time.monotonic())
        self._short_since = (self._short_since or now) if short else None
        target = self._settings.target
        pause = max(target.look_seconds, target.limits_seconds) if short else target.limits_seconds
        storage = limits.get(_STORAGE) or {}
        told = messages.OrgLimits(
            used=used,
            most=most,
            reserve=self._reserve.of(most),
            line=self._reserve.line(most, workers),
            spent=self._spent_before + org.api_calls,
            short_since=self._short_since,
            again_at=now + int(1000 * pause),
            storage_mb=storage.get("Max"),
            storage_left_mb=storage.get("Remaining"),
            at=now,
        )
        await producer.send(self._topic, self._codec.encode("org_limits", told, topic=self._topic, key=ORG), key=ORG)
        return pause


def _calls(limits: dict[str, Any]) -> tuple[int, int]:
    """Used and most; zeros when the org does not say."""
    found = limits.get(_CALLS) or {}
    most = int(found.get("Max", 0))
    return most - int(found.get("Remaining", most)), most


def _recent(at_ms: int) -> bool:
    return abs(time.time() - at_ms / 1000) < LEASE_SECONDS / 3
