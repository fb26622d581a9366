"""Images of notes at the note's own task, where the map says so; and what a rollback leaves of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.maps import write_map
from tests.pipeline.papers import paper
from tests.pipeline.pictured import OBJECTS, RESOURCES, inline, linked, note, picture, shows
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.test_note_images import accounted
from tests.pipeline.undone import everything, run_of
from tests.transport.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(300)]

AT_PATIENT = "FirstPublishLocationId: {parent: patient, from: patient_id, on_absent: hold, on_none: reject}"
AT_TASK = "FirstPublishLocationId: {parent: note, from: note_id, on_absent: later}"


def at_the_task(directory: Path) -> Path:
    path = write_map(directory, only=OBJECTS)
    text = path.read_text()
    begins = text.index("  note_image:\n    resource")
    assert AT_PATIENT in text[begins:]
    path.write_text(text[:begins] + text[begins:].replace(AT_PATIENT, AT_TASK, 1))
    return path


async def test_an_image_is_linked_to_its_notes_task_and_a_rollback_takes_both_back(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path
) -> None:
    settings = {"CARRYOVER_CUTOVER__MAP": str(at_the_task(tmp_path))}
    options = {"documents": 0, "pictured_notes": 3, "org_rows": 10}
    with SandboxProcess.start(patients=6, practices=2, clean=True, resources=RESOURCES, **options) as sandbox:
        before = everything(sandbox)
        pipeline = Pipeline(kafka.bootstrap, topic_prefix, sandbox, tmp_path, **settings)
        try:
            data = picture(1)
            pipeline.practice.put("document", paper("870001", "1001"))
            pipeline.practice.put("note", note("870001", "1001", inline(data) + linked("870001")))
            await pipeline.begin()
            await pipeline.start_all()
            shown = await shows(pipeline, "870001", "[image: Burn FILE][image: Scan FILE]")
            shown.has(0, data, "note_image:870001.0")

            async def linked_to_the_task() -> bool:
                links = everything(sandbox)["ContentDocumentLink"].values()
                places = {one["LinkedEntityId"] for one in links if one["ContentDocumentId"] == shown.documents[0]}
                assert shown.task["Id"] in places
                assert not places & {row["Id"] for row in pipeline.org.rows("Contact").values()}
                return True

            await eventually(linked_to_the_task, within=60)
            await accounted(pipeline)
            await pipeline.at_rest()
            code, report = await pipeline.carryover("rollback", "apply", "--run", await run_of(pipeline))
            reasons = {one["reference"]: one["reason"] for one in report["kept"]}
            assert (code, reasons) == (0, {})
            after = everything(sandbox)
            for sobject in ("ContentVersion", "ContentDocument", "ContentDocumentLink", "Task", "Contact"):
                assert after[sobject].keys() == before[sobject].keys(), sobject
        finally:
            pipeline.kill()
