"""Rows of all lanes leave together: when a batch is full, or when nobody joins it any more."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from agents.departure import COMPANY, Departure, Staying
from agents.item import moment
from agents.lane import Lane
from tests.agents.test_lane import alone, offer


def just_now() -> int:
    """Number of a version that was made just now, see `tests.agents.rows`."""
    return int((datetime.now(UTC) - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds())


def lanes(count: int = 1) -> list[Lane]:
    made = [Lane(number) for number in range(count)]
    for lane in made:
        lane.ready = True
    return made


def join(lane: Lane, *numbers: int, of: int | None = None) -> None:
    for number in numbers:
        offer(lane, alone(f"patient:{number}", just_now() if of is None else of)[0])


def test_a_batch_is_due_when_it_is_full_or_nothing_flies_and_its_eldest_has_waited() -> None:
    departure, [one, other] = Departure(1, 3), lanes(2)
    assert not departure.due(100, [one, other])
    join(one, 1)
    assert not departure.due(200, [one, other])
    assert not departure.due(200.9, [one, other])
    assert departure.due(201, [one, other])
    one.take([*one.queued.values()])
    departure.begin(201, [one, other])
    join(other, 2)
    assert not departure.due(300, [one, other]), "something flies"
    join(one, 3)
    assert not departure.due(300, [one, other])
    join(other, 4)
    assert departure.due(300, [one, other]), "it is full"


def test_the_wait_begins_with_the_first_row() -> None:
    departure, [lane] = Departure(1, 10), lanes()
    assert not departure.due(0, [lane])
    assert not departure.due(100, [lane])
    join(lane, 1)
    assert not departure.due(101, [lane])
    assert departure.due(102, [lane])


def test_a_batch_waits_on_while_rows_stream_in_until_it_is_full() -> None:
    departure, both = Departure(1, 10_000), lanes(2)
    join(both[0], 0)
    assert not departure.due(0, both)
    join(both[0], *range(1, COMPANY // 2 + 1))
    join(both[1], *range(COMPANY, COMPANY + COMPANY // 2))
    assert not departure.due(100, both), "a call's worth has come within the idle time"
    assert not departure.due(109.9, both), "the wait has started over"
    assert departure.due(110, both), "nobody has come since"


def test_a_batch_that_few_rows_join_waits_ten_idle_times_and_no_longer() -> None:
    departure, [lane] = Departure(1, 10_000), lanes()
    join(lane, 0)
    assert not departure.due(0, [lane])
    for second in range(1, 10):
        join(lane, second)
        assert not departure.due(second, [lane])
    join(lane, 10)
    assert departure.due(10, [lane])


def test_the_first_few_of_many_that_are_being_changed_wait_for_the_others_but_not_for_ever() -> None:
    burst = [True]
    departure, [lane] = Departure(1, 10_000, burst=lambda: bool(burst)), lanes()
    join(lane, *range(99))
    assert not departure.due(0, [lane])
    assert not departure.due(9.9, [lane])
    assert departure.due(10, [lane])
    departure.begin(10, [lane])
    assert not departure.due(13, [lane])
    burst.clear()
    assert departure.due(13.1, [lane]), "it is over"


@pytest.mark.parametrize(("calls", "most"), [(1, 10), (2, 20), (6, 60), (9, 60)])
def test_a_burst_waits_the_longer_while_rows_join_it_the_larger_it_is(calls: int, most: int) -> None:
    departure, [lane] = Departure(1, 10_000), lanes()
    join(lane, *range(calls * COMPANY))
    assert not departure.due(0, [lane])
    for second in range(1, most):
        join(lane, calls * COMPANY + second)
        assert not departure.due(second, [lane])
    join(lane, calls * COMPANY + most)
    assert departure.due(most, [lane])


@pytest.mark.parametrize(("awaited", "most"), [(True, 240), (False, 400)])
def test_a_crowd_of_a_snapshot_waits_long_however_many_join_it_but_not_for_ever(*, awaited: bool, most: int) -> None:
    departure, [lane] = Departure(1, 1_000_000, awaited=awaited), lanes()
    join(lane, *range(COMPANY), of=1)
    assert not departure.due(0, [lane])
    for second in range(20, most, 20):
        join(lane, *range(1000 * second, 1000 * second + COMPANY), of=1)
        assert not departure.due(second, [lane])
    join(lane, 1_000_000, of=1)
    assert departure.due(most, [lane])


def test_rows_that_were_changed_long_ago_wait_six_times_as_long() -> None:
    departure, [lane] = Departure(1, 10_000), lanes()
    join(lane, 0, of=1)
    assert not departure.due(0, [lane])
    assert not departure.due(5.9, [lane])
    assert departure.due(6, [lane])
    join(lane, 1)
    assert not departure.due(6.9, [lane]), "one that has just been changed has joined"
    assert departure.due(8, [lane]), "for it nobody is to wait longer"


def test_a_few_old_rows_that_nobody_waits_for_wait_as_long_as_a_crowd() -> None:
    departure, [lane] = Departure(1, 10_000, awaited=False), lanes()
    join(lane, 0, of=1)
    assert not departure.due(0, [lane])
    assert not departure.due(19.9, [lane])
    assert departure.due(20, [lane])


def test_a_crowd_of_old_rows_waits_twenty_idle_times_for_another() -> None:
    departure, [lane] = Departure(1, 10_000), lanes()
    join(lane, *range(COMPANY), of=1)
    assert not departure.due(0, [lane])
    assert not departure.due(19.9, [lane])
    join(lane, COMPANY, of=1)
    assert not departure.due(20, [lane])
    assert not departure.due(39.9, [lane])
    assert departure.due(40, [lane])


def test_a_crowd_waits_no_longer_than_others_once_a_row_that_has_just_been_changed_is_in_it() -> None:
    departure, [lane] = Departure(1, 10_000), lanes()
    join(lane, *range(COMPANY), of=1)
    assert not departure.due(0, [lane])
    join(lane, COMPANY)
    assert not departure.due(9.9, [lane])
    assert departure.due(10, [lane])


@pytest.mark.parametrize("number", [1, COMPANY])
def test_rows_leave_when_all_have_come_and_none_has_joined_within_the_idle_time(number: int) -> None:
    come: list[bool] = []
    departure, [lane] = Departure(1, 10_000, complete=lambda: bool(come)), lanes()
    join(lane, *range(number), of=1)
    assert not departure.due(0, [lane])
    assert not departure.due(2, [lane])
    come.append(True)
    join(lane, number, of=1)
    assert not departure.due(2.5, [lane])
    assert not departure.due(3.4, [lane]), "one has just joined: more may be read already"
    assert departure.due(3.5, [lane])


def test_a_burst_waits_for_the_children_of_what_is_being_loaded_but_not_for_ever() -> None:
    loading = [True]
    departure, [lane] = Departure(1, 10_000, coming=lambda: bool(loading)), lanes()
    join(lane, *range(6 * COMPANY))
    assert not departure.due(0, [lane])
    assert not departure.due(59, [lane])
    assert departure.due(60, [lane])
    loading.clear()
    departure.begin(60, [lane])
    assert not departure.due(69, [lane])
    assert departure.due(70, [lane])


def test_a_few_rows_wait_for_nobodys_children() -> None:
    departure, [lane] = Departure(1, 10_000, coming=lambda: True), lanes()
    join(lane, 1)
    assert not departure.due(0, [lane])
    assert departure.due(1, [lane])


def test_a_flight_is_waited_for_though_all_rows_have_come() -> None:
    departure, [lane] = Departure(1, 10_000, complete=lambda: True), lanes()
    join(lane, 0, of=1)
    departure.due(0, [lane])
    lane.take([*lane.queued.values()])
    departure.begin(1, [lane])
    join(lane, 1, of=1)
    assert not departure.due(9, [lane])


OLD = "2026-01-01T00:00:00.000000Z"


def test_rows_of_a_snapshot_that_are_completed_stay_while_new_ones_leave_until_they_fill_a_job() -> None:
    staying = Staying(3)
    assert staying.stay([OLD, OLD], others=True)
    assert not staying.stay([OLD, OLD, OLD], others=True)
    assert not staying.stay([OLD], others=False), "nothing leaves without them"


def test_a_row_that_has_just_been_changed_does_not_stay() -> None:
    assert not Staying(3).stay([OLD, moment(time.time())], others=True)


def test_rows_stay_five_times_and_no_longer() -> None:
    staying = Staying(3)
    assert [staying.stay([OLD], others=True) for _ in range(7)] == [*[True] * 5, False, True]
