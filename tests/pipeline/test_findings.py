"""Lab results and imaging records: rows of their patient, with what was found and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.findings import result
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import held, paper
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

Row = dict[str, Any]
OBJECTS = ("practice", "patient", "user", "document", "lab_result", "imaging_record")


@pytest.fixture(scope="module")
async def examined(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice whose patients were examined; everything runs."""

    def prepare(pipeline: Pipeline) -> None:
        # Images of a hundred megabytes; results that name one of them are never linked, and wait for nothing.
        large = [one["id"] for one in pipeline.practice.dump()["documents"] if int(one["size"] or 0) > 10**6]
        pipeline.practice.delete("document", *large)

    directory = tmp_path_factory.mktemp("examined")
    async with moved_practice(kafka, directory, only=OBJECTS, prepare=prepare, patients=30, org_rows=10) as pipeline:
        yield pipeline


async def test_every_result_and_every_image_is_a_row_of_its_patient_and_is_verified(examined: Pipeline) -> None:
    counts = await examined.conserved()
    dump = examined.practice.dump()
    assert counts["lab_result"]["loaded"] == len(dump["lab-results"]) > 5
    assert counts["imaging_record"]["loaded"] == len(dump["imaging-records"]) > 0


async def test_a_result_that_is_corrected_follows_and_one_that_is_deleted_goes(examined: Pipeline) -> None:
    examined.practice.put("patient", {"id": "840001", "last_name": "Examined", "practice_id": "1"})
    examined.practice.put("lab_result", result("840001", "840001"))
    await examined.equal()
    row = examined.org.rows("Lab_Result__c")["lab_result:840001"]
    told = (
        row["Name"],
        row["Value__c"],
        row["Unit__c"],
        row["Abnormal_Flag__c"],
        row["Status__c"],
        row["Document_Id__c"],
    )
    assert told == ("Glucose", "151", "mg/dL", "High", "Preliminary", "77")
    examined.practice.put("lab_result", result("840001", "840001", value="91", abnormal="", status="C"))
    await examined.equal()
    row = examined.org.rows("Lab_Result__c")["lab_result:840001"]
    assert (row["Value__c"], row.get("Abnormal_Flag__c"), row["Status__c"]) == ("91", None, "Corrected")
    examined.practice.delete("lab_result", "840001")
    await examined.equal()
    assert "lab_result:840001" not in examined.org.rows("Lab_Result__c")


async def test_a_value_too_long_to_be_stored_whole_is_rejected_and_not_cut(examined: Pipeline) -> None:
    examined.practice.put("lab_result", result("840002", "840001", value="9" * 256))
    reject = await examined.rejected("lab_result:840002", "TEXT_TOO_LONG")
    assert "999" not in reject["message"]
    examined.practice.delete("lab_result", "840002")
    await examined.equal()


async def test_a_result_does_not_wait_for_its_file_and_is_linked_when_that_is_there(examined: Pipeline) -> None:
    examined.practice.put("patient", {"id": "840005", "last_name": "Filed", "practice_id": "1"})
    examined.practice.put("lab_result", result("840005", "840005", document_id="840005"))
    await examined.equal()
    assert not examined.org.rows("Lab_Result__c")["lab_result:840005"].get("File__c")
    examined.practice.put("document", paper("840005", "840005"))
    first = await linked(examined)
    # A new content is another ContentVersion.
    examined.practice.put("document", {"id": "840005", "size": 45_000})
    assert await linked(examined, unlike=first) != first
    await examined.conserved()


async def linked(pipeline: Pipeline, unlike: str = "") -> str:
    """Waits until the result has the id of its document's newest version."""

    async def look() -> str:
        newest: str = held(pipeline).newest.get("document:840005", {}).get("Id", "")
        assert newest not in {"", unlike}
        assert pipeline.org.rows("Lab_Result__c")["lab_result:840005"].get("File__c") == newest
        return newest

    return await eventually(look)
