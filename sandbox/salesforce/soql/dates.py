"""Date literals of SOQL (`TODAY`, `LAST_N_DAYS:3`, `THIS_QUARTER`) and date functions (`CALENDAR_YEAR(…)`).

Owns which days a literal means and the SQL of a function. Weeks begin on Sunday; days are those of UTC, where Salesforce
takes the caller's time zone; fiscal years are calendar years. Called by `statement`.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_COUNTED = re.compile(r"(?:(LAST|NEXT)_N|N)_(?:FISCAL_)?(DAY|WEEK|MONTH|QUARTER|YEAR)S(_AGO)?:(\d{1,4})")
_NAMED = re.compile(r"(LAST|THIS|NEXT)_(?:FISCAL_)?(WEEK|MONTH|QUARTER|YEAR)")
_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
_STEPS = {"LAST": -1, "THIS": 0, "NEXT": 1}


def today() -> date:
    """The day it is, UTC."""
    return datetime.now(UTC).date()


def span(word: str, day: date | None = None) -> tuple[date, date] | None:
    """The first day of a literal and the first day after it, or None when it is no literal."""
    now = day or today()
    if word in _DAYS:
        first = now + timedelta(days=_DAYS[word])
        return first, first + timedelta(days=1)
    if word in {"LAST_90_DAYS", "NEXT_90_DAYS"}:
        return span(f"{word[:4]}_N_DAYS:90", now)
    if named := _NAMED.fullmatch(word):
        step = _STEPS[named[1]]
        return _start(named[2], now, step), _start(named[2], now, step + 1)
    counted = _COUNTED.fullmatch(word)
    if counted is None or bool(counted[1]) == bool(counted[3]):
        return None
    return _counted(counted[1], counted[2], int(counted[4]), now)


def _counted(direction: str | None, unit: str, number: int, now: date) -> tuple[date, date]:
    if direction is None:  # N_DAYS_AGO
        return _start(unit, now, -number), _start(unit, now, 1 - number)
    if unit == "DAY":  # today belongs to both
        first = now - timedelta(days=number) if direction == "LAST" else now
        return first, (now if direction == "LAST" else now + timedelta(days=number)) + timedelta(days=1)
    if direction == "LAST":
        return _start(unit, now, -number), _start(unit, now, 0)
    return _start(unit, now, 1), _start(unit, now, number + 1)


def _start(unit: str, now: date, step: int) -> date:
    """The first day of the unit that is so many after the current one."""
    if unit == "DAY":
        return now + timedelta(days=step)
    if unit == "WEEK":
        return now - timedelta(days=(now.weekday() + 1) % 7) + timedelta(weeks=step)
    months = MONTHS[unit]
    at = (now.year * 12 + now.month - 1) // months * months + step * months
    return date(at // 12, at % 12 + 1, 1)


def _part(pattern: str) -> Callable[[str], str]:
    return lambda sql: f"CAST(strftime('{pattern}', substr({sql}, 1, 19)) AS INTEGER)"


def _quarter(sql: str) -> str:
    return f"(CAST(strftime('%m', substr({sql}, 1, 19)) AS INTEGER) + 2) / 3"


FUNCTIONS: dict[str, Callable[[str], str]] = {
    "CALENDAR_YEAR": _part("%Y"),
    "CALENDAR_QUARTER": _quarter,
    "CALENDAR_MONTH": _part("%m"),
    "FISCAL_YEAR": _part("%Y"),
    "FISCAL_QUARTER": _quarter,
    "FISCAL_MONTH": _part("%m"),
    "DAY_IN_MONTH": _part("%d"),
    "DAY_IN_WEEK": lambda sql: f"CAST(strftime('%w', substr({sql}, 1, 19)) AS INTEGER) + 1",
    "DAY_IN_YEAR": _part("%j"),
    "DAY_ONLY": lambda sql: f"substr({sql}, 1, 10)",
    "HOUR_IN_DAY": _part("%H"),
    "WEEK_IN_MONTH": lambda sql: f"(CAST(strftime('%d', substr({sql}, 1, 19)) AS INTEGER) + 6) / 7",
    "WEEK_IN_YEAR": lambda sql: f"(CAST(strftime('%j', substr({sql}, 1, 19)) AS INTEGER) + 6) / 7",
}
