"""Runs a cutover's processes as children: starts them again when they end, and ends them with their parent.

Owns their lives and log files, not what they do. Called by `carryover run` and the demo.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

PARENT = "CARRYOVER_PARENT"
"""Environment variable by which a child knows whose child it is."""

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
STEADY_SECONDS = 60.0
"""A child that ran this long is forgiven its earlier ends."""

MOST_ENDS = 5
STOP_SECONDS = 30.0
PR_SET_PDEATHSIG = 1


class ChildFailed(Exception):
    """A child ended again and again."""

    def __init__(self, name: str, log_file: Path) -> None:
        super().__init__(
            f"The process {name} ended {MOST_ENDS} times in a row: its reason is at the end of {log_file}."
        )


class Supervisor:
    """Keeps children running until cancelled.

    Args:
        commands: Command line of each child by name.
        logs: Folder for `<name>.log`, which children append what they say to.
        environment: Set for the children over this process's own.
    """

    def __init__(
        self, commands: Mapping[str, Sequence[str]], logs: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._commands = commands
        self._logs = logs
        self._environment = {**os.environ, **(environment or {}), PARENT: str(os.getpid())}
        self.pids: dict[str, int] = {}
        """Process ids of the children that run now."""

    async def run(self) -> None:
        """Start all children and keep them running; on cancellation ask them to end and wait until they have.

        Raises:
            ChildFailed: One ended too often in a row (in an ExceptionGroup); the others have been ended too.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        async with asyncio.TaskGroup() as tasks:
            for name, command in self._commands.items():
                tasks.create_task(self._keep(name, command))

    async def _keep(self, name: str, command: Sequence[str]) -> None:
        log_file = self._logs / f"{name}.log"
        ends = 0
        while True:
            began = time.monotonic()
            code = await self._once(name, command, log_file)
            ends = 1 if time.monotonic() - began > STEADY_SECONDS else ends + 1
            if ends >= MOST_ENDS:
                raise ChildFailed(name, log_file)
            wait = min(FIRST_WAIT * 2 ** (ends - 1), LONGEST_WAIT)
            log.warning("%s ended with %d; starting it again in %.1f s", name, code, wait)
            await asyncio.sleep(wait)

    async def _once(self, name: str, command: Sequence[str], log_file: Path) -> int:
        with log_file.open("ab") as out:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches the parent, which ends the children in good order
            )
        self.pids[name] = child.pid
        try:
            return await child.wait()
        except asyncio.CancelledError:
            await _end(child)
            raise
        finally:
            self.pids.pop(name, None)


def command(*arguments: str) -> list[str]:
    """Command line that runs `carryover` with these arguments by the same Python."""
    return [sys.executable, "-m", "cutover.cli", *arguments]


def end_with_parent() -> None:
    """In a child: have the kernel send SIGTERM when the parent dies, however it does. Linux only; elsewhere nothing."""
    parent = os.environ.get(PARENT)
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before the line above
        os.kill(os.getpid(), signal.SIGTERM)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()
