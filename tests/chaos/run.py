"""Carries one schedule out against a cutover in which people go on working, and checks what must hold on the way and at the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from cutover.ledger.read import Reader
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.chaos.crew import Crew
from tests.chaos.evidence import gathered
from tests.chaos.schedule import Event, Schedule
from tests.pipeline.memberships import let_contacts_have_several_accounts
from tests.pipeline.person import Person
from tests.pipeline.pipeline import CODEC
from tests.pipeline.practice import DESK
from tests.pipeline.undone import Row, Rows, everything, undo
from tests.transport.waiting import eventually

_DESK_SECONDS: Final = 0.4
# As many documents as come about would be hundreds, of up to a hundred megabytes.
_SANDBOX: Final[dict[str, Any]] = {
    "patients": 240,
    "practices": 10,
    "org_rows": 40,
    "documents": 12,
    "document_bytes": 50_000,
}
_EDITED: Final = 3
_SETTLE_SECONDS: Final = 150  # a worker that has met the org's used-up quota waits for a minute
_TIMEOUT: Final = httpx.Timeout(60)


class Run:
    """One run of a schedule.

    Arguments:
        schedule: what goes wrong.
        kafka: a broker that may be killed.
        directory: of the run's files.
        back: whether the cutover is rolled back at the end.
    """

    def __init__(self, schedule: Schedule, kafka: LocalKafka, directory: Path, *, back: bool = True) -> None:
        self.schedule = schedule
        self.undone = 0.0
        self._back = back
        self.said = ""
        self.evidence: list[str] = []
        self.ends = 0
        self.patients = 0
        self._kafka = kafka
        self._directory = directory
        self._systems = asyncio.Lock()
        """Held by whoever takes Kafka or the sandbox away, and by a frozen moment, which needs both."""

    async def carry_out(self) -> None:
        """Runs the schedule.

        Raises:
            AssertionError: something that must hold does not.
            ExceptionGroup: of such.
        """
        self._sandbox = await asyncio.to_thread(SandboxProcess.start, seed=self.schedule.seed, **_SANDBOX)
        try:
            await asyncio.to_thread(let_contacts_have_several_accounts, self._sandbox)
            self._crew = Crew(
                self._kafka.bootstrap,
                f"chaos-{self.schedule.seed}.",
                self._sandbox,
                self._directory,
                CARRYOVER_KAFKA__SESSION_SECONDS="6",
                CARRYOVER_LOAD__BULK_FROM_ROWS="40",
                CARRYOVER_LOAD__IDLE_SECONDS="0.1",  # what waits for company can't be harmed
            )
            try:
                await self._carry_out()
            except Exception as exc:
                with contextlib.suppress(Exception):
                    self.evidence = await gathered(self._crew, exc)
                raise
            finally:
                self.ends = self._crew.ends.total()
                self.said = self._crew.stop()
        finally:
            await asyncio.to_thread(self._sandbox.stop)

    async def _carry_out(self) -> None:
        others = await asyncio.to_thread(self._others)
        before = await asyncio.to_thread(everything, self._sandbox)
        await self._crew.begin()
        await self._crew.start_all()
        async with _beside(self._crew.keep()):
            async with _beside(self._work()), asyncio.TaskGroup() as tasks:
                for number, event in enumerate(self.schedule.events):
                    tasks.create_task(self._happen(number, event))
            await self._settle()
            assert await asyncio.to_thread(self._untouched, others), "rows that were in the org before have changed"
            if self._back:
                began = time.monotonic()
                await self._undo(before)
                self.undone = time.monotonic() - began

    async def _work(self) -> None:
        """The desk goes on working, whenever the practice's system is there."""
        number = self.schedule.seed * 100_000
        while True:
            with contextlib.suppress(httpx.TransportError):
                await asyncio.to_thread(self._crew.practice.mutate, **DESK, seed=number)
                number += 1
            await asyncio.sleep(_DESK_SECONDS)

    # -- events ------------------------------------------------------------------------------------------------------------

    async def _happen(self, number: int, event: Event) -> None:
        await asyncio.sleep(event.at)
        crew = self._crew
        match event.act:
            case "kill":
                await crew.take_down(event.on, signal.SIGKILL, event.seconds)
            case "term":
                await crew.take_down(event.on, signal.SIGTERM, event.seconds)
            case "freeze":
                await crew.freeze(event.on, event.seconds)
            case "join":
                async with crew.joined(event.on, number, signal.SIGKILL if event.hard else signal.SIGTERM):
                    await asyncio.sleep(event.seconds)
            case "broker":
                async with self._systems:
                    await asyncio.to_thread(self._kafka.kill)
                    await asyncio.sleep(event.seconds)
                    await asyncio.to_thread(self._kafka.restart)
            case "sandbox":
                async with self._systems:
                    await asyncio.to_thread(self._sandbox.kill)
                    await asyncio.sleep(event.seconds)
                    await asyncio.to_thread(self._sandbox.up)
            case "fault":
                async with self._systems:  # rules are forgotten at a restart
                    server = crew.practice if event.on == "source" else crew.org
                    await asyncio.to_thread(server.fault, **event.rule)
            case "moment":
                async with self._systems, self._frozen():
                    await self._check_moment()

    @asynccontextmanager
    async def _frozen(self) -> AsyncIterator[None]:
        """Nothing is written at either server meanwhile."""
        servers = (self._crew.practice.http, self._crew.org.http)
        try:
            for http in servers:
                (await asyncio.to_thread(http.post, "/freeze", json={"mode": "hold"})).raise_for_status()
            yield
        finally:
            for http in servers:
                (await asyncio.to_thread(http.post, "/thaw")).raise_for_status()

    # -- what must hold ----------------------------------------------------------------------------------------------------

    async def _check_moment(self) -> None:
        """In the middle of everything each record that was seen is in one class, and no row is in the org that no journal tells of."""
        await asyncio.to_thread(self._check_classes)
        for sobject in self._crew.catalogue.sobjects:
            rows = await asyncio.to_thread(self._crew.org.rows, sobject)
            unplanned = rows.keys() - await self._planned(sobject)
            assert not unplanned, f"written without a journal: {sorted(unplanned)[:10]}"

    def _check_classes(self) -> None:
        with Reader(self._crew.settings.ledger) as reader, reader.snapshot():
            counts, recount = reader.conservation(), reader.recount()
        for object_, count in counts.items():
            states = {state: number for (name, state), number in recount.items() if name == object_}
            assert sum(states.values()) == count["source"], f"{object_}: {count} and one by one {states}"
            assert all(count[state] == number for state, number in states.items()), f"{object_}: {count}, {states}"

    async def _planned(self, sobject: str) -> set[str]:
        """Every row that a journal entry has ever told of."""
        found: set[str] = set()
        for record in await self._crew.records(self._crew.catalogue.bulk(sobject)):
            if record.value is not None and record.key[:1] != b"\xff":
                name, message = CODEC.decode(record.value)
                if name == "batch_rows":
                    found.update(row["reference"] for row in message["rows"])
        return found

    async def _settle(self) -> None:
        """All is well again: everything arrives, adds up and stands still."""
        crew = self._crew
        for server in (crew.practice, crew.org):
            await asyncio.to_thread(server.clear_faults)
        await crew.all_up()
        crew.calm = True
        if self.schedule.hides_records:
            await self._census()
        await crew.equal(within=_SETTLE_SECONDS)
        await crew.conserved(within=90)
        await crew.at_rest()
        await asyncio.to_thread(self._check_classes)
        crew.check_alive()
        self.patients = len(crew.practice.patients())

    async def _undo(self, before: Rows) -> None:
        """People have edited a few rows; then somebody wants to go back."""
        edited = await asyncio.to_thread(self._edit_some)
        await undo(self._crew, self._sandbox, before, edited)
        self._crew.check_alive()

    def _edit_some(self) -> list[Row]:
        with Person(self._sandbox) as person:
            rows = [row for row in self._crew.org.rows("Contact").values() if not row.get("VP_Deleted_At__c")]
            edited = random.Random(self.schedule.seed).sample(rows, _EDITED)
            for row in edited:
                person.edit("Contact", row["Id"], Title="Seen by a person")
        return edited

    async def _census(self) -> None:
        """Compares the ids of source and ledger until nothing differs, as before a cutover."""
        crew = self._crew

        async def look() -> bool:
            await crew.idle(within=_SETTLE_SECONDS)
            asked = int(time.time() * 1000)
            async with httpx.AsyncClient(base_url=crew.url, timeout=_TIMEOUT) as client:
                (await client.post("/api/census")).raise_for_status()
            found = await eventually(lambda: self._censuses(asked))
            return not any(one["missing"] or one["extra"] for one in found)

        await eventually(look, within=_SETTLE_SECONDS)

    async def _censuses(self, since: int) -> list[dict[str, Any]]:
        """The last census of each object, once all of them are newer than ``since`` (ms)."""
        found = [counts["census"] for counts in (await self._crew.status())["objects"].values()]
        return found if all(one is not None and one["at"] >= since for one in found) else []

    def _others(self) -> dict[str, Any]:
        """Every row of the org that is none of ours, by id."""
        dump = self._crew.org.http.get("/dump").raise_for_status().json()
        return {row["Id"]: row for rows in dump.values() for row in rows if not row.get("VP_Id__c")}

    def _untouched(self, before: dict[str, Any]) -> bool:
        return before.items() <= self._others().items()


@asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    """Runs `work` until the block is left; what it fails with fails the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        ended = task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert not ended, "it ended before its time"


def told(schedule: Schedule, run: Run, seconds: float, error: BaseException | None) -> str:
    """One line about a run."""
    what = "holds" if error is None else "FAILS"
    return (
        f"seed {schedule.seed}: {what} after {seconds:.0f} s: {run.patients} patients; {schedule.counted()}; "
        f"{run.ends} ends of their own" + (f"; rolled back in {run.undone:.0f} s" if run.undone else "")
    )


async def timed(run: Run) -> tuple[float, BaseException | None]:
    """Carries a run out; returns how long it took and what it failed with."""
    began = time.monotonic()
    try:
        await run.carry_out()
    except Exception as exc:  # noqa: BLE001 - the caller tells it, and goes on with the next seed
        return time.monotonic() - began, exc
    return time.monotonic() - began, None
