"""A rollback takes Attachments back, but for those that a person has edited, and the patients they hang on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cutover.outcome import DIFFERENT
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.attached import attaching_map, kept, kept_equal
from tests.pipeline.papers import paper
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.undone import Rows, check_as_before, everything, run_of

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

SMALL, LARGE = 9_000, 40_000


@pytest.fixture
def clinic() -> Iterator[SandboxProcess]:
    options = {"resources": "users,practices,patients", "patients": 6, "practices": 2, "org_rows": 20}
    with SandboxProcess.start(clean=True, **options) as sandbox:
        yield sandbox


@pytest.fixture
def before(clinic: SandboxProcess) -> Rows:
    return everything(clinic)


@pytest.fixture
async def office(kafka: LocalKafka, clinic: SandboxProcess, before: Rows, tmp_path: Path) -> AsyncIterator[Pipeline]:
    chosen = {"CARRYOVER_CUTOVER__MAP": str(attaching_map(tmp_path))}
    pipeline = Pipeline(kafka.bootstrap, f"unattach.{uuid4().hex[:6]}.", clinic, tmp_path, **chosen)
    try:
        pipeline.practice.put("document", *(paper(str(890_000 + n), f"100{1 + n % 3}", SMALL) for n in range(6)))
        await pipeline.begin()
        await pipeline.start_all()
        await kept_equal(pipeline, within=90)
        pipeline.practice.put(
            "document",
            {"id": "890000", "size": SMALL + 1},
            {"id": "890001", "patient_id": "1003"},
            {"id": "890002", "size": LARGE},
        )
        await kept_equal(pipeline)
        await pipeline.at_rest()
        yield pipeline
    finally:
        pipeline.kill()


async def test_a_rollback_takes_attachments_back_unless_a_person_has_edited_them(
    office: Pipeline, clinic: SandboxProcess, before: Rows
) -> None:
    edited = kept(office).attachments["attachment:890003"]
    with Person(clinic) as alex:
        alex.edit("Attachment", edited["Id"], Name="Mine")
    run = await run_of(office)
    _, planned = await office.carryover("rollback", "plan", "--run", run)
    code, report = await office.carryover("rollback", "apply", "--run", run)
    reasons = {one["reference"]: one["reason"] for one in report["kept"]}
    assert reasons["attachment:890003"] == "EDITED"
    # The one is of a patient, who stays for it, and the practice for the patient.
    assert {name for name in reasons if name.startswith(("attachment:", "document:", "patient:"))} == {
        "attachment:890003",
        "patient:1001",
    }
    assert {one["reference"]: one["reason"] for one in planned["kept"]} == reasons, "a plan says what is done"
    assert code == DIFFERENT
    after = everything(clinic)
    assert list(after["Attachment"]) == [edited["Id"]]
    assert not after["ContentDocument"]
    check_as_before(before, after, {one["row_id"] for one in report["kept"]})
