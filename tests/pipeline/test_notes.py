"""Notes and communications: tasks of their patient, whole, with their times, whatever is done to them in the source."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.mapping.test_messages import EVENT
from tests.pipeline.maps import write_map
from tests.pipeline.messages import MESSAGE, NOTE
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.test_original_times import let_audit_fields_be_set
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

Row = dict[str, Any]
OBJECTS = ("user", "provider", "practice", "patient", "note", "communication")
AT = {"patient_id": "850001"}
MOST = 32_000


@pytest.fixture(scope="module")
async def noted(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with what was written about and to its patients, in an org that lets us set original times; everything runs."""

    def prepare(pipeline: Pipeline) -> None:
        let_audit_fields_be_set(pipeline.sandbox)
        pipeline.practice.put(
            "patient",
            {"id": "850001", "last_name": "Noted", "practice_id": "1"},
            {"id": "850002", "last_name": "Other", "practice_id": "1"},
        )

    # Two dozen rows go by a Bulk job, as CSV; fewer as JSON.
    settings = {"CARRYOVER_LOAD__BULK_FROM_ROWS": "20"}
    directory = tmp_path_factory.mktemp("noted")
    async with moved_practice(
        kafka, directory, only=OBJECTS, prepare=prepare, settings=settings, patients=30, org_rows=10
    ) as pipeline:
        yield pipeline


def task(noted: Pipeline, reference: str) -> Row:
    return noted.org.rows("Task")[reference]


async def test_every_note_and_every_message_is_a_task_of_its_patient_and_is_verified(noted: Pipeline) -> None:
    dump = noted.practice.dump()

    async def look() -> bool:
        # What was held a moment ago may be in the org before the ledger has read that.
        counts = await noted.conserved()
        assert counts["note"]["loaded"] == len(dump["notes"]) > 10
        assert counts["communication"]["loaded"] == len(dump["communications"]) > 10
        return True

    await eventually(look)
    assert any(one["draft"] for one in dump["notes"]), "the practice has no draft"


async def test_tasks_are_as_old_as_their_records_where_the_org_allows_it(noted: Pipeline) -> None:
    await noted.conserved()
    tasks, dump = noted.org.rows("Task"), noted.practice.dump()
    for object_, plural in (("note", "notes"), ("communication", "communications")):
        old = [record for record in dump[plural] if not record["id"].startswith("85")]
        for record in old:
            row, made = tasks[f"{object_}:{record['id']}"], datetime.fromisoformat(record["created_at"])
            assert datetime.fromisoformat(row["CreatedDate"]) == made
            assert datetime.fromisoformat(row["VP_Created_At__c"]) == made
        assert old


async def test_a_draft_that_is_edited_and_finished_is_a_completed_task(noted: Pipeline) -> None:
    noted.practice.put("note", {"id": "850001", **NOTE, **AT, "draft": True, "appointment_id": "77"})
    await noted.equal()
    row = task(noted, "note:850001")
    assert (row["Status"], row["IsClosed"], row["Appointment_Id__c"]) == ("In Progress", False, "77")
    noted.practice.put("note", {"id": "850001", "draft": False, "title": "", "body": "<p>Much&nbsp;better</p>"})

    async def finished() -> bool:
        now = task(noted, "note:850001")
        assert (now["Status"], now["IsClosed"], now["Subject"]) == ("Completed", True, "Note")
        assert (now["Description"], now["Id"]) == ("Much better", row["Id"])
        return True

    await eventually(finished)
    await noted.conserved()


@pytest.mark.parametrize(("object_", "record"), [("note", NOTE), ("communication", MESSAGE)])
async def test_what_is_deleted_goes_and_comes_back_when_it_is_undeleted(
    noted: Pipeline, object_: str, record: Row
) -> None:
    reference = f"{object_}:850002"
    noted.practice.put(object_, {"id": "850002", **record, **AT})
    await noted.equal()
    first = task(noted, reference)["Id"]
    noted.practice.delete(object_, "850002")

    async def gone() -> bool:
        return reference not in noted.org.rows("Task")

    await eventually(gone)
    noted.practice.undelete(object_, "850002")
    await noted.equal()
    assert task(noted, reference)["Id"] != first

    async def told() -> bool:
        outcomes = [one["outcome"] for one in await noted.operations(reference) if one["outcome"]]
        assert [outcome for outcome, _ in groupby(outcomes)] == ["loaded", "deleted", "loaded"]
        return True

    await eventually(told)
    await noted.conserved()


@pytest.mark.parametrize(("object_", "record"), [("note", NOTE), ("communication", MESSAGE)])
async def test_what_was_written_to_another_patients_file_moves(noted: Pipeline, object_: str, record: Row) -> None:
    noted.practice.put(object_, {"id": "850003", **record, **AT})
    await noted.equal()
    before = task(noted, f"{object_}:850003")
    noted.practice.put(object_, {"id": "850003", "patient_id": "850002"})
    await noted.equal()
    after = task(noted, f"{object_}:850003")
    assert after["Id"] == before["Id"]
    assert after["WhoId"] == noted.org.rows("Contact")["patient:850002"]["Id"] != before["WhoId"]
    await noted.conserved()


async def test_quotes_commas_and_lines_survive_the_way_as_csv_and_as_json(noted: Pipeline) -> None:
    body = (
        '<p class="x">Said: &quot;no, &lt;never&gt;&quot;, then ""yes"", =1+1\r\n again</p>'
        "<ul><li>5 &micro;g, 10<sup>9</sup></li>\n<li>é 😀 \\n</li></ul>"
    )
    text = 'Said: "no, <never>", then ""yes"", =1+1 again\n- 5 µg, 10^9\n- é 😀 \\n'
    plain = 'He said "no",\r\n\r\n\tthen \'yes\'\n"'

    def jobs() -> int:
        calls: dict[str, int] = noted.org.http.get("/stats").raise_for_status().json()["api_calls"]
        return sum(count for route, count in calls.items() if "ingest" in route)

    noted.practice.put("note", {"id": "851000", **NOTE, **AT, "body": body})
    noted.practice.put("communication", {"id": "851000", **MESSAGE, **AT, "body": plain})
    await noted.equal()
    before = jobs()
    noted.practice.put("note", *({"id": str(851_001 + n), **NOTE, **AT, "body": body} for n in range(40)))
    await noted.equal()
    assert jobs() > before, "no job was made"
    tasks = noted.org.rows("Task")
    assert {tasks[f"note:{851_000 + n}"]["Description"] for n in range(41)} == {text}
    assert tasks["communication:851000"]["Description"] == 'He said "no",\n\n\tthen \'yes\'\n"'
    await noted.conserved()


async def test_a_text_at_the_limit_lands_whole_and_a_longer_one_is_rejected_and_not_cut(noted: Pipeline) -> None:
    longest = "é" + "x" * (MOST - 2) + "é"
    noted.practice.put("note", {"id": "850004", **NOTE, **AT, "body": f"<p>{longest}</p>"})
    noted.practice.put("communication", {"id": "850004", **MESSAGE, **AT, "body": longest})
    await noted.equal()
    assert task(noted, "note:850004")["Description"] == longest
    assert task(noted, "communication:850004")["Description"] == longest
    noted.practice.put("note", {"id": "850005", **NOTE, **AT, "body": f"<p>{longest}!</p>"})
    reject = await noted.rejected("note:850005", "TEXT_TOO_LONG")
    assert "xxx" not in reject["message"]
    noted.practice.put("note", {"id": "850005", "body": "<p>Better</p>"})
    await noted.equal()
    await noted.conserved()


async def test_a_message_without_a_subject_is_called_after_its_channel(noted: Pipeline) -> None:
    channels = ("email", "sms", "phone", "letter")
    for number, channel in enumerate(channels):
        bare = {"id": str(850_010 + number), **MESSAGE, **AT, "channel": channel, "subject": None}
        noted.practice.put("communication", {**bare, "direction": "received"})
    await noted.equal()
    rows = [task(noted, f"communication:{850_010 + number}") for number in range(4)]
    assert [row["Subject"] for row in rows] == ["E-mail", "Text message", "Call", "Letter"]
    assert [row["TaskSubtype"] for row in rows] == ["Email", "Task", "Call", "Task"]
    assert {row["Direction__c"] for row in rows} == {"Received"}
    await noted.conserved()


async def test_an_image_in_a_note_is_named_and_the_report_says_that_it_was_left_out(noted: Pipeline) -> None:
    image = '<img alt="Burn" src="data:image/png;base64,iVBORw0KGgo=">'
    noted.practice.put("note", {"id": "850006", **NOTE, **AT, "body": f"<p>Left hand {image}</p>"})
    await noted.equal()
    assert task(noted, "note:850006")["Description"] == "Left hand [image: Burn]"

    async def told() -> bool:
        repairs = [one for one in await noted.operations("note:850006") if one["what"] == "repair"]
        assert {(one["detail"], tuple(one["columns"])) for one in repairs} == {("EMBEDDED_LEFT_OUT", ("Description",))}
        return True

    await eventually(told)
    await noted.conserved()


async def test_tasks_that_salesforce_archives_are_still_there_for_reconcile(noted: Pipeline) -> None:
    noted.practice.put("communication", {"id": "850007", **MESSAGE, **AT, "sent_at": "2019-05-04T09:00:00Z"})
    await noted.equal()
    await noted.at_rest()
    await noted.conserved()
    code, found = await noted.carryover("reconcile")
    before = found["objects"]["Task"]["held"]
    assert (code, found["objects"]["Task"]["missing"]) == (0, [])
    noted.org.http.post("/archive", json={"before": "2020-01-01"}).raise_for_status()
    assert task(noted, "communication:850007")["IsArchived"]
    code, found = await noted.carryover("reconcile")
    assert (code, found["objects"]["Task"]["missing"], found["objects"]["Task"]["held"]) == (0, [], before)


def with_events(directory: Path) -> Path:
    """A map under which communications become events."""
    path = write_map(directory, only=("user", "provider", "practice", "patient", "communication"))
    text = path.read_text()
    begins = text.index("  communication:\n")
    path.write_text(text[:begins] + EVENT + text[text.index("\nplaceholders:", begins) :])
    return path


async def test_messages_become_events_where_the_map_says_so(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"CARRYOVER_CUTOVER__MAP": str(with_events(tmp_path))}
    resources = "users,providers,practices,patients,communications"
    with SandboxProcess.start(patients=10, practices=2, clean=True, resources=resources) as sandbox:
        pipeline = Pipeline(kafka.bootstrap, topic_prefix, sandbox, tmp_path, **settings)
        try:
            await pipeline.begin()
            await pipeline.start_all()
            records = {f"communication:{one['id']}": one for one in pipeline.practice.dump()["communications"]}

            async def there() -> bool:
                pipeline.check_alive()
                return pipeline.org.rows("Event").keys() == records.keys()

            await eventually(there, within=90)
            counts = await pipeline.conserved()
            assert counts["communication"]["loaded"] == len(records) > 2
            for reference, row in pipeline.org.rows("Event").items():
                sent = datetime.fromisoformat(records[reference]["sent_at"])
                assert datetime.fromisoformat(row["StartDateTime"]) == sent
            assert pipeline.org.rows("Task") == {}
        finally:
            pipeline.kill()
