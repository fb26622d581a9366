"""Documents go over with their content, follow their records, and are never there twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from agents.file_places import FilePlaces, FileRows, Home
from bench.measure import memory
from connectors.salesforce import Salesforce
from cutover.outcome import DIFFERENT
from mapping.rules import PLACE
from ops.kafka import LocalKafka
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import accounted, held, md5_of, paper, papers_equal, rest
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

GIGABYTE = 10**9
LARGE = 150 * 10**6
UNLOADABLE = frozenset({"810001", "810002", "810003", "810004"})


@pytest.fixture(scope="module")
async def office(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with its papers, moved completely, with everything still running."""
    async with moved_practice(
        kafka, tmp_path_factory.mktemp("papers"), patients=12, resources="core,documents"
    ) as pipeline:
        yield pipeline


@pytest.fixture
def patients(office: Pipeline) -> list[str]:
    return sorted(office.practice.patients())


async def test_every_document_lands_with_its_content_at_its_patient_and_is_verified(office: Pipeline) -> None:
    found = await papers_equal(office, within=90)
    assert found.newest
    await accounted(office, found)
    assert {row["VersionNumber"] for row in found.versions} == {"1"}


async def test_a_changed_content_is_a_new_version_of_the_same_document(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("800001", patients[0]))
    before = (await papers_equal(office)).newest["document:800001"]
    office.practice.put("document", {"id": "800001", "size": 250_000})
    found = await papers_equal(office)
    after = found.newest["document:800001"]
    assert (after["ContentDocumentId"], after["VersionNumber"]) == (before["ContentDocumentId"], "2")
    assert [row.get("VP_Id__c") for row in found.versions if row["Id"] == before["Id"]] == [None]
    await accounted(office, found)


async def test_an_equal_content_is_not_uploaded_again(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("800002", patients[0]))
    before = (await papers_equal(office)).newest["document:800002"]
    office.practice.put("document", {"id": "800002", "description": "Signed by both"})

    async def look() -> bool:
        row = held(office).newest["document:800002"]
        assert row["Description"] == "consent\nSigned by both"
        assert (row["Id"], row["VersionNumber"]) == (before["Id"], "1")
        return True

    await eventually(look)
    await office.conserved()


async def test_another_name_is_a_new_version(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("800003", patients[0]))
    before = (await papers_equal(office)).newest["document:800003"]
    office.practice.put("document", {"id": "800003", "filename": "Übersicht, neu.txt"})
    after = (await papers_equal(office)).newest["document:800003"]
    assert (after["ContentDocumentId"], after["FileType"]) == (before["ContentDocumentId"], "TEXT")


async def test_a_document_that_was_filed_at_the_wrong_patient_leaves_them(
    office: Pipeline, patients: list[str]
) -> None:
    office.practice.put("document", paper("800004", patients[0]))
    await papers_equal(office)
    for patient in (patients[1], patients[2], patients[0]):
        office.practice.put("document", {"id": "800004", "patient_id": patient})
        await papers_equal(office)
    await office.conserved()


async def test_a_deleted_document_goes_with_all_its_versions_and_comes_back(
    office: Pipeline, patients: list[str]
) -> None:
    office.practice.put("document", paper("800005", patients[0]))
    await papers_equal(office)
    office.practice.put("document", {"id": "800005", "size": 40_000})
    whole = await papers_equal(office)
    office.practice.delete("document", "800005")
    gone = await papers_equal(office)
    assert len(gone.versions) == len(whole.versions) - 2
    office.practice.undelete("document", "800005")
    await papers_equal(office)
    await office.conserved()


async def test_a_document_of_a_patient_who_is_not_there_yet_waits(office: Pipeline) -> None:
    office.practice.put("document", paper("800006", "555001"))
    office.practice.put("patient", {"id": "555001", "last_name": "Late"})
    await papers_equal(office)


async def test_what_can_not_be_loaded_says_why(office: Pipeline, patients: list[str]) -> None:
    office.practice.put(
        "document",
        paper("810001", patients[0], 0),
        paper("810002", patients[0], content={"link": None}),
        paper("810003", patients[0], 3 * GIGABYTE),
        paper("810004", patients[0], content={"link": None}, processing_completed=False),
        paper("810005", "", 5000),
    )
    await office.rejected("document:810001", "DOCUMENT_EMPTY")
    await office.rejected("document:810002", "DOCUMENT_MISSING")
    await office.rejected("document:810003", "DOCUMENT_TOO_LARGE")
    await office.rejected("document:810005", "REFERENCE_MISSING")
    office.practice.delete("document", "810005")
    await papers_equal(office, without=UNLOADABLE)
    # The source is done with one at last: nobody has to do anything.
    office.practice.put(
        "document", {"id": "810004", "processing_completed": True, "content": {"link": "/v1/documents/810004/content"}}
    )
    await papers_equal(office, without=UNLOADABLE - {"810004"})
    office.practice.delete("document", *UNLOADABLE)
    await papers_equal(office)
    await office.conserved()


async def test_a_source_that_breaks_off_in_the_middle_is_taken_up(office: Pipeline, patients: list[str]) -> None:
    office.practice.fault(route="/content", kind="truncate", count=4)
    office.practice.fault(route="/content", kind="503", count=2)
    office.org.fault(route="POST /services/data/v62.0/sobjects/ContentVersion", kind="503", count=1)
    # Carried out, and only the answer is lost: nothing tells that it is there but the org.
    office.org.fault(route="POST /services/data/v62.0/sobjects/ContentVersion", kind="drop", after=True, count=1)
    office.practice.put("document", paper("800007", patients[0], 2_000_000))
    office.practice.put("document", paper("800008", patients[1], 2_000_000))
    found = await papers_equal(office)
    assert {found.newest[f"document:80000{n}"]["VersionNumber"] for n in (7, 8)} == {"1"}
    assert all(office.org.struck())
    office.practice.clear_faults()
    office.org.clear_faults()
    assert md5_of(paper("800007", "1", 2_000_000)) == found.newest["document:800007"]["Checksum"]


async def test_a_large_document_is_never_held_in_memory(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("800013", patients[0]))
    await papers_equal(office)
    loader = office.processes["deliver"].pid
    before = memory(loader).peak
    office.practice.put("document", {"id": "800013", "size": LARGE})
    await papers_equal(office, within=90)
    assert memory(loader).peak - before < 64 << 20


async def test_a_document_in_which_a_person_had_a_hand_is_kept_and_flagged(
    office: Pipeline, patients: list[str]
) -> None:
    office.practice.put("document", paper("800009", patients[0]), paper("800010", patients[0]))
    found = await papers_equal(office)
    with Person(office.sandbox) as alex:
        alex.edit("ContentVersion", found.newest["document:800009"]["Id"], Description="Seen by Alex")
        theirs = {"PathOnClient": "new.txt", "VersionData": "aGVsbG8="}
        document = found.newest["document:800010"]["ContentDocumentId"]
        alex.create("ContentVersion", ContentDocumentId=document, **theirs)
    office.practice.delete("document", "800009", "800010")

    async def look() -> bool:
        rows = held(office).newest
        assert all(rows[f"document:{one}"].get("VP_Deleted_At__c") for one in ("800009", "800010"))
        return True

    await eventually(look)
    ended = [one for one in await office.operations("document:800010") if one["what"] == "flag"]
    assert ended[-1]["code"] == "EDITED_IN_TARGET"
    # When they come back, the newest content is ours again.
    office.practice.undelete("document", "800009", "800010")
    found = await papers_equal(office)
    assert found.newest["document:800010"]["VersionNumber"] == "3"


async def test_a_document_that_somebody_deletes_is_missed_by_name(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("800011", patients[0]))
    await papers_equal(office)
    await office.at_rest()  # else its second reading may find the gap before reconcile does
    found = await papers_equal(office)
    await accounted(office, found)
    with rest(office) as salesforce:
        document = found.newest["document:800011"]["ContentDocumentId"]
        salesforce.delete(f"/sobjects/ContentDocument/{document}").raise_for_status()
    code, answer = await office.carryover("reconcile")
    assert code == DIFFERENT
    assert answer["objects"]["ContentVersion"]["missing"] == ["document:800011"]
    await office.rejected("document:800011", "TARGET_ROW_DELETED")
    office.practice.delete("document", "800011")
    await papers_equal(office)


async def test_verification_sees_a_document_that_somebody_has_moved(office: Pipeline, patients: list[str]) -> None:
    office.practice.put("document", paper("800012", patients[0]))
    found = await papers_equal(office)
    await accounted(office, found)
    document = found.newest["document:800012"]["ContentDocumentId"]
    with rest(office) as salesforce:
        query = {"q": f"SELECT Id, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"}
        links = salesforce.get("/query", params=query).raise_for_status().json()["records"]
        (link,) = [one["Id"] for one in links if one["LinkedEntityId"].startswith("003")]
        salesforce.delete(f"/sobjects/ContentDocumentLink/{link}").raise_for_status()
    card = office.sandbox.salesforce
    async with Salesforce(card["url"], card["client_id"], card["client_secret"]) as org:
        rows = FileRows(org, FilePlaces(org, [Home("patient", "Contact", "VP_Id__c")]))
        (row,) = await rows.retrieve("ContentVersion", [found.newest["document:800012"]["Id"]], [PLACE])
    assert row is not None
    assert row[PLACE] is None, "where it was published once does not count"
    office.practice.put("document", {"id": "800012", "description": "Again"})  # its next change shows it again
    await papers_equal(office)


@pytest.fixture(autouse=True)
def _no_fault_is_left(office: Pipeline) -> Iterator[None]:
    yield
    office.practice.clear_faults()
    office.org.clear_faults()
