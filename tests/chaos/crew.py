"""The processes of a cutover under a schedule: started again when they end, as a supervisor would, unless they are held down for a while."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.chaos.schedule import STAGES
from tests.pipeline.pipeline import Pipeline
from tests.transport.waiting import eventually

CONTROL: Final = "control"
_END_SECONDS: Final = 40.0  # a worker told to stop is over by then, whatever state it is in
_AGAIN_SECONDS: Final = 0.5
_MOST_ENDS: Final = 4  # of one process by itself, once nothing is done to it any more


class Crew(Pipeline):
    """A pipeline whose processes are kept running."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ends: Counter[str] = Counter()
        self.calm_ends: Counter[str] = Counter()
        self.calm = False
        self._kept: set[str] = set()
        self._down: set[str] = set()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start_all(self) -> None:
        await super().start_all()
        self._kept = {*STAGES, CONTROL}

    async def start_control(self) -> None:
        """Starts the control process; one that ends at once is started again later."""
        self._close(CONTROL)
        process = self._run(CONTROL, ["control", "--json"], {}, stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        with contextlib.suppress(ValueError, KeyError):
            self.url = json.loads(line)["url"]

    def _close(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.stdout is not None:
            process.stdout.close()

    async def keep(self) -> None:
        """Starts again what has ended; runs until cancelled."""
        not_before: dict[str, float] = {}
        while True:
            await asyncio.sleep(0.1)
            for name in self._kept - self._down:
                if self.processes[name].poll() is None:
                    continue
                if name not in not_before:
                    self.ends[name] += 1
                    self.calm_ends[name] += self.calm
                    not_before[name] = time.monotonic() + _AGAIN_SECONDS
                if time.monotonic() >= not_before[name]:
                    del not_before[name]
                    await self._start_again(name)

    async def _start_again(self, name: str) -> None:
        if name == CONTROL:
            await self.start_control()
        else:
            self.start(name)

    def check_alive(self) -> None:
        """Fails on a crash loop; a process that ends once is started again."""
        name, ends = max(self.calm_ends.items(), key=lambda one: one[1], default=("", 0))
        assert ends < _MOST_ENDS, f"{name} has ended {ends} times although nothing was done to it"

    async def all_up(self) -> None:
        """Waits until everything runs."""

        async def look() -> bool:
            return all(self.processes[name].poll() is None for name in self._kept)

        await eventually(look, within=30)

    # -- harm --------------------------------------------------------------------------------------------------------------

    async def take_down(self, name: str, number: signal.Signals, seconds: float) -> None:
        """Ends a process and lets it be started again after so long."""
        async with self._locks[name]:
            self._down.add(name)
            await self._end(name, number)
            await asyncio.sleep(seconds)
            if self.processes[name].poll() is not None:
                await self._start_again(name)
            self._down.discard(name)

    async def freeze(self, name: str, seconds: float) -> None:
        async with self._locks[name]:
            process = self.processes[name]
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            process.send_signal(signal.SIGCONT)

    @asynccontextmanager
    async def joined(self, stage: str, number: int, last: signal.Signals) -> AsyncIterator[None]:
        """One more worker of a stage, that ends by a signal."""
        name = f"{stage}+{number}"
        self._run(name, ["worker", "--stage", stage], {})
        try:
            yield
        finally:
            await self._end(name, last)

    async def _end(self, name: str, number: signal.Signals) -> None:
        process = self.processes[name]
        process.send_signal(number)
        try:
            await asyncio.to_thread(process.wait, _END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{name} had not ended {_END_SECONDS:.0f} s after {number.name}") from None

    def stop(self) -> str:
        """Ends everything; returns what the processes said last."""
        self._kept.clear()
        for name in self.processes:
            if name != CONTROL:
                self._close(name)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.kill()
        return said.getvalue()
