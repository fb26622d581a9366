"""The source's clock: its local times as instants, and instants as it wants them in parameters.

Owns what happens in the two hours of an autumn night that have the same local times (docs/extract.md). Pure.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["SourceTime", "Span", "Undecided"]

_SECOND: Final = timedelta(seconds=1)
_HALF_DAY: Final = timedelta(hours=12)


class Undecided(Exception):
    """A local time that exists twice, read while the second of the two was just there: which one it is shows a moment later."""


class Span(NamedTuple):
    """When an answer's data were read, by the server's clock, in UTC and whole seconds.

    Attributes:
        earliest: Not before this; whatever changes later bears this second or a later one.
        latest: Not after this; no stamp of the past is later.
    """

    earliest: datetime
    latest: datetime


class SourceTime:
    """How an installation writes times. Immutable.

    Args:
        zone: What clock a time without an offset is of; None when nobody has said.
        local: Whether parameters are wanted in that zone, without an offset; in UTC otherwise.
    """

    def __init__(self, zone: ZoneInfo | None = None, *, local: bool = False) -> None:
        self.zone = zone
        self.local = local and zone is not None

    def instant(self, text: str, seen: Span | None = None) -> datetime:
        """The instant of a stamp, in UTC.

        Of a local time that exists twice it is the later one if the server's clock had reached that when the stamp was read, else
        the earlier one: never before the instant that is meant, and never after it was read.

        Args:
            text: As the API has it, with an offset or without.
            seen: When it was read; without, of two instants the earlier one is taken.

        Raises:
            ValueError: It is no time, or has no offset and the zone is not known.
            Undecided: It exists twice, and the later instant lies within `seen`.
        """
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        if self.zone is None:
            raise ValueError("no offset")
        earlier, later = self._readings(moment)
        if seen is None or later <= earlier or later > seen.latest:
            return earlier
        if later > seen.earliest:
            raise Undecided
        return later

    def written(self, moment: datetime) -> str:
        """An instant as parameters want it, or the last one before it that can be said without a doubt; parts of a second are cut off."""
        moment = self.floor(moment)
        if self.local:
            return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def floor(self, moment: datetime) -> datetime:
        """The last instant, not after this one, that a parameter can say: whole seconds, and no local time that exists twice."""
        moment = moment.astimezone(UTC).replace(microsecond=0)
        if not self.local or self.zone is None:
            return moment
        try:
            naive = moment.astimezone(self.zone).replace(tzinfo=None, fold=0)
            if not self._twice(naive):
                return moment
        except OverflowError:
            return moment
        # Where the doubtful times begin is a whole minute for every zone; they last an hour or so.
        low = moment - _HALF_DAY
        high = moment
        while high - low > _SECOND:
            middle = (low + (high - low) / 2).replace(microsecond=0)
            local = middle.astimezone(self.zone).replace(tzinfo=None, fold=0)
            low, high = (low, middle) if self._twice(local) else (middle, high)
        return low

    def _readings(self, naive: datetime) -> tuple[datetime, datetime]:
        """The two instants of a local time; the second one is not later unless the time exists twice."""
        readings = [naive.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        return readings[0], readings[1]

    def _twice(self, naive: datetime) -> bool:
        earlier, later = self._readings(naive)
        return later > earlier
