"""The forecast is made of counts and of what was measured, and says None where it does not know."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cutover.calls import SILENT_MS, standing
from cutover.forecast import JOB_CALLS, forecast
from cutover.ledger.delivery import STATES
from dashboard.status import Forecast

ROWS = frozenset({"patient", "invoice"})
NONE: dict[str, Any] = {**dict.fromkeys(STATES, 0), "source": 0}
LIMITS = {
    "used": 400,
    "most": 15_000,
    "reserve": 3_000,
    "line": 11_968,
    "spent": 3,
    "short_since": None,
    "again_at": 0,
    "storage_mb": 100,
    "storage_left_mb": 30,
    "at": 5,
}
SPENDING: list[dict[str, Any]] = [
    {
        "stage": "deliver",
        "spent": 300,
        "used": 380,
        "most": 15_000,
        "waiting_since": None,
        "storage_since": None,
        "at": 4,
    },
    {"stage": "deliver", "spent": 20, "used": 390, "most": 15_000, "waiting_since": 7, "storage_since": None, "at": 9},
    {"stage": "verify", "spent": 10, "used": None, "most": None, "waiting_since": None, "storage_since": 8, "at": 9},
]


def _forecast(objects: dict[str, Any], verified: int = 0, rate: float = 0.0, limits: Any = LIMITS) -> Forecast:
    return forecast(
        objects,
        {"patient": {"settled_rate": rate}},
        {"patient": {"verified": verified}},
        standing(limits, SPENDING, 10),
        limits,
        rows_of=ROWS,
        batch_rows=10_000,
    )


def test_before_anything_was_loaded_whole_batches_are_reckoned_with() -> None:
    found = _forecast({"patient": {**NONE, "in_flight": 10_000}, "payment": {**NONE, "in_flight": 5_000}})
    assert found["calls"] == JOB_CALLS + 10_000 // 2000
    assert (found["records"], found["storage_mb"], found["storage_fits"]) == (15_000, 20, True)
    assert found["calls_fit"] is True
    assert found["seconds"] is None


def test_later_what_was_measured_counts() -> None:
    patients = {**NONE, "in_flight": 20_000, "loaded": 4_000, "held": 1_000}
    found = _forecast({"patient": patients}, verified=2_500, rate=100.0)
    assert found["calls"] == 20_000 * 320 // 4_000 + (20_000 + 1_500) * 10 // 2_500
    assert found["seconds"] == 200
    assert (found["storage_mb"], found["storage_fits"]) == (42, False)


def test_without_a_word_from_the_org_nothing_is_said_to_fit() -> None:
    found = forecast({"patient": {**NONE, "in_flight": 7}}, {}, {}, None, None, rows_of=ROWS, batch_rows=10_000)
    assert (found["calls_fit"], found["storage_fits"], found["calls_left"]) == (None, None, None)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_records_never_take_fewer_calls_or_less_room(first: int, more: int, loaded: int) -> None:
    less, much = (
        _forecast({"patient": {**NONE, "in_flight": count, "loaded": loaded}}, verified=loaded)
        for count in (first, first + more)
    )
    assert 0 <= less["calls"] <= much["calls"]
    assert 0 <= less["storage_mb"] <= much["storage_mb"]


def test_the_newest_word_of_the_org_counts_and_everybodys_calls_are_added_up() -> None:
    calls = standing(LIMITS, SPENDING, 10)
    assert calls is not None
    assert (calls["used"], calls["left"]) == (390, 11_968 - 390)
    assert calls["by"] == {"deliver": 320, "verify": 10, "control": 3}
    assert (calls["waiting"], calls["full_since"]) == ({"deliver": 7}, 8)


def test_a_worker_that_is_gone_waits_for_nothing() -> None:
    calls = standing(None, SPENDING, 10 + SILENT_MS)
    assert calls is not None
    assert (calls["waiting"], calls["full_since"], calls["reserve"]) == ({}, None, None)
    assert standing(None, [], 10) is None
