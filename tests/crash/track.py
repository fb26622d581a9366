"""One cutover whose loader dies in each case: it takes the cases one after another, and checks after each all that must hold."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import random
import shutil
import signal
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from cutover.ledger.read import Reader
from sandbox.process import SandboxProcess
from tests.crash.cases import AT_RANDOM, Case, Heir, Way
from tests.crash.org import Moment, OrgWithStrangers, deed
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.pipeline.practice import Practice, Record
from tests.pipeline.undone import everything, undo, unstamped
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

_ROWS: Final = {"bulk": 64, "collections": 212}  # a small job; two calls
_IDLE_SECONDS: Final = {"bulk": "1.0", "collections": "0.3"}
"""A case's rows take a while to come on a busy machine, and must leave in one batch; two calls' worth wait ten times as long."""
_CHANGED: Final = 3
_DELETED: Final = 2
_AT_MOST: Final = (
    2.0  # seconds from the practice's work to a random moment: then the batch has been settled for a while
)


class Track:
    """A cutover of two partitions, whose rows leave in one batch, with everything running."""

    def __init__(self, bootstrap: str, sandbox: SandboxProcess, directory: Path, way: Way) -> None:
        self.way = way
        self._sandbox = sandbox
        self._before = everything(sandbox)
        self.org = OrgWithStrangers(sandbox)
        self.practice = Practice(sandbox)
        self._points = directory / "points"
        self.pipeline = Pipeline(
            bootstrap,
            f"crash-{way}.{uuid4().hex[:6]}.",
            sandbox,
            directory,
            partitions=2,
            CARRYOVER_KAFKA__SESSION_SECONDS="6",
            CARRYOVER_LOAD__BULK_FROM_ROWS="50" if way == "bulk" else "2000",
            CARRYOVER_LOAD__IDLE_SECONDS=_IDLE_SECONDS[way],
            CARRYOVER_SOURCE__OVERLAP_SECONDS="6",
        )
        self.pipeline.practice, self.pipeline.org = self.practice, self.org
        self._numbers = itertools.count(500_001)
        self._slot = 0
        self._taken = ExitStack()

    async def begin(self) -> None:
        """Moves what is there, and leaves everything running."""
        await self.pipeline.begin()
        for stage in ("ingest", "resolve"):
            self.pipeline.start(stage)
        self.pipeline.start("deliver", CARRYOVER_LOAD__IDLE_SECONDS="0.1")  # nothing of this is looked at
        await self.pipeline.start_control()
        await self.pipeline.equal(within=90)
        await self._idle()
        assert await self.pipeline.end("deliver") == 0
        self._start_loader()
        await self._idle()

    async def verified(self) -> None:
        """Waits until everything has been read back."""
        await self.pipeline.conserved(within=90)
        await self.pipeline.at_rest()

    async def undone(self) -> None:
        """Takes the cutover back: strangers' rows are again what they were, and all others gone."""
        before = self._before | {"Contact": dict(self._before["Contact"])}
        for stranger in self.org.strangers.values():
            before["Contact"][stranger["Id"]] = unstamped(stranger)
        await undo(self.pipeline, self._sandbox, before)

    def end(self) -> None:
        self._taken.close()
        self.pipeline.kill()
        self.org.close()

    # -- a case ------------------------------------------------------------------------------------------------------------

    async def run(self, case: Case) -> str:
        """Lets the loader die as the case says, and its heir take over; returns what that did.

        Raises:
            AssertionError: something is lost, doubled, changed, stuck or taken for somebody else's.
        """
        if self.pipeline.processes["deliver"].poll() is not None:  # a case before this one has failed
            self._arm("")
            self._start_loader()
            await self._idle()
        created = [str(next(self._numbers)) for _ in range(_ROWS[self.way])]
        # The last one: it must not hold up the commit of a chunk that the batch has part in.
        stranger = f"patient:{created[-1]}"
        self.org.plant(stranger)
        before = await asyncio.to_thread(Moment.now, self.org)
        await self._die(case, created)
        death = await asyncio.to_thread(Moment.now, self.org)
        self._change_some(created)
        if case.step.again is not None:
            self._arm(case.step.again)
            self._bequeath(case.heir)
            await self._dead()
        self._bequeath(case.heir)
        if "verify" not in self.pipeline.processes:
            self.pipeline.start("verify")
        await self._idle()  # it costs less to ask than to compare
        await self.pipeline.equal(within=60)
        await self._idle()
        await self._check_conserved()
        after = await asyncio.to_thread(Moment.now, self.org)
        await self._check_journal(created)
        await self._check_rejects()
        await self._check_images()
        await asyncio.to_thread(self._check_rows, created)
        return "" if case.point == AT_RANDOM else deed(self.way, len(created) // 2, before, death, after)

    async def _die(self, case: Case, created: list[str]) -> None:
        loader = self.pipeline.processes["deliver"]
        if case.point != AT_RANDOM:
            self._arm(case.point)
        self._put([{"id": one, "last_name": f"Born {one}", "practice_id": "1"} for one in created], ago=4)
        if case.point == AT_RANDOM:
            await asyncio.sleep(random.Random(case.number).uniform(0.0, _AT_MOST))
            loader.send_signal(signal.SIGKILL)
            assert await self.pipeline.ended("deliver") == -signal.SIGKILL
        else:
            await self._dead()

    async def _dead(self) -> None:
        """Waits until the loader has died where it was to, and lets the next one live."""
        assert await self.pipeline.ended("deliver") == EXIT_CODE, "it died of something else"
        self._arm("")

    def _change_some(self, created: list[str]) -> None:
        """While nobody loads some rows change, and two go that nobody may have written yet."""
        changed = created[:_CHANGED]
        self._put([{"id": one, "last_name": f"Changed {one}"} for one in changed], ago=3)
        body = {"object": "patient", "delete": created[_CHANGED : _CHANGED + _DELETED], "at": _ago(3)}
        self.practice.http.post("/records", json=body).raise_for_status()

    def _put(self, records: list[dict[str, Any]], *, ago: int) -> None:
        """Writes records that are final, though new: none of them is read twice, and each fail point is hit as often as the case counts."""
        stamp = _ago(ago)
        self.practice.put("patient", *(record | {"updated_at": stamp} for record in records))

    def _arm(self, points: str) -> None:
        part = self._points.with_suffix(".part")
        part.write_text(points)
        part.rename(self._points)

    # -- heirs -------------------------------------------------------------------------------------------------------------

    def _bequeath(self, heir: Heir) -> None:
        if heir == "other":
            self._slot = 1 - self._slot
            shutil.rmtree(self._directory(self._slot), ignore_errors=True)  # as on another host
        self._start_loader()

    def _start_loader(self) -> None:
        """Starts a loader in our slot; slots below it are taken by us, as by workers that are frozen."""
        self._taken.close()
        for number in range(self._slot):
            self._directory(number).mkdir(parents=True, exist_ok=True)
            lock = self._taken.enter_context((self._directory(number) / "lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.pipeline.start("deliver", CARRYOVER_FAILPOINTS_FILE=str(self._points))

    def _directory(self, slot: int) -> Path:
        return self.pipeline.settings.cutover.data_dir / "workers" / f"deliver-{slot}"

    # -- what must hold ----------------------------------------------------------------------------------------------------

    async def _idle(self) -> None:
        """Waits until no stage that runs has anything left to read, twice in a row."""
        quiet = 0

        async def look() -> bool:
            nonlocal quiet
            self.pipeline.check_alive()
            lags = {stage: lag for stage, lag in (await self.pipeline.lag()).items() if stage != "verify"}
            quiet = 0 if any(lags.values()) else quiet + 1
            assert quiet >= 2, f"lag {lags}"
            return True

        await eventually(look, within=60)

    async def _check_conserved(self) -> None:
        async def look() -> bool:
            with Reader(self.pipeline.settings.ledger) as reader, reader.snapshot():
                counts = reader.conservation()
                recount = reader.recount()
            known = len(self.practice.patients())
            assert counts["patient"]["source"] >= known
            for object_, count in counts.items():
                assert count["conserved"], f"{object_}: {count}"
                assert count["in_flight"] == 0, f"{object_}: {count}"
                for (name, state), number in recount.items():
                    assert name != object_ or count[state] == number
            return True

        await eventually(look, within=30)

    async def _check_journal(self, created: list[str]) -> None:
        """No entry is left; in every entry there ever was the origin of rows that were not there is so.

        An insert is of absent rows only: of one that is there Salesforce writes nothing, and its entry says nothing of it.
        """
        mine = {f"patient:{one}" for one in created}
        left: set[bytes] = set()
        pages: list[dict[str, Any]] = []
        inserts: set[str] = set()
        for record in await self.pipeline.records(self.pipeline.catalogue.bulk("Contact")):
            if record.key[:1] == b"\xff":
                continue
            if record.value is None:
                left.discard(record.key)
                continue
            left.add(record.key)
            name, message = CODEC.decode(record.value)
            if name == "batch_rows":
                pages.append(message)
            elif message["operation"] == "insert":
                inserts.add(message["id"])
        for page in pages:
            for row in page["rows"]:
                if row["reference"] in mine and not (page["batch"] in inserts and row["sf_id"] is None):
                    origins = {"absent"} if row["sf_id"] is None else {"absent", "ours"}
                    if row["reference"] in self.org.strangers:
                        origins = {"foreign"}
                    assert row["origin"] in origins, f"{row['reference']} is {row['origin']}"
        assert not left, "an entry was left in the journal"

    async def _check_rejects(self) -> None:
        assert not [one for one in await self.pipeline.rejects() if one["stage"] == "load"]

    async def _check_images(self) -> None:
        """Each stranger's row was kept as it was before us, and nobody else's."""
        kept = [CODEC.decode(record.value)[1] for record in await self.pipeline.records(self.pipeline.catalogue.images)]
        assert {image["reference"] for image in kept} == self.org.strangers.keys()
        for image in kept:  # twice only when the loader died before it could have written anything
            stranger = self.org.strangers[image["reference"]]
            assert (image["row_id"], image["columns"]["LastName"]) == (stranger["Id"], stranger["LastName"])

    def _check_rows(self, created: list[str]) -> None:
        """Each row was made once: there is no other of its external id, in the bin neither. A stranger's was taken over as it is."""
        found: dict[str, list[Record]] = {}
        for row in self.org.dump()["Contact"]:
            if row.get("VP_Id__c"):
                found.setdefault(row["VP_Id__c"], []).append(row)
        for reference, stranger in self.org.strangers.items():
            (row,) = found.pop(reference)
            assert (row["Id"], bool(row["IsDeleted"])) == (stranger["Id"], False), f"{reference} got another row"
            assert row["LastName"] == f"Born {reference.partition(':')[2]}", f"{reference} was not written"
        gone = {f"patient:{one}" for one in created[_CHANGED : _CHANGED + _DELETED]}
        for reference in (f"patient:{one}" for one in created):
            if reference in found or reference not in gone | self.org.strangers.keys():
                deleted = [bool(row["IsDeleted"] or row.get("VP_Deleted_At__c")) for row in found[reference]]
                assert deleted == [reference in gone], f"{reference} was made {len(deleted)} times"


def _ago(seconds: int) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
