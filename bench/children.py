"""How many children one parent may have: a resolver of its own takes them in, holds them by name, and releases them when the parent lands.

`python -m bench.children`. Two sizes, each with a Kafka and a resolver of its own; the ratios are those of the larger to the smaller one. A million
children are 1.5 GB of messages in one partition.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.measure import Memory, machine, memory, verdict
from bench.stages import Stages, environment, settings
from bench.topics import Record, fill
from cutover.settings import Settings
from ops.kafka import LocalKafka
from topics import provision
from topics.broker import open_broker
from topics.codec import Codec

_MEMORY: Final = 1.5
_RATE: Final = 0.7
_MEGABYTE: Final = 1024 * 1024
_LONGEST: Final = 3600.0
_PARENT: Final = "practice:1"
_NOBODY: Final = {"url": "http://127.0.0.1:1", "client_id": "-", "client_secret": "-", "api_key": "-"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.children", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="20000,1000000", help="children, two numbers (%(default)s)")
    given = parser.parse_args()
    print(machine(), flush=True)
    rows = [asyncio.run(_run(int(text))) for text in given.sizes.split(",")]
    few, many = rows[0], rows[-1]
    print()
    what = f"{many['children']:,} to {few['children']:,} children"
    print(verdict(f"resolver's memory at its peak, {what}", many["peak"] / few["peak"], _MEMORY, at_most=True))
    for step in ("taken in and held", "released"):
        print(verdict(f"{step} a second, {what}", many[step] / few[step], _RATE))
    return 0


async def _run(children: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="carryover-bench-") as name, LocalKafka() as kafka:
        directory = Path(name)
        variables = environment(kafka.bootstrap, "bench.", _NOBODY, _NOBODY, directory)
        variables |= {
            "CARRYOVER_RESOLVE__LOOKUP_AFTER_SECONDS": "1",
            "CARRYOVER_RESOLVE__HOLD_AFTER_SECONDS": "2",
        }
        config = settings(variables)
        catalogue, codec = config.catalogue, Codec()
        await provision.apply(kafka.bootstrap, catalogue)
        await fill(kafka.bootstrap, _waiting(config, codec, children))
        with Stages(variables, directory) as stages:
            began = time.monotonic()
            stages.start("resolve")
            await _until(config, stages, catalogue.audit, children)  # they are held while others still come in
            held = time.monotonic()
            before = memory(stages.pids["resolve"])
            landed = codec.encode("landed", {"parent": _PARENT, "sf_id": "001000000000001AAA", "epoch": 1})
            await fill(kafka.bootstrap, [(catalogue.refs, _PARENT.encode(), landed, ())])
            landing = time.monotonic()
            await _until(config, stages, catalogue.sf("Contact"), children)
            released = time.monotonic()
            after: Memory = memory(stages.pids["resolve"])
    row = {
        "children": children,
        "taken in and held": children / (held - began),
        "released": children / (released - landing),
        "peak": after.peak,
    }
    print(
        f"  {children:>9,} children: taken in and held {row['taken in and held']:,.0f}/s, released {row['released']:,.0f}/s; "
        f"MB when held {before.now // _MEGABYTE}, at the end {after.now // _MEGABYTE}, at the peak {after.peak // _MEGABYTE}",
        flush=True,
    )
    return row


def _waiting(config: Settings, codec: Codec, children: int) -> Iterator[Record]:
    """Patients of about the usual size who wait for their practice."""
    columns = {f"Column_{number}__c": "some twenty characters" for number in range(24)}
    for number in range(children):
        own = f"patient:{number}"
        row = {
            "reference": own, "object": "patient", "sobject": "Contact", "facet": "owner", "op": "upsert",
            "version": "2026-01-01T00:00:00.000000Z/1/0/0001/000000000000000000", "run": "bench",
            "source": {"topic": "bench.vp.patient", "partition": 0, "offset": number},
            "columns": columns, "insert_only": {}, "members": [],
        }  # fmt: skip
        message = {
            "parent": _PARENT, "child": own, "row": row, "column": "AccountId", "on_absent": "hold", "left": [],
        }  # fmt: skip
        yield config.catalogue.refs, _PARENT.encode(), codec.encode("waiting", message), ()


async def _until(config: Settings, stages: Stages, topic: str, count: int) -> None:
    deadline = time.monotonic() + _LONGEST
    async with open_broker(config.kafka.bootstrap) as broker:
        while time.monotonic() < deadline:
            starts, ends = await broker.bounds({topic: config.kafka.partitions})
            if sum(end - starts[part] for part, end in ends.items()) >= count:
                return
            stages.check()
            await asyncio.sleep(0.1)
    raise RuntimeError(f"after {_LONGEST:.0f} s {topic} has not {count} records")


if __name__ == "__main__":
    sys.exit(main())
