"""A worker makes a call when its lease, or without control the org itself, leaves room for it."""

from __future__ import annotations

import pytest

from agents.purse import ANSWER_SECONDS, Purse
from connectors.salesforce.shares import AT_ONCE, Reserve

LINE = 800 - 2 * AT_ONCE
GONE = ANSWER_SECONDS + 1


def _purse(*, checks: bool = False) -> Purse:
    return Purse(Reserve(0.2), checks=checks, look_seconds=300)


def _make(purse: Purse, calls: int, now: float, used: int = 0) -> int:
    """As many of ``calls`` as may be made one after the other; each is heard of by the org."""
    for made in range(calls):
        if not purse.may(now):
            return made
        purse.begin()
        purse.end()
        purse.heard(used + made + 1, 1000, now)
    return calls


def test_a_lease_allows_so_many_calls_and_no_more() -> None:
    purse = _purse()
    purse.asked("1", 0.0)
    purse.leased("1", 7, 90.0, 2)
    assert _make(purse, 20, 1.0) == 7
    assert purse.low()


def test_while_an_answer_may_come_it_is_waited_for() -> None:
    purse = _purse()
    purse.heard(10, 1000, 0.0)
    purse.asked("1", 0.0)
    assert not purse.may(ANSWER_SECONDS - 1)
    assert purse.may(ANSWER_SECONDS)


def test_asking_again_and_again_does_not_make_the_wait_for_an_answer_begin_anew() -> None:
    purse = _purse()
    purse.heard(10, 1000, 0.0)
    for second in range(int(GONE)):
        purse.asked(str(second), float(second))
    assert purse.may(GONE)


def test_an_answer_to_an_older_question_says_nothing() -> None:
    purse = _purse()
    purse.asked("1", 0.0)
    purse.asked("2", 1.0)
    purse.leased("1", 50, 90.0, 2)
    assert not purse.may(2.0)


def test_a_lease_of_nothing_is_obeyed_as_long_as_it_lasts() -> None:
    purse = _purse()
    purse.heard(10, 1000, 0.0)
    purse.asked("1", 0.0)
    purse.leased("1", 0, 90.0, 2)
    assert not purse.may(89.0)
    assert purse.may(91.0)


@pytest.mark.parametrize(("checks", "line"), [(False, LINE), (True, LINE - 80)])
def test_without_control_calls_stop_at_the_line_and_verification_earlier(checks: bool, line: int) -> None:
    purse = _purse(checks=checks)
    purse.asked("1", 0.0)
    assert _make(purse, 2000, GONE, used=500) == line - 500


def test_calls_under_way_count_before_the_org_has_counted_them() -> None:
    purse = _purse()
    purse.heard(LINE - 3, 1000, 0.0)
    begun = 0
    while purse.may(1.0):
        purse.begin()
        begun += 1
    assert begun == 3


def test_before_the_org_has_said_anything_one_call_at_a_time_is_made() -> None:
    purse = _purse()
    assert purse.may(0.0)
    purse.begin()
    assert not purse.may(0.0)
    purse.end()
    assert purse.may(0.0)


def test_what_others_may_still_make_is_left_to_them() -> None:
    purse = _purse()
    purse.heard(LINE - 100, 1000, 0.0)
    purse.other_leased("deliver-1", 150, 90.0)
    purse.other_spent("deliver-1", 90)
    assert _make(purse, 2000, 1.0, used=LINE - 100) == 40
    purse.heard(LINE - 60, 1000, 100.0)
    assert _make(purse, 2000, 100.0, used=LINE - 60) == 60


def test_when_all_are_used_one_call_now_and_then_looks_whether_there_are_some_again() -> None:
    purse = _purse()
    purse.heard(1000, 1000, 0.0)
    assert not purse.may(299.0)
    assert purse.may(300.0)
    purse.begin()
    assert not purse.may(300.0)
    purse.end()
    purse.heard(1000, 1000, 300.0)
    assert not purse.may(310.0)
    purse.heard(100, 1000, 600.0)
    assert purse.may(600.0)


def test_answers_of_one_moment_may_come_in_any_order() -> None:
    purse = _purse()
    purse.heard(LINE, 1000, 0.0)
    purse.heard(LINE - 5, 1000, 0.1)
    assert not purse.may(1.0)


def test_more_is_asked_for_as_calls_are_made_faster() -> None:
    purse = _purse()
    few = purse.wants(10.0)
    for _ in range(200):
        purse.begin()
        purse.end()
    many = purse.wants(20.0)
    assert many > 40 * few / 2
    assert few <= purse.wants(30.0) < many
