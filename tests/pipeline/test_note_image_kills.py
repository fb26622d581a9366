"""A worker that dies anywhere between a note's image and its record leaves no image out and none there twice.

All points of death with CHAOS=1, else those between which the next owner has to tell.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import held
from tests.pipeline.pictured import OBJECTS, Shown, inline, note, picture
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.test_document_kills import died, readied
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(300)]

EVERYTHING = os.environ.get("CHAOS") == "1"
AFTER = ("upload-read-back", "batch-sent", "audit-sent", "audit-durable", "rows-durable", "journal-removed")
NEW = ("batch-planned", "upload-begun", "upload-sent", *AFTER) if EVERYTHING else ("upload-begun", "upload-sent")
CHANGED = (
    ("upload-begun", "upload-released", "upload-sent", *AFTER) if EVERYTHING else ("upload-released", "upload-sent")
)
GONE = ("batch-planned", "document-deleted", *AFTER[1:]) if EVERYTHING else ("document-deleted",)
RESOURCES = "users,providers,practices,patients,notes"


@pytest.fixture(scope="module")
async def ward(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with everything running; one partition, so that a batch is a batch."""
    directory = tmp_path_factory.mktemp("ward")
    moved = moved_practice(kafka, directory, only=OBJECTS, partitions=1, patients=4, practices=2, resources=RESOURCES)
    async with moved as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def fresh_id() -> Callable[[], str]:
    numbers = itertools.count(860_001)
    return lambda: str(next(numbers))


@pytest.fixture
async def written(ward: Pipeline, fresh_id: Callable[[], str]) -> AsyncIterator[str]:
    """A note with two images that are in the org; the loader is not running."""
    if ward.processes["deliver"].poll() is not None:
        ward.start("deliver")
    vp_id = fresh_id()
    ward.practice.put("note", note(vp_id, "1001", inline(picture(1)) + inline(picture(2))))
    await there(ward, vp_id, [picture(1), picture(2)])
    await ward.idle()
    assert await ward.end("deliver") == 0
    yield vp_id
    if ward.processes["deliver"].poll() is None:
        ward.processes["deliver"].kill()
        ward.processes["deliver"].wait()


async def there(pipeline: Pipeline, vp_id: str, images: list[bytes]) -> Shown:
    """Waits until a note's text has the addresses of these images, and the org no other one of the note."""

    async def look() -> Shown:
        pipeline.check_alive()
        shown = Shown(pipeline, vp_id)
        assert shown.words == "[image: Burn FILE]" * len(images), shown.words
        for number, data in enumerate(images):
            shown.has(number, data, f"note_image:{vp_id}.{number}")
        titles = [one["Title"] for one in shown.files.versions if one["IsLatest"]]
        mine = [one for one in titles if one.startswith(f"note-{vp_id}-")]
        assert len(mine) == len(images), "an image is there twice, or one was left behind"
        return shown

    return await eventually(look, within=90, every=0.3)


def versions(shown: Shown, number: int) -> int:
    return sum(one["ContentDocumentId"] == shown.documents[number] for one in shown.files.versions)


async def whole(pipeline: Pipeline, vp_id: str, images: list[bytes]) -> Shown:
    """What the org holds of a note once another loader has done what is left."""
    pipeline.start("deliver")
    await there(pipeline, vp_id, images)
    await pipeline.idle()
    assert not [one for one in await pipeline.rejects() if one["stage"] == "load"]
    return await there(pipeline, vp_id, images)


@pytest.mark.parametrize("point", NEW)
async def test_a_new_image_is_there_once(ward: Pipeline, written: str, fresh_id: Callable[[], str], point: str) -> None:
    vp_id, images = fresh_id(), [picture(3, 200_000), picture(4, 200_000)]
    ward.practice.put("note", note(vp_id, "1002", "".join(map(inline, images))))
    await readied(ward, {f"note_image:{vp_id}.{place}" for place in (0, 1)}, 1)
    await died(ward, point)
    shown = await whole(ward, vp_id, images)
    assert [versions(shown, number) for number in (0, 1)] == [1, 1]


@pytest.mark.parametrize("point", CHANGED)
async def test_a_changed_image_is_one_new_version(ward: Pipeline, written: str, point: str) -> None:
    images = [picture(5, 200_000), picture(2)]
    ward.practice.put("note", {"id": written, "body": "".join(map(inline, images))})
    await readied(ward, {f"note_image:{written}.0"}, 2)
    await died(ward, point)
    shown = await whole(ward, written, images)
    assert [versions(shown, number) for number in (0, 1)] == [2, 1]


@pytest.mark.parametrize("point", GONE)
async def test_an_image_that_is_taken_out_goes(ward: Pipeline, written: str, point: str) -> None:
    ward.practice.put("note", {"id": written, "body": inline(picture(1))})
    await readied(ward, {f"note_image:{written}.1"}, 2)
    await died(ward, point)
    await whole(ward, written, [picture(1)])


async def test_an_image_that_changes_while_the_loader_is_dead_is_the_newest(ward: Pipeline, written: str) -> None:
    ward.practice.put("note", {"id": written, "body": inline(picture(6)) + inline(picture(2))})
    await readied(ward, {f"note_image:{written}.0"}, 2)
    await died(ward, "upload-sent")
    ward.practice.put("note", {"id": written, "body": inline(picture(7)) + inline(picture(2))})
    await whole(ward, written, [picture(7), picture(2)])


async def test_an_extract_that_dies_before_its_images_are_out_leaves_none_behind(
    ward: Pipeline, written: str, fresh_id: Callable[[], str]
) -> None:
    vp_id, both = fresh_id(), inline(picture(8)) + inline(picture(9))
    assert await ward.end("ingest") == 0
    ward.start("ingest", CARRYOVER_FAILPOINTS="images-counted=exit#1")
    ward.practice.put("note", note(vp_id, "1003", both))
    assert await ward.ended("ingest") == EXIT_CODE
    # What it has told of may be out: the next one has to know of it, whatever the note says by then.
    ward.practice.put("note", {"id": vp_id, "body": inline(picture(8))})
    ward.start("ingest")
    await whole(ward, vp_id, [picture(8)])
    assert f"note_image:{vp_id}.1" not in held(ward).newest
    deletes = [record.key for record in await ward.records(ward.catalogue.vp("note_image"))]
    assert f"{vp_id}.1".encode() in deletes, "nothing was said of the image that may have gone out"
