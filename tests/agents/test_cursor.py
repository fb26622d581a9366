"""The walk over a source that goes on changing: nothing that is there throughout a sweep is missed by it.

The source is simulated as Visual Practice pages it: by modification time in whole seconds, ties by id, pages counted by offset.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import hypothesis.strategies as st
from hypothesis import given, settings

from agents.cursor import BEGINNING, Cursor, Seen, key_of

START = datetime(2026, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(seconds=3)
PAGE = 3
EVENTS = st.tuples(st.sampled_from(["edit", "delete", "create", "tick", "restart", "nothing"]), st.integers(0, 10**6))


class Listing(NamedTuple):
    rows: list[tuple[datetime, int]]
    has_next: bool
    server_time: datetime


class Source:
    """Rows by id, each with its time of modification; the clock moves only when it is told to."""

    def __init__(self, ages: list[int]) -> None:
        self.clock = START
        self.rows = {number: START - timedelta(seconds=age) for number, age in enumerate(ages)}

    def page(self, since: datetime, page: int) -> Listing:
        rows = sorted((modified, number) for number, modified in self.rows.items() if modified >= since)
        start = (page - 1) * PAGE
        return Listing(rows[start : start + PAGE], start + PAGE < len(rows), self.clock)

    def happen(self, event: str, dice: int) -> None:
        if event == "tick":
            self.clock += timedelta(seconds=1)
        elif event == "create":
            self.rows[max(self.rows, default=0) + 1] = self.clock
        elif self.rows and event in {"edit", "delete"}:
            number = sorted(self.rows)[dice % len(self.rows)]
            if event == "edit":
                self.rows[number] = self.clock
            else:
                del self.rows[number]


class Walk:
    """The extract's loop over one sweep, as far as the cursor goes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.cursor = Cursor("run-1")
        self.saved = [self.cursor.encode()]
        self.published: dict[int, datetime] = {}

    def sweep(self, events: list[tuple[str, int]]) -> None:
        """One sweep, an event after each page; fails when it leaves out a row that nobody touched meanwhile."""
        untouched = dict(self.source.rows)
        self.saved = [self.cursor.encode()]
        while True:
            page = self.source.page(self.cursor.since, self.cursor.page)
            self.cursor = self.cursor.begun(page.server_time, OVERLAP)
            self.published |= {number: modified for modified, number in page.rows}
            last = page.rows[-1][0] if page.rows else None
            following = self.cursor.after_page(last, has_next=page.has_next, size=PAGE)
            if following is None:
                break
            self.cursor = following
            self.saved.append(self.cursor.encode())
            event, dice = events.pop() if events else ("nothing", 0)
            self.source.happen(event, dice)
            if event == "restart":
                self.cursor = Cursor.decode(self.saved[dice % len(self.saved)])
            untouched = {n: at for n, at in untouched.items() if self.source.rows.get(n) == at}
        assert self.cursor.sweep_started is not None
        self.cursor = self.cursor.after_sweep(self.cursor.sweep_started - OVERLAP)
        missed = [number for number, modified in untouched.items() if self.published.get(number) != modified]
        assert not missed, f"missed {missed}"

    @property
    def complete(self) -> bool:
        return all(self.published.get(number) == modified for number, modified in self.source.rows.items())


@settings(max_examples=600, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=25), st.lists(EVENTS, max_size=60), st.integers(1, 4))
def test_no_row_that_is_there_throughout_is_missed_whatever_happens_between_pages(
    ages: list[int], events: list[tuple[str, int]], sweeps: int
) -> None:
    walk = Walk(Source(ages))
    for _ in range(sweeps):
        share = len(events) // sweeps
        walk.sweep([events.pop() for _ in range(share)])
        walk.source.happen("tick", 0)
    walk.sweep([])
    assert walk.complete


def test_a_second_with_more_rows_than_a_page_is_read_although_rows_leave_it() -> None:
    source = Source([5] * (2 * PAGE))
    walk = Walk(source)
    walk.sweep([("edit", 0), ("nothing", 0)])
    assert set(walk.published) == set(source.rows)


def test_the_first_sweep_begins_at_the_beginning_and_the_next_where_it_began_less_the_overlap() -> None:
    walk = Walk(Source([10, 20]))
    assert walk.cursor.since == BEGINNING
    walk.sweep([])
    assert (walk.cursor.since, walk.cursor.sweeps) == (START - OVERLAP, 1)
    walk.source.clock += timedelta(seconds=60)
    walk.sweep([])
    assert (walk.cursor.since, walk.cursor.sweeps) == (START + timedelta(seconds=60) - OVERLAP, 2)


def test_deletes_count_from_before_the_snapshot_began() -> None:
    cursor = Cursor("run-1").begun(START, OVERLAP)
    assert cursor.deleted_since == START - OVERLAP
    assert cursor.begun(START + timedelta(hours=1), OVERLAP) == cursor


@given(
    st.builds(
        Cursor,
        run=st.text(max_size=5),
        since=st.datetimes(timezones=st.just(UTC)),
        page=st.integers(1, 9),
        size=st.integers(0, 100),
        token=st.one_of(st.none(), st.text(max_size=5)),
        then=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
        sweep_started=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
        deleted_since=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
        archived_since=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
        sweeps=st.integers(0, 9),
    )
)
def test_a_cursor_survives_being_stored(cursor: Cursor) -> None:
    assert Cursor.decode(cursor.encode()) == cursor
    assert key_of("patient") == b"T|patient"


# -- what the overlap publishes again ----------------------------------------------------------------------------------


def seconds(number: int) -> datetime:
    return START + timedelta(seconds=number)


def test_a_version_is_new_once() -> None:
    seen = Seen()
    assert seen.new("1", "v1", seconds(1), deleted=False, since=START)
    assert not seen.new("1", "v1", seconds(1), deleted=False, since=START)
    assert seen.new("1", "v2", seconds(2), deleted=False, since=START)
    assert seen.new("2", "v2", seconds(2), deleted=False, since=START)


def test_a_delete_and_a_row_are_told_apart() -> None:
    seen = Seen()
    assert seen.new("1", "v1", seconds(1), deleted=False, since=START)
    assert seen.new("1", "v1", seconds(1), deleted=True, since=START)
    assert not seen.new("1", "v1", seconds(1), deleted=True, since=START)
    assert not seen.new("1", "v1", seconds(1), deleted=False, since=START)


def test_what_the_walk_can_still_meet_is_never_forgotten() -> None:
    seen = Seen(most=10)
    for number in range(1000):
        assert seen.new(str(number), "v", seconds(number), deleted=False, since=seconds(number - 30))
    for number in range(970, 1000):
        assert not seen.new(str(number), "v", seconds(number), deleted=False, since=seconds(969))


def test_what_the_walk_has_left_behind_is_forgotten() -> None:
    seen = Seen(most=10)
    for number in range(1000):
        seen.new(str(number), "v", seconds(number), deleted=False, since=seconds(number - 5))
    assert len(seen._seen) <= 21
