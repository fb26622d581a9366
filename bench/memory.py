"""Whether a worker's memory depends on how much there is to move: the whole service, from Visual Practice to Salesforce, with two sizes.

`python -m bench.memory`. Each size gets a Kafka, sandboxes and workers of its own; sizes of 20,000 and 200,000 patients take about ten minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.measure import machine, memory, verdict
from bench.practice import practices_for
from bench.stages import Stages, environment, settings, standing
from cutover import phase
from cutover.chosen_map import read_map
from cutover.settings import Settings
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from topics import provision
from topics.catalogue import STAGES
from topics.codec import Codec

_TARGET: Final = 1.2
_MEGABYTE: Final = 1024 * 1024
_PROCESSES: Final = (*STAGES, "control")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="20000,200000", help="patients, two numbers or more (%(default)s)")
    parser.add_argument("--longest", type=float, default=3600.0, help="seconds a size may take (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON too")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that was just made has no leader for a moment
    print(machine(), flush=True)
    rows = []
    for size in [int(text) for text in given.sizes.split(",")]:
        rows.append(asyncio.run(_move(size, given.longest)))
        told = "  ".join(
            f"{name} {now // _MEGABYTE} (peak {peak // _MEGABYTE})" for name, (now, peak) in rows[-1]["memory"].items()
        )
        print(f"  {size:>9,} patients in {rows[-1]['seconds']:,.0f} s; MB at the end: {told}", flush=True)
    print()
    for name in _PROCESSES:
        for which, place in (("at the end", 0), ("peak", 1)):
            ratio = rows[-1]["memory"][name][place] / rows[0]["memory"][name][place]
            print(
                verdict(
                    f"{name}, {which}, {rows[-1]['patients']:,} to {rows[0]['patients']:,} patients",
                    ratio,
                    _TARGET,
                    at_most=True,
                )
            )
    if given.json:
        print(json.dumps(rows))
    return 0


async def _move(patients: int, longest: float) -> dict[str, Any]:
    """Moves a whole practice and tells what each process holds when everything is settled and verified."""
    with tempfile.TemporaryDirectory(prefix="carryover-bench-") as name, LocalKafka() as kafka:
        directory = Path(name)
        with SandboxProcess(patients=patients, practices=practices_for(patients), resources="core") as sandbox:
            prefix = f"bench-{int(time.time())}."
            variables = environment(kafka.bootstrap, prefix, sandbox.salesforce, sandbox.visual_practice, directory)
            config = settings(variables)
            await provision.apply(kafka.bootstrap, config.catalogue)
            with Stages(variables, directory) as stages:
                for process in _PROCESSES:
                    stages.start(process)
                began = time.monotonic()
                _, map_hash = read_map(config)
                await phase.begin(config, Codec(), map_hash)
                await _settled(config, stages, patients, began + longest)
                found = {process: tuple(memory(pid)) for process, pid in stages.pids.items()}
                return {"patients": patients, "seconds": time.monotonic() - began, "memory": found}


async def _settled(config: Settings, stages: Stages, patients: int, deadline: float) -> None:
    """Waits until nothing is on its way and all that was loaded is verified."""
    while time.monotonic() < deadline:
        await asyncio.sleep(1)
        stages.check()
        status = standing(config)
        if status is None:
            continue
        counts, verified = status["objects"].get("patient"), status["verification"].get("patient", {})
        seen = verified.get("verified", 0) + verified.get("mismatched", 0)
        if counts and counts["source"] >= patients and not counts["in_flight"] and seen >= counts["loaded"]:
            return
    raise RuntimeError(f"not done in time: {status['objects']}")


if __name__ == "__main__":
    sys.exit(main())
