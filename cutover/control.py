"""The control process: keeps the ledger, measures the lag, takes censuses, serves page, API and metrics.

Owns nothing that can't be lost: it may be killed at any time and goes on from the ledger's offsets. One per cutover.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from cutover import census, cycles
from cutover.chosen_map import chosen_catalogue, read_map
from cutover.governor import Governor
from cutover.ledger.consume import Feed
from cutover.ledger.read import Reader
from cutover.publish import publish
from cutover.settings import Settings
from cutover.status import gather
from dashboard import server
from dashboard.lag import Lag, measure
from dashboard.status import Status
from topics.broker import open_broker
from topics.catalogue import Catalogue
from topics.codec import Codec

log = logging.getLogger(__name__)

MEASURE_SECONDS = 2.0
_ANSWER_SECONDS = 6.0
RECONNECT_SECONDS = 2.0
CIRCLES_SECONDS = 2.0
TELL_AGAIN_SECONDS = 60.0
STATUS_SECONDS = 0.5
"""A status is shared by all who ask within this time."""


class PortInUse(Exception):
    """The status page's port is taken."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"Port {port} of {host} is in use: stop what uses it, or set control.port to another one.")


class Control:
    """One cutover's control process.

    Args:
        settings: The cutover's settings.
        codec: Decodes the topics.
    """

    def __init__(self, settings: Settings, codec: Codec | None = None) -> None:
        self._settings = settings
        self._codec = codec or Codec()
        self._catalogue: Catalogue = chosen_catalogue(settings)
        self._feed = Feed(settings.ledger, settings.kafka.bootstrap, self._catalogue, self._codec)
        self._lag: Lag | None = None
        self._behind: int | None = None
        self._measured = False
        self._census_wanted = asyncio.Event()
        self._census_problem: str | None = None
        self._status: tuple[float, Status] | None = None
        self._gathering = asyncio.Lock()
        self.port = 0
        """Where the server listens, once `run` has begun to serve."""

    async def run(self, serving: Callable[[str], None] | None = None) -> None:
        """Serve until cancelled.

        Args:
            serving: Called with the page's address once it answers.

        Raises:
            KafkaUnreachable, TopicsMissing, LedgerInUse, PortInUse: At the start; the text says what to do.
        """
        await self._feed.start()
        runner = web.AppRunner(server.application(self), access_log=None)
        try:
            await self._serve(runner)
            if serving:
                serving(f"http://{self._settings.control.host}:{self.port}/")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed.run())
                tasks.create_task(self._again("measuring the lag", self._measure))
                tasks.create_task(self._again("the census", self._take_censuses))
                tasks.create_task(self._again("looking for circles", self._break_circles))
                if self._settings.target.url and self._settings.target.client_secret:
                    tasks.create_task(self._again("sharing the API calls", self._govern))
        finally:
            await runner.cleanup()
            await self._feed.close()

    async def status(self) -> Status | None:
        async with self._gathering:
            if self._status is None or time.monotonic() - self._status[0] > STATUS_SECONDS:
                self._status = (time.monotonic(), await asyncio.to_thread(self._gather))
            return self._status[1]

    def lag(self) -> Lag | None:
        return self._lag

    def problem(self) -> str | None:
        if self._measured and self._lag is None:
            return f"Kafka does not answer at {self._settings.kafka.bootstrap}: what is shown is as of the last answer."
        return self._census_problem

    async def rows(self, what: str, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self._rows, what, dict(filters))

    async def request_census(self) -> None:
        self._census_wanted.set()

    async def _serve(self, runner: web.AppRunner) -> None:
        await runner.setup()
        host, port = self._settings.control.host, self._settings.control.port
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise PortInUse(host, port) from error
        self.port = runner.addresses[0][1]

    def _gather(self) -> Status:
        with Reader(self._settings.ledger) as reader:
            return gather(reader, self._settings, lag=self._lag, behind=self._behind)

    def _rows(self, what: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        if "object" in filters:
            filters["object_"] = filters.pop("object")
        with Reader(self._settings.ledger) as reader:
            return reader.holds(**filters) if what == "holds" else reader.rejects(**filters)

    async def _again(self, what: str, act: Callable[[], Awaitable[None]]) -> None:
        """Run something that talks to other systems for ever, and again after any failure: it must not end the ledger."""
        while True:
            try:
                await act()
            except Exception as error:  # noqa: BLE001 - nothing it meets may stop the feed or the page
                log.warning("%s failed (%s); trying again", what, type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _measure(self) -> None:
        try:
            async with open_broker(self._settings.kafka.bootstrap) as broker:
                while True:
                    self._lag = await asyncio.wait_for(measure(broker, self._catalogue), _ANSWER_SECONDS)
                    self._behind = await asyncio.wait_for(self._feed.behind(), _ANSWER_SECONDS)
                    self._measured = True
                    await asyncio.sleep(MEASURE_SECONDS)
        finally:
            self._lag, self._measured = None, True

    async def _govern(self) -> None:
        await Governor(self._settings, self._codec).run()

    async def _break_circles(self) -> None:
        """Lets records go on that wait for each other; one that was told is told again only after a while."""
        told: dict[str, float] = {}
        while True:
            await asyncio.sleep(CIRCLES_SECONDS)
            waits_for = await asyncio.to_thread(self._waiting)
            now = time.monotonic()
            due = [
                one
                for one in cycles.breaks(waits_for)
                if now - told.get(one["child"], -TELL_AGAIN_SECONDS) >= TELL_AGAIN_SECONDS
            ]
            if due:
                topic = self._catalogue.refs
                records = [cycles.encoded(one, self._codec, topic) for one in due]
                await publish(self._settings.kafka.bootstrap, topic, records)
                told |= {one["child"]: now for one in due}
                log.warning("%d circles of records that wait for each other are broken", len(due))

    def _waiting(self) -> dict[str, str]:
        with Reader(self._settings.ledger) as reader:
            return reader.waiting()

    async def _take_censuses(self) -> None:
        while True:
            wait = self._settings.control.census_seconds or None
            try:
                await asyncio.wait_for(self._census_wanted.wait(), wait)
            except TimeoutError:
                log.debug("time for a census")
            self._census_wanted.clear()
            try:
                await self._take_census()
            except Exception as error:
                self._census_problem = (
                    f"The census could not be taken ({type(error).__name__}): is the source reachable?"
                )
                self._census_wanted.set()
                raise
            self._census_problem = None

    async def _take_census(self) -> None:
        from cutover.source import open_source  # noqa: PLC0415 - control runs without the connector too

        self._settings.need("source")
        assert self._feed.writer
        async with open_source(self._settings) as client:
            for object_, rule in read_map(self._settings)[0].objects.items():
                if rule.taken_from is not None:
                    continue  # the source has no list of them; they come with the records that they stand in
                at = int(time.time() * 1000)
                listed = await census.list_ids(client, object_)
                known = await asyncio.to_thread(self._known, object_)
                found = census.compare(object_, at, listed, known)
                topic = self._catalogue.extract
                asked = await publish(self._settings.kafka.bootstrap, topic, census.lookups(found, self._codec, topic))
                log.info("census of %s: %d listed, %d asked for by name", object_, found.listed, asked)
                await self._feed.note_census(found)

    def _known(self, object_: str) -> set[str]:
        with Reader(self._settings.ledger) as reader:
            return set(reader.ids(object_))


async def run(settings: Settings, serving: Callable[[str], None] | None = None) -> None:
    """Run one cutover's control process until cancelled; see `Control.run`."""
    await Control(settings).run(serving)
