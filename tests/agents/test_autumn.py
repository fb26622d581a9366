"""The night in which an hour exists twice: whatever is changed in it arrives, and nothing older goes over anything newer.

The practice is simulated as Visual Practice pages it: rows by when they were really modified, shown in local time without an offset. What is published
goes through the version guard, as in the rest of the pipeline.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
from hypothesis import example, given, settings

from agents.cursor import Cursor
from connectors.visual_practice.source_time import SourceTime, Span, Undecided
from topics.version import Version

TIME = SourceTime(ZoneInfo("America/New_York"), local=True)
FIRST = datetime(2026, 11, 1, 5, tzinfo=UTC)
"""01:00 for the first time."""
OVERLAP = timedelta(seconds=3)
PAGE = 3
STEPS = st.tuples(
    st.sampled_from(["edit", "edit", "delete", "undelete", "nothing", "restart"]),
    st.integers(0, 10**6),
    st.sampled_from([0, 0, 1, 59, 600, 1799, 1800, 3599, 3600, 3601]),
)


class Row(NamedTuple):
    modified: datetime
    content: int
    deleted: bool


class Practice:
    """Rows by number; every change has a content of its own, higher than all before."""

    def __init__(self, rows: int) -> None:
        self.clock = FIRST - timedelta(minutes=10)
        self.changes = 0
        self.rows = {number: Row(self.clock - timedelta(seconds=number), 0, False) for number in range(rows)}

    def happen(self, what: str, dice: int, seconds: int) -> None:
        self.clock += timedelta(seconds=seconds)
        mine = [number for number, row in self.rows.items() if row.deleted == (what == "undelete")]
        if what in {"edit", "delete", "undelete"} and mine:
            self.changes += 1
            number = mine[dice % len(mine)]
            self.rows[number] = Row(self.clock, self.changes, what == "delete")

    def listing(self, since: str, *, deleted: bool) -> list[tuple[datetime, int, str, int]]:
        """Really modified when, number, modified when as it is shown, content; `since` is local, and of two instants the earlier one."""
        at = datetime.fromisoformat(since).replace(tzinfo=TIME.zone).astimezone(UTC)
        return sorted(
            (row.modified, number, row.modified.astimezone(TIME.zone).replace(tzinfo=None).isoformat(" "), row.content)
            for number, row in self.rows.items()
            if row.modified >= at and row.deleted == deleted
        )


class Target:
    """The version guard, and what came through it."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[str, int]] = {}

    def take(self, number: int, shown: str, seen: Span, content: int, *, deleted: bool) -> datetime | None:
        try:
            modified = TIME.instant(shown, seen)
        except Undecided:
            return TIME.instant(shown)
        version = Version(modified, closed=modified < seen.earliest, deleted=deleted).encode()
        before = self.rows.get(number)
        if before is None or version > before[0]:
            assert before is None or content >= before[1], "an older content went over a newer one"
            self.rows[number] = (version, content)
        return modified


class Walk:
    def __init__(self, practice: Practice, slow: int, *, by_place: bool) -> None:
        self.practice, self.slow, self.by_place = practice, slow, by_place
        self.target, self.cursor = Target(), Cursor("run-1")
        self.saved = [self.cursor]

    def sweep(self, steps: list[tuple[str, int, int]]) -> None:
        self.saved = [self.cursor]
        for _ in range(10_000):
            rows, seen, onward = self._page()
            if self.cursor.deleted_since is None:
                self.saved.clear()  # the snapshot's beginning is durable before its first row is out
            self.cursor = self.cursor.begun(seen.earliest, OVERLAP)
            if not self.saved:
                self.saved.append(self.cursor)
            last: datetime | None = None
            for _, number, shown, content in rows:
                last = self.target.take(number, shown, seen, content, deleted=False)
            following = self.cursor.after_page(
                None if last is None else TIME.floor(last), has_next=onward is not None, size=PAGE, token=onward or None
            )
            if following is None:
                break
            self.cursor = following
            self.saved.append(following)
            if steps:
                what, dice, seconds = steps.pop()
                self.practice.happen(what, dice, seconds)
                if what == "restart":
                    self.cursor = self.saved[dice % len(self.saved)]
        else:
            raise AssertionError("the sweep does not end")
        self._deletes()
        assert self.cursor.sweep_started is not None
        self.cursor = self.cursor.after_sweep(TIME.floor(self.cursor.sweep_started - OVERLAP))

    def _page(self) -> tuple[list[tuple[datetime, int, str, int]], Span, str | None]:
        cursor = self.cursor
        rows = self.practice.listing(TIME.written(cursor.since), deleted=False)
        seen = self._seen()
        if not self.by_place:
            start = (cursor.page - 1) * PAGE
            return rows[start : start + PAGE], seen, "" if start + PAGE < len(rows) else None
        if cursor.token is not None:
            at, _, number = cursor.token.partition("|")
            rows = [row for row in rows if (row[0].isoformat(), row[1]) > (at, int(number))]
        onward = f"{rows[PAGE - 1][0].isoformat()}|{rows[PAGE - 1][1]}" if len(rows) > PAGE else None
        return rows[:PAGE], seen, onward

    def _deletes(self) -> None:
        since = TIME.written(self.cursor.deleted_since or FIRST)
        seen = self._seen()
        for _, number, shown, content in self.practice.listing(since, deleted=True):
            self.target.take(number, shown, seen, content, deleted=True)

    def _seen(self) -> Span:
        now = self.practice.clock
        return Span(now - timedelta(seconds=self.slow), now + timedelta(seconds=self.slow))


@settings(max_examples=250, deadline=None)
@given(st.integers(1, 10), st.lists(STEPS, max_size=50), st.integers(1, 12), st.integers(0, 2), st.booleans())
@example(rows=5, steps=[("delete", 0, 0), ("restart", 0, 59)], sweeps=1, slow=0, by_place=False)
def test_every_change_of_the_night_arrives_and_none_goes_backwards(
    rows: int, steps: list[tuple[str, int, int]], sweeps: int, slow: int, by_place: bool
) -> None:
    practice = Practice(rows)
    walk = Walk(practice, slow, by_place=by_place)
    for _ in range(sweeps):
        share = max(1, len(steps) // sweeps)
        mine = [steps.pop() for _ in range(min(share, len(steps)))]
        if mine:
            practice.happen(*mine.pop())
        walk.sweep(mine)
    for _ in range(2):
        practice.happen("nothing", 0, 2 * slow + 1)
        walk.sweep([])
    held = {number: content for number, (_, content) in walk.target.rows.items()}
    assert held == {number: row.content for number, row in practice.rows.items()}
    deleted = {number: Version.decode(version).deleted for number, (version, _) in walk.target.rows.items()}
    assert deleted == {number: row.deleted for number, row in practice.rows.items()}


def test_the_second_half_past_one_is_later_than_the_first() -> None:
    practice = Practice(1)
    walk = Walk(practice, 0, by_place=False)
    practice.happen("edit", 0, 2400)
    walk.sweep([])
    practice.happen("edit", 0, 3000)  # shown as twenty past one: earlier than the half past before
    practice.happen("nothing", 0, 5)
    walk.sweep([])
    assert walk.target.rows[0][1] == 2


def test_what_can_not_be_told_apart_yet_waits() -> None:
    practice = Practice(1)
    walk = Walk(practice, 2, by_place=False)
    practice.happen("edit", 0, 2400)
    walk.sweep([])
    practice.happen("nothing", 0, 3599)  # in a second it is the same time again
    walk.sweep([])
    practice.happen("edit", 0, 0)
    practice.happen("nothing", 0, 10)
    walk.sweep([])
    assert walk.target.rows[0][1] == 2
