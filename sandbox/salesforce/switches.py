"""What a test may turn while the org runs: how slow it is.

Owns the values, in memory; a restart resets them. Turned by the admin API.
"""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any

LOOK = 0.02  # seconds between two looks at a switch
LIKE = {  # measured by nobody: of the order that practitioners report
    "real": {"bulk_queue_seconds": 3.0, "bulk_chunk_seconds": 0.4, "latency_seconds": 0.12},
    "fast": {"bulk_queue_seconds": 0.0, "bulk_chunk_seconds": 0.0, "latency_seconds": 0.0},
}


@dataclass(slots=True)
class Switches:
    """`latency_seconds` is waited before each answer.

    `bulk_queue_seconds` a closed job waits until it is in progress, `bulk_chunk_seconds` every 200 rows take, and
    `bulk_lock_seconds` a chunk waits for the locks of another job before its rows are refused. `bulk_columns_sorted`
    (0 or 1) puts the columns of results into the order of the alphabet. A deploy is pending for `deploy_seconds`.
    """

    bulk_queue_seconds: float = 0.0
    bulk_chunk_seconds: float = 0.0
    bulk_lock_seconds: float = 10.0
    bulk_columns_sorted: float = 0.0
    deploy_seconds: float = 0.0
    latency_seconds: float = 0.0

    async def wait(self, name: str) -> None:
        """Waits as long as the switch says; turned down meanwhile, it ends as soon as that time is over."""
        began = time.monotonic()
        while True:
            left = getattr(self, name) - (time.monotonic() - began)
            if left <= 0:
                return
            await asyncio.sleep(min(left, LOOK))

    def turn(self, given: dict[str, Any]) -> dict[str, Any]:
        """Sets what is named, and returns all; raises ValueError for an unknown name.

        `{"like": "real"}` sets the waits of a usual org, `{"like": "fast"}` takes them away; more names may follow.
        """
        given = dict(given)
        if "like" in given:
            given = LIKE.get(str(given.pop("like")), {}) | given
        for name, value in given.items():
            if name not in self.__dataclass_fields__:
                raise ValueError(f"unknown switch: {name}")
            setattr(self, name, float(value))
        return asdict(self)
