"""A bill's patient changes, and the opportunity's primary contact follows by its contact roles: whatever people did with them, whoever dies on the way."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline import visits
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = pytest.mark.kafka

Row = dict[str, Any]
ROLE = "OpportunityContactRole"
BULK_FROM = 25
PATIENTS = {"ann": "900001", "ben": "900002", "cleo": "900003"}


@pytest.fixture(scope="module")
def clinic() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(patients=15, practices=3, clean=True) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def alex(clinic: SandboxProcess) -> Iterator[Person]:
    with Person(clinic) as person:
        yield person


@pytest.fixture(scope="module")
async def billing(
    kafka: LocalKafka, clinic: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pipeline]:
    """A small practice with three patients more, moved; everything runs. One partition, so that a batch is a batch."""
    directory = tmp_path_factory.mktemp("billing")
    settings = {"CARRYOVER_LOAD__BULK_FROM_ROWS": str(BULK_FROM)}
    pipeline = Pipeline(kafka.bootstrap, f"roles.{uuid4().hex[:6]}.", clinic, directory, partitions=1, **settings)
    try:
        pipeline.practice.put(
            "patient", *({"id": key, "last_name": name, "practice_id": "1"} for name, key in PATIENTS.items())
        )
        await pipeline.begin()
        await pipeline.start_all()
        await pipeline.equal(within=90)
        yield pipeline
    finally:
        pipeline.kill()


@pytest.fixture(autouse=True)
def _the_loader_runs(billing: Pipeline) -> Iterator[None]:
    yield
    billing.org.clear_faults()
    billing.org.http.delete("/rules").raise_for_status()
    if billing.processes["deliver"].poll() is not None:
        billing.start("deliver")


@pytest.fixture(scope="module")
def numbers() -> Iterator[str]:
    return map(str, itertools.count(910_001))


@pytest.fixture
async def bill(billing: Pipeline, numbers: Iterator[str]) -> str:
    """The id of a new bill of Ann's that is in the org."""
    (made,) = await bills(billing, numbers, 1)
    return made


async def bills(pipeline: Pipeline, numbers: Iterator[str], count: int) -> list[str]:
    made = list(itertools.islice(numbers, count))
    pipeline.practice.put("invoice", *({"id": one, **of("ann"), **BILL} for one in made))
    await pipeline.equal()
    return made


BILL = {**visits.BILL, "number": "INV-R"}


def of(name: str) -> Row:
    return {"patient_id": PATIENTS[name]}


def opportunity(pipeline: Pipeline, bill: str) -> Row:
    return pipeline.org.rows("Opportunity")[f"invoice:{bill}"]


def people(pipeline: Pipeline) -> dict[str, str]:
    """The patients' names by Salesforce id."""
    return {row["Id"]: row["LastName"] for row in pipeline.org.rows("Contact").values()}


def roles(pipeline: Pipeline, bill: str) -> list[tuple[str, bool]]:
    """Whose roles the opportunity has, in order, and which is primary."""
    return sorted((people(pipeline)[row["ContactId"]], bool(row["IsPrimary"])) for row in role_rows(pipeline, bill))


def role_rows(pipeline: Pipeline, bill: str) -> list[Row]:
    own = opportunity(pipeline, bill)["Id"]
    return [row for row in pipeline.org.dump()[ROLE] if row["OpportunityId"] == own and not row.get("IsDeleted")]


def contact(pipeline: Pipeline, bill: str) -> str | None:
    return people(pipeline).get(opportunity(pipeline, bill).get("ContactId") or "")


async def settled(pipeline: Pipeline) -> None:
    await pipeline.equal()
    await pipeline.at_rest()


async def readied(pipeline: Pipeline, *bills: str, after: int) -> None:
    """Waits until rows of these bills have come to the loader since it held so many."""

    async def look() -> bool:
        records = await pipeline.records(pipeline.catalogue.sf("Opportunity"))
        assert {f"invoice:{one}" for one in bills} <= {record.key.decode() for record in records[after:]}
        return True

    await eventually(look)


async def test_the_contact_follows_the_bills_patient_and_back_again(billing: Pipeline, bill: str) -> None:
    assert (contact(billing, bill), roles(billing, bill)) == ("ann", [("ann", True)])
    billing.practice.put("invoice", {"id": bill, **of("ben")})
    await settled(billing)
    assert (contact(billing, bill), roles(billing, bill)) == ("ben", [("ben", True)])
    billing.practice.put("invoice", {"id": bill, **of("ann")})
    await settled(billing)
    assert (contact(billing, bill), roles(billing, bill)) == ("ann", [("ann", True)])
    told = [one for one in await billing.operations(f"invoice:{bill}") if one["what"] == "contact"]
    assert told
    assert {(one["outcome"], tuple(one["columns"]), one["detail"]) for one in told} == {(None, ("ContactId",), None)}
    await billing.conserved()


async def test_nothing_is_asked_while_the_patient_stays(billing: Pipeline, bill: str) -> None:
    await billing.at_rest()

    billing.org.fault(route="query.*OpportunityContactRole", kind="503", at=[10**6])  # never strikes; it counts

    def asked() -> int:
        (probe,) = billing.org.http.get("/faults").raise_for_status().json()["faults"]
        return int(probe["seen"])

    billing.practice.put("invoice", {"id": bill, "total_amount": "95.00"})
    await settled(billing)
    assert opportunity(billing, bill)["Amount"] == 95.0
    assert asked() == 0
    billing.practice.put("invoice", {"id": bill, **of("ben")})
    await settled(billing)
    assert asked() > 0


async def test_the_roles_that_people_made_or_worked_on_stay(billing: Pipeline, alex: Person, bill: str) -> None:
    own = opportunity(billing, bill)["Id"]
    cleo = next(sf_id for sf_id, name in people(billing).items() if name == "cleo")
    alex.create(ROLE, OpportunityId=own, ContactId=cleo, Role="Business User")
    (ours,) = [row for row in role_rows(billing, bill) if row["IsPrimary"]]
    alex.edit(ROLE, ours["Id"], Role="Decision Maker")
    billing.practice.put("invoice", {"id": bill, **of("ben")})
    await settled(billing)
    assert roles(billing, bill) == [("ann", False), ("ben", True), ("cleo", False)]
    billing.practice.put("invoice", {"id": bill, **of("cleo")})
    await settled(billing)
    assert roles(billing, bill) == [("ann", False), ("cleo", True)], "who has a role gets no second one"
    assert {row["Role"] for row in role_rows(billing, bill)} == {"Decision Maker", "Business User"}
    billing.practice.put("invoice", {"id": bill, **of("ben")})
    await settled(billing)
    assert roles(billing, bill) == [("ann", False), ("ben", True), ("cleo", False)]


async def test_when_patients_are_merged_their_bills_go_over_to_the_one_that_stays(
    billing: Pipeline, numbers: Iterator[str]
) -> None:
    await bills(billing, numbers, 2)
    merged: set[str] = set()
    for seed in range(20):
        changes = billing.practice.mutate(merges=2, seed=seed)
        merged |= {one["id"] for one in changes if one["object"] == "invoice"}
        if len(merged) > 3:
            break
    assert merged, "no bill was merged"
    await settled(billing)
    source = {one["id"]: one for one in billing.practice.dump()["invoices"]}
    rows = billing.org.rows("Contact")
    for one in merged:
        assert [(True, row["ContactId"]) for row in role_rows(billing, one)] == [
            (True, rows[f"patient:{source[one]['patient_id']}"]["Id"])
        ]
    await billing.conserved()


@pytest.mark.faults
@pytest.mark.parametrize("count", [3, BULK_FROM + 5], ids=["collections", "bulk"])
@pytest.mark.parametrize("point", ["batch-sent", "roles-made", "rows-durable"])
async def test_death_beside_the_roles_leaves_one_role_and_the_right_contact(
    billing: Pipeline, numbers: Iterator[str], point: str, count: int
) -> None:
    some = await bills(billing, numbers, count)
    await billing.at_rest()
    assert await billing.end("deliver") == 0
    before = len(await billing.records(billing.catalogue.sf("Opportunity")))
    billing.practice.put("invoice", *({"id": one, **of("ben")} for one in some))
    await readied(billing, *some, after=before)
    billing.start("deliver", CARRYOVER_FAILPOINTS=f"{point}=exit#1", CARRYOVER_LOAD__IDLE_SECONDS="1.0")
    assert await billing.ended("deliver") == EXIT_CODE, "the point was not reached"
    billing.practice.put("invoice", {"id": some[0], **of("cleo")})
    billing.start("deliver")
    await settled(billing)
    assert roles(billing, some[0]) == [("cleo", True)]
    for one in some[1:]:
        assert roles(billing, one) == [("ben", True)]


@pytest.mark.faults
async def test_a_call_whose_answer_is_lost_and_a_role_that_is_locked_make_no_second_one(
    billing: Pipeline, bill: str
) -> None:
    billing.org.fault(route="POST /services/data/v62.0/composite/sobjects$", kind="drop", after=True, count=1)
    billing.practice.put("invoice", {"id": bill, **of("ben")})
    await settled(billing)
    assert roles(billing, bill) == [("ben", True)]
    billing.org.fault(route="OpportunityContactRole insert", kind="lock", count=1)
    billing.practice.put("invoice", {"id": bill, **of("cleo")})
    await settled(billing)
    assert roles(billing, bill) == [("cleo", True)]
    assert billing.org.struck() == [1, 1]


@pytest.mark.faults
async def test_an_org_that_refuses_the_role_rejects_the_bill_until_it_is_replayed(billing: Pipeline, bill: str) -> None:
    rule = {"kind": "validation", "object": ROLE, "when": "IsPrimary = true", "message": "Not like this."}
    billing.org.http.post("/rules", json=rule).raise_for_status()
    billing.practice.put("invoice", {"id": bill, **of("ben"), "total_amount": "70.00"})
    reject = await billing.rejected(f"invoice:{bill}", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert reject["stage"] == "load"
    assert contact(billing, bill) == "ann"
    billing.org.http.delete("/rules").raise_for_status()
    # The org has the amount of the version that was rejected: going back to what landed has to be sent all the same.
    billing.practice.put("invoice", {"id": bill, **of("ann"), "total_amount": "90.00"})
    await settled(billing)
    assert roles(billing, bill) == [("ann", True)]
    await billing.conserved()


@pytest.mark.faults
async def test_where_the_org_hides_the_roles_changed_bills_are_rejected_and_new_ones_go(
    billing: Pipeline, bill: str, numbers: Iterator[str]
) -> None:
    await billing.at_rest()
    assert await billing.end("deliver") == 0
    billing.org.fault(route="OpportunityContactRole/describe", kind="404")
    billing.start("deliver")
    billing.practice.put("invoice", {"id": bill, **of("ben"), "total_amount": "71.00"})
    reject = await billing.rejected(f"invoice:{bill}", "CONTACT_ROLE_HIDDEN")
    assert "replay" in reject["message"]
    assert opportunity(billing, bill)["Amount"] == 90.0, "nothing of it was written"
    fresh = next(numbers)
    billing.practice.put("invoice", {"id": fresh, **of("cleo"), **BILL})

    async def there() -> bool:
        return f"invoice:{fresh}" in billing.org.rows("Opportunity")

    await eventually(there)
    assert roles(billing, fresh) == [("cleo", True)]
    assert "CONTACT_ROLE_HIDDEN" in (billing.logs / "deliver.log").read_text()
    billing.org.clear_faults()
    assert await billing.end("deliver") == 0
    billing.start("deliver")
    await billing.idle()

    async def replayed() -> bool:
        code, _ = await billing.carryover("replay", "--rejected", "CONTACT_ROLE_HIDDEN")
        assert code == 0
        return True

    await eventually(replayed)
    await settled(billing)
    assert roles(billing, bill) == [("ben", True)]


async def test_a_replay_of_everything_writes_no_role(billing: Pipeline) -> None:
    await settled(billing)
    before = billing.org.dump()
    assert [row for row in before[ROLE] if not row.get("IsDeleted")]
    producer = AIOKafkaProducer(bootstrap_servers=billing.settings.kafka.bootstrap, linger_ms=10)
    await producer.start()
    sent = []
    for name in billing.catalogue.targets:
        for record in await billing.records(billing.catalogue.vp(name)):
            headers = list(record.headers)
            sent.append(await producer.send(billing.catalogue.replay, record.value, key=record.key, headers=headers))
    for future in sent:
        await future
    await producer.stop()
    await billing.idle()
    assert billing.org.dump() == before
    await billing.conserved()
