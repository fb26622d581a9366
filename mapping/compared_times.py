"""Times as a comparison reads them: days, instants, and what a place's clock shows.

A second opinion, as `comparators`, which calls it: nothing is shared with `transforms` or `local_time`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mapping.compared_values import tidy
from mapping.rules import Column

__all__ = ["day", "day_of", "goes_on", "instant", "named"]

_DAY: Final = timedelta(days=1)


def day(text: str) -> tuple[int, int, int] | None:
    """Year, month and day of a text; None when it is no day that Salesforce can store."""
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(part.isdigit() and part.isascii() for part in parts):
        return None
    year, month, day = (int(part) for part in parts)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1700 <= year <= 4000 or not 1 <= month <= 12 or not 1 <= day <= days[month - 1]:
        return None
    return year, month, day


def instant(text: str, *, any_year: bool = False) -> datetime | None:
    """The second a text with an offset names; None when it names none, or none that Salesforce can store."""
    zone = timedelta()
    if text.endswith("Z"):
        clock = text[:-1]
    else:
        sign, offset = text[19:].rfind("-"), text[19:].rfind("+")
        cut = 19 + max(sign, offset)
        digits = text[cut + 1 :].replace(":", "", 1)
        if cut < 19 or len(digits) != 4 or not digits.isdigit() or not digits.isascii():
            return None
        if len(text) - cut == 6 and text[cut + 3] != ":":
            return None
        zone = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        zone = -zone if text[cut] == "-" else zone
        clock = text[:cut]
    whole, dot, fraction = clock.partition(".")
    if dot and not (fraction.isdigit() and fraction.isascii() and len(fraction) <= 6):
        return None
    if not whole.isascii() or len(whole) != 19 or whole[10] not in "T " or abs(zone) >= timedelta(hours=24):
        return None
    parts = (whole[0:4], whole[5:7], whole[8:10], whole[11:13], whole[14:16], whole[17:19])
    if not "".join(parts).isdigit() or whole[4] + whole[7] + whole[13] + whole[16] != "--::":
        return None
    try:
        moment = datetime(*map(int, parts), tzinfo=UTC) - zone  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError):
        return None
    return moment if any_year or 1700 <= moment.year <= 4000 else None


def on_the_clock(text: str, zone: ZoneInfo) -> datetime | None:
    """The second at which a zone's clock shows a time without an offset.

    Tried are the offsets of the day before and of the day after: the first second that shows it counts. If the clock skipped it,
    none does, and the offset before the change counts.
    """
    day, apart, clock = text[:10], text[10:11], text[11:]
    if apart not in {"T", " "} or len(clock) < 5 or not text.isascii():
        return None
    seconds, dot, fraction = clock[5:].partition(".")
    shape = (seconds == "" and not dot) or (len(seconds) == 3 and seconds[0] == ":")
    if not shape or (dot and not (fraction.isdigit() and len(fraction) <= 6)):
        return None
    shown = instant(f"{day}T{clock[:5]}{seconds or ':00'}Z", any_year=True)
    if shown is None:
        return None
    try:
        offsets = [(shown + days).astimezone(zone).utcoffset() or timedelta() for days in (-_DAY, _DAY)]
        fitting = [shown - offset for offset in offsets if (shown - offset).astimezone(zone).utcoffset() == offset]
        moment = min(fitting) if fitting else shown - offsets[0]
    except OverflowError:
        return None
    return moment if 1700 <= moment.year <= 4000 else None


def named(text: str, zone: ZoneInfo | None) -> datetime | None:
    """The second a text names, by its offset or by the clock of ``zone``; None when it names none."""
    return instant(text) or (None if zone is None else on_the_clock(text, zone))


def day_of(text: str, zone: ZoneInfo | None) -> str | None:
    """The day that a time is of, by the clock of ``zone`` or UTC's; a mere day is itself."""
    if len(text) == 10:
        return text if day(text) is not None else None
    moment = named(text, zone)
    if moment is None:
        return None
    shown = moment if zone is None else moment.astimezone(zone)
    return shown.date().isoformat()


def goes_on(column: Column, zone: ZoneInfo | None, as_of: str | None, fields: Mapping[str, str | None]) -> bool | None:
    """Whether a checkbox that says if something goes on has to be ticked; None when the record could not be loaded at all."""
    end = tidy(fields.get(column.from_ or ""))
    if not end or end == "0001-01-01":
        return True
    if day(end) is None:
        return True if column.on_invalid == "blank" else None
    told = day_of(tidy(fields.get(column.seen or "")), zone)
    return not any(one is not None and end <= one for one in (told, as_of))
