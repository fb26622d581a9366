"""Waits until the ledger has read what its topics hold: decisions are not made on what it knew a while ago."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from cutover.ledger.read import Reader
from cutover.outcome import Failed
from cutover.settings import Settings
from topics.broker import Broker, open_broker

CATCH_UP_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.25


async def caught_up(settings: Settings, within: float = CATCH_UP_SECONDS) -> None:
    """Waits until the ledger has read what its topics hold now; at most that many seconds.

    Raises:
        Failed: It has not in time: no control process keeps it.
        KafkaUnreachable: No broker answers.
    """
    async with open_broker(settings.kafka.bootstrap) as broker:
        await catch_up(settings, broker, within)


async def catch_up(settings: Settings, broker: Broker, within: float) -> None:
    """`caught_up`, by an open connection."""
    names = settings.catalogue.ledger
    _, ends = await broker.bounds(dict.fromkeys(names, settings.catalogue.partitions))
    deadline = time.monotonic() + within
    while True:
        with Reader(settings.ledger) as reader:
            read = reader.offsets()
        behind = sum(max(0, end - read.get((part.topic, part.partition), 0)) for part, end in ends.items())
        if not behind:
            return
        if time.monotonic() > deadline:
            raise Failed(
                f"The ledger is {behind} records behind: start `carryover control`, which keeps it, then try again."
            )
        await asyncio.sleep(_LOOK_SECONDS)
