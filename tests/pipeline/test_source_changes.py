"""The source changes its ways under way: what the org holds stays as it is until it is clear what to do."""

from __future__ import annotations

import asyncio

import pytest

from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka


async def test_a_field_that_is_renamed_blanks_no_column_and_is_told_to_the_operator(moved: Pipeline) -> None:
    moved.practice.put("patient", {"id": "770001", "last_name": "Renamed", "middle_name": "Q", "practice_id": "1"})
    await moved.equal()
    moved.practice.fault(kind="drift", object="patient", field="middle_name", to="second_name")
    moved.practice.put("patient", {"id": "770001", "city": "Elsewhere"})

    async def told() -> bool:
        drifts = {(one["field"], one["what"], one["paused"]) for one in (await moved.status())["drifts"]}
        assert drifts == {("middle_name", "gone", 1), ("second_name", "new", 0)}
        return True

    await eventually(told)
    assert "patients.middle_name is gone; the extract of patient waits" in await moved.page("/")
    await asyncio.sleep(0.5)
    row = moved.org.rows("Contact")["patient:770001"]
    assert (row["MiddleName"], row.get("MailingCity")) == ("Q", None)
    moved.practice.clear_faults()
    await moved.equal()
    assert moved.org.rows("Contact")["patient:770001"]["MailingCity"] == "Elsewhere"

    async def over() -> bool:
        return (await moved.status())["drifts"] == []

    await eventually(over)


async def test_an_archived_patient_stays(moved: Pipeline) -> None:
    moved.practice.put("patient", {"id": "770002", "last_name": "Archived", "practice_id": "1"})
    await moved.equal()
    moved.practice.archive("patient", "770002")
    await moved.equal()
    await moved.conserved()
    moved.practice.unarchive("patient", "770002")
    moved.practice.put("patient", {"id": "770002", "city": "Back"})
    await moved.equal()
    assert moved.org.rows("Contact")["patient:770002"]["MailingCity"] == "Back"
