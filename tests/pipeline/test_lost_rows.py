"""Rows that a person deletes in Salesforce: noticed by whatever meets the gap, held by name, and back when the row is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from cutover.outcome import DIFFERENT
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import RECORDS
from tests.pipeline.visits import VISIT
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

AT_HOME = {**VISIT, "practice_id": "1"}


@pytest.fixture(scope="module")
async def moving(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice that has moved, with everything running."""
    with SandboxProcess.start(patients=5, practices=2, clean=True, resources=RECORDS) as sandbox:
        pipeline = Pipeline(kafka.bootstrap, f"lost.{uuid4().hex[:6]}.", sandbox, tmp_path_factory.mktemp("lost"))
        try:
            await pipeline.begin()
            await pipeline.start_all()
            await pipeline.equal()
            yield pipeline
        finally:
            pipeline.kill()


@pytest.fixture(scope="module")
def alex(moving: Pipeline) -> Any:
    with Person(moving.sandbox) as person:
        yield person


def undelete(pipeline: Pipeline, sf_id: str) -> None:
    pipeline.org.http.post("/undelete", json={"ids": [sf_id]}).raise_for_status()


async def deleted_there(pipeline: Pipeline, person: Person, vp_id: str, name: str) -> str:
    """Moves a patient, whom somebody then deletes in Salesforce; returns the contact's id."""
    pipeline.practice.put("patient", {"id": vp_id, "last_name": name, "practice_id": "1"})
    await pipeline.equal()
    contact: str = pipeline.org.rows("Contact")[f"patient:{vp_id}"]["Id"]
    person.delete("Contact", contact)
    return contact


async def replay_lost(pipeline: Pipeline) -> None:
    code, _ = await pipeline.carryover("replay", "--rejected", "TARGET_ROW_DELETED")
    assert code == 0


async def outcome(pipeline: Pipeline, reference: str, what: str, code: str, detail: str | None = None) -> None:
    async def look() -> bool:
        told = await pipeline.operations(reference)
        assert told, f"nothing of {reference}"
        newest = told[-1]
        assert (newest["what"], newest["code"], newest["detail"]) == (what, code, detail)
        return True

    await eventually(look, within=60)


async def test_a_visit_of_a_patient_whom_somebody_deleted_waits_by_name_until_the_patient_is_back(
    moving: Pipeline, alex: Person
) -> None:
    contact = await deleted_there(moving, alex, "760001", "Comes Back")
    moving.practice.put("appointment", {"id": "760002", **AT_HOME, "patient_id": "760001"})
    await outcome(moving, "appointment:760002", "hold", "PARENT_GONE", "patient:760001")
    await outcome(moving, "patient:760001", "lost", "TARGET_ROW_DELETED")

    async def counted() -> bool:
        counts = (await moving.status())["objects"]
        assert (counts["patient"]["rejected"], counts["appointment"]["held"]) == (1, 1)
        assert counts["patient"]["conserved"]
        return True

    await eventually(counted)
    undelete(moving, contact)
    await replay_lost(moving)
    await moving.equal()
    assert moving.org.rows("Contact")["patient:760001"]["Id"] == contact
    await moving.conserved()


async def test_a_change_of_a_deleted_row_is_rejected_and_the_next_one_lands_once_it_is_undeleted(
    moving: Pipeline, alex: Person
) -> None:
    contact = await deleted_there(moving, alex, "761001", "Deleted")
    moving.practice.put("patient", {"id": "761001", "last_name": "Edited Meanwhile"})
    await moving.rejected("patient:761001", "TARGET_ROW_DELETED")
    undelete(moving, contact)
    moving.practice.put("patient", {"id": "761001", "last_name": "Edited Again"})
    await moving.equal()
    assert moving.org.rows("Contact")["patient:761001"]["Id"] == contact
    await moving.conserved()


async def test_a_lost_row_is_made_again_when_the_settings_say_so_and_what_waits_goes_on(
    moving: Pipeline, alex: Person
) -> None:
    first = await deleted_there(moving, alex, "762001", "Made Again")
    moving.practice.put("appointment", {"id": "762002", **AT_HOME, "patient_id": "762001"})
    await outcome(moving, "appointment:762002", "hold", "PARENT_GONE", "patient:762001")
    await moving.end("deliver")
    moving.start("deliver", CARRYOVER_LOAD__MAKE_LOST_AGAIN="true")
    await replay_lost(moving)
    await moving.equal()
    assert moving.org.rows("Contact")["patient:762001"]["Id"] != first
    await moving.conserved()


async def test_reconcile_finds_what_nothing_else_meets_and_lists_what_others_did(
    moving: Pipeline, alex: Person
) -> None:
    moving.practice.put(
        "patient",
        {"id": "765001", "last_name": "Loses a Visit", "practice_id": "1"},
        {"id": "765002", "last_name": "Edited There", "practice_id": "1"},
    )
    moving.practice.put("appointment", {"id": "765003", **AT_HOME, "patient_id": "765001"})
    old = {**AT_HOME, "starts_at": "2019-05-04T09:00:00Z"}
    moving.practice.put("appointment", {"id": "765004", **old, "patient_id": "765001"})
    await moving.equal()
    await moving.at_rest()
    await moving.conserved()
    code, found = await moving.carryover("reconcile")
    assert (code, found["objects"]["Event"]["missing"], found["objects"]["Event"]["unknown"]) == (0, [], [])
    before = found["objects"]["Event"]["held"]
    moving.org.http.post("/archive", json={"before": "2020-01-01"}).raise_for_status()
    contacts, events = moving.org.rows("Contact"), moving.org.rows("Event")
    alex.delete("Event", events["appointment:765003"]["Id"])
    alex.edit("Contact", contacts["patient:765002"]["Id"], Department="Front desk")
    stray = alex.create("Contact", LastName="Stray", VP_Id__c="patient:765009")
    code, found = await moving.carryover("reconcile")
    assert code == DIFFERENT
    assert found["objects"]["Event"]["missing"] == ["appointment:765003"]
    assert found["objects"]["Event"]["held"] == before - 1, "an archived event counts"
    contact = found["objects"]["Contact"]
    assert contact["missing"] == []
    assert contact["unknown"] == [{"reference": "patient:765009", "row_id": stray, "state": "unknown"}]
    assert {one["reference"] for one in contact["edited"]} == {"patient:765002", "patient:765009"}
    await outcome(moving, "appointment:765003", "lost", "TARGET_ROW_DELETED")
    alex.delete("Contact", stray)
    undelete(moving, events["appointment:765003"]["Id"])
    await replay_lost(moving)
    await moving.equal()
    await moving.conserved()
    code, found = await moving.carryover("reconcile")
    assert (code, found["objects"]["Event"]["held"]) == (0, before)


async def test_a_row_that_was_deleted_at_both_ends_is_deleted(moving: Pipeline, alex: Person) -> None:
    await deleted_there(moving, alex, "763001", "Both Ends")
    moving.practice.delete("patient", "763001")

    async def told() -> bool:
        newest = (await moving.operations("patient:763001"))[-1]
        return (newest["what"], newest["outcome"]) == ("flag", "deleted")

    await eventually(told)
    await moving.conserved()


async def test_a_bill_that_verification_misses_takes_its_payments_along(moving: Pipeline, alex: Person) -> None:
    bill = {"number": "INV-7", "practice_id": "1", "provider_id": "1", "issue_date": "2026-01-05", "status": "open"}
    moving.practice.put("patient", {"id": "764001", "last_name": "Pays", "practice_id": "1"})
    await moving.equal()
    await moving.at_rest()
    moving.processes["verify"].kill()
    moving.processes.pop("verify").wait()
    moving.practice.put(
        "invoice", {"id": "764002", **bill, "patient_id": "764001", "total_amount": "5.00", "items": []}
    )
    moving.practice.put(
        "payment", {"id": "764003", "invoice_id": "764002", "amount": "5.00", "paid_at": "2026-02-01T10:00:00Z"}
    )
    await moving.equal()
    row = moving.org.rows("Opportunity")["invoice:764002"]["Id"]
    alex.delete("Opportunity", row)
    moving.start("verify")
    await outcome(moving, "invoice:764002", "lost", "TARGET_ROW_DELETED")
    await outcome(moving, "payment:764003", "lost", "TARGET_ROW_DELETED", "invoice:764002")
    undelete(moving, row)
    await replay_lost(moving)
    await moving.equal()
    await moving.conserved()
