"""Waits until nobody loads: the ledger has read everything, and no batch is on its way.

A loader reads the phase from `control` within a second and then begins no batch, but for those of a loader that died. One that is frozen for longer than
`QUIET_SECONDS` while a rollback begins could still send one when it wakes: that is why a rollback goes over everything until a pass finds nothing to do.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from cutover.caught_up import CATCH_UP_SECONDS, catch_up
from cutover.ledger.read import Reader
from cutover.outcome import Failed
from cutover.settings import Settings
from topics.broker import open_broker

QUIET_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.25


async def still(settings: Settings) -> None:
    """Waits until no batch has been on its way for a while.

    Raises:
        Failed: The ledger does not catch up, or batches stay unfinished.
        KafkaUnreachable: No broker answers.
    """
    deadline, quiet_since = time.monotonic() + CATCH_UP_SECONDS, time.monotonic()
    async with open_broker(settings.kafka.bootstrap) as broker:
        while True:
            await catch_up(settings, broker, CATCH_UP_SECONDS)
            with Reader(settings.ledger) as reader:
                flying = len(reader.batches())
            if flying:
                quiet_since = time.monotonic()
            if time.monotonic() - quiet_since >= QUIET_SECONDS:
                return
            if time.monotonic() > deadline:
                raise Failed(
                    f"{flying} batches are still on their way to Salesforce: start `carryover worker --stage deliver`, which "
                    "finds out what became of them, then run this again."
                )
            await asyncio.sleep(_LOOK_SECONDS)
