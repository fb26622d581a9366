"""Documents up to the map's size go over as Attachments, larger ones as files: never both, never neither, whatever becomes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cutover.outcome import DIFFERENT
from ops.kafka import LocalKafka
from tests.pipeline.attached import MOST, OBJECTS, attach, attaching_map, check_kept, kept, kept_equal, settled
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import paper
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

SMALL, LARGE = 8_000, 40_000
UNLOADABLE = frozenset({"840001", "840002"})


@pytest.fixture(scope="module")
async def office(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with its papers, of both kinds, and lab results; everything runs."""
    directory = tmp_path_factory.mktemp("attached")
    chosen = attaching_map(directory, only=(*OBJECTS, "provider", "lab_result"))
    async with moved_practice(
        kafka,
        directory,
        settings={"CARRYOVER_CUTOVER__MAP": str(chosen)},
        resources="users,providers,practices,patients,documents,lab-results",
        patients=8,
        documents=10,
        document_bytes=2 * MOST,
    ) as pipeline:
        yield pipeline


@pytest.fixture
def patients(office: Pipeline) -> list[str]:
    return sorted(office.practice.patients())


async def told(pipeline: Pipeline, reference: str, what: str) -> dict[str, Any]:
    """What the audit said last of a delivery, once that is this."""

    async def look() -> dict[str, Any]:
        found = [one for one in await pipeline.operations(reference) if one["outcome"]]
        assert [one["what"] for one in found][-1:] == [what], [(one["what"], one["code"]) for one in found]
        return found[-1]

    return await eventually(look, within=60, every=0.3)


async def test_every_document_lands_as_what_its_size_says_and_is_verified(office: Pipeline) -> None:
    found = await kept_equal(office, within=90)
    assert found.attachments
    assert found.files.newest
    await settled(office, found)


async def test_the_limit_itself_is_an_attachment_and_one_byte_more_a_file(
    office: Pipeline, patients: list[str]
) -> None:
    office.practice.put("document", paper("830001", patients[0], MOST), paper("830002", patients[0], MOST + 1))
    found = await kept_equal(office)
    assert {"attachment:830001"} <= found.attachments.keys()
    assert {"document:830002"} <= found.files.newest.keys()
    assert (await told(office, "document:830001", "skip"))["detail"] == "kept as an Attachment"
    assert (await told(office, "attachment:830002", "skip"))["detail"] == "kept as a File"


async def test_a_small_image_is_a_file(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830003", patients[0], SMALL, content_type="image/png", filename="x.png"))
    found = await kept_equal(office)
    assert "document:830003" in found.files.newest


async def test_a_document_that_crosses_the_limit_goes_from_the_one_to_the_other_and_back(
    office: Pipeline, patients: list[str]
) -> None:
    office.practice.put("document", paper("830004", patients[0], SMALL), paper("830005", patients[0], LARGE))
    await kept_equal(office)
    for sizes in ((LARGE, SMALL), (SMALL + 1, LARGE + 1)):
        office.practice.put(
            "document", *({"id": f"83000{n}", "size": size} for n, size in zip((4, 5), sizes, strict=True))
        )
        found = await kept_equal(office)
    assert "attachment:830004" in found.attachments
    await settled(office, found)


async def test_a_changed_content_is_another_body_of_the_same_row(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830006", patients[0], SMALL))
    before = (await kept_equal(office)).attachments["attachment:830006"]
    office.practice.put("document", {"id": "830006", "size": SMALL + 77})
    after = (await kept_equal(office)).attachments["attachment:830006"]
    assert (after["Id"], after["BodyLength"]) == (before["Id"], SMALL + 77)
    # The same length, other bytes: only what Salesforce gives back can tell.
    office.practice.put("document", {"id": "830006", "filename": "another.pdf"})
    again = (await kept_equal(office)).attachments["attachment:830006"]
    assert again["Id"] == before["Id"]
    await office.conserved()


async def test_an_equal_content_is_not_sent_again(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830007", patients[0], SMALL))
    found = await kept_equal(office)
    await settled(office, found)
    office.org.fault(route="PATCH /services/data/v62.0/sobjects/Attachment", kind="503", count=1000)
    office.practice.put("document", {"id": "830007", "content_type": "text/plain"})
    after = (await kept_equal(office)).attachments["attachment:830007"]
    assert after["Id"] == found.attachments["attachment:830007"]["Id"]
    assert not any(office.org.struck())


async def test_another_patient_gets_a_row_of_their_own(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830008", patients[0], SMALL))
    before = (await kept_equal(office)).attachments["attachment:830008"]
    for patient in (patients[1], patients[2], patients[0]):
        office.practice.put("document", {"id": "830008", "patient_id": patient})
        found = await kept_equal(office)
    assert found.attachments["attachment:830008"]["Id"] != before["Id"]
    assert len(found.every) == len(found.attachments), "a row of a former patient was left behind"
    await settled(office, found)


async def test_a_deleted_document_goes_and_comes_back(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830009", patients[0], SMALL))
    await kept_equal(office)
    office.practice.delete("document", "830009")
    assert "attachment:830009" not in (await kept_equal(office)).attachments
    await told(office, "attachment:830009", "delete")
    office.practice.undelete("document", "830009")
    assert "attachment:830009" in (await kept_equal(office)).attachments
    await office.conserved()


async def test_one_that_a_person_has_edited_stays_when_its_document_is_deleted(
    office: Pipeline, patients: list[str]
) -> None:
    office.practice.put("document", paper("830010", patients[0], SMALL))
    row = (await kept_equal(office)).attachments["attachment:830010"]
    with Person(office.sandbox) as alex:
        alex.edit("Attachment", row["Id"], Name="Mine")
    office.practice.delete("document", "830010")
    assert (await told(office, "attachment:830010", "keep"))["code"] == "EDITED_IN_TARGET"
    assert kept(office).attachments["attachment:830010"]["Name"] == "Mine"
    office.practice.undelete("document", "830010")
    await kept_equal(office)


async def test_what_can_not_be_loaded_says_why(office: Pipeline, patients: list[str]) -> None:
    office.practice.put(
        "document",
        paper("840001", patients[0], 0),
        paper("840002", patients[0], SMALL, content={"link": None}),
        paper("840003", "", SMALL),
    )
    await office.rejected("attachment:840001", "DOCUMENT_EMPTY")
    await office.rejected("attachment:840002", "DOCUMENT_MISSING")
    await office.rejected("attachment:840003", "REFERENCE_MISSING")
    for one in UNLOADABLE:
        await told(office, f"document:{one}", "skip")
    office.practice.delete("document", "840003", *UNLOADABLE)
    await kept_equal(office)
    await office.conserved()


async def test_an_upload_whose_answer_is_lost_is_not_made_again(office: Pipeline, patients: list[str]) -> None:
    office.org.fault(route="POST /services/data/v62.0/sobjects/Attachment", kind="drop", after=True, count=1)
    office.org.fault(route="PATCH /services/data/v62.0/sobjects/Attachment", kind="503", count=1)
    office.practice.put("document", paper("830011", patients[0], SMALL))
    await kept_equal(office)
    office.practice.put("document", {"id": "830011", "size": SMALL + 5})
    found = await kept_equal(office)
    assert all(office.org.struck())
    assert len(found.every) == len(found.attachments)


async def test_a_lab_result_has_the_id_of_its_document_either_way(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830012", patients[0], SMALL), paper("830013", patients[0], LARGE))
    names = {"patient_id": patients[0], "test_name": "Glucose"}
    office.practice.put("lab_result", *({"id": one, "document_id": one, **names} for one in ("830012", "830013")))
    await kept_equal(office)

    async def look() -> bool:
        found, rows = kept(office), office.org.rows("Lab_Result__c")
        small, large = rows["lab_result:830012"], rows["lab_result:830013"]
        assert small.get("Document_Id__c") == found.attachments["attachment:830012"]["Id"]
        assert large.get("File__c") == found.files.newest["document:830013"]["Id"]
        assert (small.get("File__c"), large.get("Document_Id__c")) == (None, None)
        return True

    await eventually(look, within=60, every=0.3)
    await office.conserved()


async def test_a_late_second_row_is_named_and_goes_with_the_next_version(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830014", patients[0], SMALL))
    found = await kept_equal(office)
    await settled(office, found)
    await office.at_rest()
    first = found.attachments["attachment:830014"]
    late = attach(office, first)
    code, answer = await office.carryover("reconcile")
    assert code == DIFFERENT
    assert answer["objects"]["Attachment"]["unknown"] == [
        {"reference": "attachment:830014", "row_id": late, "state": "loaded"}
    ]
    office.practice.put("document", {"id": "830014", "size": SMALL + 1})
    after = await kept_equal(office)
    assert after.attachments["attachment:830014"]["Id"] == first["Id"]
    code, answer = await office.carryover("reconcile")
    assert answer["objects"]["Attachment"]["unknown"] == []


async def test_one_that_somebody_deletes_is_missed_by_name(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("830015", patients[0], SMALL))
    found = await kept_equal(office)
    await settled(office, found)
    await office.at_rest()
    with Person(office.sandbox) as alex:
        alex.delete("Attachment", found.attachments["attachment:830015"]["Id"])
    code, answer = await office.carryover("reconcile")
    assert code == DIFFERENT
    assert answer["objects"]["Attachment"]["missing"] == ["attachment:830015"]
    await office.rejected("attachment:830015", "TARGET_ROW_DELETED")
    office.practice.delete("document", "830015")
    await kept_equal(office)


async def test_a_persons_attachment_is_left_alone(office: Pipeline, patients: list[str]) -> None:
    contact = office.org.rows("Contact")[f"patient:{patients[3]}"]["Id"]
    with Person(office.sandbox) as alex:
        body = {"Name": "Hers", "ParentId": contact, "Body": "aGVsbG8=", "Description": "seen"}
        theirs = alex.create("Attachment", **body)
        office.practice.put("document", paper("830016", patients[3], SMALL))
        await kept_equal(office)
        office.practice.delete("document", "830016")
        await kept_equal(office)
        row = next(one for one in kept(office).every if one["Id"] == theirs)
        assert (row["Name"], row["Description"]) == ("Hers", "seen")
        alex.delete("Attachment", theirs)
    check_kept(office)


@pytest.fixture(autouse=True)
def _no_fault_is_left(office: Pipeline) -> Iterator[None]:
    yield
    office.practice.clear_faults()
    office.org.clear_faults()
