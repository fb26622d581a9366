"""Instants in the practice's own time, as installations without zones write them.

Owns the two translations and what they do when clocks change. Called by `view` and by the reading of parameters.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FORM = "%Y-%m-%d %H:%M:%S"


class LocalTime:
    """The practice's zone. Offsets of whole hours are cheap; others are right, and slower."""

    def __init__(self, zone: str) -> None:
        self.name = zone
        self._zone = ZoneInfo(zone)
        self._hour = lru_cache(65_536)(self._of_hour)

    def _of_hour(self, hour: str) -> str | None:
        """The local `2026-01-02 03` of a UTC `2026-01-02T08`; None when the offset has minutes."""
        local = self._local(f"{hour}:00:00Z")
        return local[:13] if local.endswith(":00:00") else None

    def _local(self, text: str) -> str:
        instant = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        try:
            return instant.astimezone(self._zone).strftime(FORM).rjust(19, "0")
        except OverflowError:
            return text

    def show(self, text: str) -> str:
        """A stored instant (`…T…Z`) in local time; a text that is none stays as it is."""
        if len(text) != 20 or text[19] != "Z" or text[10] != "T":
            return text
        try:
            hour = self._hour(text[:13])
            return self._local(text) if hour is None else hour + text[13:19]
        except ValueError:
            return text

    def read(self, text: str) -> str:
        """The stored form of a local time.

        A time that exists twice is the earlier one, so that a delta since then leaves nothing out; one that does not
        exist is moved on by the gap.

        Raises:
            ValueError: It is no `yyyy-MM-dd HH:mm:ss`.
        """
        local = datetime.strptime(text, FORM).replace(tzinfo=self._zone)
        return (local.astimezone(UTC) + timedelta()).strftime("%Y-%m-%dT%H:%M:%SZ")
