"""Attachments that can't be brought to what the source says: each says why, what to do about it helps, and nothing is there twice."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.attached import attaching_map, kept, kept_equal, settled, stored
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import paper
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import Record
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

SMALL, LARGE = 8_000, 40_000


@pytest.fixture(scope="module")
async def office(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A practice of a few patients without papers; everything runs."""
    directory = tmp_path_factory.mktemp("refused")
    async with moved_practice(
        kafka,
        directory,
        settings={"CARRYOVER_CUTOVER__MAP": str(attaching_map(directory))},
        resources="users,practices,patients",
        partitions=1,
        patients=6,
        practices=2,
    ) as pipeline:
        yield pipeline


@pytest.fixture
def patients(office: Pipeline) -> list[str]:
    return sorted(office.practice.patients())


async def test_a_row_that_somebody_else_has_made_does_not_follow_its_document_to_another_patient(
    office: Pipeline, patients: list[str]
) -> None:
    contact = office.org.rows("Contact")[f"patient:{patients[0]}"]["Id"]
    body = {"Name": "x.pdf", "ParentId": contact, "Body": base64.b64encode(b"theirs").decode()}
    with Person(office.sandbox) as alex:
        theirs = alex.create("Attachment", Description="attachment:850001", **body)
    office.practice.put("document", paper("850001", patients[0], SMALL))
    assert (await kept_equal(office)).attachments["attachment:850001"]["Id"] == theirs
    office.practice.put("document", {"id": "850001", "patient_id": patients[1]})
    told = await office.rejected("attachment:850001", "ATTACHMENT_IS_THEIRS")
    assert "by hand" in told["message"]
    row = kept(office).attachments["attachment:850001"]
    assert (row["Id"], row["ParentId"]) == (theirs, contact)
    office.practice.put("document", {"id": "850001", "patient_id": patients[0]})
    found = await kept_equal(office)
    assert found.attachments["attachment:850001"]["Id"] == theirs
    await settled(office, found)


def rows_of(pipeline: Pipeline, reference: str) -> list[Record]:
    there = pipeline.org.http.get("/dump", params={"sObjects": "Attachment"}).raise_for_status().json()["Attachment"]
    return [one for one in there if one["Description"] == reference and not one.get("IsDeleted")]


async def test_a_former_row_that_is_locked_for_a_while_goes(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("850004", patients[0], SMALL))
    before = (await kept_equal(office)).attachments["attachment:850004"]
    office.org.fault(route="Attachment delete", kind="lock", count=2)
    office.practice.put("document", {"id": "850004", "patient_id": patients[1]})
    found = await kept_equal(office)
    assert all(office.org.struck())
    assert found.attachments["attachment:850004"]["Id"] != before["Id"]
    await settled(office, found)


async def test_a_former_row_that_can_not_be_deleted_is_told_and_goes_by_hand(
    office: Pipeline, patients: list[str]
) -> None:
    office.practice.put("document", paper("850002", patients[0], SMALL))
    before = (await kept_equal(office)).attachments["attachment:850002"]
    office.org.fault(route="DELETE /services/data/v62.0/composite/sobjects", kind="400", count=1000)
    office.practice.put("document", {"id": "850002", "patient_id": patients[1]})
    told = await office.rejected("attachment:850002", "FORMER_ATTACHMENT_STAYS", within=90)
    assert "delete it in Salesforce" in told["message"]
    there = rows_of(office, "attachment:850002")
    assert len(there) == 2, "one at each patient, however often it was tried"
    assert before["Id"] in {one["Id"] for one in there}
    assert len({stored(office, one) for one in there}) == 1
    office.org.clear_faults()
    with Person(office.sandbox) as alex:
        alex.delete("Attachment", before["Id"])
    code, done = await office.carryover("replay", "--rejected", "FORMER_ATTACHMENT_STAYS")
    assert code == 0, done
    found = await kept_equal(office)
    assert found.attachments["attachment:850002"]["Id"] != before["Id"]
    await settled(office, found)


async def test_a_document_that_outgrows_attachments_before_it_is_sent_waits_for_its_next_version(
    office: Pipeline, patients: list[str]
) -> None:
    assert await office.end("deliver") == 0
    office.practice.put("document", paper("850003", patients[0], SMALL))

    async def ready() -> bool:
        there = [record.key for record in await office.records(office.catalogue.sf("Attachment"))]
        assert b"attachment:850003" in there
        return True

    await eventually(ready, within=60, every=0.3)
    assert await office.end("ingest") == 0
    office.practice.put("document", {"id": "850003", "size": LARGE})
    office.start("deliver")

    async def held() -> bool:
        told = [one["code"] for one in await office.operations("attachment:850003")]
        assert "DOCUMENT_OUTGROWN" in told, told
        return True

    await eventually(held, within=60, every=0.3)
    office.start("ingest")
    found = await kept_equal(office)
    assert "document:850003" in found.files.newest
    await settled(office, found)


@pytest.fixture(autouse=True)
def _no_fault_is_left(office: Pipeline) -> Iterator[None]:
    yield
    office.org.clear_faults()
