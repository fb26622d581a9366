"""Stops writes for a while, so that everything can be dumped as it stands at one instant.

Owns the state and the waiting for writes under way. Requests are stopped at the door (`disturbance`), the background
work of a server at its next transaction (`database`). Knows no HTTP. Forgotten at a restart.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

MODES = ("refuse", "hold")


class Gated(Protocol):
    """What can be shut behind the door: it lets what runs finish, and lets nothing new begin."""

    async def shut(self) -> None: ...

    def open(self) -> None: ...


class FrozenError(Exception):
    """A write came while writes are refused."""


class Freeze:
    """Whether writes go through. In the mode `hold` they wait for the thaw, in the mode `refuse` they fail at once."""

    def __init__(self) -> None:
        self.mode: str | None = None
        self._under_way = 0
        self._moved = asyncio.Condition()
        self._gates: list[Gated] = []

    def holds(self, gate: Gated) -> None:
        """Names what is shut while it is frozen."""
        self._gates.append(gate)

    @property
    def is_frozen(self) -> bool:
        """Whether writes are stopped."""
        return self.mode is not None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Around a request that writes. Raises FrozenError in the mode `refuse`."""
        async with self._moved:
            while self.is_frozen:
                if self.mode == "refuse":
                    raise FrozenError
                await self._moved.wait()
            self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            await self._tell()

    async def _tell(self) -> None:
        if self.is_frozen:
            async with self._moved:
                self._moved.notify_all()

    async def begin(self, mode: str) -> None:
        """Freezes; returns when no write is under way any more."""
        async with self._moved:
            self.mode = mode
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._under_way == 0)
        for gate in self._gates:
            await gate.shut()

    async def end(self) -> None:
        """Thaws."""
        for gate in self._gates:
            gate.open()
        async with self._moved:
            self.mode = None
            self._moved.notify_all()
