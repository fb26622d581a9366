"""A second loader where the org's latency is the limit: `python -m bench.loaders`.

The same rows, all of them ready before anybody may write, into an org that takes its time as a real one (`like: real`): by one deliver worker, and by two.
Batches are small, so that a run has many of them; the clock runs from the moment at which writing is allowed until the last row is there.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx

from bench import practice, topics
from bench.measure import machine, verdict
from bench.pipeline import members, open_gate
from bench.stages import Stages, environment, settings
from cutover.settings import Settings
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from topics import provision
from topics.broker import open_broker

_TARGET: Final = 1.6
_LONGEST: Final = 900.0
_BATCH_ROWS: Final = 500
_BULK_FROM_ROWS: Final = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.loaders", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000, help="(%(default)s)")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that was just made has no leader for a moment
    print(f"{machine()}; {given.rows:,} rows in batches of {_BATCH_ROWS}", flush=True)
    seconds: dict[int, float] = {}
    with LocalKafka() as kafka, tempfile.TemporaryDirectory(prefix="carryover-bench-") as directory:
        for loaders in (1, 2):
            seconds[loaders] = asyncio.run(_load(kafka.bootstrap, Path(directory) / str(loaders), given.rows, loaders))
            print(
                f"  {loaders} deliver: {given.rows / seconds[loaders]:,.0f} rows/s ({seconds[loaders]:.1f} s)",
                flush=True,
            )
    print(verdict("two deliver workers / one, rows a second", seconds[1] / seconds[2], _TARGET))
    return 0


async def _load(bootstrap: str, directory: Path, rows: int, loaders: int) -> float:
    """How many seconds it takes."""
    prefix = f"bench-{int(time.time())}."
    with SandboxProcess(patients=1, practices=1, clean=True) as sandbox:
        variables = environment(bootstrap, prefix, sandbox.salesforce, sandbox.visual_practice, directory)
        variables |= {
            "CARRYOVER_LOAD__BATCH_ROWS": str(_BATCH_ROWS),
            "CARRYOVER_LOAD__BULK_FROM_ROWS": str(_BULK_FROM_ROWS),
        }
        config = settings(variables)
        await provision.apply(bootstrap, config.catalogue)
        await topics.fill(bootstrap, practice.accounts(config.catalogue, rows))
        with Stages(variables, directory) as stages:
            for name in ("ingest", "resolve"):
                stages.start(name)
            for number in range(loaders):
                stages.start(f"deliver-{number}", "deliver")
            await _ready(config, stages, rows)
            await members(config, ("deliver",), stages, loaders)
            async with httpx.AsyncClient(base_url=f"{sandbox.salesforce['url']}/__admin", timeout=60) as org:
                (await org.post("/speed", json={"like": "real"})).raise_for_status()
                await open_gate(config)
                began = time.monotonic()
                while time.monotonic() < began + _LONGEST:
                    written = (await org.get("/stats")).json()["rows_written"]
                    if sum(written.values()) >= rows:
                        return time.monotonic() - began
                    stages.check()
                    await asyncio.sleep(0.1)
    raise RuntimeError(f"after {_LONGEST:.0f} s only {written} of {rows} rows are in the org")


async def _ready(config: Settings, stages: Stages, rows: int) -> None:
    """Waits until all rows wait for a loader."""
    topic = config.catalogue.sf("Account")
    async with open_broker(config.kafka.bootstrap) as broker:
        while True:
            _, ends = await broker.bounds({topic: config.kafka.partitions})
            if sum(ends.values()) >= rows:
                return
            stages.check()
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
