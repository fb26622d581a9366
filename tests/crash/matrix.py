"""Runs cases of the crash matrix: each way has a cutover of its own, and the two go side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sandbox.process import SandboxProcess
from tests.crash.cases import Case, Way
from tests.crash.track import Track


@asynccontextmanager
async def tracked(bootstrap: str, directory: Path, way: Way) -> AsyncIterator[Track]:
    """A cutover that is ready for cases of one way; verified at the end."""
    with SandboxProcess.start(patients=30, practices=3, clean=True, resources="core") as sandbox:
        track = Track(bootstrap, sandbox, directory, way)
        try:
            await track.begin()
            yield track
            await track.verified()
        finally:
            track.end()


async def run(
    bootstrap: str, directory: Path, cases: Sequence[Case], tell: Callable[[Case, str, float], None]
) -> dict[Case, str]:
    """Runs `cases`; returns for each what the next owner did. `tell` hears of each as it ends.

    Raises:
        ExceptionGroup: a case has failed; the other way ends with it.
    """
    found: dict[Case, str] = {}

    async def follow(way: Way) -> None:
        mine = [case for case in cases if case.way == way]
        if not mine:
            return
        (directory / way).mkdir()
        async with tracked(bootstrap, directory / way, way) as track:
            for case in mine:
                began = time.monotonic()
                try:
                    found[case] = await track.run(case)
                except Exception as exc:
                    exc.add_note(case.id)
                    raise
                tell(case, found[case], time.monotonic() - began)

    async with asyncio.TaskGroup() as tasks:
        for way in ("bulk", "collections"):
            tasks.create_task(follow(way))
    return found
