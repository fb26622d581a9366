"""The servers' clocks and the text forms of an instant that each of them uses.

Owns reading, setting wrong and formatting. Visual Practice ticks in whole seconds; Salesforce shows milliseconds that
are always zero. Both run with the machine's clock until a fault sets one of them wrong.
"""

import time
from datetime import UTC, datetime
from email.utils import formatdate

_wrong_by = {"salesforce": 0.0, "visual_practice": 0.0}


def now() -> float:
    """Salesforce's clock, in seconds since 1970 (UTC)."""
    return time.time() + _wrong_by["salesforce"]


def practice_now() -> float:
    """Visual Practice's clock, in seconds since 1970 (UTC)."""
    return time.time() + _wrong_by["visual_practice"]


def set_wrong(server: str, seconds: float) -> None:
    """Sets the clock of `salesforce` or `visual_practice` ahead by that much, behind when negative, right when 0."""
    _wrong_by[server] = seconds


def wrong_by(server: str) -> float:
    """How far that server's clock is ahead, in seconds."""
    return _wrong_by[server]


def date_header(server: str) -> str:
    """The `Date` of an answer by that server's clock."""
    return formatdate(time.time() + _wrong_by[server], usegmt=True)


def practice_text(instant: float) -> str:
    """An instant as Visual Practice writes it, `2026-01-02T03:04:05Z`; the part of a second is cut off."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant))


def practice_instant(text: str) -> int:
    """Seconds since 1970 of a `2026-01-02T03:04:05Z`; raises ValueError for anything else."""
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def salesforce_text(instant: float) -> str:
    """An instant as Salesforce answers it over REST, `2026-01-02T03:04:05.000+0000`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime(instant))
