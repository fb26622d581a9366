"""A practice's clock: what its local times mean, and what may be asked for in it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.visual_practice.server_clock import ServerClock
from connectors.visual_practice.source_time import SourceTime, Span, Undecided

NEW_YORK = ZoneInfo("America/New_York")
LOCAL = SourceTime(NEW_YORK, local=True)
AUTUMN = datetime(2026, 11, 1, 5, tzinfo=UTC)
"""01:00 in New York for the first time; an hour later it is 01:00 again."""
ZONES = st.sampled_from(
    ["America/New_York", "Australia/Lord_Howe", "Europe/London", "Asia/Kolkata", "America/St_Johns"]
)


def at(hours: float) -> datetime:
    return AUTUMN + timedelta(hours=hours)


def span(hours: float, later: float | None = None) -> Span:
    return Span(at(hours), at(hours if later is None else later))


def test_a_time_with_an_offset_is_what_it_says() -> None:
    assert LOCAL.instant("2026-01-02T03:04:05Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert SourceTime().instant("2026-01-02T03:04:05+05:00") == datetime(2026, 1, 1, 22, 4, 5, tzinfo=UTC)


def test_a_time_without_an_offset_is_of_the_practices_clock() -> None:
    assert LOCAL.instant("2026-07-01 12:00:00") == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert LOCAL.instant("2026-12-01 12:00:00") == datetime(2026, 12, 1, 17, tzinfo=UTC)


def test_without_a_zone_it_is_no_time() -> None:
    with pytest.raises(ValueError, match="no offset"):
        SourceTime().instant("2026-07-01 12:00:00")


@pytest.mark.parametrize(
    ("read", "hours"),
    [(0.6, 0.5), (1.4, 0.5), (1.6, 1.5), (300.0, 1.5)],
)
def test_a_time_that_exists_twice_is_the_later_one_once_the_server_has_got_there(read: float, hours: float) -> None:
    assert LOCAL.instant("2026-11-01 01:30:00", span(read)) == at(hours)


def test_it_is_not_decided_while_the_server_is_just_getting_there() -> None:
    with pytest.raises(Undecided):
        LOCAL.instant("2026-11-01 01:30:00", span(1.49, 1.51))


def test_a_time_that_the_clock_skipped_is_as_if_it_had_not_been_put_forward() -> None:
    assert LOCAL.instant("2026-03-08 02:30:00", span(1)) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


@given(ZONES, st.integers(0, 400 * 86_400), st.integers(0, 20_000), st.integers(0, 90), st.integers(0, 90))
def test_what_is_read_is_never_before_the_change_nor_after_it_was_read(
    zone: str, when: int, age: int, early: int, late: int
) -> None:
    """All that versions need (docs/extract.md): then a later change never gets an earlier time."""
    read = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=when)
    changed = read - timedelta(seconds=age)
    shown = changed.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(" ")
    seen = Span(read - timedelta(seconds=early), read + timedelta(seconds=late))
    try:
        found = SourceTime(ZoneInfo(zone), local=True).instant(shown, seen)
    except Undecided:
        return
    assert changed <= found
    assert found <= max(seen.earliest, changed)


@given(ZONES, st.integers(0, 400 * 86_400))
def test_what_is_asked_for_is_never_doubtful_and_never_too_late(zone: str, when: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=when, milliseconds=300)
    time = SourceTime(ZoneInfo(zone), local=True)
    floor, written = time.floor(moment), time.written(moment)
    assert floor <= moment
    assert moment - floor < timedelta(hours=2, seconds=2)
    naive = datetime.fromisoformat(written)
    readings = {naive.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
    assert readings == {floor}
    assert time.floor(floor) == floor


def test_asked_for_in_utc_it_is_the_second() -> None:
    assert SourceTime(NEW_YORK).written(at(0.5) + timedelta(milliseconds=900)) == "2026-11-01T05:30:00Z"
    assert LOCAL.written(datetime(1970, 1, 1, tzinfo=UTC)) == "1969-12-31 19:00:00"
    assert LOCAL.written(at(0.5)) == LOCAL.written(at(1.5)) == "2026-11-01 00:59:59"


# -- when an answer was read ---------------------------------------------------------------------------------------------


class Clocks:
    """Our monotonic clock, and a server's that is some seconds ahead of it."""

    def __init__(self) -> None:
        self.ours, self.ahead = 1000.0, 1_800_000_000.25
        self.clock = ServerClock(lambda: self.ours)

    def ask(self, seconds: float) -> tuple[Span, float]:
        """An answer that takes so long, read as soon as it was asked for; and the server's clock at that moment."""
        sent, read = self.ours, self.ours + self.ahead
        self.ours += seconds
        return self.clock.span(sent, datetime.fromtimestamp(int(self.ours + self.ahead), UTC)), read


@given(st.lists(st.tuples(st.floats(0.001, 40), st.floats(0, 5)), min_size=1, max_size=30))
def test_an_answer_was_not_read_before_it_is_said_to_be(requests: list[tuple[float, float]]) -> None:
    clocks = Clocks()
    for index, (seconds, pause) in enumerate(requests):
        seen, read = clocks.ask(seconds)
        if index:
            assert seen.earliest.timestamp() <= read
        assert seen.latest.timestamp() <= read + seconds
        clocks.ours += pause


def test_a_slow_answer_is_of_when_it_was_asked_for() -> None:
    clocks = Clocks()
    for _ in range(50):
        clocks.ask(0.01)
        clocks.ours += 0.31
    seen, read = clocks.ask(30.0)
    assert read - 2 <= seen.earliest.timestamp() <= read
    assert seen.latest.timestamp() >= read + 28


def test_a_clock_that_is_set_back_is_noticed() -> None:
    clocks = Clocks()
    for _ in range(5):
        clocks.ask(0.1)
    clocks.ahead -= 3600
    seen, read = clocks.ask(0.1)
    assert seen.earliest.timestamp() <= read
