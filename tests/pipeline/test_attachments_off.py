"""An org that offers the integration user no Attachments, or no files, holds documents up by name, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cutover.outcome import FINE
from ops.kafka import LocalKafka
from tests.pipeline.attached import OBJECTS, attaching_map, kept, kept_equal, settled
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import paper
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

SMALL, LARGE = 9_000, 40_000


def offer(pipeline: Pipeline, **settings: bool) -> None:
    url = pipeline.sandbox.salesforce["url"]
    httpx.post(f"{url}/__admin/settings", json=settings, timeout=30).raise_for_status()


@pytest.fixture
async def office(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice that has moved to an org that offers neither."""
    directory = tmp_path_factory.mktemp("withheld")
    async with moved_practice(
        kafka,
        directory,
        settings={
            "CARRYOVER_CUTOVER__MAP": str(attaching_map(directory, only=(*OBJECTS, "note", "note_image", "provider")))
        },
        prepare=lambda pipeline: offer(pipeline, attachments=False, files=False),
        resources="users,providers,practices,patients,notes",
        patients=5,
        practices=2,
    ) as pipeline:
        yield pipeline


async def held_as(pipeline: Pipeline, reference: str) -> str:
    async def look() -> str:
        found: list[dict[str, Any]] = [one for one in await pipeline.operations(reference) if one["outcome"] == "held"]
        return str(found[-1]["code"]) if found else ""

    return await eventually(look, within=60, every=0.3)


async def test_documents_are_held_by_name_and_go_on_once_the_org_takes_them(office: Pipeline) -> None:
    patient = min(office.practice.patients())
    office.practice.put("document", paper("870001", patient, SMALL), paper("870002", patient, LARGE))
    note = '<p>See <img src="/v1/documents/870002/content" alt="scan"></p>'
    office.practice.put("note", {"id": "870003", "patient_id": patient, "title": "Seen", "body": note})
    assert await held_as(office, "attachment:870001") == "ATTACHMENTS_OFF"
    assert await held_as(office, "document:870002") == "FILES_OFF"

    async def noted(text: str) -> bool:
        row = office.org.rows("Task").get("note:870003")
        assert row is not None, "the note has not come yet"
        assert text in row["Description"]
        return True

    await eventually(lambda: noted("not moved: document:870002"), within=60, every=0.3)
    found = kept(office)
    assert not found.every
    assert not found.files.documents
    await office.conserved()
    code, answer = await office.carryover("reconcile")
    assert code == FINE
    assert not {"Attachment", "ContentVersion"} & answer["objects"].keys()

    offer(office, attachments=True, files=True)
    for stage in ("deliver", "verify"):
        assert await office.end(stage) == 0
        office.start(stage)
    for name, why in (("attachment", "ATTACHMENTS_OFF"), ("document", "FILES_OFF")):
        code, done = await office.carryover("replay", "--object", name, "--held", why)
        assert (code, sum(done["replayed"].values())) == (FINE, 1)
    await settled(office, await kept_equal(office))
    await eventually(lambda: noted("/sfc/servlet.shepherd/document/download/"), within=60, every=0.3)
