"""A practice with images in as many notes as somebody asked for."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import orjson

from sandbox.visual_practice import dirt, generator, pictures
from sandbox.visual_practice.generator import Sizes
from sandbox.visual_practice.storage import Storage

IMAGE = re.compile(r'<img [^>]*src="([^"]*)"')


def made(path: Path, count: int) -> dict[str, list[dict[str, Any]]]:
    storage = Storage(path)
    try:
        generator.write(storage, Sizes(30, 3, 7, dirt.CLEAN))
        pictures.hang(storage, count, 7)
        dump: dict[str, list[dict[str, Any]]] = orjson.loads(b"".join(storage.dump()))
        return dump
    finally:
        storage.close()


def test_so_many_notes_have_images_of_all_kinds_and_no_other_has(tmp_path: Path) -> None:
    dump = made(tmp_path / "a.sqlite", 12)
    papers = {f"/v1/documents/{one['id']}/content": one["patient_id"] for one in dump["documents"]}
    pictured = [note for note in dump["notes"] if IMAGE.search(note["body"])]
    assert len(pictured) == 12
    kinds = set()
    for note in pictured:
        for address in IMAGE.findall(note["body"]):
            if address.startswith("data:"):
                kinds.add("in the text")
                assert len(base64.b64decode(address.partition("base64,")[2], validate=True)) >= 600
            elif address in papers:
                kinds.add("by link")
                assert papers[address] == note["patient_id"], "the document is another patient's"
            else:
                kinds.add("elsewhere")
                assert address.startswith("https://images.example/")
    assert kinds == {"in the text", "by link", "elsewhere"}


def test_the_same_seed_makes_the_same_images_and_none_are_none(tmp_path: Path) -> None:
    assert made(tmp_path / "a.sqlite", 5)["notes"] == made(tmp_path / "b.sqlite", 5)["notes"]
    assert not [note for note in made(tmp_path / "c.sqlite", 0)["notes"] if "<img" in note["body"]]
