"""Instants in the practice's own time, as installations without zones write them.

Owns the two translations and what they do when clocks change. Called by `view` and by the reading of parameters.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

FORM = "%Y-%m-%d %H:%M:%S"
HOURS = 200_000  # remembered, of the practice's some ninety thousand


class LocalTime:
    """The practice's zone. Offsets of whole hours are cheap; others are right, and slower."""

    def __init__(self, zone: str) -> None:
        self.name = zone
        self._zone = ZoneInfo(zone)
        self.hours: dict[
            str, str
        ] = {}  # the local `2026-01-02 03` of a UTC `2026-01-02T08`, where minutes are the same

    def _local(self, text: str) -> str:
        try:
            local = datetime.fromisoformat(f"{text[:19]}+00:00").astimezone(self._zone)
        except OverflowError:
            return text
        return local.replace(tzinfo=None).isoformat(" ")

    def show(self, text: str) -> str:
        """A stored instant (`…T…Z`) in local time; a text that is none stays as it is."""
        if len(text) != 20 or text[19] != "Z" or text[10] != "T":
            return text
        try:
            local = self._local(text)
        except ValueError:
            return text
        if local[13:] == text[13:19]:
            if len(self.hours) >= HOURS:
                self.hours.clear()
            self.hours[text[:13]] = local[:13]
        return local

    def read(self, text: str) -> str:
        """The stored form of a local time.

        A time that exists twice is the earlier one, so that a delta since then leaves nothing out; one that does not
        exist is moved on by the gap.

        Raises:
            ValueError: It is no `yyyy-MM-dd HH:mm:ss`.
        """
        local = datetime.strptime(text, FORM).replace(tzinfo=self._zone)
        try:
            return f"{local.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
        except OverflowError as error:
            raise ValueError(text) from error
