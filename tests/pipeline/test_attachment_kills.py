"""A loader that dies anywhere between an Attachment's bytes and its record leaves nothing undone and nothing twice, although Salesforce refuses no second one.

All points of death with CHAOS=1, else those between which the next owner has to tell.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.attached import Kept, attach, attaching_map, check_kept, kept, kept_equal, settled
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import paper
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

EVERYTHING = os.environ.get("CHAOS") == "1"
SMALL, LARGE = 9_000, 40_000
AROUND = ("batch-planned", "upload-begun", "upload-sent", "upload-read-back")
AFTER = (
    "batch-sent",
    "audit-sent",
    "audit-durable",
    "rows-durable",
    "journal-removed",
    "outputs-durable",
    "state-durable",
    "offsets-committed",
)
NEW = (*AROUND, *AFTER) if EVERYTHING else ("upload-begun", "upload-sent", "rows-durable")
CHANGED = (*AROUND, *AFTER) if EVERYTHING else ("upload-sent", "upload-read-back")
MOVED = (*AROUND, "former-removed", *AFTER) if EVERYTHING else ("upload-sent", "former-removed")
DELETED = ("batch-planned", *AFTER) if EVERYTHING else ("batch-sent",)


@pytest.fixture(scope="module")
async def office(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with everything running but the loader; one partition, so that a batch is a batch."""
    directory = tmp_path_factory.mktemp("attached-deaths")
    async with moved_practice(
        kafka,
        directory,
        settings={"CARRYOVER_CUTOVER__MAP": str(attaching_map(directory))},
        resources="users,practices,patients",
        partitions=1,
        patients=6,
        practices=2,
    ) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def fresh_id() -> Callable[[], str]:
    numbers = itertools.count(860_001)
    return lambda: str(next(numbers))


@pytest.fixture
async def filed(office: Pipeline, fresh_id: Callable[[], str]) -> AsyncIterator[list[str]]:
    """Three documents that are in the org; the loader is not running."""
    if office.processes["deliver"].poll() is not None:
        office.start("deliver")
    made = [fresh_id() for _ in range(3)]
    office.practice.put("document", *(paper(one, "1001", SMALL) for one in made))
    await kept_equal(office)
    await office.idle()
    assert await office.end("deliver") == 0
    yield made
    if office.processes["deliver"].poll() is None:
        office.processes["deliver"].kill()
        office.processes["deliver"].wait()


async def readied(pipeline: Pipeline, names: list[str], count: int) -> None:
    """Waits until that many rows of each of these have come to the loader of Attachments."""

    async def look() -> bool:
        there = [record.key.decode() for record in await pipeline.records(pipeline.catalogue.sf("Attachment"))]
        assert all(there.count(f"attachment:{one}") >= count for one in names)
        return True

    await eventually(look)


async def died(pipeline: Pipeline, point: str) -> None:
    pipeline.start("deliver", CARRYOVER_FAILPOINTS=f"{point}=exit#1")
    assert await pipeline.ended("deliver") == EXIT_CODE, "the point was not reached"


async def whole(pipeline: Pipeline) -> Kept:
    """What the org holds once another loader has done what is left, and everybody is at rest."""
    pipeline.start("deliver")
    await kept_equal(pipeline, within=90)
    await pipeline.idle()
    assert not [one for one in await pipeline.rejects() if one["stage"] == "load"]
    found = check_kept(pipeline)
    assert len(found.every) == len(found.attachments), "a row is there that nobody knows of"
    return found


@pytest.mark.parametrize("point", NEW)
async def test_a_new_attachment_is_there_once(
    office: Pipeline, filed: list[str], fresh_id: Callable[[], str], point: str
) -> None:
    made = [fresh_id() for _ in range(3)]
    office.practice.put("document", *(paper(one, "1002", SMALL) for one in made))
    await readied(office, made, 1)
    await died(office, point)
    await whole(office)


@pytest.mark.parametrize("point", CHANGED)
async def test_a_changed_content_stands_in_the_same_row(office: Pipeline, filed: list[str], point: str) -> None:
    before = kept(office).attachments
    office.practice.put("document", *({"id": one, "size": SMALL + 500} for one in filed))
    await readied(office, filed, 2)
    await died(office, point)
    found = await whole(office)
    for one in filed:
        assert found.attachments[f"attachment:{one}"]["Id"] == before[f"attachment:{one}"]["Id"]


@pytest.mark.parametrize("point", MOVED)
async def test_one_that_changes_its_patient_hangs_on_one(office: Pipeline, filed: list[str], point: str) -> None:
    office.practice.put("document", *({"id": one, "patient_id": "1004"} for one in filed))
    await readied(office, filed, 2)
    await died(office, point)
    await whole(office)


@pytest.mark.parametrize("point", DELETED)
async def test_a_deleted_one_goes(office: Pipeline, filed: list[str], point: str) -> None:
    office.practice.delete("document", *filed)
    await readied(office, filed, 2)
    await died(office, point)
    await whole(office)


@pytest.mark.parametrize("point", (*AROUND, *AFTER) if EVERYTHING else ("upload-sent",))
async def test_one_that_crosses_the_limit_is_there_once(
    office: Pipeline, filed: list[str], fresh_id: Callable[[], str], point: str
) -> None:
    large = fresh_id()
    office.start("deliver")
    office.practice.put("document", paper(large, "1003", LARGE))
    await kept_equal(office)
    await office.idle()
    assert await office.end("deliver") == 0
    office.practice.put("document", {"id": large, "size": SMALL}, {"id": filed[0], "size": LARGE})
    await readied(office, [large, filed[0]], 2)
    await died(office, point)
    found = await whole(office)
    assert f"document:{filed[0]}" in found.files.newest


async def test_one_that_changes_while_the_loader_is_dead_is_there_once(
    office: Pipeline, filed: list[str], fresh_id: Callable[[], str]
) -> None:
    moved, grown, gone, changed = (fresh_id() for _ in range(4))
    office.practice.put("document", *(paper(one, "1003", SMALL) for one in (moved, grown, gone, changed)))
    await readied(office, [moved, grown, gone, changed], 1)
    # All four are on their way when the last of them has arrived: some are there, and nobody has heard of them.
    office.start("deliver", CARRYOVER_FAILPOINTS="upload-sent=exit#4")
    assert await office.ended("deliver") == EXIT_CODE
    office.practice.put("document", {"id": moved, "patient_id": "1005"}, {"id": grown, "size": LARGE})
    office.practice.put("document", {"id": changed, "size": SMALL + 1})
    office.practice.delete("document", gone)
    await readied(office, [moved, grown, gone, changed], 2)
    await whole(office)


async def test_a_request_of_a_dead_owner_that_arrives_late_leaves_one(
    office: Pipeline, filed: list[str], fresh_id: Callable[[], str]
) -> None:
    new = fresh_id()
    office.practice.put("document", paper(new, "1003", SMALL))
    await readied(office, [new], 1)
    await died(office, "upload-sent")
    attach(office, kept(office).attachments[f"attachment:{new}"])
    await whole(office)


async def test_after_all_deaths_every_document_is_accounted_for_and_verified(
    office: Pipeline, filed: list[str]
) -> None:
    found = await whole(office)
    await office.at_rest()
    assert {f"attachment:{one}" for one in filed} <= found.attachments.keys()
    await settled(office, found, within=90)
