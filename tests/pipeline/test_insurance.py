"""Insurance policies: each is a plan of its patient and of its carrier, and the primary one stands in the patient's row, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.insurance import policy
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

Row = dict[str, Any]
OBJECTS = ("practice", "insurance_carrier", "coverage", "patient", "insurance_policy")


@pytest.fixture(scope="module")
async def insured(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with carriers and policies; everything runs."""
    directory = tmp_path_factory.mktemp("insured")
    async with moved_practice(kafka, directory, only=OBJECTS, fallback=False, patients=20, org_rows=10) as pipeline:
        yield pipeline


def patient(pipeline: Pipeline, vp_id: str) -> str:
    """A new patient without insurance."""
    pipeline.practice.put("patient", {"id": vp_id, "last_name": "Insured", "practice_id": "1"})
    return vp_id


async def test_every_policy_is_a_plan_of_its_patient_and_is_verified(insured: Pipeline) -> None:
    counts = await insured.conserved()
    policies = insured.practice.dump()["insurance-policies"]
    assert counts["insurance_policy"]["loaded"] == len(policies) > 5


async def test_a_patient_has_as_many_plans_as_policies_and_a_deleted_one_goes(insured: Pipeline) -> None:
    of = patient(insured, "820001")
    insured.practice.put("insurance_policy", policy("820001", of), policy("820002", of, priority=2, carrier_id=None))
    await insured.equal()
    contact = insured.org.rows("Contact")[f"patient:{of}"]["Id"]
    plans = insured.org.rows("Insurance_Plan__c")
    mine = {reference: row for reference, row in plans.items() if row["Contact__c"] == contact}
    assert set(mine) == {"insurance_policy:820001", "insurance_policy:820002"}
    assert mine["insurance_policy:820001"]["Copay__c"] == 20
    assert mine["insurance_policy:820002"].get("Carrier__c") is None
    insured.practice.delete("insurance_policy", "820002")
    await insured.equal()
    assert "insurance_policy:820002" not in insured.org.rows("Insurance_Plan__c")


async def test_a_policy_whose_patient_is_unknown_is_held_by_name(insured: Pipeline) -> None:
    insured.practice.put("insurance_policy", policy("820003", "829999"))

    async def held() -> Row:
        found = [one for one in await insured.operations("insurance_policy:820003") if one["outcome"] == "held"]
        assert found
        return found[-1]

    operation = await eventually(held, within=60)
    assert operation["detail"] == "patient:829999"
    patient(insured, "829999")
    await insured.equal()
    assert "insurance_policy:820003" in insured.org.rows("Insurance_Plan__c")


def facet(pipeline: Pipeline, of: str) -> tuple[str | None, ...]:
    """Policy, group and subscriber number in a patient's row."""
    row = pipeline.org.rows("Contact")[f"patient:{of}"]
    return tuple(row.get(column) for column in ("Policy_Number__c", "Group_Number__c", "Subscriber_ID__c"))


async def test_the_primary_policy_stands_in_the_patients_row_and_every_record_counts_once_for_each_row(
    insured: Pipeline,
) -> None:
    of = patient(insured, "820010")
    insured.practice.put("insurance_policy", policy("820010", of, priority=2), policy("820011", of, group_number=None))
    await insured.equal()
    assert facet(insured, of) == ("P-820011", None, "S-820011")
    counts = await insured.conserved()
    policies = len(insured.practice.dump()["insurance-policies"])
    assert counts["coverage"]["loaded"] == counts["insurance_policy"]["loaded"] == policies


async def test_the_row_follows_when_another_policy_becomes_primary_ends_moves_or_goes(insured: Pipeline) -> None:
    of, other = patient(insured, "820020"), patient(insured, "820021")
    first, second = policy("820020", of), policy("820021", of, priority=2)
    insured.practice.put("insurance_policy", first, second)
    await insured.equal()
    assert facet(insured, of)[0] == "P-820020"
    insured.practice.put("insurance_policy", first | {"priority": 3})
    await insured.equal()
    assert facet(insured, of)[0] == "P-820021"
    insured.practice.put("insurance_policy", second | {"patient_id": other})
    await insured.equal()
    assert (facet(insured, of)[0], facet(insured, other)[0]) == ("P-820020", "P-820021")
    insured.practice.put("insurance_policy", first | {"ends_on": "2024-06-30"})
    await insured.equal()
    assert facet(insured, of) == (None, None, None)
    insured.practice.delete("insurance_policy", "820021")
    await insured.equal()
    assert facet(insured, other) == (None, None, None)
    await insured.conserved()


async def test_a_policy_that_can_not_be_a_plan_is_rejected_for_both_rows_by_name(insured: Pipeline) -> None:
    insured.practice.put("insurance_policy", policy("820030", "820010", policy_number="P" * 81))
    await insured.rejected("insurance_policy:820030", "TEXT_TOO_LONG")
    await insured.rejected("coverage:820030", "TEXT_TOO_LONG")
    counts = await insured.conserved()
    assert (counts["insurance_policy"]["rejected"], counts["coverage"]["rejected"]) == (1, 1)
    code, found = await insured.carryover("replay", "--rejected", "TEXT_TOO_LONG", "--dry-run")
    assert (code, found["chosen"]) == (0, {"coverage": 1})
    insured.practice.delete("insurance_policy", "820030")
    await insured.equal()
    assert facet(insured, "820010") == ("P-820011", None, "S-820011")
