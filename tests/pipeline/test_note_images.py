"""Images in notes: by link or in the text, they are files in the org, and the note's text says where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.maps import write_map
from tests.pipeline.papers import held, md5_of, paper
from tests.pipeline.pictured import OBJECTS, RESOURCES, Shown, inline, linked, note, picture, shows
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import Record
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

PATIENT = "850001"


@pytest.fixture(scope="module")
async def pictured(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice; everything runs. An image may have 3 MB, a document 40 kB."""
    directory = tmp_path_factory.mktemp("pictured")
    with SandboxProcess.start(
        patients=8, practices=2, clean=True, resources=RESOURCES, documents=6, document_bytes=40_000
    ) as sandbox:
        path = write_map(directory, only=OBJECTS)
        text = path.read_text().replace("max_bytes: 26214400", "max_bytes: 3000000")
        path.write_text(text.replace("max_bytes: 2147483648", "max_bytes: 40000000"))
        settings = {"CARRYOVER_CUTOVER__MAP": str(path)}
        pipeline = Pipeline(kafka.bootstrap, f"pictured.{uuid4().hex[:6]}.", sandbox, directory, **settings)
        try:
            pipeline.practice.put(
                "patient",
                {"id": PATIENT, "last_name": "Pictured", "practice_id": "1"},
                {"id": "850002", "last_name": "Other", "practice_id": "1"},
            )
            await pipeline.begin()
            await pipeline.start_all()
            await pipeline.equal(within=90)
            yield pipeline
        finally:
            pipeline.kill()


async def accounted(pipeline: Pipeline) -> dict[str, Any]:
    """Waits until all is in a class of its own and every row that landed is verified, the images among them."""

    async def look() -> dict[str, Any]:
        counts: dict[str, Any] = await pipeline.conserved()
        status = await pipeline.status()
        images, checked = status["objects"]["note_image"], status["verification"]["note_image"]
        assert images["in_flight"] == 0, images
        assert images["conserved"], images
        assert checked["mismatched"] == 0, status["mismatches"]
        assert checked["verified"] >= images["loaded"], checked
        return counts

    return await eventually(look, within=60, every=0.5)


async def repairs(pipeline: Pipeline, vp_id: str, what: str = "repair") -> set[str]:
    operations = await pipeline.operations(f"note:{vp_id}")
    return {str(one["code"] or one["detail"]) for one in operations if one["what"] == what}


async def test_an_image_in_the_text_is_a_file_of_the_patient_and_the_task_says_where(pictured: Pipeline) -> None:
    first, second = picture(1), picture(2, 1_500_000)  # as text the second is twice what a message may have
    body = f"<p>Left hand {inline(first)} and right {inline(second, 'the other', 'image/jpeg')}</p>"
    pictured.practice.put("note", note("850010", PATIENT, body))
    shown = await shows(pictured, "850010", "Left hand [image: Burn FILE] and right [image: the other FILE]")
    shown.has(0, first, "note_image:850010.0")
    shown.has(1, second, "note_image:850010.1")
    assert [shown.newest(n)["Title"] for n in (0, 1)] == ["note-850010-image-1.png", "note-850010-image-2.jpg"]
    assert shown.newest(1)["Description"] == "the other"
    for document in shown.documents:
        assert shown.files.shown[document] == {f"patient:{PATIENT}"}
    assert await repairs(pictured, "850010") == set()
    await accounted(pictured)


async def test_an_image_by_link_is_the_document_wherever_the_link_was_written_from(pictured: Pipeline) -> None:
    document = paper("850020", PATIENT, filename="scan.png", content_type="image/png")
    pictured.practice.put("document", document)
    home = pictured.sandbox.visual_practice["url"]
    body = (
        f"See {linked('850020')}, {linked('850020', 'the same', home)} and {linked('850020', 'x', 'https://e.example')}"
    )
    pictured.practice.put("note", note("850020", PATIENT, body))
    words = (
        "See [image: Scan FILE], [image: the same FILE] and [image: x https://e.example/v1/documents/850020/content]"
    )
    shown = await shows(pictured, "850020", words)
    assert len(set(shown.documents)) == 1
    assert shown.newest(0)["VP_Id__c"] == "document:850020"
    assert shown.newest(0)["Checksum"] == md5_of(document)

    async def told() -> bool:
        assert await repairs(pictured, "850020") == {"IMAGE_ELSEWHERE"}
        return True

    await eventually(told)
    await accounted(pictured)


async def test_a_note_waits_for_a_document_that_comes_later(pictured: Pipeline) -> None:
    pictured.practice.put("note", note("850030", PATIENT, linked("850030")))
    await shows(pictured, "850030", "[image: Scan (not moved: document:850030)]")
    pictured.practice.put("document", paper("850030", PATIENT))
    shown = await shows(pictured, "850030", "[image: Scan FILE]")
    assert shown.newest(0)["VP_Id__c"] == "document:850030"
    assert "IMAGE_NOT_MOVED" in await repairs(pictured, "850030", "unlink")
    await accounted(pictured)


async def test_a_changed_image_is_a_new_version_behind_the_same_address(pictured: Pipeline) -> None:
    before, after = picture(40), picture(41, 30_000)
    pictured.practice.put("note", note("850040", PATIENT, inline(before)))
    first = await shows(pictured, "850040", "[image: Burn FILE]")
    first.has(0, before, "note_image:850040.0")
    pictured.practice.put("note", note("850040", PATIENT, inline(after)))

    async def changed() -> Shown:
        now = Shown(pictured, "850040")
        now.has(0, after, "note_image:850040.0")
        return now

    now = await eventually(changed, within=60, every=0.3)
    assert now.text == first.text
    mine = [one for one in now.files.versions if one["ContentDocumentId"] == first.documents[0]]
    assert len(mine) == 2
    # An edit beside the image uploads nothing.
    pictured.practice.put("note", note("850040", PATIENT, f"Better {inline(after)}"))
    again = await shows(pictured, "850040", "Better [image: Burn FILE]")
    await accounted(pictured)
    assert len([one for one in held(pictured).versions if one["ContentDocumentId"] == again.documents[0]]) == 2


async def test_an_image_that_is_taken_out_is_deleted_and_those_behind_it_move_up(pictured: Pipeline) -> None:
    first, second = picture(50), picture(51)
    pictured.practice.put("note", note("850050", PATIENT, inline(first, "one") + inline(second, "two")))
    before = await shows(pictured, "850050", "[image: one FILE][image: two FILE]")
    pictured.practice.put("note", note("850050", PATIENT, inline(second, "two")))

    async def taken_out() -> bool:
        now = Shown(pictured, "850050")
        assert now.words == "[image: two FILE]"
        now.has(0, second, "note_image:850050.0")
        assert before.documents[1] not in now.files.documents
        assert "note_image:850050.1" not in now.files.newest
        return True

    await eventually(taken_out, within=60, every=0.3)
    await accounted(pictured)


async def test_the_images_of_a_deleted_note_go_and_come_back_with_it(pictured: Pipeline) -> None:
    data = picture(60)
    pictured.practice.put("note", note("850060", PATIENT, inline(data)))
    before = await shows(pictured, "850060", "[image: Burn FILE]")
    pictured.practice.delete("note", "850060")

    async def gone() -> bool:
        assert "note:850060" not in pictured.org.rows("Task")
        assert "note_image:850060.0" not in held(pictured).newest
        return True

    await eventually(gone, within=60, every=0.3)
    pictured.practice.undelete("note", "850060")

    async def back() -> bool:
        now = Shown(pictured, "850060")
        assert now.words == "[image: Burn FILE]"
        assert now.documents != before.documents
        now.has(0, data, "note_image:850060.0")
        return True

    await eventually(back, within=60, every=0.3)
    await accounted(pictured)


async def test_a_note_that_moves_to_another_patient_takes_its_images_along(pictured: Pipeline) -> None:
    pictured.practice.put("note", note("850070", PATIENT, inline(picture(70))))
    shown = await shows(pictured, "850070", "[image: Burn FILE]")
    pictured.practice.put("note", {"id": "850070", "patient_id": "850002"})

    async def moved() -> bool:
        assert held(pictured).shown[shown.documents[0]] == {"patient:850002"}
        return True

    await eventually(moved, within=60, every=0.3)
    await accounted(pictured)


@pytest.mark.parametrize(
    ("vp_id", "image", "words", "code"),
    [
        ("850080", inline(picture(80, 3_000_001)), "[image: Burn (not moved: too large)]", "IMAGE_TOO_LARGE"),
        ("850081", inline(b"x").replace("eA==", "%%%"), "[image: Burn (not moved: broken)]", "IMAGE_BROKEN"),
        ("850082", inline(b""), "[image: Burn (not moved: broken)]", "IMAGE_BROKEN"),
        (
            "850083",
            inline(b"%PDF-1.4", kind="application/pdf"),
            "[image: Burn (not moved: of another type)]",
            "IMAGE_OF_ANOTHER_TYPE",
        ),
        (
            "850084",
            '<img src="https://elsewhere.example/a.png" alt=Logo>',
            "[image: Logo https://elsewhere.example/a.png]",
            "IMAGE_ELSEWHERE",
        ),
    ],
)
async def test_what_can_not_be_moved_is_named_in_the_text_and_in_the_report(
    pictured: Pipeline, vp_id: str, image: str, words: str, code: str
) -> None:
    pictured.practice.put("note", note(vp_id, PATIENT, f"{image} seen"))
    await shows(pictured, vp_id, f"{words} seen")

    async def told() -> bool:
        assert await repairs(pictured, vp_id) == {code}
        return True

    await eventually(told)
    assert not [one for one in held(pictured).newest if one.startswith(f"note_image:{vp_id}.")]
    await accounted(pictured)


@pytest.mark.parametrize(
    ("vp_id", "record", "code"),
    [
        ("850090", {"size": 40_000_001}, "DOCUMENT_TOO_LARGE"),
        ("850091", {"size": 0}, "DOCUMENT_EMPTY"),
    ],
)
async def test_a_note_goes_on_without_a_document_that_is_refused_and_has_it_when_that_is_mended(
    pictured: Pipeline, vp_id: str, record: Record, code: str
) -> None:
    pictured.practice.put("note", note(vp_id, PATIENT, f"{linked(vp_id)} seen"))
    pictured.practice.put("document", paper(vp_id, PATIENT, **record))
    await pictured.rejected(f"document:{vp_id}", code)
    await shows(pictured, vp_id, f"[image: Scan (not moved: document:{vp_id})] seen")
    await accounted(pictured)
    pictured.practice.put("document", paper(vp_id, PATIENT))
    await shows(pictured, vp_id, "[image: Scan FILE] seen")
    await accounted(pictured)


async def test_more_images_than_a_version_has_room_for_are_all_there(pictured: Pipeline) -> None:
    data = [picture(100 + n, 2_000) for n in range(12)]
    body = "".join(f"<p>{inline(one, f'no {n}')}</p>" for n, one in enumerate(data))
    pictured.practice.put("note", note("850100", PATIENT, body))
    shown = await shows(pictured, "850100", "\n".join(f"[image: no {n} FILE]" for n in range(12)))
    for n, one in enumerate(data):
        shown.has(n, one, f"note_image:850100.{n}")
    await accounted(pictured)


async def test_no_image_is_in_kafka(pictured: Pipeline) -> None:
    data = picture(110, 5_000)
    pictured.practice.put("note", note("850110", PATIENT, inline(data)))
    await shows(pictured, "850110", "[image: Burn FILE]")
    await pictured.idle()
    text = inline(data).partition("base64,")[2][:400].encode()
    topics = [topic.name for topic in pictured.catalogue.topics]
    for records in await asyncio.gather(*map(pictured.records, topics)):
        for record in records:
            assert text not in (record.value or b"")
            assert data[:300] not in (record.value or b"")
