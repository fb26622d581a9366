"""Days, office hours and stamps of a made-up practice.

Owns the span of years it has existed, when it is open, and the runs of records that one import wrote within a second.
Seconds and days count from 1970, UTC. Called by the generator and the history.
"""

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sandbox import clock

DAY = 86_400
ZONE = ZoneInfo("America/New_York")
OLDEST = clock.practice_instant("2016-01-04T08:00:00Z")  # a Monday
NEWEST = clock.practice_instant("2025-06-30T18:00:00Z")
OLDEST_DAY, NEWEST_DAY = OLDEST // DAY, NEWEST // DAY
OPENS, SLOTS, LUNCH = 8 * 3600, 40, range(16, 20)  # slots of a quarter of an hour; nobody is booked over lunch
_OPEN_SLOTS = tuple(slot for slot in range(SLOTS) if slot not in LUNCH)
_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02d}Z" for second in range(60))
IMPORT_EVERY, IMPORT_MIN, IMPORT_MAX = 1_500, 120, 450
FIRST_IMPORT = 60  # the record with which the first run of each resource begins, so that small practices have one


@lru_cache(16_384)
def day_text(day: int) -> str:
    """A day as the API writes it, `2026-01-02`."""
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY))


def instant_text(at: int) -> str:
    """An instant as the API writes it, `2026-01-02T03:04:05Z`."""
    day, second = divmod(at, DAY)
    return day_text(day) + _MINUTES[second // 60] + _SECONDS[second % 60]


@lru_cache(16_384)
def _midnight(day: int) -> int:
    """The instant at which that day begins in the practice's zone, as if it had no clock change that morning."""
    noon = datetime(1970, 1, 1, 12, tzinfo=ZONE) + timedelta(days=day)
    return day * DAY - int((noon.utcoffset() or timedelta()).total_seconds())


def office_instant(dice: random.Random, first_day: int, last_day: int) -> int:
    """An instant at which the practice can see someone: a weekday, in its hours, on a quarter."""
    day = dice.randint(max(first_day, OLDEST_DAY), max(first_day, last_day))
    weekday = (day - OLDEST_DAY) % 7
    if weekday > 4:
        day -= weekday - 4 if day - 2 > first_day else weekday - 7
    return _midnight(day) + OPENS + dice.choice(_OPEN_SLOTS) * 900


class Stamps:
    """Gives records their stamps; now and then a run of one resource's records shares one second."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._runs: dict[str, tuple[int, str]] = {}
        self._made: Counter[str] = Counter()

    def of(self, resource: str, created: int, updated: int) -> tuple[str, str]:
        """`created_at` and `updated_at` of the next record; never before the practice began nor after today."""
        self._made[resource] += 1
        left, at = self._runs.get(resource, (0, ""))
        if left:
            self._runs[resource] = (left - 1, at)
            return at, at
        created = min(max(created, OLDEST), NEWEST)
        updated = min(max(updated, created), NEWEST)
        told = instant_text(updated)
        if self._dice.random() < 1 / IMPORT_EVERY or self._made[resource] == FIRST_IMPORT:
            self._runs[resource] = (self._dice.randint(IMPORT_MIN, IMPORT_MAX), told)
        return (told, told) if created == updated else (instant_text(created), told)


def day_of(text: str) -> int:
    """The day of an instant that the API wrote."""
    return int(datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) // DAY
