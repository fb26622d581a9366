"""The API calls of an operator's long commands: made as long as the org has more than its reserve, and waited for else.

A command has no lease: what each of Salesforce's answers tells is enough, as for a worker whose control is dead (`agents.purse`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from agents.purse import Purse
from connectors.salesforce.shares import AT_ONCE
from cutover.settings import TargetSettings

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5
_SAID_AGAIN_SECONDS: Final = 600.0


class OperatorCalls:
    """The meter of a command's connection (`connectors.salesforce.session.Meter`).

    Not known to it: calls that workers have been given and not made yet. The line's distance from the reserve has room for those that are under way.

    Args:
        command: As an operator knows it.
        target: Has the reserve, and how often the org is asked whether it has calls again.
    """

    def __init__(self, command: str, target: TargetSettings) -> None:
        self._command = command
        self._purse = Purse(target.kept, checks=False, look_seconds=target.look_seconds)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._said = -_SAID_AGAIN_SECONDS

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Waits until a call may be made, and counts it."""
        async with self._places:
            while not self._purse.may(now := time.monotonic()):
                # The very first answers are waited for, too: that is nothing to tell.
                if self._purse.used is not None and now - self._said > _SAID_AGAIN_SECONDS:
                    self._said = now
                    log.warning("%s", self._purse.shortage(self._command))
                await asyncio.sleep(_LOOK_SECONDS if self._purse.used is not None else 0.01)
            self._purse.begin()
            try:
                yield
            finally:
                self._purse.end()

    def heard(self, used: int, most: int) -> None:
        """An answer has told how the org stands."""
        self._purse.heard(used, most, time.monotonic())
