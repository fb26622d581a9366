from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from sandbox.visual_practice import generator, synthea
from sandbox.visual_practice.generator import Sizes
from sandbox.visual_practice.schema import BY_NAME, BY_PLURAL, PATIENT, PRACTICE, complete
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
    rows = list(synthea.rows(synthea.FILES, "encounters"))
    latest = synthea._latest_encounters(synthea.FILES)
    for row in rows:
        assert latest[row["PATIENT"]]["START"] >= row["START"]


# -- the whole practice --------------------------------------------------------------------------------------------

Dump = dict[str, list[dict[str, Any]]]


def dump_of(path: Path, sizes: Sizes | None) -> Dump:
    storage = Storage(path)
    try:
        if sizes is None:
            synthea.write(storage)
        else:
            generator.write(storage, sizes)
        dump: Dump = orjson.loads(b"".join(storage.dump()))
        return dump
    finally:
        storage.close()


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return dump_of(tmp_path_factory.mktemp("practice") / "a.sqlite", Sizes(1500, 12, 7, dirty=False, wide=True))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return dump_of(tmp_path_factory.mktemp("sample") / "a.sqlite", None)


def test_patients_and_practices_are_those_of_earlier_versions() -> None:
    """Whoever has measured or tested with a seed finds the same practice again."""

    def digest_of(sizes: Sizes) -> list[str]:
        return [
            hashlib.sha256(b"\n".join(orjson.dumps(complete(resource, each)) for each in made(sizes))).hexdigest()[:16]
            for resource, made in ((PRACTICE, generator.practices), (PATIENT, generator.patients))
        ]

    assert digest_of(Sizes(500, 20, 7)) == ["53e007eb1445ac0c", "e5c850493f37a51d"]
    assert digest_of(Sizes(300, 12, 11)) == ["48e7625a74821d89", "6bb140a43cc5502e"]
    assert digest_of(Sizes(2000, 60, 7, dirty=False)) == ["295a7e27f5bd498a", "8e8482b5f82af62e"]


@pytest.mark.parametrize("whose", ["practice", "sample"])
def test_every_reference_leads_somewhere_in_a_clean_practice(request: pytest.FixtureRequest, whose: str) -> None:
    dump: Dump = request.getfixturevalue(whose)
    known = {resource.name: {record["id"] for record in dump[plural]} for plural, resource in BY_PLURAL.items()}
    for plural, resource in BY_PLURAL.items():
        for column in resource.columns:
            if column.reference and not (whose == "sample" and column.name == "insurance_policy_id"):
                given = {record[column.name] for record in dump[plural] if record.get(column.name)}
                assert given <= known[column.reference], f"{plural}.{column.name}"


def test_every_resource_is_there_and_its_choices_are_the_schemas(practice: Dump) -> None:
    for plural, resource in BY_PLURAL.items():
        assert practice[plural], plural
        for column in resource.columns:
            if column.choices:
                assert {record[column.name] for record in practice[plural]} <= {*column.choices, None}, column.name


def test_bills_add_up(practice: Dump) -> None:
    paid: Counter[str] = Counter()
    for payment in practice["payments"]:
        paid[payment["invoice_id"]] += round(float(payment["amount"]) * 100)
    for bill in practice["invoices"]:
        net = sum(round(float(item["net_price"]) * 100) for item in bill["items"])
        assert round(float(bill["net_amount"]) * 100) == net
        total = round(float(bill["total_amount"]) * 100)
        assert total == net + round(float(bill["tax_amount"]) * 100)
        if bill["status"] not in {"void", "written_off"}:
            assert round(float(bill["balance"]) * 100) == total - paid[bill["id"]]
        assert (bill["status"] == "paid") == (bill["closed_at"] is not None)
    assert {bill["status"] for bill in practice["invoices"]} == {
        "paid",
        "open",
        "partially_paid",
        "void",
        "written_off",
    }


def test_visits_lie_in_office_hours_and_some_are_cancelled_missed_or_to_come(practice: Dump) -> None:
    zone = ZoneInfo("America/New_York")
    for visit in practice["appointments"]:
        starts = datetime.fromisoformat(visit["starts_at"]).astimezone(zone)
        assert starts.weekday() < 5
        assert 8 <= starts.hour < 18
        assert starts.minute % 15 == 0
        assert visit["created_at"] <= visit["updated_at"]
    shares = Counter(visit["status"] for visit in practice["appointments"])
    total = len(practice["appointments"])
    assert 0.04 < shares["cancelled"] / total < 0.16
    assert 0.02 < shares["no_show"] / total < 0.12
    assert shares["booked"]
    assert shares["confirmed"]


def test_patients_have_several_plans_and_forms_have_answers(practice: Dump) -> None:
    plans = Counter(policy["patient_id"] for policy in practice["insurance-policies"])
    assert {1, 2, 3} <= set(plans.values())
    for form in practice["intake-forms"]:
        for section in form["content"]["sections"]:
            assert all("answer" in question or "answers" in question for question in section["questions"])


def test_some_patients_go_to_one_or_two_further_practices_and_none_to_their_own_twice(practice: Dump) -> None:
    own = {record["id"]: record["practice_id"] for record in practice["patients"]}
    memberships = practice["practice-memberships"]
    counts = Counter(one["patient_id"] for one in memberships)
    assert set(counts.values()) == {1, 2}
    assert 0.15 < len(counts) / len(own) < 0.45
    assert len({(one["patient_id"], one["practice_id"]) for one in memberships}) == len(memberships)
    assert not [one for one in memberships if one["practice_id"] == own[one["patient_id"]]]
    assert {bool(one["ends_on"]) for one in memberships} == {True, False}


def test_runs_of_every_larger_resource_share_a_second(practice: Dump) -> None:
    for plural in ("appointments", "invoices", "payments", "notes"):
        assert max(Counter(record["updated_at"] for record in practice[plural]).values()) > 100, plural


def test_only_what_is_asked_for_is_made(tmp_path: Path) -> None:
    sizes = Sizes(50, 3, resources=generator.resources("patients,invoices"))
    made = {plural for plural, records in dump_of(tmp_path / "a.sqlite", sizes).items() if records}
    assert made == {"patients", "invoices"}
    with pytest.raises(ValueError, match="shoes"):
        generator.resources("core,shoes")


def test_a_number_of_records_makes_about_that_many(tmp_path: Path) -> None:
    dump = dump_of(tmp_path / "a.sqlite", Sizes.of_records(20_000, dirty=False))
    assert 15_000 < sum(map(len, dump.values())) < 25_000


def test_patients_are_the_same_whatever_else_is_made(tmp_path: Path) -> None:
    both = [
        dump_of(tmp_path / f"{names}.sqlite", Sizes(120, 4, resources=generator.resources(names)))["patients"]
        for names in ("all", "core")
    ]
    assert both[0] == both[1]


def test_the_synthea_practice_has_all_its_tables(sample: Dump) -> None:
    counts = {plural: len(records) for plural, records in sample.items() if records}
    assert counts["invoices"] == 1267
    assert counts["insurance-carriers"] == 10
    assert counts["insurance-policies"] == 1051 + 7  # seven have a second payer too
    assert counts["lab-results"] == 251
    assert counts["imaging-records"] == counts["documents"] == 1
    assert counts["appointments"] > 604
    assert {"booked", "cancelled", "completed"} == {visit["status"] for visit in sample["appointments"]}
    assert sum(bill["insurance_policy_id"] == "0" for bill in sample["invoices"]) == 216


def test_each_synthea_bill_is_the_sum_of_its_charges(sample: Dump) -> None:
    for bill in sample["invoices"]:
        items = sum(round(float(item["net_price"]) * 100) for item in bill["items"])
        assert items == round(float(bill["total_amount"]) * 100)


def test_other_synthea_files_may_lack_tables(tmp_path: Path) -> None:
    for name in ("organizations", "providers", "patients", "encounters"):
        (tmp_path / f"{name}.csv").write_bytes((synthea.FILES / f"{name}.csv").read_bytes())
    storage = Storage(tmp_path / "few.sqlite")
    try:
        synthea.write(storage, tmp_path)
        counts = storage.counts()
    finally:
        storage.close()
    assert (counts["patients"]["live"], counts["invoices"]["live"]) == (27, 0)
    assert set(counts) == {resource.plural for resource in BY_NAME.values()}
