"""A cutover that is rolled back leaves the org as it was, but for what people have touched since: killed on the way as often as one likes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cutover.outcome import DIFFERENT, REFUSED
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.maps import write_map
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import STAND_IN
from tests.pipeline.undone import Row, check_as_before, everything, kept_with, phase_of, run_of
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

ADOPTED = range(830_001, 830_013)


@pytest.fixture
def clinic() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(patients=40, practices=8, seed=11, org_rows=200) as sandbox:
        yield sandbox


@pytest.fixture
def alex(clinic: SandboxProcess) -> Iterator[Person]:
    with Person(clinic) as person:
        yield person


@pytest.fixture
async def moved(kafka: LocalKafka, clinic: SandboxProcess, tmp_path: Any) -> AsyncIterator[Pipeline]:
    """A small dirty practice that has moved into an org with rows of others; a dozen of these were taken over, and the desk has worked on."""
    settings = {"CARRYOVER_CUTOVER__MAP": str(write_map(tmp_path, match="Email, LastName"))}
    pipeline = Pipeline(kafka.bootstrap, f"undo.{uuid4().hex[:6]}.", clinic, tmp_path, partitions=2, **settings)
    strangers = [row for row in everything(clinic)["Contact"].values() if row.get("Email")]
    try:
        pipeline.practice.put(
            "patient",
            *(
                {"id": str(number), "last_name": row["LastName"], "email": row["Email"], "practice_id": "1"}
                for number, row in zip(ADOPTED, strangers, strict=False)
            ),
        )
        await pipeline.begin()
        await pipeline.start_all()
        await pipeline.equal(within=90)
        pipeline.practice.mutate(edits=30, creates=6, deletes=6, undeletes=2, seed=5)
        pipeline.practice.delete("patient", str(ADOPTED[0]))
        pipeline.practice.delete("practice", "3")
        await pipeline.equal(within=90)
        await pipeline.at_rest()
        yield pipeline
    finally:
        pipeline.kill()


@pytest.fixture
def before(clinic: SandboxProcess) -> dict[str, dict[str, Row]]:
    """The org before anything was moved."""
    return everything(clinic)


def touched(
    moved: Pipeline, clinic: SandboxProcess, alex: Person, before: dict[str, dict[str, Row]]
) -> tuple[list[Row], Row, str]:
    """What happens in the org before somebody wants to go back.

    Returns:
        Three contacts that we made, a contact that we took over, and an opportunity of a person's. The first contact and the one taken over were edited by a
        person, on the second hangs the opportunity, the third was changed by the integration user's own automation.
    """
    contacts = moved.org.rows("Contact")
    adopted = [contacts[f"patient:{number}"] for number in ADOPTED[1:]]
    assert {row["Id"] for row in adopted} <= before["Contact"].keys()
    assert STAND_IN in moved.org.rows("Account")
    made = [row for row in contacts.values() if row["Id"] not in before["Contact"] and not row.get("VP_Deleted_At__c")]
    mine = made[:3]
    alex.edit("Contact", mine[0]["Id"], Title="Seen by a person")
    alex.edit("Contact", adopted[0]["Id"], Department="Seen by a person")
    sale = alex.create(
        "Opportunity",
        Name="Of a person",
        StageName="Prospecting",
        CloseDate="2030-01-01",
        ContactId=mine[1]["Id"],
        AccountId=mine[1]["AccountId"],
    )
    row = f"{clinic.salesforce['url']}/services/data/v62.0/sobjects/Contact/{mine[2]['Id']}"
    token = {"Authorization": f"Bearer {clinic.salesforce['access_token']}"}
    httpx.patch(row, json={"MailingCity": "Of our own user"}, headers=token).raise_for_status()
    return mine, adopted[0], sale


@pytest.mark.timeout(300)
async def test_the_org_is_as_it_was_but_for_what_people_have_touched(
    before: dict[str, dict[str, Row]], moved: Pipeline, clinic: SandboxProcess, alex: Person
) -> None:
    mine, theirs, sale = touched(moved, clinic, alex, before)
    expected = kept_with(moved, *mine, theirs)
    run, here = await run_of(moved), everything(clinic)

    code, plan = await moved.carryover("rollback", "plan", "--run", run)
    assert code == 0
    assert {one["reference"] for one in plan["kept"]} == expected
    reasons = {one["reference"]: one["reason"] for one in plan["kept"]}
    assert reasons[mine[0]["VP_Id__c"]] == reasons[theirs["VP_Id__c"]] == "EDITED"
    assert reasons[mine[1]["VP_Id__c"]] == "HAS_CHILDREN"
    assert reasons[mine[2]["VP_Id__c"]] == "DIFFERS"
    assert plan["objects"]["Contact"]["restore"] == len(ADOPTED) - 1
    assert everything(clinic) == here, "a plan writes nothing"
    assert (await moved.carryover("rollback", "plan", "--run", "run-of-another"))[0] == REFUSED

    code, _ = await moved.carryover("rollback", "apply", "--run", run, CARRYOVER_FAILPOINTS="undo-sent=exit#1")
    assert code == EXIT_CODE, "it did not die between the org and the audit"
    living = len(everything(clinic)["Contact"])
    killed = moved.begin_command("rollback", "rollback", "apply", "--run", run)

    async def some_are_gone() -> bool:
        return len(everything(clinic)["Contact"]) < living or killed.poll() is not None

    await eventually(some_are_gone, every=0.02)
    killed.kill()
    assert killed.wait() == -9, "it was faster than the killer"
    del moved.processes["rollback"]
    assert await phase_of(moved) == "ROLLING_BACK"
    code, done = await moved.carryover("rollback", "apply", "--run", run)
    assert code == DIFFERENT
    assert {one["reference"] for one in done["kept"]} == expected
    assert await phase_of(moved) == "ROLLED_BACK"

    after = everything(clinic)
    kept = {one["row_id"] for one in done["kept"]} | {sale}
    check_as_before(before, after, kept)
    assert kept & after["Contact"].keys() == {row["Id"] for row in (*mine, theirs)}
    assert after["Contact"][theirs["Id"]]["Department"] == "Seen by a person"

    code, again = await moved.carryover("rollback", "apply", "--run", run)
    assert (code, again["changed"]) == (0, 0)
    assert everything(clinic) == after

    async def told() -> bool:
        counts = (await moved.status())["objects"]
        left = {name: sum(one["reference"].startswith(f"{name}:") for one in done["kept"]) for name in counts}
        for name in ("practice", "patient"):
            assert counts[name]["present"] == left[name], (name, counts[name])
            assert counts[name]["conserved"]
        return True

    await eventually(told)


@pytest.mark.timeout(300)
async def test_what_a_dead_loader_left_unfinished_is_found_and_taken_back(
    before: dict[str, dict[str, Row]], moved: Pipeline, clinic: SandboxProcess
) -> None:
    assert await moved.end("deliver") == 0
    born = [str(number) for number in range(840_001, 840_009)]
    moved.practice.put("patient", *({"id": one, "last_name": f"Born {one}", "practice_id": "1"} for one in born))

    async def readied() -> bool:
        there = {record.key.decode() for record in await moved.records(moved.catalogue.sf("Contact"))}
        return {f"patient:{one}" for one in born} <= there

    await eventually(readied)
    moved.start("deliver", CARRYOVER_FAILPOINTS="collections-sent=exit#1", CARRYOVER_LOAD__IDLE_SECONDS="1.0")
    assert await moved.ended("deliver") == EXIT_CODE
    assert {f"patient:{one}" for one in born} & moved.org.rows("Contact").keys()
    rolling = moved.begin_command("rollback", "rollback", "apply", "--run", await run_of(moved))

    async def begun() -> bool:
        return await phase_of(moved) == "ROLLING_BACK"

    await eventually(begun)
    moved.practice.put("patient", {"id": "840009", "last_name": "Too Late", "practice_id": "1"})
    moved.start("deliver")
    assert await moved.ended("rollback") == 0, "everything was taken back"
    assert rolling.poll() == 0
    assert await phase_of(moved) == "ROLLED_BACK"
    assert everything(clinic) == before
