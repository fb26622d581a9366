from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sandbox.visual_practice import generator, synthea
from sandbox.visual_practice.generator import Sizes
from sandbox.visual_practice.storage import Storage

SIZES = Sizes(patients=6000, practices=60)


def digest(path: Path, sizes: Sizes) -> str:
    storage = Storage(path)
    try:
        generator.write(storage, sizes)
        return hashlib.sha256(b"".join(storage.dump())).hexdigest()
    finally:
        storage.close()


def test_the_same_seed_makes_the_same_practice(tmp_path: Path) -> None:
    small = Sizes(patients=400, practices=12)
    first = digest(tmp_path / "a.sqlite", small)
    assert digest(tmp_path / "b.sqlite", small) == first
    assert digest(tmp_path / "c.sqlite", Sizes(patients=400, practices=12, seed=8)) != first


def test_practices_form_trees_whose_parents_may_come_later() -> None:
    parents = {record["id"]: record["parent_id"] for record in generator.practices(SIZES)}
    assert any(parent and int(parent) > int(child) for child, parent in parents.items())
    for start in parents:
        at: str | None = start
        for _ in parents:
            at = parents[at] if at else None
        assert at is None


def test_some_patients_have_no_practice_and_some_one_that_is_not_there() -> None:
    known = {record["id"] for record in generator.practices(SIZES)}
    practices = [record["practice_id"] for record in generator.patients(SIZES)]
    assert 0.003 < practices.count(None) / len(practices) < 0.03
    dangling = [each for each in practices if each is not None and each not in known]
    assert 0.001 < len(dangling) / len(practices) < 0.02


def test_families_share_an_e_mail() -> None:
    emails = [record["email"] for record in generator.patients(SIZES) if record["email"]]
    assert len(set(emails)) < len(emails) * 0.8


@pytest.mark.parametrize(
    ("field", "mark"),
    [
        ("notes", "\x00"),
        ("notes", "\r\n"),
        ("notes", "😀"),
        ("notes", "<p>"),
        ("date_of_birth", "0001-01-01"),
        ("email", "none@none.com"),
        ("last_name", '"'),
        ("address_1", ",\n"),
    ],
)
def test_dirt_is_there_unless_the_practice_is_clean(field: str, mark: str) -> None:
    dirty = [record[field] or "" for record in generator.patients(SIZES)]
    clean = [record[field] or "" for record in generator.patients(Sizes(patients=2000, practices=60, dirty=False))]
    assert any(mark in value for value in dirty)
    assert not any(mark in value for value in clean)


def test_a_dirty_practice_lacks_names_and_has_endless_notes() -> None:
    records = list(generator.patients(SIZES))
    assert any(not (record["last_name"] or "").strip() for record in records)
    assert max(len(record["notes"] or "") for record in records) == 40_000


def test_the_synthea_practice_links_patients_to_where_they_were_last_seen(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "synthea.sqlite")
    try:
        synthea.write(storage)
        counts = storage.counts()
    finally:
        storage.close()
    assert (counts["patients"]["live"], counts["practices"]["live"]) == (27, 63)
    rows = list(synthea._rows(synthea.FILES, "encounters"))
    latest = synthea._latest_encounters(synthea.FILES)
    for row in rows:
        assert latest[row["PATIENT"]]["START"] >= row["START"]
