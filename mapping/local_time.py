"""From a place's own clock to an instant: times without an offset, as many practice systems write them.

Owns what happens where the clock changes. A time that the clock skipped is read as if it had not been put forward yet, which
is the same while later; of a time that came twice the first is taken. Both are said in the report, as only the practice knows better.
Called by `transforms`; `comparators` finds the instant in another way.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["REPEATED", "SKIPPED", "to_utc"]

SKIPPED: Final = "LOCAL_TIME_SKIPPED"
REPEATED: Final = "LOCAL_TIME_REPEATED"


def to_utc(local: datetime, zone: ZoneInfo) -> tuple[datetime, str | None]:
    """The instant at which the clock of ``zone`` shows ``local``, a naive datetime, and what is odd about it, if anything.

    Raises:
        OverflowError: It lies beyond what a datetime can say.
    """
    first = local.replace(tzinfo=zone, fold=0)
    moment = first.astimezone(UTC)
    if first.utcoffset() == first.replace(fold=1).utcoffset():
        return moment, None
    # PEP 495: the two readings differ around a change; only a time that is really there comes back as it was.
    back = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    return moment, REPEATED if back == local else SKIPPED
