"""A rollback takes documents back with all their versions, but for those in which a person had a hand, and the patients they are shown at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cutover.outcome import DIFFERENT
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.papers import held, paper, papers_equal
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.undone import Rows, everything, run_of

pytestmark = [pytest.mark.kafka, pytest.mark.faults]


@pytest.fixture
def clinic() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(patients=6, practices=2, clean=True, resources="core", org_rows=20) as sandbox:
        yield sandbox


@pytest.fixture
def before(clinic: SandboxProcess) -> Rows:
    return everything(clinic)


@pytest.fixture
async def office(kafka: LocalKafka, clinic: SandboxProcess, before: Rows, tmp_path: Path) -> AsyncIterator[Pipeline]:
    pipeline = Pipeline(kafka.bootstrap, f"unfile.{uuid4().hex[:6]}.", clinic, tmp_path)
    try:
        pipeline.practice.put("document", *(paper(str(880_000 + n), f"100{1 + n % 3}") for n in range(9)))
        await pipeline.begin()
        await pipeline.start_all()
        await papers_equal(pipeline, within=90)
        pipeline.practice.put("document", {"id": "880000", "size": 40_000}, {"id": "880001", "patient_id": "1003"})
        await papers_equal(pipeline)
        await pipeline.at_rest()
        yield pipeline
    finally:
        pipeline.kill()


async def test_a_rollback_takes_documents_back_unless_a_person_had_a_hand_in_them(
    office: Pipeline, clinic: SandboxProcess, before: Rows
) -> None:
    found = held(office)
    with Person(clinic) as alex:
        alex.edit("ContentVersion", found.newest["document:880003"]["Id"], Description="Mine")
        theirs = {"PathOnClient": "new.txt", "VersionData": "aGVsbG8="}
        theirs["ContentDocumentId"] = found.newest["document:880006"]["ContentDocumentId"]
        alex.create("ContentVersion", **theirs)
    run = await run_of(office)
    _, planned = await office.carryover("rollback", "plan", "--run", run)
    code, report = await office.carryover("rollback", "apply", "--run", run)
    reasons = {one["reference"]: one["reason"] for one in report["kept"]}
    documents = {name: reason for name, reason in reasons.items() if name.startswith("document:")}
    assert documents == {"document:880003": "EDITED", "document:880006": "EDITED"}
    # Both are of one patient, who stays for them, and the practice for the patient.
    assert {name for name in reasons if name.startswith("patient:")} == {"patient:1001"}
    assert {one["reference"]: one["reason"] for one in planned["kept"]} == reasons, "a plan says what is done"
    assert code == DIFFERENT
    after = everything(clinic)
    left = {row["VP_Id__c"] for row in after["ContentVersion"].values() if row.get("VP_Id__c")}
    assert left == {"document:880003", "document:880006"}
    assert len(after["ContentDocument"]) == 2
    kept = {one["row_id"] for one in report["kept"]}
    assert {key for key in after["Contact"] if key not in kept} == before["Contact"].keys()
