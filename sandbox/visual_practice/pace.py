"""How slow listings are, and the gateway in front of them that gives up.

Owns the numbers and the waiting. Turned by the admin API; all zero unless told otherwise.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any


class GatewayTimeoutError(Exception):
    """The answer would take longer than the gateway waits."""


@dataclass(slots=True)
class Pace:
    """Seconds that an answer takes: each one, more for each record on a page, more for each record before the page.

    What takes longer than `gateway_seconds` is 504 after that long: a smaller page, or a cursor, gets through.
    """

    answer_seconds: float = 0.0
    record_seconds: float = 0.0
    skipped_seconds: float = 0.0
    gateway_seconds: float = 60.0

    def turn(self, given: dict[str, Any]) -> dict[str, float]:
        """Sets what is named, and returns all; raises ValueError for an unknown name or no number."""
        for name, value in given.items():
            if name not in self.__dataclass_fields__:
                raise ValueError(f"unknown: {name}")
            setattr(self, name, float(value))
        return asdict(self)

    async def wait(self, records: int, skipped: int) -> None:
        """Takes its time; raises GatewayTimeoutError when that is too long."""
        seconds = self.answer_seconds + self.record_seconds * records + self.skipped_seconds * skipped
        if seconds <= 0:
            return
        await asyncio.sleep(min(seconds, self.gateway_seconds))
        if seconds > self.gateway_seconds:
            raise GatewayTimeoutError
