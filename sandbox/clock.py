"""The servers' clock and the text forms of an instant that each of them uses.

Owns formatting only. Visual Practice ticks in whole seconds; Salesforce shows milliseconds that are always zero.
"""

import time
from datetime import UTC, datetime


def now() -> float:
    """The server clock, in seconds since 1970 (UTC)."""
    return time.time()


def practice_text(instant: float) -> str:
    """An instant as Visual Practice writes it, `2026-01-02T03:04:05Z`; the part of a second is cut off."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant))


def practice_instant(text: str) -> int:
    """Seconds since 1970 of a `2026-01-02T03:04:05Z`; raises ValueError for anything else."""
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def salesforce_text(instant: float) -> str:
    """An instant as Salesforce answers it over REST, `2026-01-02T03:04:05.000+0000`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime(instant))
