"""Broken answers and poison while the practice goes on: what is bad is rejected with its place, everything else arrives."""

from __future__ import annotations

import pytest

from tests.agents.rows import row, version
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.pipeline.visits import BILL
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = pytest.mark.kafka


async def test_broken_answers_of_the_source_are_waited_out(moved: Pipeline) -> None:
    moved.practice.fault(route="GET /v1/patients", kind="not_json", count=2)
    moved.practice.fault(route="GET /v1/patients", kind="429", count=2, retry_after=0.2)
    moved.practice.fault(route="GET /v1/practices", kind="503", count=1)
    moved.practice.fault(route="GET /v1/patients/deleted", kind="truncate", count=1)
    moved.practice.mutate(edits=10, creates=2, deletes=2, seed=21)

    async def struck() -> bool:
        return moved.practice.struck() == [2, 2, 1, 1]

    await eventually(struck)
    await moved.equal()
    moved.practice.clear_faults()


async def test_broken_answers_of_the_target_are_waited_out_and_write_nothing_twice(moved: Pipeline) -> None:
    moved.org.fault(route="composite/sobjects", kind="not_json", count=1)
    moved.org.fault(route="composite/sobjects", kind="drop", count=1, after=True)
    moved.org.fault(route="composite/sobjects", kind="503", count=1)
    moved.org.fault(route="Contact upsert", kind="lock", count=3)
    moved.org.expire_sessions()
    await moved.conserved()
    moved.practice.mutate(edits=10, creates=10, deletes=2, seed=22)

    async def struck() -> bool:
        return all(moved.org.struck())

    await eventually(struck, within=90)
    await moved.equal(within=90)
    moved.org.clear_faults()
    assert not [one for one in await moved.rejects() if one["code"] == "FOREIGN_ROW"]


async def test_a_bill_whose_first_answer_was_lost_arrives_though_its_patient_may_be_set_only_once(
    moved: Pipeline,
) -> None:
    moved.practice.put("patient", {"id": "745001", "last_name": "Twice", "practice_id": "1"})
    await moved.equal()
    moved.org.fault(route="composite/sobjects/Opportunity", kind="drop", count=1, after=True)
    moved.practice.put("invoice", {"id": "745002", "number": "INV-8", "patient_id": "745001", **BILL})
    await moved.equal()
    assert moved.org.struck() == [1]
    moved.org.clear_faults()
    assert not [one for one in await moved.rejects() if one["reference"] == "invoice:745002"]


async def test_a_row_whose_first_answer_was_lost_stays_ours_whenever_its_loader_dies(moved: Pipeline) -> None:
    moved.practice.put("patient", {"id": "746001", "last_name": "Ours", "practice_id": "1"})
    await moved.equal()
    await moved.at_rest()
    await moved.end("deliver")
    moved.org.fault(route="composite/sobjects/Opportunity", kind="drop", count=1, after=True)
    moved.start("deliver", CARRYOVER_FAILPOINTS="journal-removed=exit#1")
    moved.practice.put("invoice", {"id": "746002", "number": "INV-9", "patient_id": "746001", **BILL})
    assert await moved.ended("deliver") == EXIT_CODE
    moved.start("deliver")
    await moved.equal()
    assert moved.org.struck() == [1]
    moved.org.clear_faults()
    told = await moved.operations("invoice:746002")
    assert {one["origin"] for one in told if one["outcome"] == "loaded"} <= {"absent", "ours"}
    assert "create" in {one["what"] for one in told}
    assert not [one for one in await moved.records(moved.catalogue.images) if one.key == b"invoice:746002"]


@pytest.mark.parametrize(
    ("topic", "stage", "key", "reference"),
    [
        ("vp.patient", "map", b"740001", "patient:740001"),
        ("replay", "map", b"740002", "unknown:740002"),
        ("refs", "resolve", b"practice:740003", "practice:740003"),
        ("sf.Contact", "load", b"patient:740004", "patient:740004"),
        ("extract", "extract", b"patient", "unknown:?"),
    ],
)
async def test_poison_is_rejected_with_its_place_and_the_rest_goes_on(
    moved: Pipeline, topic: str, stage: str, key: bytes, reference: str
) -> None:
    name = moved.catalogue.prefix + topic
    value = b"\x00\x00\x00\x99\x99poison of " + topic.encode()
    placed = await moved.send(name, value, key=key)
    # A whole message, but one of another topic.
    strange = CODEC.encode("absent", {"parent": "practice:1"})
    if topic == "refs":
        strange = CODEC.encode("ready", row("practice:740003"))
    await moved.send(name, strange, key=key, partition=placed.partition)
    await moved.send(name, value, key=b"\xff\xfe", partition=placed.partition)
    if topic == "sf.Contact":
        whole = CODEC.encode("ready", row(reference, LastName="x"))
        damaged = whole.replace(b'{"LastName":"x"}', b'["LastName","x"]')
        await moved.send(name, damaged, key=key, partition=placed.partition)
        await moved.rejected(reference, "UNDECODABLE_MALFORMED")
    reject = await moved.rejected(reference, "UNDECODABLE_UNKNOWN_SCHEMA")
    await moved.rejected(reference, "UNDECODABLE_MISPLACED")
    assert (reject["stage"], reject["input"]) == (stage, value)
    headers = {name.rpartition(".")[2]: value for name, value in reject["headers"].items()}
    assert headers["topic"] == name.encode()
    if topic != "extract":
        assert headers["partition"] == b"%d" % placed.partition
        assert headers["offset"] == b"%d" % placed.offset
    identity = str(750000 + len(topic))
    moved.practice.put("patient", {"id": identity, "last_name": "After", "practice_id": "1"})
    await moved.equal()


async def test_a_change_without_a_readable_key_is_rejected(moved: Pipeline) -> None:
    change = {
        "op": "upsert",
        "version": version(1),
        "run": "run-1",
        "origin": "snapshot",
        "read_at": 1,
        "fields": None,
        "custom": {},
    }
    await moved.send(moved.catalogue.vp("patient"), CODEC.encode("change.patient", change), key=b"\xff")
    await moved.rejected("patient:\ufffd", "UNDECODABLE_KEY")
    moved.check_alive()


async def test_a_patient_over_a_megabyte_is_rejected_with_its_size_and_arrives_when_it_is_shorter(
    moved: Pipeline,
) -> None:
    moved.practice.put(
        "patient", {"id": "760001", "last_name": "Voluminous", "practice_id": "1", "notes": "x" * 1_100_000}
    )
    reject = await moved.rejected("patient:760001", "RECORD_TOO_LARGE")
    assert "it has 11001" in reject["message"]
    assert len(reject["input"]) > 1_000_000
    assert "patient:760001" not in moved.org.rows("Contact")
    moved.practice.put("patient", {"id": "760001", "notes": "short"})
    await moved.equal()
    assert moved.org.rows("Contact")["patient:760001"]["Description"] == "short"
