"""Further practices of patients: rows of AccountContactRelation beside the one that Salesforce makes by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cutover.outcome import DIFFERENT
from ops.kafka import LocalKafka
from tests.pipeline.memberships import let_contacts_have_several_accounts, membership
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.undone import run_of
from tests.transport.waiting import eventually
from transport import failpoint

pytestmark = pytest.mark.kafka

Row = dict[str, Any]
OBJECTS = ("practice", "patient", "practice_membership")
RELATION = "AccountContactRelation"


@pytest.fixture(scope="module")
async def related(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice whose patients go to further practices; everything runs."""
    async with moved_practice(
        kafka,
        tmp_path_factory.mktemp("related"),
        only=OBJECTS,
        prepare=lambda pipeline: let_contacts_have_several_accounts(pipeline.sandbox),
        fallback=False,
        patients=40,
        practices=5,
        org_rows=10,
    ) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(840_001, 849_000))


def patient(pipeline: Pipeline, vp_id: int, practice: str) -> None:
    pipeline.practice.put("patient", {"id": str(vp_id), "last_name": "Related", "practice_id": practice})


def relations(pipeline: Pipeline, of: int) -> dict[str, Row]:
    """The live rows of one patient, by the reference of the practice."""
    dump = pipeline.org.dump()
    contact = next(row["Id"] for row in dump["Contact"] if row.get("VP_Id__c") == f"patient:{of}")
    practices = {row["Id"]: row.get("VP_Id__c") for row in dump["Account"]}
    mine = [row for row in dump[RELATION] if row["ContactId"] == contact and not row["IsDeleted"]]
    assert len(mine) == len({row["AccountId"] for row in mine})
    return {str(practices[row["AccountId"]]): row for row in mine}


def relate(pipeline: Pipeline, contact: str, account: str) -> str:
    """Relates the two as a person does, and returns the row's id."""
    dump, card = pipeline.org.dump(), pipeline.sandbox.salesforce
    links = {
        "ContactId": next(row["Id"] for row in dump["Contact"] if row.get("VP_Id__c") == contact),
        "AccountId": next(row["Id"] for row in dump["Account"] if row.get("VP_Id__c") == account),
    }
    headers = {"Authorization": f"Bearer {card['access_token']}"}
    made = httpx.post(f"{card['url']}/services/data/v62.0/sobjects/{RELATION}", json=links, headers=headers)
    assert made.is_success, made.text
    return str(made.json()["id"])


async def told(pipeline: Pipeline, vp_id: int, outcome: str) -> Row:
    """What the audit said last of a membership, once that is this outcome."""

    async def look() -> Row:
        found = [one for one in await pipeline.operations(f"practice_membership:{vp_id}") if one["outcome"]]
        assert [one["outcome"] for one in found][-1:] == [outcome], [(one["what"], one["code"]) for one in found]
        return found[-1]

    return await eventually(look, within=90, every=0.5)


async def test_further_practices_are_indirect_relations_and_are_verified(related: Pipeline) -> None:
    counts = (await related.conserved())["practice_membership"]
    source = related.practice.dump()["practice-memberships"]
    assert counts["loaded"] == len(source) > 5
    rows = [row for row in related.org.dump()[RELATION] if not row["IsDeleted"]]
    ours = [row for row in rows if row.get("VP_Id__c")]
    contacts = [row for row in related.org.dump()["Contact"] if row["AccountId"] and not row["IsDeleted"]]
    assert len(ours) == len(source)
    assert len(rows) == len(source) + len(contacts), "each contact has the one that Salesforce makes"
    assert not any(row["IsDirect"] for row in ours)


async def test_the_patients_own_practice_is_left_out_by_rule(related: Pipeline, numbers: Iterator[int]) -> None:
    of = next(numbers)
    patient(related, of, "1")
    related.practice.put("practice_membership", membership(of, of, "1"))
    operation = await told(related, of, "skipped")
    assert operation["code"] == "SKIPPED_BY_RULE"
    assert "own practice" in operation["detail"]
    await related.equal()
    assert relations(related, of)["practice:1"].get("VP_Id__c") is None


async def test_nothing_is_lost_when_the_patients_own_practice_becomes_a_further_one_and_back(
    related: Pipeline, numbers: Iterator[int]
) -> None:
    of, other = next(numbers), next(numbers)
    patient(related, of, "1")
    related.practice.put("practice_membership", membership(of, of, "1"), membership(other, of, "2", role="Specialist"))
    await related.equal()
    assert (await told(related, of, "skipped"))["code"] == "SKIPPED_BY_RULE"
    for own, further, name in (("2", "1", of), ("1", "2", other), ("2", "1", of), ("3", "1", of)):
        patient(related, of, own)
        await related.equal()
        rows = relations(related, of)
        assert rows[f"practice:{own}"]["IsDirect"]
        assert rows[f"practice:{further}"]["VP_Id__c"] == f"practice_membership:{name}"
    assert set(relations(related, of)) == {"practice:1", "practice:2", "practice:3"}
    await related.conserved()


async def test_a_membership_that_names_another_practice_gets_another_row(
    related: Pipeline, numbers: Iterator[int]
) -> None:
    of = next(numbers)
    patient(related, of, "1")
    related.practice.put("practice_membership", membership(of, of, "2"))
    await related.equal()
    before = relations(related, of)["practice:2"]["Id"]
    related.practice.put("practice_membership", membership(of, of, "3", ends_on="2024-02-01"))
    await related.equal()
    rows = relations(related, of)
    assert set(rows) == {"practice:1", "practice:3"}
    assert rows["practice:3"]["Id"] != before
    assert not rows["practice:3"]["IsActive"]
    related.practice.delete("practice_membership", str(of))
    await related.equal()
    assert set(relations(related, of)) == {"practice:1"}


async def test_the_former_row_stays_until_another_one_is_made(related: Pipeline, numbers: Iterator[int]) -> None:
    of = next(numbers)
    patient(related, of, "1")
    related.practice.put("practice_membership", membership(of, of, "2"))
    await related.equal()
    before = relations(related, of)["practice:2"]["Id"]
    related.org.fault(route="AccountContactRelation insert", kind="lock", count=3)
    related.practice.put("practice_membership", membership(of, of, "3"))
    await related.equal()
    assert all(related.org.struck())
    related.org.clear_faults()
    assert [one["what"] for one in await related.operations(f"practice_membership:{of}") if one["outcome"]] == [
        "create",
        "update",
    ]
    refusing = {"kind": "validation", "object": "AccountContactRelation", "when": "Roles = 'Refused'", "message": "no"}
    related.org.http.post("/rules", json=refusing).raise_for_status()
    related.practice.put("practice_membership", membership(of, of, "4", role="Refused"))
    await told(related, of, "rejected")
    row = relations(related, of)["practice:3"]
    assert row["VP_Id__c"] == f"practice_membership:{of}", "it is the record's row still"
    assert row["Id"] != before
    related.org.http.delete("/rules").raise_for_status()
    related.practice.put("practice_membership", membership(of, of, "4", role="Allowed"))
    await related.equal()
    assert set(relations(related, of)) == {"practice:1", "practice:4"}


async def test_a_former_row_that_is_locked_for_a_while_goes(related: Pipeline, numbers: Iterator[int]) -> None:
    of = next(numbers)
    patient(related, of, "1")
    related.practice.put("practice_membership", membership(of, of, "2"))
    await related.equal()
    related.org.fault(route="AccountContactRelation delete", kind="lock", count=2)
    related.practice.put("practice_membership", membership(of, of, "3"))

    async def gone() -> bool:
        assert set(relations(related, of)) == {"practice:1", "practice:3"}
        return True

    await eventually(gone, within=60, every=0.3)
    assert all(related.org.struck())
    related.org.clear_faults()
    await related.equal()


async def test_the_same_practice_twice_is_held_and_an_unknown_one_waits(
    related: Pipeline, numbers: Iterator[int]
) -> None:
    of, again, unknown = next(numbers), next(numbers), next(numbers)
    patient(related, of, "1")
    related.practice.put("practice_membership", membership(of, of, "2"))
    await related.equal()
    related.practice.put("practice_membership", membership(again, of, "2"), membership(unknown, of, "799"))
    operation = await told(related, again, "held")
    assert (operation["code"], operation["detail"]) == ("RELATION_TAKEN", f"practice_membership:{of}")
    assert (await told(related, unknown, "held"))["detail"] == "practice:799"
    related.practice.put("practice", {"id": "799", "name": "Late"})
    await told(related, unknown, "loaded")
    related.practice.delete("practice_membership", str(of))
    await told(related, of, "deleted")
    code, _ = await related.carryover("replay", "--object", "practice_membership", "--held", "RELATION_TAKEN")
    assert code == 0
    await told(related, again, "loaded")
    await related.equal()


async def test_what_a_person_has_related_already_is_taken_over(related: Pipeline, numbers: Iterator[int]) -> None:
    of = next(numbers)
    patient(related, of, "1")
    await related.equal()
    made = relate(related, f"patient:{of}", "practice:4")
    related.practice.put("practice_membership", membership(of, of, "4"))
    operation = await told(related, of, "loaded")
    assert (operation["what"], operation["row_id"]) == ("adopt", made)
    await related.equal()
    related.practice.delete("practice_membership", str(of))
    assert (await told(related, of, "deleted"))["code"] == "ADOPTED_ROW_KEPT"
    assert relations(related, of)["practice:4"].get("VP_Id__c") is None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["relation-released", "relation-made", "relations-sent"])
async def test_a_loader_that_dies_while_it_makes_another_row_leaves_one(
    related: Pipeline, numbers: Iterator[int], place: str
) -> None:
    of = next(numbers)
    patient(related, of, "1")
    related.practice.put("practice_membership", membership(of, of, "2"))
    await related.equal()
    assert await related.end("deliver") == 0
    related.start("deliver", CARRYOVER_FAILPOINTS=f"{place}=exit#1")
    related.practice.put("practice_membership", membership(of, of, "3"))
    assert await related.ended("deliver") == failpoint.EXIT_CODE
    related.start("deliver")

    async def one_is_left() -> bool:
        assert set(relations(related, of)) == {"practice:1", "practice:3"}
        return True

    await eventually(one_is_left, within=60)
    await related.equal()
    await related.conserved()


async def test_reconcile_counts_only_what_is_ours(related: Pipeline) -> None:
    await related.equal()
    await related.conserved()
    code, found = await related.carryover("reconcile")
    of = next(one for one in found["objects"].values() if one["sobject"] == RELATION)
    assert (code, of["missing"], of["unknown"]) == (0, [], [])
    assert of["held"] == of["expected"] > 5
    assert of["direct"] == of["contacts"] > 40


@pytest.mark.timeout(300)
async def test_a_rollback_takes_back_our_relations_and_leaves_salesforces_own_to_it(
    related: Pipeline, numbers: Iterator[int]
) -> None:
    """The last one of this pipeline. Among what it takes back are rows that have become Salesforce's own, and one that somebody else has made."""
    moved, theirs_too = next(numbers), next(numbers)
    for of in (moved, theirs_too):
        patient(related, of, "1")
    related.practice.put("practice_membership", membership(moved, moved, "2"))
    await related.equal()
    relate(related, f"patient:{theirs_too}", "practice:4")
    related.practice.put("practice_membership", membership(theirs_too, theirs_too, "4"))
    patient(related, moved, "2")
    await told(related, theirs_too, "loaded")
    await told(related, moved, "skipped")
    await related.equal()
    await related.at_rest()
    rows = related.org.dump()
    theirs = {row["Id"] for row in rows["Contact"] if not row["IsDeleted"] and not row.get("VP_Id__c")}
    code, done = await related.carryover("rollback", "apply", "--run", await run_of(related))
    kept = {one["reference"]: one["reason"] for one in done["kept"]}
    assert code == DIFFERENT, "what somebody else has related stays"
    assert set(kept.values()) == {"HAS_CHILDREN"}
    rows = related.org.dump()
    stays = {row["Id"]: row["VP_Id__c"] for row in rows["Contact"] if row.get("VP_Id__c") and not row["IsDeleted"]}
    left = [row for row in rows[RELATION] if not row["IsDeleted"]]
    assert {row["ContactId"] for row in left} <= theirs | stays.keys()
    assert not [row for row in left if row.get("VP_Id__c")]
    related_by_people = {stays[row["ContactId"]] for row in left if row["ContactId"] in stays and not row["IsDirect"]}
    assert f"patient:{theirs_too}" in related_by_people
    assert {one for one in kept if one.startswith("patient:")} == related_by_people


async def test_an_org_without_the_setting_holds_relations_by_name_until_it_is_on(
    kafka: LocalKafka, tmp_path: Path
) -> None:
    async with moved_practice(kafka, tmp_path, only=OBJECTS, fallback=False, patients=30, practices=4) as pipeline:
        counts = (await pipeline.conserved())["practice_membership"]
        source = pipeline.practice.dump()["practice-memberships"]
        assert (counts["held"], counts["loaded"]) == (len(source), 0)
        held = (await pipeline.operations(f"practice_membership:{source[0]['id']}"))[-1]
        assert held["code"] == "CONTACTS_TO_MULTIPLE_ACCOUNTS_OFF"
        assert "relate a contact to multiple accounts" in (pipeline.logs / "deliver.log").read_text()
        let_contacts_have_several_accounts(pipeline.sandbox)
        for stage in ("deliver", "verify"):
            assert await pipeline.end(stage) == 0
            pipeline.start(stage)
        chosen = ("--object", "practice_membership", "--held", "CONTACTS_TO_MULTIPLE_ACCOUNTS_OFF")
        code, _ = await pipeline.carryover("replay", *chosen)
        assert code == 0
        await pipeline.equal(within=90)
        assert (await pipeline.conserved())["practice_membership"]["loaded"] == len(source)
