"""A loader that dies at any step leaves nothing undone, nothing twice and nothing it takes for somebody else's.

All points of death with CHAOS=1, else the ones that the next owner has to tell apart.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import uuid4

import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.journals import unfinished
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually
from topics.catalogue import STAGES
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

ALL = [
    *("batch-planned", "job-created", "job-id-durable", "job-uploaded", "job-closed", "job-complete", "results-read"),
    *("collections-sent", "batch-sent", "audit-durable", "rows-durable"),
]
QUICK = ["job-id-durable", "job-complete", "collections-sent", "rows-durable"]
POINTS = ALL if os.environ.get("CHAOS") == "1" else QUICK
ROWS = 120


@pytest.fixture(scope="module")
async def loading(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with everything running but the loader; one partition, so that a batch is a batch."""
    with SandboxProcess.start(patients=30, practices=3, clean=True, resources="core") as sandbox:
        directory = tmp_path_factory.mktemp("kills")
        settings = {"CARRYOVER_LOAD__BULK_FROM_ROWS": "50", "CARRYOVER_LOAD__IDLE_SECONDS": "1.0"}
        pipeline = Pipeline(kafka.bootstrap, f"kills.{uuid4().hex[:6]}.", sandbox, directory, partitions=1, **settings)
        try:
            await pipeline.begin()
            for stage in STAGES:
                pipeline.start(stage)
            await pipeline.equal(within=90)
            assert await pipeline.end("deliver") == 0
            yield pipeline
        finally:
            pipeline.kill()


@pytest.fixture(autouse=True)
def _no_loader_is_left(loading: Pipeline) -> Iterator[None]:
    yield
    if loading.processes["deliver"].poll() is None:
        loading.processes["deliver"].kill()
        loading.processes["deliver"].wait()


@pytest.fixture(scope="module")
def fresh_id() -> Callable[[], str]:
    numbers = itertools.count(500_001)
    return lambda: str(next(numbers))


async def readied(pipeline: Pipeline, references: set[str]) -> None:
    """Waits until rows of all of these are on their way to the loader."""

    async def look() -> bool:
        there = {record.key.decode() for record in await pipeline.records(pipeline.catalogue.sf("Contact"))}
        assert references <= there
        return True

    await eventually(look)


@pytest.mark.parametrize("point", POINTS)
async def test_death_while_loading_loses_and_doubles_nothing(
    loading: Pipeline, fresh_id: Callable[[], str], point: str
) -> None:
    count = 30 if point == "collections-sent" else ROWS
    created = [fresh_id() for _ in range(count)]
    loading.practice.put("patient", *({"id": one, "last_name": f"Born {one}", "practice_id": "1"} for one in created))
    await readied(loading, {f"patient:{one}" for one in created})
    loading.start("deliver", CARRYOVER_FAILPOINTS=f"{point}=exit#1")
    assert await loading.ended("deliver") == EXIT_CODE, "the point was not reached"
    before = await unfinished(loading, "Contact")
    assert before, "it died without a batch in its journal"
    # While it is dead, some of its rows change, one goes, and one goes that nobody may have written yet.
    loading.practice.put("patient", *({"id": one, "last_name": f"Changed {one}"} for one in created[:5]))
    loading.practice.delete("patient", *created[5:8])
    loading.start("deliver")
    await loading.equal(within=90)
    contacts = loading.org.rows("Contact")
    flagged = {one for one in created if contacts.get(f"patient:{one}", {}).get("VP_Deleted_At__c")}
    missing = {one for one in created if f"patient:{one}" not in contacts}
    assert flagged | missing == set(created[5:8])
    assert not [one for one in await loading.rejects() if one["stage"] == "load"]
    await loading.idle()
    assert await unfinished(loading, "Contact") == {}
    assert await loading.end("deliver") == 0
