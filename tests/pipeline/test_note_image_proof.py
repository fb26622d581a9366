"""The demo's proof knows the images of notes, counted without the rules that took them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.salesforce.session import Salesforce
from connectors.visual_practice.client import VisualPractice
from cutover.census import RESOURCES
from cutover.chosen_map import read_map
from cutover.ledger.read import Reader
from cutover.proof import prove
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.maps import write_map
from tests.pipeline.pictured import OBJECTS
from tests.pipeline.pictured import RESOURCES as MADE
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.test_note_images import accounted

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


async def test_every_image_of_a_practice_is_proved(kafka: LocalKafka, topic_prefix: str, tmp_path: Path) -> None:
    settings = {"CARRYOVER_CUTOVER__MAP": str(write_map(tmp_path, only=OBJECTS))}
    options = {"documents": 12, "document_bytes": 40_000, "pictured_notes": 9, "clean": True}
    with SandboxProcess.start(patients=20, practices=2, resources=MADE, **options) as sandbox:
        pipeline = Pipeline(kafka.bootstrap, topic_prefix, sandbox, tmp_path, **settings)
        try:
            await pipeline.begin()
            await pipeline.start_all()
            await pipeline.equal(within=90)
            counts = await accounted(pipeline)
            await pipeline.idle()
            dump = pipeline.practice.dump()
            held = {name: len(dump[plural]) for name, plural in RESOURCES.items()}
            practice, org = sandbox.visual_practice, sandbox.salesforce
            async with (
                VisualPractice(practice["url"], practice["api_key"]) as source,
                Salesforce(org["url"], org["client_id"], org["client_secret"]) as target,
            ):
                with Reader(pipeline.settings.ledger) as reader:
                    proof = await prove(reader, read_map(pipeline.settings)[0], source, target, held, 0)
            assert counts["note_image"]["loaded"] == proof.objects["note_image"]["source"] >= 9
            assert proof.faults == []
        finally:
            pipeline.kill()
