"""Rows that are in the org already are taken over when the map says how to recognise them: kept as they were first, once, and never doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.maps import write_map
from tests.pipeline.person import Person
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.transport.waiting import eventually
from topics.catalogue import STAGES
from transport.failpoint import EXIT_CODE

pytestmark = pytest.mark.kafka

Row = dict[str, Any]


@pytest.fixture(scope="module")
def clinic() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(
        patients=10, practices=3, clean=True, org_rows=60, resources="practices,patients"
    ) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def person(clinic: SandboxProcess) -> Iterator[Person]:
    with Person(clinic) as alex:
        yield alex


@pytest.fixture(scope="module")
async def adopting(
    kafka: LocalKafka, clinic: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pipeline]:
    """A small practice and an org with rows of somebody else; everything runs."""
    directory = tmp_path_factory.mktemp("adopting")
    settings = {
        "CARRYOVER_CUTOVER__MAP": str(
            write_map(directory, only=("practice", "patient"), match="Email, LastName", deletes_patients=True)
        ),
        "CARRYOVER_LOAD__BULK_FROM_ROWS": "4",
    }
    pipeline = Pipeline(kafka.bootstrap, f"adopt.{uuid4().hex[:6]}.", clinic, directory, partitions=2, **settings)
    try:
        await pipeline.begin()
        for stage in STAGES:
            pipeline.start(stage)
        await pipeline.equal(within=90)
        yield pipeline
    finally:
        pipeline.kill()


@pytest.fixture(scope="module")
def strangers(adopting: Pipeline) -> Iterator[Row]:
    """Contacts of somebody else, one after the other."""
    rows = [row for row in adopting.org.dump()["Contact"] if not row.get("VP_Id__c") and row.get("Email")]
    return iter(sorted(rows, key=lambda row: row["Id"]))


def patient(vp_id: str, like: Row, **more: Any) -> Row:
    """A patient who is the person of that contact; upper and lower case don't count."""
    return {"id": vp_id, "last_name": like["LastName"].upper(), "email": like["Email"], "city": "New Town", **more}


def contact(pipeline: Pipeline, sf_id: str) -> Row:
    return next(row for row in pipeline.org.dump()["Contact"] if row["Id"] == sf_id)


async def images(pipeline: Pipeline, reference: str) -> list[Row]:
    found = [CODEC.decode(record.value)[1] for record in await pipeline.records(pipeline.catalogue.images)]
    return [one for one in found if one["reference"] == reference]


async def told(pipeline: Pipeline, reference: str, what: str, within: float = 60) -> Row:
    """Waits until the audit says that of a record; returns the newest such operation."""

    async def look() -> Row | None:
        pipeline.check_alive()
        found = [one for one in await pipeline.operations(reference) if one["what"] == what]
        return found[-1] if found else None

    found = await eventually(look, within=within, every=0.3)
    assert found is not None
    return found


async def test_a_row_that_matches_is_kept_as_it_was_and_becomes_the_patients(
    adopting: Pipeline, strangers: Iterator[Row]
) -> None:
    before = next(strangers)
    adopting.practice.put("patient", patient("810001", before))
    landed = await told(adopting, "patient:810001", "adopt")
    assert (landed["outcome"], landed["origin"], landed["row_id"]) == ("loaded", "foreign", before["Id"])
    after = contact(adopting, before["Id"])
    assert (after["VP_Id__c"], after["MailingCity"]) == ("patient:810001", "New Town")
    (image,) = await images(adopting, "patient:810001")
    assert (image["row_id"], image["modified_by"]) == (before["Id"], before["LastModifiedById"])
    assert {name: value for name, value in image["columns"].items() if value is not None} == {
        name: before[name] for name in image["columns"] if before.get(name) is not None
    }
    assert image["columns"]["VP_Id__c"] is None
    adopting.practice.put("patient", patient("810001", before, city="Third Town"))
    await adopting.equal()
    assert len(await images(adopting, "patient:810001")) == 1, "what is imaged is what was there before us"
    await told(adopting, "patient:810001", "verify")


async def test_a_row_that_carries_our_id_already_is_taken_over(
    adopting: Pipeline, person: Person, strangers: Iterator[Row]
) -> None:
    before = next(strangers)
    person.edit("Contact", before["Id"], VP_Id__c="patient:810002")
    adopting.practice.put("patient", {"id": "810002", "last_name": "Quite Another", "city": "New Town"})
    await told(adopting, "patient:810002", "adopt")
    await adopting.equal()
    assert contact(adopting, before["Id"])["LastName"] == "Quite Another"
    (image,) = await images(adopting, "patient:810002")
    assert image["columns"]["LastName"] == before["LastName"]


async def test_of_several_rows_none_is_taken_and_a_later_version_tries_again(
    adopting: Pipeline, person: Person, strangers: Iterator[Row]
) -> None:
    before = next(strangers)
    second = person.create("Contact", LastName=before["LastName"].lower(), Email=before["Email"])
    adopting.practice.put("patient", patient("810003", before))
    held = await told(adopting, "patient:810003", "hold")
    assert (held["outcome"], held["code"]) == ("held", "MATCH_AMBIGUOUS")
    assert held["detail"] == ", ".join(sorted([before["Id"], second]))
    assert "patient:810003" not in adopting.org.rows("Contact")
    person.delete("Contact", second)
    adopting.practice.put("patient", patient("810003", before, city="Once More"))
    await told(adopting, "patient:810003", "adopt")
    await adopting.equal()
    assert contact(adopting, before["Id"])["VP_Id__c"] == "patient:810003"


async def test_of_two_patients_who_match_one_row_the_first_gets_it_and_the_second_is_held(
    adopting: Pipeline, strangers: Iterator[Row]
) -> None:
    before = next(strangers)
    adopting.practice.put("patient", patient("810004", before))
    await told(adopting, "patient:810004", "adopt")
    adopting.practice.put("patient", patient("810005", before))
    held = await told(adopting, "patient:810005", "hold")
    assert (held["code"], held["detail"]) == ("MATCH_TAKEN", before["Id"])
    assert "patient:810005" not in adopting.org.rows("Contact")
    adopting.practice.delete("patient", "810005")
    await adopting.equal()


async def test_two_patients_alike_whom_the_org_does_not_know_are_two_rows(adopting: Pipeline) -> None:
    twin = {"LastName": "Twin", "Email": "twins@mail.example"}
    adopting.practice.put("patient", patient("810006", twin))
    await adopting.equal()
    adopting.practice.put("patient", patient("810007", twin))
    await adopting.equal()
    assert {"patient:810006", "patient:810007"} <= adopting.org.rows("Contact").keys()


async def test_somebody_elses_row_is_never_deleted_and_is_found_again(
    adopting: Pipeline, strangers: Iterator[Row]
) -> None:
    before = next(strangers)
    adopting.practice.put("patient", patient("810008", before))
    await adopting.equal()
    adopting.practice.delete("patient", "810008")
    ended = await told(adopting, "patient:810008", "delete")
    assert (ended["outcome"], ended["code"], ended["row_id"]) == ("deleted", "ADOPTED_ROW_KEPT", before["Id"])
    row = contact(adopting, before["Id"])
    assert not row.get("IsDeleted")
    assert row.get("VP_Id__c") is None
    adopting.practice.undelete("patient", "810008")
    await adopting.equal()
    assert contact(adopting, before["Id"])["VP_Id__c"] == "patient:810008"
    assert len(await images(adopting, "patient:810008")) == 1


@pytest.mark.faults
@pytest.mark.parametrize(
    ("point", "first", "count"),
    [
        ("images-durable", 820_010, 1),
        ("batch-planned", 820_020, 1),
        ("collections-sent", 820_030, 1),
        ("job-complete", 820_040, 9),
        ("rows-durable", 820_050, 1),
    ],
)
async def test_death_while_taking_over_keeps_the_row_as_it_was_before_us(
    adopting: Pipeline, strangers: Iterator[Row], point: str, first: int, count: int
) -> None:
    taken = {str(first + number): next(strangers) for number in range(count)}
    await adopting.idle()
    assert await adopting.end("deliver") == 0
    adopting.practice.put("patient", *(patient(vp_id, before) for vp_id, before in taken.items()))

    async def readied() -> bool:
        there = {record.key.decode() for record in await adopting.records(adopting.catalogue.sf("Contact"))}
        return {f"patient:{vp_id}" for vp_id in taken} <= there

    await eventually(readied)
    adopting.start("deliver", CARRYOVER_FAILPOINTS=f"{point}=exit#1", CARRYOVER_LOAD__IDLE_SECONDS="1.0")
    assert await adopting.ended("deliver") == EXIT_CODE, "the point was not reached"
    adopting.start("deliver")
    await adopting.equal(within=90)
    for vp_id, before in taken.items():
        row = contact(adopting, before["Id"])
        assert row["VP_Id__c"] == f"patient:{vp_id}"
        kept = await images(adopting, f"patient:{vp_id}")
        assert kept
        for image in kept:  # twice only when it died before it could have written anything
            assert image["columns"]["MailingCity"] == before.get("MailingCity") != "New Town"
        landed = await told(adopting, f"patient:{vp_id}", "adopt")
        assert landed["origin"] == "foreign"
