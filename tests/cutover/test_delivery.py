"""A delivery's state follows from what was said about it, in whatever order and however often it was said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.ledger.delivery import STATES, Delivery, from_row, row
from tests.cutover.records import mapped, operation, version

REFERENCE = "patient:1"


def _delivery(*events: Any) -> Delivery:
    found = Delivery(REFERENCE, "Contact", "patient")
    for event in events:
        if isinstance(event, int):
            found.see(version(event), "upsert", "delta")
        else:
            found.settle(event)
    return found


def op(number: int, **changed: Any) -> dict[str, Any]:
    return operation(REFERENCE, number, **changed)


def held(number: int, at: int) -> dict[str, Any]:
    return op(number, what="hold", outcome="held", code="parent_missing", detail="practice:7", at=at)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([1], "in_flight"),
        ([1, op(1)], "loaded"),
        ([op(1), 1], "loaded"),
        ([1, op(1), 2], "in_flight"),
        ([1, 2, op(1)], "in_flight"),
        ([1, 2, op(2), op(1, what="supersede", outcome="superseded", at=9999)], "loaded"),
        ([1, held(1, 10)], "held"),
        ([1, held(1, 10), op(1, at=20), held(1, 30)], "loaded"),
        ([1, held(1, 10), op(1, what="release", outcome=None, at=20)], "in_flight"),
        ([1, op(1), op(1, version=mapped(1, 1), what="hold", outcome="held", at=5000)], "held"),
        ([1, op(1, what="reject", outcome="rejected", code="too_long")], "rejected"),
        ([1, op(1, what="reject", outcome="rejected", at=10), op(1, at=20)], "loaded"),
        ([1, op(1), 2, op(2, what="delete", outcome="deleted")], "deleted"),
        ([1, op(1, what="skip", outcome="skipped")], "skipped"),
        ([1, op(1, at=10), op(1, what="lost", outcome="rejected", at=20)], "rejected"),
        ([1, op(1, what="lost", outcome="rejected", at=20), op(1, at=10)], "rejected"),
        ([1, op(1, at=10), op(1, what="lost", outcome="rejected", at=20), op(1, at=30)], "loaded"),
        ([1, op(1), op(1, what="verify", outcome=None, detail="12")], "loaded"),
    ],
)
def test_the_newest_version_decides(events: list[Any], state: str) -> None:
    assert _delivery(*events).state == state


def test_what_is_loaded_now_is_kept_while_a_newer_version_is_under_way() -> None:
    found = _delivery(1, op(1), 2)
    assert (found.state, found.loaded_version) == ("in_flight", mapped(1))
    gone = _delivery(1, op(1), op(2, what="delete", outcome="deleted"))
    assert gone.loaded_version is None


def test_a_lost_row_is_not_there_whichever_was_told_first() -> None:
    landed, lost = op(1, at=10), op(1, what="lost", outcome="rejected", at=20)
    assert _delivery(1, landed, lost).loaded_version is None
    assert _delivery(1, lost, landed).loaded_version is None
    assert _delivery(1, landed, lost, op(1, at=30)).loaded_version == mapped(1)


def test_what_is_gone_is_not_brought_back_by_a_landing_that_is_told_late() -> None:
    landed, gone, held = op(1, at=10), op(2, what="delete", outcome="deleted", at=20), op(3, outcome="held", at=30)
    assert _delivery(landed, gone, held).loaded_version is None
    assert _delivery(gone, held, landed).loaded_version is None
    assert _delivery(gone, held, landed, op(4, at=40)).loaded_version == mapped(4)


def test_a_check_counts_its_fields_and_a_later_one_clears_a_mismatch() -> None:
    wrong = op(1, what="mismatch", outcome=None, columns=["Phone", "Fax"], at=10)
    right = op(1, what="verify", outcome=None, detail="12", at=20)
    assert _delivery(1, op(1), wrong).mismatch == "Phone,Fax"
    found = _delivery(1, op(1), wrong, right, wrong)
    assert (found.mismatch, found.verified_fields) == (None, 12)
    assert dict(found.counted())["verified"] == 1
    assert "verified" not in dict(_delivery(1, op(1), right, 2, op(2)).counted())


def test_a_check_of_a_row_that_has_landed_anew_says_nothing_of_what_counts_in_it() -> None:
    first, second = (op(1, row_id="a", row_version=version(one), at=one) for one in (10, 20))
    wrong = op(1, what="mismatch", outcome=None, columns=["Fax"], row_id="a", row_version=version(10), at=30)
    right = op(1, what="verify", outcome=None, detail="1", row_id="a", row_version=version(20), at=25)
    assert dict(_delivery(1, first, wrong).counted())["mismatched"] == 1
    assert not _delivery(1, first, wrong, second).checked
    for events in ([first, second, right, wrong], [wrong, right, second, first], [first, wrong, second, right]):
        found = _delivery(1, *events)
        assert (found.checked, found.mismatch) == (True, None)


def test_a_record_that_moves_to_another_row_is_checked_there() -> None:
    first, moved = (op(1, row_id=one, row_version=version(59 - at), at=at) for one, at in (("b", 10), ("a", 20)))
    right = op(1, what="verify", outcome=None, detail="1", row_id="b", row_version=version(49), at=15)
    assert _delivery(1, first, right).checked
    assert not _delivery(1, first, right, moved).checked
    assert _delivery(1, first, right, moved, {**right, "row_id": "a", "row_version": version(39), "at": 30}).checked


outcomes = st.sampled_from(["loaded", "held", "rejected", "skipped", "deleted", "superseded", None])
of_row = st.sampled_from([version(1), version(2)])
events = st.lists(
    st.integers(1, 4)
    | st.builds(
        lambda number, outcome, at, of: op(
            number, outcome=outcome, what=outcome or "release", at=at, detail=str(at), row_version=of
        ),
        st.integers(1, 4),
        outcomes,
        st.integers(1, 10_000),
        of_row,
    )
    | st.builds(
        lambda number, what, at, of: op(
            number, outcome=None, what=what, at=at, detail="3", columns=["A"], row_version=of
        ),
        st.integers(1, 4),
        st.sampled_from(["verify", "mismatch"]),
        st.integers(1, 10_000),
        of_row,
    ),
    max_size=12,
    unique_by=lambda event: event if isinstance(event, int) else event["at"],
)


@given(events, st.randoms(), st.data())
def test_order_and_repetition_change_no_state(history: list[Any], random: Any, data: Any) -> None:
    again = history + (data.draw(st.lists(st.sampled_from(history))) if history else [])
    random.shuffle(again)
    one, other = _delivery(*history), _delivery(*again)
    assert (one.state, one.version, one.outcome, one.at, one.source_version, one.verified_version, one.mismatch) == (
        *(other.state, other.version, other.outcome, other.at),
        *(other.source_version, other.verified_version, other.mismatch),
    )
    assert (one.loaded_version, one.loaded_at) == (other.loaded_version, other.loaded_at)
    assert (one.verified_in, one.checked) == (other.verified_in, other.checked)
    assert one.state in STATES
    assert row(from_row(row(one)[:-1])) == row(one)
