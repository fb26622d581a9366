"""A practice moves completely and stays the same on both sides while it goes on working."""

from __future__ import annotations

import os
from itertools import groupby

import pytest
from aiokafka import AIOKafkaProducer

from cutover.priority import NICE
from tests.pipeline import visits
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import STAND_IN, refusable
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka


async def test_a_dirty_practice_arrives_whole_is_verified_and_adds_up(moved: Pipeline) -> None:
    await moved.equal()
    counts = await moved.conserved()
    patients = moved.practice.patients().values()
    contacts = moved.org.rows("Contact")
    flagged = [row for row in contacts.values() if row.get("VP_Deleted_At__c")]
    assert counts["patient"]["present"] == len(contacts) - len(flagged)
    references = {f"patient:{record['id']}" for record in patients}
    refused = {f"patient:{record['id']}" for record in patients if refusable(record)}
    assert refused, "the practice has no dirt"
    rejected = {one["reference"] for one in await moved.rejects() if one["stage"] in {"map", "load"}}
    assert refused <= references - contacts.keys() <= rejected
    operations = await moved.operations("patient:700001")
    outcomes = [one["outcome"] for one in operations if one["outcome"]]
    assert outcomes[-1] == "loaded"
    assert set(outcomes) <= {"held", "loaded"}, "held it was only while its stand-in was slow to come"
    assert "verify" in {one["what"] for one in operations}


async def test_what_is_nearly_there_goes_first(moved: Pipeline) -> None:
    own, lowest = os.getpriority(os.PRIO_PROCESS, 0), 19
    nice = {stage: os.getpriority(os.PRIO_PROCESS, moved.processes[stage].pid) for stage in NICE}
    assert nice == {stage: min(own + below, lowest) for stage, below in NICE.items()}


async def test_what_the_desk_does_arrives(moved: Pipeline) -> None:
    for number in range(3):
        moved.practice.mutate(edits=20, creates=4, deletes=4, undeletes=2, seed=number)
    await moved.equal()
    await moved.conserved()


VISIT = {**visits.VISIT, "patient_id": "710001", "provider_id": "1", "practice_id": "1"}


async def test_a_deleted_visit_leaves_and_an_undeleted_one_comes_back(moved: Pipeline) -> None:
    moved.practice.put("patient", {"id": "710001", "last_name": "Stays", "practice_id": "1"})
    moved.practice.put("appointment", {"id": "711001", **VISIT})
    await moved.equal()
    first = moved.org.rows("Event")["appointment:711001"]["Id"]
    moved.practice.delete("appointment", "711001")

    async def gone() -> bool:
        return "appointment:711001" not in moved.org.rows("Event")

    await eventually(gone)
    moved.practice.undelete("appointment", "711001")
    await moved.equal()
    assert moved.org.rows("Event")["appointment:711001"]["Id"] != first

    async def told() -> bool:
        outcomes = [one["outcome"] for one in await moved.operations("appointment:711001") if one["outcome"]]
        # Read within the second of the change and again after it, each is said twice.
        assert [outcome for outcome, _ in groupby(outcomes)] == ["loaded", "deleted", "loaded"]
        return True

    await eventually(told)


async def test_a_deleted_practice_is_flagged_and_its_patients_stay(moved: Pipeline) -> None:
    moved.practice.put("practice", {"id": "8001", "name": "Closing Down"})
    moved.practice.put("patient", {"id": "720001", "last_name": "Stays", "practice_id": "8001"})
    await moved.equal()
    moved.practice.delete("practice", "8001")

    async def flagged() -> bool:
        return bool(moved.org.rows("Account")["practice:8001"].get("VP_Deleted_At__c"))

    await eventually(flagged)
    await moved.equal()
    account = moved.org.rows("Account")["practice:8001"]["Id"]
    assert moved.org.rows("Contact")["patient:720001"]["AccountId"] == account
    moved.practice.undelete("practice", "8001")
    await moved.equal()


async def test_a_deleted_patient_is_flagged_and_keeps_the_visits_until_undeleted(moved: Pipeline) -> None:
    moved.practice.put("patient", {"id": "712001", "last_name": "Flagged", "practice_id": "1"})
    moved.practice.put("appointment", {"id": "712002", **VISIT, "patient_id": "712001"})
    await moved.equal()
    moved.practice.delete("patient", "712001")

    async def flagged() -> bool:
        return bool(moved.org.rows("Contact")["patient:712001"].get("VP_Deleted_At__c"))

    await eventually(flagged)
    assert "appointment:712002" in moved.org.rows("Event")
    moved.practice.undelete("patient", "712001")
    await moved.equal()


async def test_a_visit_that_becomes_a_break_leaves_and_is_skipped_by_the_maps_rule(moved: Pipeline) -> None:
    moved.practice.put("patient", {"id": "713001", "last_name": "Breaks", "practice_id": "1"})
    moved.practice.put("appointment", {"id": "713002", **VISIT, "patient_id": "713001"})
    await moved.equal()
    moved.practice.put("appointment", {"id": "713002", "patient_id": None})

    async def skipped() -> bool:
        told = [(one["outcome"], one["detail"]) for one in await moved.operations("appointment:713002")]
        return ("skipped", "a break and no visit") in told and "appointment:713002" not in moved.org.rows("Event")

    await eventually(skipped)
    await moved.conserved()


async def test_payments_make_the_amount_and_move_from_bill_to_bill(moved: Pipeline) -> None:
    bill = {
        "number": "INV-9", "patient_id": "714001", "practice_id": "1", "provider_id": "1", "issue_date": "2026-01-05",
        "status": "open", "total_amount": "90.00", "items": [],
    }  # fmt: skip
    moved.practice.put("patient", {"id": "714001", "last_name": "Pays", "practice_id": "1"})
    moved.practice.put(
        "payment", {"id": "714010", "invoice_id": "714002", "amount": "0.10", "paid_at": "2026-02-01T10:00:00Z"}
    )
    moved.practice.put("invoice", {"id": "714002", **bill}, {"id": "714003", **bill})
    moved.practice.put(
        "payment", {"id": "714011", "invoice_id": "714002", "amount": "0.20", "paid_at": "2026-03-01T10:00:00Z"}
    )
    await moved.equal()
    assert moved.org.rows("Opportunity")["invoice:714002"]["Amount"] == 0.3
    assert moved.org.rows("Opportunity")["invoice:714003"]["Amount"] == 90.0
    moved.practice.put("payment", {"id": "714011", "invoice_id": "714003"})
    await moved.equal()
    moved.practice.delete("payment", "714010")
    await moved.equal()
    assert moved.org.rows("Opportunity")["invoice:714002"]["Amount"] == 90.0
    moved.practice.undelete("payment", "714010")
    await moved.equal()
    await moved.conserved()


async def test_a_patient_of_a_missing_practice_gets_the_stand_in_and_then_its_own(moved: Pipeline) -> None:
    moved.practice.put("patient", {"id": "730001", "last_name": "Dangles", "practice_id": "8002"})
    await moved.equal()
    stand_in = moved.org.rows("Account")[STAND_IN]["Id"]
    assert moved.org.rows("Contact")["patient:730001"]["AccountId"] == stand_in
    moved.practice.put("practice", {"id": "8002", "name": "Appears Late"})
    await moved.equal()
    account = moved.org.rows("Account")["practice:8002"]["Id"]
    assert moved.org.rows("Contact")["patient:730001"]["AccountId"] == account
    assert sum(row["Name"] == "Unassigned Account" for row in moved.org.rows("Account").values()) == 1


async def test_a_practice_whose_parent_appears_later_is_held_by_name_and_then_goes(moved: Pipeline) -> None:
    moved.practice.put("practice", {"id": "8003", "name": "Child", "parent_id": "8004"})

    async def held() -> bool:
        return ("hold", "PARENT_ABSENT", "practice:8004") in {
            (one["what"], one["code"], one["detail"]) for one in await moved.operations("practice:8003")
        }

    await eventually(held)
    assert "practice:8003" not in moved.org.rows("Account")
    moved.practice.put("practice", {"id": "8004", "name": "Parent"})
    await moved.equal()
    await moved.conserved()


async def test_practices_in_a_circle_arrive_and_are_linked(moved: Pipeline) -> None:
    ring = {"8011": "8012", "8012": "8013", "8013": "8011"}
    moved.practice.put("practice", *({"id": own, "name": own, "parent_id": parent} for own, parent in ring.items()))
    moved.practice.put("patient", {"id": "731001", "last_name": "Circles", "practice_id": "8012"})
    await moved.equal()
    told = [one for one in await moved.operations("practice:8011") if one["what"] == "unlink"]
    assert [(one["code"], one["detail"]) for one in told] == [("PARENT_CYCLE", "practice:8012")]
    await moved.conserved()


async def test_a_replay_of_everything_changes_nothing(moved: Pipeline) -> None:
    await moved.equal()
    await moved.idle()
    before = moved.org.dump()
    producer = AIOKafkaProducer(bootstrap_servers=moved.settings.kafka.bootstrap, linger_ms=10)
    await producer.start()
    records = [record for name in moved.catalogue.targets for record in await moved.records(moved.catalogue.vp(name))]
    replay = moved.catalogue.replay
    sent = [await producer.send(replay, one.value, key=one.key, headers=list(one.headers)) for one in records]
    for future in sent:
        await future
    await producer.stop()
    assert len(sent) > 300
    await moved.idle()
    assert moved.org.dump() == before
    await moved.conserved()
