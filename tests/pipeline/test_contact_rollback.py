"""Opportunities that were somebody else's get their own contact back in a rollback; roles hold a row of ours back only if people made them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from cutover.outcome import DIFFERENT
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.person import Person
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.pipeline.test_contact_roles import BILL, PATIENTS, ROLE, contact, of, roles
from tests.pipeline.test_rollback import everything, run_of
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

SALE = {"Name": "Of a person", "StageName": "Prospecting", "CloseDate": "2030-01-01", "Amount": 1.0}
THEIRS, MOVED, HELD, PLAIN, REFUSED = "920001", "920002", "920003", "920004", "920007"


@pytest.fixture(scope="module")
def clinic() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(patients=8, practices=2, clean=True, org_rows=6) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def alex(clinic: SandboxProcess) -> Iterator[Person]:
    with Person(clinic) as person:
        yield person


@pytest.fixture(scope="module")
def stranger(alex: Person) -> str:
    """A contact of a person's, whom an opportunity that carries the id of one of our bills is about."""
    made = alex.create("Contact", LastName="stranger")
    alex.create("Opportunity", **SALE, VP_Id__c=f"invoice:{THEIRS}", ContactId=made)
    return made


@pytest.fixture(scope="module")
def before(clinic: SandboxProcess, stranger: str) -> dict[str, dict[str, Any]]:
    """The org before anything was moved."""
    assert stranger
    return everything(clinic)


@pytest.fixture(scope="module")
async def moved(
    kafka: LocalKafka,
    clinic: SandboxProcess,
    before: dict[str, dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Pipeline]:
    assert before
    directory = tmp_path_factory.mktemp("undoing")
    pipeline = Pipeline(kafka.bootstrap, f"unrole.{uuid4().hex[:6]}.", clinic, directory, partitions=1)
    try:
        pipeline.practice.put(
            "patient", *({"id": key, "last_name": name, "practice_id": "1"} for name, key in PATIENTS.items())
        )
        pipeline.practice.put(
            "invoice", *({"id": one, **of("ann"), **BILL} for one in (THEIRS, MOVED, HELD, PLAIN, "920005", "920006"))
        )
        await pipeline.begin()
        await pipeline.start_all()
        await pipeline.equal(within=90)
        await pipeline.at_rest()
        yield pipeline
    finally:
        pipeline.kill()


async def test_an_opportunity_of_somebody_else_keeps_its_role_beside_the_patients(moved: Pipeline) -> None:
    assert (contact(moved, THEIRS), roles_with_strangers(moved)) == ("ann", [("ann", True), ("stranger", False)])
    (image,) = await images(moved, THEIRS)
    assert image["columns"]["ContactId"] in {
        row["Id"] for row in moved.org.dump()["Contact"] if row["LastName"] == "stranger"
    }
    moved.practice.put("invoice", {"id": THEIRS, **of("ben")})
    await moved.equal()
    await moved.at_rest()
    assert roles_with_strangers(moved) == [("ben", True), ("stranger", False)]


async def images(pipeline: Pipeline, bill: str) -> list[dict[str, Any]]:
    found = [CODEC.decode(record.value)[1] for record in await pipeline.records(pipeline.catalogue.images)]
    return [one for one in found if one["reference"] == f"invoice:{bill}"]


async def test_a_takeover_whose_role_is_refused_is_a_takeover_all_the_same(
    moved: Pipeline, clinic: SandboxProcess, alex: Person, stranger: str, before: dict[str, dict[str, Any]]
) -> None:
    theirs = alex.create("Opportunity", **SALE, VP_Id__c=f"invoice:{REFUSED}", ContactId=stranger)
    for sobject, rows in everything(clinic).items():
        before[sobject] |= {key: row for key, row in rows.items() if theirs in {key, row.get("OpportunityId")}}
    rule = {"kind": "validation", "object": ROLE, "when": "IsPrimary = true", "message": "Not like this."}
    moved.org.http.post("/rules", json=rule).raise_for_status()
    moved.practice.put("invoice", {"id": REFUSED, **of("ann"), **BILL})
    await moved.rejected(f"invoice:{REFUSED}", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    moved.org.http.delete("/rules").raise_for_status()
    told = [(one["what"], one["outcome"]) for one in await moved.operations(f"invoice:{REFUSED}")]
    assert ("adopt", "loaded") in told
    moved.practice.put("invoice", {"id": REFUSED, "total_amount": "91.00"})
    await moved.equal()
    assert contact(moved, REFUSED) == "ann"
    assert len(await images(moved, REFUSED)) == 1, "what we wrote ourselves is never kept as what was there before us"


def roles_with_strangers(pipeline: Pipeline) -> list[tuple[str, bool]]:
    dump = pipeline.org.dump()
    names = {row["Id"]: row["LastName"] for row in dump["Contact"]}
    own = pipeline.org.rows("Opportunity")[f"invoice:{THEIRS}"]["Id"]
    found = [row for row in dump[ROLE] if row["OpportunityId"] == own and not row.get("IsDeleted")]
    return sorted((names[row["ContactId"]], bool(row["IsPrimary"])) for row in found)


async def test_a_bill_that_is_deleted_leaves_unless_a_person_gave_it_a_role(moved: Pipeline, alex: Person) -> None:
    moved.practice.put("invoice", *({"id": one, **of("ben")} for one in ("920005", "920006")))
    await moved.equal()
    cleo = moved.org.rows("Contact")[f"patient:{PATIENTS['cleo']}"]["Id"]
    held = moved.org.rows("Opportunity")["invoice:920006"]["Id"]
    role = alex.create(ROLE, OpportunityId=held, ContactId=cleo)
    moved.practice.delete("invoice", "920005", "920006")

    async def gone() -> bool:
        rows = moved.org.rows("Opportunity")
        return "invoice:920005" not in rows and bool(rows["invoice:920006"].get("VP_Deleted_At__c"))

    await eventually(gone)
    ended = [one for one in await moved.operations("invoice:920006") if one["what"] == "flag"]
    assert ended[-1]["code"] == "HAS_CHILDREN"
    alex.delete(ROLE, role)


@pytest.mark.timeout(300)
async def test_a_rollback_brings_the_former_contact_back_and_takes_our_roles_away(
    moved: Pipeline, clinic: SandboxProcess, alex: Person, before: dict[str, dict[str, Any]]
) -> None:
    moved.practice.put("invoice", *({"id": one, **of("ben")} for one in (MOVED, HELD)))
    await moved.equal()
    await moved.at_rest()
    assert roles(moved, MOVED) == [("ben", True)]
    held = moved.org.rows("Opportunity")[f"invoice:{HELD}"]["Id"]
    cleo = moved.org.rows("Contact")[f"patient:{PATIENTS['cleo']}"]["Id"]
    alex.create(ROLE, OpportunityId=held, ContactId=cleo)
    run = await run_of(moved)
    code, plan = await moved.carryover("rollback", "plan", "--run", run)
    assert code == 0
    reasons = {one["reference"]: one["reason"] for one in plan["kept"]}
    assert reasons[f"invoice:{HELD}"] == "HAS_CHILDREN"
    assert not reasons.keys() & {f"invoice:{one}" for one in (THEIRS, MOVED, PLAIN, REFUSED)}
    code, _ = await moved.carryover("rollback", "apply", "--run", run, CARRYOVER_FAILPOINTS="undo-values-sent=exit#1")
    assert code == EXIT_CODE, "it did not die between the values and the roles"
    code, done = await moved.carryover("rollback", "apply", "--run", run)
    assert code == DIFFERENT
    assert {one["reference"] for one in done["kept"]} == reasons.keys()
    after = everything(clinic)
    kept = {one["row_id"] for one in done["kept"]}
    for sobject, rows in after.items():
        stay = {key: row for key, row in rows.items() if not kept & {key, *map(str, row.values())}}
        assert stay == before[sobject], sobject
