"""Our transport against stock Faust: the same topic on the same Kafka, one worker process each, in turns.

`python -m bench.transport`. Ours reads the whole topic, stock Faust its beginning (it would take minutes); what is compared is records a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

from bench import topics
from bench.measure import machine, spread, verdict
from bench.side import PARTITIONS, Task
from ops.kafka import LocalKafka

CASES: Final = {
    "consume": ("consume", 15.0),
    "publish": ("consume and publish", 5.0),
    "state": ("write to a table, conditionally", 5.0),
    "recovery": ("recover the table from its changelog", 10.0),
}
SIDES: Final = ("chunked", "stock")
_COMPACT: Final = {"cleanup.policy": "compact"}


def measured(task: Task) -> dict[str, float]:
    """Runs one worker and returns what it says of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.side", json.dumps(task._asdict())],
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if found["records"] != task.records:
        raise RuntimeError(f"{task.side} {task.case}: {found['records']} records instead of {task.records}")
    return found


async def prepare(bootstrap: str, prefix: str, records: int, size: int) -> None:
    await topics.create(bootstrap, {f"{prefix}in": {}, f"{prefix}out": {}}, PARTITIONS)
    await topics.fill(
        bootstrap,
        ((f"{prefix}in", b"%08d" % number, os.urandom(size // 2).hex().encode(), ()) for number in range(records)),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.transport", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=400_000, help="records that ours reads (%(default)s)")
    parser.add_argument(
        "--stock-records", type=int, default=40_000, help="records that stock Faust reads (%(default)s)"
    )
    parser.add_argument("--size", type=int, default=300, help="bytes of a value (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--case", choices=list(CASES), action="append", help="only this; may be repeated")
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON too")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that was just made has no leader for a moment
    cases = given.case or list(CASES)
    if "recovery" in cases and "state" not in cases:
        cases.insert(0, "state")  # it recovers what that has written
    rows: list[dict[str, Any]] = []
    with LocalKafka() as kafka, tempfile.TemporaryDirectory(prefix="carryover-bench-") as directory:
        prefix = f"bench-{int(time.time())}."
        print(
            f"{machine()}; {given.size}-byte records, {PARTITIONS} partitions, one worker; filling the topic ...",
            flush=True,
        )
        asyncio.run(prepare(kafka.bootstrap, prefix, given.records, given.size))
        for turn in range(given.rounds):
            for case in cases:
                for side in SIDES:
                    # Recovery reads what the state case of the same turn has written, with no local file to begin from.
                    group = f"{prefix}{side}-{'state' if case == 'recovery' else case}-{turn}"
                    count = given.records if side == "chunked" else given.stock_records
                    task = Task(side, case, kafka.bootstrap, prefix, group, count, f"{directory}/{side}-{case}-{turn}")
                    if side == "chunked" and case == "state":
                        asyncio.run(topics.create(kafka.bootstrap, {f"{group}-state": _COMPACT}, PARTITIONS))
                    rows.append({"turn": turn, "case": case, "side": side, **measured(task)})
                    print(f"  {turn} {case:<9} {side:<8} {_told(rows[-1])}", flush=True)
    print()
    for case in cases:
        print(f"{CASES[case][0]}:")
        for side in SIDES:
            some = [row for row in rows if row["case"] == case and row["side"] == side]
            rate, cpu = (
                [row["records"] / row["seconds"] for row in some],
                [1e6 * row["cpu"] / row["records"] for row in some],
            )
            print(f"  {side:<8} {statistics.median(rate):>9,.0f} records/s   {spread(cpu)} us CPU a record")
    print()
    for case in cases:
        print(
            verdict(CASES[case][0], _ratio(rows, case, "seconds"), CASES[case][1]),
            f"; by CPU {_ratio(rows, case, 'cpu'):.1f}",
        )
    if given.json:
        print(json.dumps(rows))
    return 0


def _told(row: dict[str, Any]) -> str:
    return (
        f"{row['records'] / row['seconds']:>9,.0f} records/s  {1e6 * row['cpu'] / row['records']:>6.1f} us CPU a record"
    )


def _ratio(rows: list[dict[str, Any]], case: str, by: str) -> float:
    """The median over the turns of ours to stock's, in records per second (or per CPU second)."""

    def speed(turn: int, side: str) -> float:
        (row,) = (row for row in rows if (row["turn"], row["case"], row["side"]) == (turn, case, side))
        return float(row["records"] / row[by])

    return statistics.median(speed(turn, "chunked") / speed(turn, "stock") for turn in {row["turn"] for row in rows})


if __name__ == "__main__":
    sys.exit(main())
