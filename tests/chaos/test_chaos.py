"""Whatever dies, hangs, breaks off or lies while people go on working: at the end the org is what the source is.

A few short schedules; `make chaos` runs long ones, as many as asked for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.kafka import LocalKafka
from tests.chaos.run import Run, timed, told
from tests.chaos.schedule import Schedule

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(300)]

SECONDS = 8.0


@pytest.mark.parametrize("seed", range(1, 6))
async def test_a_practice_arrives_whole_whatever_goes_wrong(own_kafka: LocalKafka, tmp_path: Path, seed: int) -> None:
    schedule = Schedule.of(seed, SECONDS)
    print(schedule.command, *schedule.events, sep="\n")
    run = Run(schedule, own_kafka, tmp_path)
    seconds, error = await timed(run)
    print(run.said)
    print(told(schedule, run, seconds, error))
    if error is not None:
        raise error
