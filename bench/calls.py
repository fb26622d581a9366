"""How many API calls it takes to move 10,000 records, in the snapshot and in a delta, against the fewest that Salesforce's API allows: `python -m bench.calls`.

The whole service between sandboxes; the org counts its calls itself, by route. The fewest calls are computed from what there was to do, however our
partitions divide it:

- a Bulk job for each 10,000 rows of an object: created, uploaded, closed, asked for once, its successful rows read: 5;
- for fewer rows a collections call for each 200, where these are fewer than 5;
- verification: a retrieve for each 2,000 rows of an object;
- in the snapshot: each object described once in each of the two processes that talk to the org, and its users asked for once.

How full batches are depends on how fast rows come; with `--backlog` loading starts when the source has been read, which shows what full batches cost.
Token calls are none of these (the org does not count them). That a composite request may carry five collections is not reckoned with: we don't use it for
rows, as its answer would hold those of all five. Nothing is reckoned for finding out whether a row is there already, for polling a job again, or for control's
looks at the limits: what these cost is what the ratio shows. The delta is one burst: so many changes as a busy week has, made within a second or two.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from math import ceil
from pathlib import Path
from typing import Any, Final

import httpx

from agents.ownership import FALLBACK
from bench.measure import machine, verdict
from bench.practice import practices_for
from bench.stages import Stages, environment, settings, standing
from cutover import phase
from cutover.census import RESOURCES
from cutover.chosen_map import read_map
from cutover.ledger.read import Reader
from cutover.ledger.schema import LedgerMissing
from cutover.owners import decide, find_user
from cutover.settings import Settings
from cutover.target import open_target
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from sandbox.staff import STAFF
from topics import provision
from topics.catalogue import OWNER, STAGES, TARGETS, Catalogue
from topics.codec import Codec

_TARGET: Final = 1.3
_PROCESSES: Final = (*STAGES, "control")
_OBJECTS: Final = Catalogue().sobjects
_QUIET: Final = 4
"""Seconds in a row without anything on its way: then it is over."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.calls", description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=10_000, help="(%(default)s)")
    parser.add_argument("--partitions", type=int, default=4, help="of every topic (%(default)s)")
    parser.add_argument("--backlog", action="store_true", help="load only when the source has been read: full batches")
    parser.add_argument("--like", default="fast", choices=["fast", "real"], help="the org's pace (%(default)s)")
    parser.add_argument("--longest", type=float, default=1800.0, help="seconds each part may take (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON too")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that was just made has no leader for a moment
    print(f"{machine()}; {given.patients:,} patients, {given.partitions} partitions, a {given.like} org", flush=True)
    parts = asyncio.run(_move(given))
    for name, part in parts.items():
        _tell(name, part)
    for name, part in parts.items():
        print(verdict(f"{name}, calls / fewest", part["calls"] / part["fewest"], _TARGET, at_most=True))
    if given.json:
        print(json.dumps(parts))
    return 0


async def _move(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Moves a practice, then a delta; for each part the calls by route, the rows by object, and the fewest calls."""
    with tempfile.TemporaryDirectory(prefix="carryover-bench-") as name, LocalKafka() as kafka:
        directory, patients = Path(name), given.patients
        with SandboxProcess(
            # A content is a call up and a call back, whatever the loader does.
            patients=patients,
            practices=practices_for(patients),
            resources=",".join(dict.fromkeys(name for name in RESOURCES.values() if name != "documents")),
            clean=True,
        ) as sandbox:
            org, desk = _door(sandbox.salesforce["url"]), _door(sandbox.visual_practice["url"])
            org.post("/speed", json={"like": given.like}).raise_for_status()
            prefix = f"bench-{int(time.time())}."
            variables = environment(kafka.bootstrap, prefix, sandbox.salesforce, sandbox.visual_practice, directory)
            config = settings({**variables, "CARRYOVER_KAFKA__PARTITIONS": str(given.partitions)})
            await provision.apply(kafka.bootstrap, config.catalogue)
            before, described = await _begin(config, org)
            with Stages({**variables, "CARRYOVER_KAFKA__PARTITIONS": str(given.partitions)}, directory) as stages:
                late = ("deliver", "verify") if given.backlog else ()
                for process in _PROCESSES:
                    if process not in late:
                        stages.start(process)
                if late:
                    await _read(config, stages, time.monotonic() + given.longest)
                for process in late:
                    stages.start(process)
                await _settled(config, stages, patients, time.monotonic() + given.longest)
                rows = {one: count for one in _OBJECTS if (count := _count(org, one))}
                snapshot = _part(before, _calls(org), rows, 2 * described + 1)
                before = _calls(org)
                changed = _change(desk, patients)
                await _begun(config, stages, time.monotonic() + given.longest)
                await _settled(config, stages, patients, time.monotonic() + given.longest)
                return {"snapshot": snapshot, "delta": _part(before, _calls(org), changed, 0)}


def _door(url: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/__admin", timeout=300)


async def _begin(config: Settings, org: httpx.Client) -> tuple[Counter[str], int]:
    """Decides who owns what belongs to nobody, and begins.

    Returns:
        The calls so far, which don't count, and how many objects of the org the map is about.
    """
    async with open_target(config) as target:
        user = await find_user(target, STAFF[6].email)
    document, map_hash = read_map(config)
    await decide(config, document, Codec(), FALLBACK, user["Id"])
    await phase.begin(config, Codec(), map_hash)
    return _calls(org), len({rule.target for rule in document.rows.values()} | {*document.roles})


def _calls(org: httpx.Client) -> Counter[str]:
    return Counter(org.get("/stats").raise_for_status().json()["api_calls"])


def _count(org: httpx.Client, sobject: str) -> int:
    rows = org.get("/dump", params={"sObjects": sobject}).raise_for_status().json()[sobject]
    return sum(1 for row in rows if row.get("VP_Id__c"))


def _change(desk: httpx.Client, patients: int) -> dict[str, int]:
    """A burst of changes at the desk; the rows of each object that they change or make."""
    work = {"edits": patients // 2, "creates": patients // 10, "bookings": patients // 4, "seed": 5}
    changes = desk.post("/mutate", json=work).raise_for_status().json()["changes"]
    touched = {(TARGETS[one["object"]], one["id"]) for one in changes if TARGETS.get(one["object"], OWNER) != OWNER}
    return dict(Counter(sobject for sobject, _ in touched))


def _part(before: Counter[str], after: Counter[str], rows: dict[str, int], once: int) -> dict[str, Any]:
    by = after - before
    return {"rows": rows, "calls": by.total(), "by": dict(by.most_common()), "fewest": _fewest(rows) + once}


def _fewest(rows: dict[str, int]) -> int:
    """Calls that writing and reading back so many rows of each object takes at least."""
    written = sum(min(5 * ceil(count / 10_000), ceil(count / 200)) for count in rows.values())
    return written + sum(ceil(count / 2_000) for count in rows.values())


async def _read(config: Settings, stages: Stages, deadline: float) -> None:
    """Waits until the source has been read: as many records are known as five seconds before."""
    last: dict[str, int] = {}
    known: dict[str, int] = {}
    while time.monotonic() < deadline and not (known and known == last):
        await asyncio.sleep(5)
        stages.check()
        last = known
        with contextlib.suppress(LedgerMissing), Reader(config.ledger) as reader:
            known = {name: counts["source"] for name, counts in reader.conservation().items()}


async def _begun(config: Settings, stages: Stages, deadline: float) -> None:
    """Waits until something is on its way."""
    while time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        stages.check()
        with Reader(config.ledger) as reader:
            if any(counts["in_flight"] for counts in reader.conservation().values()):
                return
    raise RuntimeError("no change has arrived in time")


async def _settled(config: Settings, stages: Stages, patients: int, deadline: float) -> None:
    """Waits until nothing is on its way and all that was loaded is verified, and stays so."""
    quiet, last = 0, None
    while time.monotonic() < deadline:
        await asyncio.sleep(1)
        stages.check()
        status = standing(config)
        if status is None:
            continue
        objects, verified = status["objects"], status["verification"]
        done = bool(objects) and objects.get("patient", {}).get("source", 0) >= patients
        for name, counts in objects.items():
            done = done and not counts["in_flight"] and verified.get(name, {}).get("verified", 0) >= counts["loaded"]
        now = {name: (counts["source"], counts["loaded"]) for name, counts in objects.items()}
        quiet = quiet + 1 if done and now == last else 0
        last = now
        if quiet >= _QUIET:
            return
    raise RuntimeError(f"not done in time: {status['objects']}")


def _tell(name: str, part: dict[str, Any]) -> None:
    rows = sum(part["rows"].values())
    each = 10_000 / rows
    objects = ", ".join(f"{sobject} {count:,}" for sobject, count in part["rows"].items())
    print(f"\n{name}: {rows:,} rows ({objects})")
    print(f"  {part['calls']:,} calls, {part['calls'] * each:,.0f} for 10,000 rows; the fewest are {part['fewest']:,}")
    for route, count in part["by"].items():
        print(f"    {count:>6,}  {count * each:>7,.1f}  {route}")


if __name__ == "__main__":
    sys.exit(main())
