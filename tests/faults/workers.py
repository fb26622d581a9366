"""Relay workers as processes, and a schedule of harm to them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from cutover.supervise import PARENT
from tests.faults.history import PARTITIONS, History

OPEN_SECONDS = 60.0


class Workers:
    """Up to ``count`` relay workers, each with its own data directory that survives its restarts."""

    def __init__(self, history: History, directory: Path, count: int, seed: int = 1, **environment: str) -> None:
        self.history = history
        self.directory = directory
        self.environment = environment
        self.random = random.Random(seed)
        self.kills = 0
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self.count = count

    def start(self, number: int, **environment: str) -> subprocess.Popen[bytes]:
        directory = self.directory / f"worker-{number}"
        directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "RELAY_BOOTSTRAP": self.history.bootstrap,
            "RELAY_PREFIX": self.history.prefix,
            "RELAY_DATA": str(directory),
            "RELAY_DUMP": str(directory / "dump.json"),
            "RELAY_WORKER": f"relay-{number}",
            PARENT: str(os.getpid()),
        }
        with (directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.relay"],
                env=os.environ | settings | self.environment | environment,
                stdout=log,
                stderr=log,
            )
        self._running[number] = process
        return process

    def start_all(self) -> None:
        for number in range(self.count):
            self.start(number)

    def revive(self) -> None:
        """Starts again whatever has died by itself."""
        for number, process in list(self._running.items()):
            if process.poll() is not None:
                self.kills += 1
                self.start(number)

    def signal(self, number: int, what: signal.Signals) -> None:
        self.kills += 1
        process = self._running[number]
        process.send_signal(what)
        process.wait(40)

    def freeze(self, number: int) -> None:
        """SIGSTOP: the process keeps everything and does nothing."""
        self.kills += 1
        self._running[number].send_signal(signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        self._running[number].send_signal(signal.SIGCONT)

    async def harm(
        self, seconds: float, *kinds: signal.Signals, every: tuple[float, float] = (1.5, 4.0), at_least: int = 0
    ) -> None:
        """Kills a random worker again and again and starts it anew; workers that die by themselves are started again too.

        Goes on beyond ``seconds`` until ``at_least`` have died: how soon a fail point is reached depends on the machine.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end or self.kills < at_least:
            await asyncio.sleep(self.random.uniform(*every))
            if kinds:
                number = self.random.randrange(self.count)
                await asyncio.to_thread(self.signal, number, self.random.choice(kinds))
                self.start(number)
            self.revive()
            await self.history.trickle()
            await self.history.check_nothing_committed_unfinished()

    async def drain(self, seconds: float = 60) -> None:
        """Lets one or more healthy workers finish."""
        self.environment.pop("CARRYOVER_FAILPOINTS", None)
        self.environment.pop("RELAY_RAISE", None)
        await asyncio.to_thread(self.stop)
        self.start_all()
        await self.history.wait_for_no_lag(seconds)

    async def live_state(self) -> dict[bytes, bytes]:
        """The tables of all running workers together, once each partition is open in exactly one of them.

        A member that died while it joined is missed by the broker only after the session timeout: then the group rebalances once more, at any time.
        """
        deadline = time.monotonic() + OPEN_SECONDS
        while True:
            tables = [table for number in self._running for table in await self._tables(number, deadline)]
            open_ = sorted(partition for partition, _ in tables)
            if open_ == [str(number) for number in range(PARTITIONS)]:
                return {key: value for _, pairs in tables for key, value in pairs.items()}
            assert time.monotonic() < deadline, f"the partitions {open_} are open"
            await asyncio.sleep(0.2)

    async def joined(self) -> None:
        """Waits until the group is stable with every worker in it, whatever they have been assigned."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.history.bootstrap)
        await admin.start()
        deadline = time.monotonic() + OPEN_SECONDS
        try:
            while (found := await self._group(admin)) != ("Stable", self.count):
                assert time.monotonic() < deadline, f"state and members of the group are {found}"
                await asyncio.sleep(0.2)
        finally:
            await admin.close()

    async def _group(self, admin: AIOKafkaAdminClient) -> tuple[str, int]:
        """State of the group, and how many members it has."""
        try:
            (answer,) = await admin.describe_consumer_groups([self.history.prefix + "relay"])
        except GroupCoordinatorNotAvailableError:
            return "without a coordinator", 0  # nobody has ever joined a group on this broker
        ((_, _, state, _, _, members, *_),) = answer.groups
        return state, len(members)

    async def _tables(self, number: int, deadline: float) -> list[tuple[str, dict[bytes, bytes]]]:
        """Each partition that a worker has open now, and what it holds."""
        path = self.directory / f"worker-{number}" / "dump.json"
        path.unlink(missing_ok=True)
        path.with_suffix(".request").touch()
        while not path.exists():
            assert time.monotonic() < deadline, f"worker {number} does not answer"
            await asyncio.sleep(0.05)
        return [
            (partition, {bytes.fromhex(key): bytes.fromhex(value) for key, value in pairs.items()})
            for partition, pairs in json.loads(path.read_text()).items()
        ]

    async def check(self) -> int:
        """Everything that has to be true at the end; returns the number of duplicate outputs."""
        await self.history.check_nothing_committed_unfinished()
        duplicates = await self.history.check_complete()
        assert await self.live_state() == self.history.expected_state(), "live tables"
        await asyncio.to_thread(self.stop)
        # A worker without any local file knows the same from the changelog alone.
        fresh = Workers(self.history, self.directory / "fresh", 1)
        try:
            fresh.start_all()
            assert await fresh.live_state() == self.history.expected_state(), "recovered tables"
        finally:
            fresh.stop()
        return duplicates

    def stop(self) -> None:
        """SIGTERM to all; each must end in bounded time."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        try:
            for process in self._running.values():
                process.wait(40)
        finally:
            self.kill()
        self._running.clear()

    def kill(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
                process.wait()

    def logs(self) -> Iterator[str]:
        for path in sorted(self.directory.glob("worker-*/log")):
            yield path.read_text(errors="replace")
