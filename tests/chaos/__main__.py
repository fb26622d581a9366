"""`python -m tests.chaos`: many schedules one after another, a line for each; ends with 1 when one of them does not hold."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ops.kafka import LocalKafka
from tests.chaos.run import Run, timed, told
from tests.chaos.schedule import Schedule

KEPT: Final = Path(".local/chaos")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--seconds", type=float, default=20.0, help="of harm, for each")
    given = parser.parse_args()
    os.environ.pop("KAFKA_BOOTSTRAP", None)  # a given broker is not ours to kill
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    began = time.monotonic()
    failed = [seed for seed in seeds if not one(Schedule.of(seed, given.seconds))]
    print(f"{len(seeds) - len(failed)} of {len(seeds)} seeds hold, in {(time.monotonic() - began) / 60:.1f} min")
    if failed:
        print(f"failed: {', '.join(map(str, failed))}")
    return 1 if failed else 0


def one(schedule: Schedule) -> bool:
    """Runs one schedule on a broker of its own, and tells of it."""
    with TemporaryDirectory(prefix="carryover-chaos-") as directory, LocalKafka() as kafka:
        run = Run(schedule, kafka, Path(directory))
        seconds, error = asyncio.run(timed(run))
    print(told(schedule, run, seconds, error), flush=True)
    if error is not None:
        traceback.print_exception(error)
        kept = KEPT / f"seed-{schedule.seed}.log"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(run.said)
        print(f"{schedule.command} runs it again; what the processes said is in {kept}:")
        print("\n".join(map(str, schedule.events)), flush=True)
    return error is None


sys.exit(main())
