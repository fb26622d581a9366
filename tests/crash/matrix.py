"""Runs cases of the crash matrix: each has a cutover of its own, and the two ways go side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sandbox.process import SandboxProcess
from tests.crash.cases import Case, Way
from tests.crash.track import Track
from tests.tidying import delete_topics


@asynccontextmanager
async def tracked(bootstrap: str, directory: Path, way: Way) -> AsyncIterator[Track]:
    """A cutover that is ready for cases of one way; verified and rolled back at the end."""
    with SandboxProcess.start(patients=30, practices=3, clean=True, resources="core") as sandbox:
        track = Track(bootstrap, sandbox, directory, way)
        try:
            await track.begin()
            yield track
            await track.verified()
            await track.undone()
        finally:
            track.end()
            await delete_topics(bootstrap, track.pipeline.catalogue.prefix)


async def run(
    bootstrap: str, directory: Path, cases: Sequence[Case], tell: Callable[[Case, str, float], None]
) -> dict[Case, str]:
    """Runs `cases`; returns for each what the next owner did. `tell` hears of each as it ends.

    Raises:
        ExceptionGroup: a case has failed; the other way ends with it.
    """
    found: dict[Case, str] = {}

    async def follow(way: Way) -> None:
        for case in (case for case in cases if case.way == way):
            began = time.monotonic()
            own = directory / f"{way}-{case.number}"
            own.mkdir()
            try:
                async with tracked(bootstrap, own, way) as track:
                    did = await track.run(case)
            except Exception as exc:
                exc.add_note(case.id)
                raise
            found[case] = did
            tell(case, did, time.monotonic() - began)

    async with asyncio.TaskGroup() as tasks:
        for way in ("bulk", "collections"):
            tasks.create_task(follow(way))
    return found
