"""Whatever dies, hangs, breaks off or lies while people go on working: at the end the org is what the source is, and after a rollback what it was before.

A few short schedules, and the rollback of two (all with CHAOS=1); `make chaos` runs long ones, as many as asked for, and rolls each back.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ops.kafka import LocalKafka
from tests.chaos.run import Run, timed, told
from tests.chaos.schedule import Schedule

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(300)]

SECONDS = 8.0
ROLLED_BACK = range(1, 6) if os.environ.get("CHAOS") == "1" else (1, 4)


@pytest.mark.parametrize("seed", range(1, 6))
async def test_a_practice_arrives_whole_whatever_goes_wrong(own_kafka: LocalKafka, tmp_path: Path, seed: int) -> None:
    schedule = Schedule.of(seed, SECONDS)
    print(schedule.command, *schedule.events, sep="\n")
    run = Run(schedule, own_kafka, tmp_path, back=seed in ROLLED_BACK)
    seconds, error = await timed(run)
    print(run.said)
    print(*run.evidence, sep="\n")
    print(told(schedule, run, seconds, error))
    if error is not None:
        raise error
