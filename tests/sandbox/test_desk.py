from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox import clock
from sandbox.visual_practice import dirt, generator
from sandbox.visual_practice.desk import Desk, Work
from sandbox.visual_practice.generator import Sizes
from sandbox.visual_practice.storage import Storage

Dump = dict[str, list[dict[str, Any]]]
AT = 1_760_000_000.0
STAMP = clock.practice_text(AT)


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "practice_now", lambda: AT)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Storage]]:
    storages: list[Storage] = []

    def made() -> Storage:
        storage = Storage(tmp_path / f"{len(storages)}.sqlite")
        storages.append(storage)
        generator.write(storage, Sizes(80, 5, 7, dirt.CLEAN, wide=True))
        return storage

    yield made
    for each in storages:
        each.close()


def dump_of(storage: Storage) -> Dump:
    dump: Dump = orjson.loads(b"".join(storage.dump()))
    return dump


def changed(before: Dump, after: Dump) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for plural, records in after.items():
        known = {record["id"]: record for record in before[plural]}
        found[plural] = [record for record in records if known.get(record["id"]) != record]
    return {plural: records for plural, records in found.items() if records}


def test_the_same_seed_does_the_same_work(opened: Callable[[], Storage]) -> None:
    one, other, third = opened(), opened(), opened()
    work = Work(*([3] * len(Work._fields)))
    first = [Desk(one).work(work, seed) for seed in (1, 2)]
    assert [Desk(other).work(work, seed) for seed in (1, 2)] == first
    assert b"".join(one.dump()) == b"".join(other.dump())
    assert Desk(third).work(work, 3) != first[0]


def test_what_is_told_is_what_changed(opened: Callable[[], Storage]) -> None:
    storage = opened()
    before = dump_of(storage)
    changes = Desk(storage).work(Work(4, 3, 2, 1, 5, 2, 4, 3, 1, 1, 2, 3, 9), 9)
    after = dump_of(storage)
    touched = {
        (plural.removesuffix("_deleted").removesuffix("_archived"), record["id"])
        for plural, records in changed(before, after).items()
        for record in records
    }
    plurals = {"patient": "patients", "practice": "practices", "insurance_policy": "insurance-policies"}
    told = {(plurals.get(each["object"], each["object"].replace("_", "-") + "s"), each["id"]) for each in changes}
    assert touched == told
    assert {each["at_ms"] for each in changes} == {int(AT * 1000)}


def test_a_visit_is_booked_kept_billed_and_paid(opened: Callable[[], Storage]) -> None:
    storage = opened()
    before = dump_of(storage)
    desk = Desk(storage)
    booked = desk.work(Work(bookings=5), 1)
    assert [change["op"] for change in booked] == ["create"] * 5
    visits = changed(before, dump_of(storage))["appointments"]
    assert all(visit["status"] == "booked" and visit["starts_at"] > STAMP for visit in visits)
    kinds = Counter((change["object"], change["op"]) for change in desk.work(Work(visits=8), 2))
    assert 0 < kinds["invoice", "create"] <= kinds["appointment", "update"] <= 8
    paid = desk.work(Work(payments=3), 3)
    after = dump_of(storage)
    bills = {bill["id"]: bill for bill in after["invoices"]}
    payments = {payment["id"]: payment for payment in after["payments"]}
    for change in paid:
        if change["object"] == "payment":
            bill = bills[payments[change["id"]]["invoice_id"]]
            assert (bill["status"], bill["balance"], bill["closed_at"]) == ("paid", "0.00", STAMP)


def test_a_cancelled_visit_says_why_and_when(opened: Callable[[], Storage]) -> None:
    storage = opened()
    before = dump_of(storage)
    Desk(storage).work(Work(cancellations=2), 4)
    visits = changed(before, dump_of(storage))["appointments"]
    assert visits
    for visit in visits:
        assert (visit["status"], visit["cancelled_at"], visit["updated_at"]) == ("cancelled", STAMP, STAMP)
        assert visit["cancellation_reason"]


def test_a_merge_moves_everything_to_the_patient_that_stays(opened: Callable[[], Storage]) -> None:
    storage = opened()
    changes = Desk(storage).work(Work(merges=3), 6)
    after = dump_of(storage)
    gone = {record["id"]: record["merged_into_id"] for record in after["patients_deleted"]}
    assert set(gone) == {change["id"] for change in changes if change["op"] == "delete"}
    assert gone
    live = {record["id"] for record in after["patients"]}
    assert all(new in live or new in gone for new in gone.values())
    for plural, records in after.items():
        if "_" not in plural:
            assert not any(record.get("patient_id") in gone for record in records), plural


def test_a_bill_that_goes_over_to_another_patient_takes_its_payments_along(opened: Callable[[], Storage]) -> None:
    storage = opened()
    before = dump_of(storage)
    changes = Desk(storage).work(Work(rebills=12), 6)
    after = dump_of(storage)
    moved = {bill["id"]: bill["patient_id"] for bill in changed(before, after)["invoices"]}
    assert moved
    assert moved.keys() == {change["id"] for change in changes if change["object"] == "invoice"}
    assert {change["op"] for change in changes} == {"update"}
    live = {record["id"] for record in after["patients"]}
    assert set(moved.values()) <= live
    of_bills = [payment for payment in after["payments"] if payment["invoice_id"] in moved]
    assert of_bills
    assert all(payment["patient_id"] == moved[payment["invoice_id"]] for payment in of_bills)


def test_further_practices_are_entered_ended_moved_and_deleted(opened: Callable[[], Storage]) -> None:
    storage = opened()
    before = dump_of(storage)
    changes = Desk(storage).work(Work(memberships=40), 6)
    assert {change["object"] for change in changes} == {"practice_membership"}
    assert {change["op"] for change in changes} == {"create", "update", "delete"}
    found = changed(before, dump_of(storage))["practice-memberships"]
    known = {one["id"]: one for one in before["practice-memberships"]}
    assert any(one["id"] not in known for one in found)
    assert any(one["practice_id"] != known[one["id"]]["practice_id"] for one in found if one["id"] in known)
    assert any(one["ends_on"] == STAMP[:10] for one in found)
    after = dump_of(storage)["practice-memberships"]
    assert len({(one["patient_id"], one["practice_id"]) for one in after}) == len(after)
