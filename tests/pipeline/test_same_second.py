"""The source's clock ticks in seconds: two changes of a record within one of them are told apart by reading it again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.pipeline import Pipeline
from topics.catalogue import STAGES

pytestmark = pytest.mark.kafka

_BEHIND = 4000  # edits: they take half a second, and an answer is dated when it leaves


@pytest.fixture
async def small(kafka: LocalKafka, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """Three patients, moved."""
    with SandboxProcess.start(patients=3, practices=2, clean=True, resources="core") as sandbox:
        pipeline = Pipeline(kafka.bootstrap, f"second.{uuid4().hex[:6]}.", sandbox, tmp_path, partitions=1)
        try:
            await pipeline.begin()
            for stage in STAGES[:3]:
                pipeline.start(stage)
            await pipeline.equal(within=90)
            yield pipeline
        finally:
            pipeline.kill()


async def test_a_second_change_behind_an_answer_that_took_long_is_not_taken_for_the_first(small: Pipeline) -> None:
    patients = list(small.practice.patients())
    for _ in range(3):
        await asyncio.sleep(1.6 - time.time() % 1)
        small.practice.put("patient", *({"id": one, "last_name": "Seen"} for one in patients))
        small.practice.fault(route=r"GET /v1/patients\?", kind="mutate", count=1, work={"edits": _BEHIND})
        await asyncio.sleep(3)
        small.practice.clear_faults()
        await small.equal(within=15)
