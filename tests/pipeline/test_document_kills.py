"""A loader that dies anywhere between a document's bytes and its record leaves nothing undone and nothing twice.

All points of death with CHAOS=1, else those between which the next owner has to tell.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import Held, accounted, check_papers, held, paper, papers_equal
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

EVERYTHING = os.environ.get("CHAOS") == "1"
AROUND = ("batch-planned", "upload-begun", "upload-sent", "upload-read-back")
AFTER = ("batch-sent", "audit-sent", "audit-durable", "rows-durable", "journal-removed")
NEW = (*AROUND, *AFTER) if EVERYTHING else ("upload-begun", "upload-sent")
CHANGED = (*AROUND, "upload-released", *AFTER) if EVERYTHING else ("upload-released", "upload-sent")
DELETED = ("batch-planned", "document-deleted", *AFTER) if EVERYTHING else ("document-deleted",)
MOVED = ("batch-planned", "link-removed", *AFTER) if EVERYTHING else ("link-removed",)


@pytest.fixture(scope="module")
async def office(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with everything running but the loader; one partition, so that a batch is a batch."""
    directory = tmp_path_factory.mktemp("deaths")
    async with moved_practice(kafka, directory, partitions=1, patients=6, practices=2, resources="core") as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def fresh_id() -> Callable[[], str]:
    numbers = itertools.count(820_001)
    return lambda: str(next(numbers))


@pytest.fixture
async def filed(office: Pipeline, fresh_id: Callable[[], str]) -> AsyncIterator[list[str]]:
    """Three documents that are in the org; the loader is not running."""
    if office.processes["deliver"].poll() is not None:
        office.start("deliver")
    made = [fresh_id() for _ in range(3)]
    office.practice.put("document", *(paper(one, "1001") for one in made))
    await papers_equal(office)
    await office.idle()
    assert await office.end("deliver") == 0
    yield made
    if office.processes["deliver"].poll() is None:
        office.processes["deliver"].kill()
        office.processes["deliver"].wait()


async def readied(pipeline: Pipeline, references: set[str], count: int) -> None:
    """Waits until that many rows of each of these have come to the loader."""

    async def look() -> bool:
        there = [record.key.decode() for record in await pipeline.records(pipeline.catalogue.sf("ContentVersion"))]
        assert all(there.count(one) >= count for one in references)
        return True

    await eventually(look)


async def died(pipeline: Pipeline, point: str) -> None:
    pipeline.start("deliver", CARRYOVER_FAILPOINTS=f"{point}=exit#1")
    assert await pipeline.ended("deliver") == EXIT_CODE, "the point was not reached"


async def whole(pipeline: Pipeline) -> Held:
    """What the org holds once another loader has done what is left, and everybody is at rest."""
    pipeline.start("deliver")
    await papers_equal(pipeline, within=90)
    await pipeline.idle()
    assert not [one for one in await pipeline.rejects() if one["stage"] == "load"]
    return check_papers(pipeline)


@pytest.mark.parametrize("point", NEW)
async def test_a_new_document_is_there_once(
    office: Pipeline, filed: list[str], fresh_id: Callable[[], str], point: str
) -> None:
    made = [fresh_id() for _ in range(3)]
    office.practice.put("document", *(paper(one, "1002", 200_000) for one in made))
    await readied(office, {f"document:{one}" for one in made}, 1)
    await died(office, point)
    found = await whole(office)
    assert {found.newest[f"document:{one}"]["VersionNumber"] for one in made} == {"1"}


@pytest.mark.parametrize("point", CHANGED)
async def test_a_new_version_is_there_once(office: Pipeline, filed: list[str], point: str) -> None:
    office.practice.put("document", *({"id": one, "size": 210_000} for one in filed))
    await readied(office, {f"document:{one}" for one in filed}, 2)
    await died(office, point)
    found = await whole(office)
    assert {found.newest[f"document:{one}"]["VersionNumber"] for one in filed} == {"2"}


@pytest.mark.parametrize("point", ["upload-sent", "upload-released"] if EVERYTHING else ["upload-sent"])
async def test_a_document_that_changes_while_the_loader_is_dead_has_the_newest_content(
    office: Pipeline, filed: list[str], fresh_id: Callable[[], str], point: str
) -> None:
    new = fresh_id()
    office.practice.put("document", paper(new, "1003"), {"id": filed[0], "size": 220_000})
    await readied(office, {f"document:{new}"}, 1)
    await readied(office, {f"document:{filed[0]}"}, 2)
    await died(office, point)
    office.practice.put("document", {"id": new, "size": 50_000}, {"id": filed[0], "size": 230_000})
    office.practice.delete("document", filed[1])
    found = await whole(office)
    assert f"document:{filed[1]}" not in found.newest


@pytest.mark.parametrize("point", ["upload-sent", "audit-durable"] if EVERYTHING else ["upload-sent"])
async def test_a_new_document_that_is_deleted_while_the_loader_is_dead_goes(
    office: Pipeline, filed: list[str], fresh_id: Callable[[], str], point: str
) -> None:
    new = fresh_id()
    office.practice.put("document", paper(new, "1003"))
    await readied(office, {f"document:{new}"}, 1)
    await died(office, point)
    assert f"document:{new}" in held(office).newest
    office.practice.delete("document", new)
    await readied(office, {f"document:{new}"}, 2)
    await whole(office)


@pytest.mark.parametrize("point", DELETED)
async def test_a_deleted_document_goes(office: Pipeline, filed: list[str], point: str) -> None:
    office.practice.delete("document", *filed)
    await readied(office, {f"document:{one}" for one in filed}, 2)
    await died(office, point)
    await whole(office)


@pytest.mark.parametrize("point", MOVED)
async def test_a_document_that_changes_its_patient_is_shown_at_one(
    office: Pipeline, filed: list[str], point: str
) -> None:
    office.practice.put("document", *({"id": one, "patient_id": "1004"} for one in filed))
    await readied(office, {f"document:{one}" for one in filed}, 2)
    await died(office, point)
    await whole(office)


async def test_after_all_deaths_every_document_is_accounted_for_and_verified(
    office: Pipeline, filed: list[str]
) -> None:
    found = await whole(office)
    await office.at_rest()
    assert {f"document:{one}" for one in filed} <= found.newest.keys()
    await accounted(office, found, within=90)
