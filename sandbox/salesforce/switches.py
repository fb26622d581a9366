"""What a test may turn while the org runs: how slow it is.

Owns the values, in memory; a restart resets them. Turned by the admin API.
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Switches:
    """`bulk_chunk_seconds` is waited after each 200 rows of a job, `latency_seconds` before each answer."""

    bulk_chunk_seconds: float = 0.0
    latency_seconds: float = 0.0

    def turn(self, given: dict[str, Any]) -> dict[str, Any]:
        """Sets what is named, and returns all; raises ValueError for an unknown name."""
        for name, value in given.items():
            if name not in self.__dataclass_fields__:
                raise ValueError(f"unknown switch: {name}")
            setattr(self, name, float(value))
        return asdict(self)
