"""A practice with as many documents as somebody asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox.visual_practice import dirt, generator, papers, synthea
from sandbox.visual_practice.generator import Sizes
from sandbox.visual_practice.storage import Storage

LARGEST = 100_000
Dump = dict[str, list[dict[str, Any]]]


def made(path: Path, count: int, *, dirty: str = "clean") -> Dump:
    storage = Storage(path / "practice.sqlite")
    try:
        storage.set_wide(wide=True)
        synthea.write(storage)
        generator.write(storage, Sizes(30, 3, 7, dirt.chosen(dirty)))
        papers.fit(storage, count, LARGEST, 7)
        dump: Dump = orjson.loads(b"".join(storage.dump()))
        assert storage.counts()["documents"]["live"] == len(dump["documents"])
        return dump
    finally:
        storage.close()


@pytest.mark.parametrize("count", [0, 5, 200])
def test_there_are_so_many_and_all_that_refers_to_one_finds_it(tmp_path: Path, count: int) -> None:
    dump = made(tmp_path, count)
    known = {record["id"]: record for record in dump["documents"]}
    assert len(known) == count
    assert all(0 < record["size"] <= LARGEST for record in known.values())
    patients = {record["id"] for record in dump["patients"]}
    assert {record["patient_id"] for record in known.values()} <= patients
    named = [record["document_id"] for name in ("lab-results", "imaging-records") for record in dump[name]]
    assert {one for one in named if one} <= known.keys()


def test_the_dirty_ones_are_among_the_first_and_stay(tmp_path: Path) -> None:
    documents = made(tmp_path, 20, dirty="clean,empty_documents,huge_documents,missing_contents")["documents"]
    assert len(documents) == 20
    assert any(record["size"] == 0 for record in documents)
    assert any(record["size"] > 2 * 10**9 for record in documents)
    assert any(record["content"]["link"] is None for record in documents)
