"""Taking images out of a note's HTML, and what stands in its text instead."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.comparators import compile_comparison
from mapping.document import load_map
from mapping.html_text import plain_text
from mapping.image_slots import ADDRESS, filled, length, slots
from mapping.map_errors import MapErrors
from mapping.note_images import NoteImage, TakenOut, place_of, take_out
from mapping.plan import Mapped, MappingRejected, compile_plan
from tests.mapping.test_html_text import HTML

HOME = "https://vp.example"
MOST = 100
PNG = base64.b64encode(b"\x89PNG").decode()
MAP = """
map: 1
source_tag: VP
objects:
  note:
    resource: notes
    target: Task
    external_id: X__c
    on_delete: delete
    columns:
      Description: {from: body, as: html, images: [document, note_image], max: 300}
  note_image:
    resource: note-images
    taken_from: {object: note, from: body}
    target: ContentVersion
    external_id: X__c
    on_delete: delete
    columns: {PathOnClient: {from: filename, required: true}}
  document:
    resource: documents
    target: ContentVersion
    external_id: X__c
    on_delete: delete
    columns: {PathOnClient: {from: filename, required: true}}
"""
PLAN, COMPARISON = compile_plan(load_map(MAP, "map"), "note"), compile_comparison(load_map(MAP, "map"), "note")
FILES = {"069000000000001AAA": "note_image:7.0", "069000000000002AAA": "document:12"}


def taken(body: str) -> TakenOut:
    return take_out(body, "7", images="note_image", documents="document", home=HOME, most=MOST)


def mapped(body: str) -> Mapped:
    return PLAN.map("7", {"body": body}, {}, "r")


def differs(body: str, stored: str | None) -> bool:
    return bool(COMPARISON.compare("7", {"body": body}, {}, {"X__c": "note:7", "Description": stored}, FILES.get))


@pytest.mark.parametrize(
    ("address", "image"),
    [
        (f"data:image/png;base64,{PNG}", NoteImage(0, "image/png", "Burn", b"\x89PNG")),
        (f"DATA:Image/PNG;name=a.png;BASE64,{PNG[:2]}\n  {PNG[2:]}", NoteImage(0, "image/png", "Burn", b"\x89PNG")),
        (f"data:image/png;base64,{PNG.rstrip('=')}", NoteImage(0, "image/png", "Burn", b"\x89PNG")),
        (f"data:image/png;base64,{PNG.replace('=', '%3D')}", NoteImage(0, "image/png", "Burn", b"\x89PNG")),
        (f"data:image/png;base64,{PNG.replace('=', '&#61;')}", NoteImage(0, "image/png", "Burn", b"\x89PNG")),
        ("data:image/svg+xml,%3Csvg/%3E", NoteImage(0, "image/svg+xml", "Burn", b"<svg/>")),
    ],
)
def test_an_image_in_the_text_is_taken_out_byte_by_byte(address: str, image: NoteImage) -> None:
    found = taken(f"<p>a <IMG alt='Burn' src='{address}' width=3></p>")
    assert found == TakenOut("<p>a <IMG alt='Burn' src=\"carryover:note_image:7.0\" width=3></p>", (image,))


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("data:image/png;base64,%%%%", "IMAGE_BROKEN"),
        ("data:image/png;base64,", "IMAGE_BROKEN"),
        ("data:image/png;base64,A", "IMAGE_BROKEN"),
        ("data:image/png;base64", "IMAGE_BROKEN"),
        ("data:text/html;base64,AAAA", "IMAGE_OF_ANOTHER_TYPE"),
        ("data:,AAAA", "IMAGE_OF_ANOTHER_TYPE"),
        (f"data:image/png;base64,{'AAAA' * 34}", "IMAGE_TOO_LARGE"),
        ("carryover:document:9", "IMAGE_BROKEN"),
    ],
)
def test_what_is_no_image_that_can_move_is_marked_with_the_reason(address: str, code: str) -> None:
    assert taken(f'<img src="{address}">') == TakenOut(f'<img src="carryover:!{code}">', ())


@pytest.mark.parametrize(
    ("address", "mark"),
    [
        ("/v1/documents/12/content", "carryover:document:12"),
        ("documents/a-1_b/content?x=1#y", "carryover:document:a-1_b"),
        (f"{HOME}/v1/documents/12/content", "carryover:document:12"),
        ("HTTPS://VP.example/documents/12/content/", "carryover:document:12"),
        ("//vp.example/documents/12/content", "carryover:document:12"),
        *(
            (other, None)
            for other in (
                "https://elsewhere.example/v1/documents/12/content",
                "http://vp.example/v1/documents/12/content",
                "https://vp.example:444/v1/documents/12/content",
                "https://vp.example@evil.example/v1/documents/12/content",
                "/v1/documents/12",
                "/v1/mydocuments/12/content",
                "/v1/documents/../content",
                "javascript:documents/12/content",
                "https://[/documents/12/content",
            )
        ),
    ],
)
def test_only_an_address_of_the_source_itself_is_one_of_its_documents(address: str, mark: str | None) -> None:
    body = f'<img src="{address}">'
    assert taken(body) == TakenOut(body if mark is None else f'<img src="{mark}">', ())


def test_a_place_counts_every_image_in_the_text_and_what_nobody_sees_is_not_moved() -> None:
    one, bad = f'<img src="data:image/png;base64,{PNG}">', '<img src="data:x">'
    found = taken(f"{bad}<!-- {one} -->{one}<script>{one}</script>{one}")
    assert [image.place for image in found.images] == [2, 4]
    assert "base64" not in found.text


def test_an_image_has_a_name_without_a_patient() -> None:
    kinds = ("image/jpeg", "image/svg+xml", "image/x-icon", "image/vnd.a-very.long-type")
    names = [NoteImage(n, kind, "Jane's knee", b"x").filename("7") for n, kind in enumerate(kinds)]
    assert names == ["note-7-image-1.jpg", "note-7-image-2.svg", "note-7-image-3.ico", "note-7-image-4.vndaverylo"]


@pytest.mark.parametrize(
    ("vp_id", "found"),
    [("7.0", ("7", 0)), ("a.b.12", ("a.b", 12)), ("7", None), (".1", None), ("7.x", None), ("7.²", None)],
)
def test_an_images_id_names_its_note_and_its_place(vp_id: str, found: tuple[str, int] | None) -> None:
    assert place_of(vp_id) == found


def test_the_text_has_a_slot_for_each_image_and_the_row_waits_for_it() -> None:
    row = mapped(taken(f'a <img alt=x src="data:image/png;base64,{PNG}"> <img src="/documents/12/content">').text)
    assert [(one.column, one.parent, one.on_absent) for one in row.references] == [
        ("Description", "note_image:7.0", "named"),
        ("Description", "document:12", "named"),
    ]
    text = filled(filled(str(row.columns["Description"]), "note_image:7.0", "069000000000001AAA"), "document:12", None)
    assert text == f"a [image: x {ADDRESS}069000000000001AAA] [image: (not moved: document:12)]"
    assert slots(text) == []


def test_a_text_is_as_long_as_it_may_become() -> None:
    body = taken('<img src="/documents/12/content">').text
    address = len(f"[image: {ADDRESS}069000000000001AAA]")
    assert length(str(mapped(body + "x" * (300 - address)).columns["Description"])) == 300
    with pytest.raises(MappingRejected, match="TEXT_TOO_LONG"):
        mapped(body + "x" * (301 - address))


BODY = taken(f'a<p>b <img alt=x src="data:image/png;base64,{PNG}"></p>c<img src="/documents/12/content">').text
HERE, THERE = (f"{ADDRESS}{document}" for document in FILES)


@pytest.mark.parametrize(
    ("stored", "wrong"),
    [
        (f"a\nb [image: x {HERE}]\nc[image: {THERE}]", False),
        (f"a\nb [image: x (not moved: note_image:7.0)]\nc[image: {THERE}]", False),
        (f"a\nb [image: x {THERE}]\nc[image: {HERE}]", True),
        (f"a\nb [image: x {HERE}]\nc[image: {ADDRESS}069000000000003AAA]", True),
        (f"a\nb [image: x {HERE}1]\nc[image: {THERE}]", True),
        (f"a\nb [image: x]\nc[image: {THERE}]", True),
        (f"a\nb [image: x {HERE}]\nd[image: {THERE}]", True),
        (None, True),
    ],
)
def test_the_comparison_finds_the_address_of_another_file(stored: str | None, wrong: bool) -> None:
    assert differs(BODY, stored) is wrong


IMAGES = st.sampled_from(
    (
        f'<img src="data:image/png;base64,{PNG}">',
        "<img alt='a  &amp; b' src=data:image/gif,x>",
        "<img src='data:image/png;base64,%' alt=\"c\">",
        '<img src="/v1/documents/12/content" alt="">',
        "<img src=https://e.example/a.png>",
        "<img alt=q>",
        '<img src="carryover:document:1">',
    )
)


@given(st.lists(HTML | IMAGES, max_size=6).map("".join), st.booleans())
@settings(max_examples=1000, deadline=None)
def test_both_see_the_same_images_and_nothing_else_of_a_note_changes(body: str, landed: bool) -> None:
    found = taken(body)
    marks = re.compile(r'"carryover:[^"]*"')
    assert marks.split(found.text)[0] == body[: len(marks.split(found.text)[0])]
    try:
        row = mapped(found.text)
    except MappingRejected:  # longer than the column
        return
    text = row.columns["Description"]
    assert {f"note_image:7.{image.place}" for image in found.images} <= set(slots(str(text or "")))
    for one in slots(str(text or "")):
        document = next((document for document, own in FILES.items() if own == one), None)
        text = filled(str(text), one, document if landed else None)
    assert not differs(found.text, None if text is None else str(text))


def test_without_images_in_the_map_they_are_left_out_as_ever() -> None:
    assert plain_text(f'<img src="data:image/png;base64,{PNG}">') == ("[image]", ["EMBEDDED_LEFT_OUT"])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("images: [document, note_image], ", "", "no text of `note` says where its images are"),
        ("as: html, images", "images", "`images` is about HTML"),
        ("[document, note_image]", "[note, note_image]", "`note` is no file"),
        ("[document, note_image]", "[doc, note_image]", "reference to unknown object `doc`"),
        ("max: 300", "max: 300, too_long: truncate", "`truncate` and `images` exclude each other"),
        ("max: 300", "max: 300, default: x", "`default` and `images` exclude each other"),
        ("from: body}\n    target", "from: draft}\n    target", "no text of `note` says where its images are"),
        ("object: note,", "object: nota,", "reference to unknown object `nota`"),
        ("    taken_from: {object: note, from: body}\n", "", "`taken_from` and `resource: note-images` go together"),
        (
            "columns: {PathOnClient: {from: filename, required: true}}\n  document",
            "columns: {PathOnClient: {from: filename}, FirstPublishLocationId: {parent: note, from: note_id}}\n  document",
            "the two would wait for each other",
        ),
    ],
)
def test_a_map_that_makes_no_sense_is_refused_with_what_to_do(old: str, new: str, told: str) -> None:
    assert old in MAP
    with pytest.raises(MapErrors) as caught:
        load_map(MAP.replace(old, new, 1), "map")
    assert told in str(caught.value)
