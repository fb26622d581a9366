"""The whole pipeline against a bare pipe: the same filled topics, the same sandbox, the same rows, in turns.

`python -m bench.pipeline`. Both begin with everything in ``vp.*``: staff, practices, patients, visits, payments, bills. The pipeline's clock runs from its
first output (a few milliseconds after the first record could be consumed) until the last row is in Salesforce; its workers have started before, as has the bare
pipe's process.

All settings are a cutover's: rows wait for company as they do there, saving calls (`bench.calls` counts these).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from agents.ownership import FALLBACK
from bench import practice, topics
from bench.measure import Sampler, machine, verdict
from bench.stages import Stages, environment, settings
from cutover import phase
from cutover.chosen_map import read_map
from cutover.owners import decide, find_user
from cutover.settings import Settings
from cutover.target import open_target
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from sandbox.staff import STAFF
from topics import provision
from topics.broker import Broker, open_broker
from topics.catalogue import STAGES
from topics.codec import Codec
from topics.messages import Transition

_TARGET: Final = 0.25
_LONGEST: Final = 900.0
_FALLBACK: Final = STAFF[6].email


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=4000, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="(%(default)s)")
    parser.add_argument(
        "--warm", type=int, default=800, help="patients of a turn before that does not count (%(default)s)"
    )
    parser.add_argument("--idle", type=float, help="load.idle_seconds instead of a cutover's")
    parser.add_argument("--control", action="store_true", help="let the control process (ledger, status page) run too")
    parser.add_argument("--profile", type=Path, help="write a cProfile of each worker to this folder (it slows them)")
    parser.add_argument("--only", choices=["pipeline", "bare"], help="measure only this one")
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON too")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that was just made has no leader for a moment
    print(f"{machine()}; {given.patients:,} patients, {practice.practices_for(given.patients)} practices", flush=True)
    rows: list[dict[str, Any]] = []
    with LocalKafka() as kafka, tempfile.TemporaryDirectory(prefix="carryover-bench-") as directory:
        if given.warm:  # a broker that has just started spends most of its time on compiling itself
            asyncio.run(_round(kafka, Path(directory) / "warm", given, -1, given.warm))
        for turn in range(given.rounds):
            rows += asyncio.run(_round(kafka, Path(directory) / str(turn), given, turn, given.patients))
    _tell(rows)
    if given.json:
        print(json.dumps(rows))
    return 0


async def _round(
    kafka: LocalKafka, directory: Path, given: argparse.Namespace, turn: int, patients: int
) -> list[dict[str, Any]]:
    """One turn of each, on topics of their own."""
    prefix = f"bench-{int(time.time())}."
    found = []
    # It holds the same practices, so that a parent that is looked up is found; nothing else is read from it.
    practices = practice.practices_for(patients)
    with SandboxProcess(only="visual-practice", patients=1, practices=practices, clean=True) as source:
        config = settings(environment(kafka.bootstrap, prefix, _NO_ORG, source.visual_practice, directory))
        await provision.apply(kafka.bootstrap, config.catalogue)
        total = practice.count(config.catalogue, patients)
        await topics.fill(kafka.bootstrap, practice.records(config.catalogue, patients))
        if given.only != "pipeline":
            found.append({"turn": turn, **await _bare(kafka, prefix, total)})
            print(f"  {turn} {_told(found[-1])}", flush=True)
        if given.only != "bare":
            found.append({"turn": turn, **await _pipeline(kafka, prefix, source, directory, given, total)})
            print(f"  {turn} {_told(found[-1])}", flush=True)
    return found


_NO_ORG: Final = {"url": "http://127.0.0.1:9", "client_id": "-", "client_secret": "-"}


def _rows(total: dict[str, int]) -> int:
    return sum(total[name] for name in practice.ROWS)


async def _bare(kafka: LocalKafka, prefix: str, total: dict[str, int]) -> dict[str, Any]:
    with SandboxProcess(only="salesforce") as org:
        task = {"bootstrap": kafka.bootstrap, "prefix": prefix, "salesforce": org.salesforce, "fallback": _FALLBACK}
        watched = {"sandbox": org.pid, **_broker(kafka)}
        with Sampler(lambda: watched) as sampler:
            arguments = [sys.executable, "-m", "bench.bare", json.dumps(task)]
            done = await asyncio.to_thread(subprocess.run, arguments, stdout=subprocess.PIPE, text=True, check=True)
        said = json.loads(done.stdout.splitlines()[-1])
        if said["rows"] != _rows(total) or await _in_org(org) != _rows(total):
            raise RuntimeError(
                f"the bare pipe moved {said['rows']} rows, {await _in_org(org)} are in the org, not {_rows(total)}"
            )
    cpu = {"pipe": said["cpu"], **sampler.used(said["began"], said["ended"])}
    return {"side": "bare", "rows": sum(total.values()), "landed": said["ended"] - said["began"], "cpu": cpu}


async def _pipeline(
    kafka: LocalKafka, prefix: str, source: SandboxProcess, directory: Path, given: argparse.Namespace, total: int
) -> dict[str, Any]:
    with SandboxProcess(only="salesforce") as org:
        variables = environment(kafka.bootstrap, prefix, org.salesforce, source.visual_practice, directory)
        # The source has none of it: nothing is to be looked up there.
        variables |= {f"CARRYOVER_RESOLVE__{name}_AFTER_SECONDS": "900" for name in ("LOOKUP", "HOLD")}
        if given.idle is not None:
            variables["CARRYOVER_LOAD__IDLE_SECONDS"] = str(given.idle)
        config = settings(variables)
        with Stages(variables, directory, given.profile) as stages:
            watched = {"sandbox": org.pid, **_broker(kafka)}
            with Sampler(lambda: watched | stages.pids) as sampler:
                for name in ("control",) * given.control + ("resolve", "deliver", "verify"):
                    stages.start(name)
                await open_gate(config)
                await _decide(config)
                await members(config, ("resolve", "deliver", "verify"), stages)
                stages.start("ingest")
                landed = await _landed(org, total, stages)
                outcome = await _audited(config, total, stages)
                await asyncio.sleep(0.2)  # a last sample
                stages.check()
    began, verified = await _first_output(config), outcome["verified"]
    return {
        "side": "pipeline",
        "rows": sum(total.values()),
        "landed": landed - began,
        "verified": verified - began,
        "mismatches": outcome["mismatches"],
        "cpu": sampler.used(began, landed),
        "cpu_verified": sampler.used(began, verified),
    }


def _broker(kafka: LocalKafka) -> dict[str, int]:
    pid = getattr(kafka.broker, "pid", None)
    return {"kafka": pid} if pid else {}


async def open_gate(config: Settings) -> None:
    """Says that the cutover has begun, without asking the extract for anything."""
    _, map_hash = read_map(config)
    moved = Transition(
        phase="SNAPSHOT", run=practice.RUN, map_hash=map_hash, by="bench", at=int(time.time() * 1000), detail=None
    )
    await phase.tell(config, Codec(), moved)


async def _decide(config: Settings) -> None:
    """Says who owns what belongs to nobody with a login."""
    async with open_target(config) as target:
        user = await find_user(target, _FALLBACK)
    await decide(config, read_map(config)[0], Codec(), FALLBACK, user["Id"])


async def members(config: Settings, names: Iterable[str], stages: Stages, most: int = 1) -> None:
    """Waits until each stage has ``most`` workers, with open partitions."""
    async with open_broker(config.kafka.bootstrap) as broker:
        for name in names:
            while await _count(broker, config.catalogue.group(name)) < most:
                stages.check()
                await asyncio.sleep(0.1)
    await asyncio.sleep(3)  # until their partitions are open


async def _count(broker: Broker, group: str) -> int:
    try:
        return await broker.members(group)
    except GroupCoordinatorNotAvailableError:
        return 0


async def _landed(org: SandboxProcess, total: dict[str, int], stages: Stages) -> float:
    """When every row is in the org; a bill that was written before its payments came is written again, and counts once."""
    deadline = time.monotonic() + _LONGEST
    async with httpx.AsyncClient(base_url=org.salesforce["url"]) as client:
        while time.monotonic() < deadline:
            written = (await client.get("/__admin/stats")).json()["rows_written"]
            at = time.time()
            enough = sum(count for name, count in written.items() if "delete" not in name) >= _rows(total)
            if enough and await _in_org(org) == _rows(total):
                return at
            stages.check()
            await asyncio.sleep(0.05)
    raise RuntimeError(f"after {_LONGEST:.0f} s only {written} of {_rows(total)} rows are in the org")


async def _in_org(org: SandboxProcess) -> int:
    """Our rows in the org, counted there."""
    header = {"Authorization": f"Bearer {org.salesforce['access_token']}"}
    count = 0
    async with httpx.AsyncClient(base_url=org.salesforce["url"], headers=header, timeout=60) as client:
        for sobject in ("Account", "Contact", "Event", "Opportunity"):
            text = f"SELECT COUNT() FROM {sobject} WHERE VP_Id__c != null"
            count += (await client.get("/services/data/v62.0/query", params={"q": text})).json()["totalSize"]
    return count


async def _audited(config: Settings, total: dict[str, int], stages: Stages) -> dict[str, Any]:
    """Reads the audit until every row has been verified; the times are those of the audit's own records."""
    codec, topic = Codec(), config.catalogue.audit
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    verified: dict[str, float] = {}
    mismatches = 0
    deadline = time.monotonic() + _LONGEST
    try:
        parts = [TopicPartition(topic, number) for number in range(config.kafka.partitions)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        while len(verified) < sum(total.values()) and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    _, operation = codec.decode(record.value)
                    if operation["what"] in {"verify", "mismatch"}:
                        verified[operation["reference"]] = record.timestamp / 1000
                        mismatches += operation["what"] == "mismatch"
            stages.check()
    finally:
        await consumer.stop()
    if len(verified) < sum(total.values()):
        raise RuntimeError(f"after {_LONGEST:.0f} s only {len(verified)} of {total} are verified")
    return {"verified": max(verified.values()), "mismatches": mismatches}


async def _first_output(config: Settings) -> float:
    """When the map agent published its first row."""
    catalogue = config.catalogue
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        names = (catalogue.refs, *(catalogue.sf(name) for name in catalogue.sobjects))
        parts = [TopicPartition(name, number) for name in names for number in range(config.kafka.partitions)]
        found = [at for at in (await consumer.offsets_for_times(dict.fromkeys(parts, 0))).values() if at is not None]
        return float(min(at.timestamp for at in found) / 1000)
    finally:
        await consumer.stop()


# -- results -----------------------------------------------------------------------------------------------------------------------------


def _told(row: dict[str, Any]) -> str:
    rows = row["rows"]
    cpu = "  ".join(f"{name} {1e6 * used / rows:,.0f}" for name, used in row["cpu"].items())
    text = f"{row['side']:<8} {rows / row['landed']:>7,.0f} rows/s landed in {row['landed']:.1f} s"
    if "verified" in row:
        text += f", {rows / row['verified']:,.0f}/s verified in {row['verified']:.1f} s, {row['mismatches']} mismatches"
    return f"{text}; us CPU a row: {cpu}"


def _tell(rows: list[dict[str, Any]]) -> None:
    print()
    for side in ("bare", "pipeline"):
        some = [row for row in rows if row["side"] == side]
        for key in ("cpu", "cpu_verified"):
            if some and key in some[0]:
                print(f"{side}, CPU a row until {'verified' if key == 'cpu_verified' else 'landed'} (us):")
                for name in some[0][key]:
                    print(f"  {name:<9} {statistics.median(1e6 * row[key][name] / row['rows'] for row in some):>7,.0f}")
    if len({row["side"] for row in rows}) < 2:
        return
    print()
    for what, key in (("landed", "landed"), ("verified", "verified")):
        print(verdict(f"pipeline / bare pipe, {what}", _ratio(rows, key), _TARGET))
    ours, bare = (
        statistics.median(_ours(row) / row["rows"] for row in rows if row["side"] == side)
        for side in ("pipeline", "bare")
    )
    print(f"our own CPU a row: pipeline {1e6 * ours:,.0f} us, bare pipe {1e6 * bare:,.0f} us ({ours / bare:.1f} times)")


def _ratio(rows: list[dict[str, Any]], key: str) -> float:
    def seconds(turn: int, side: str, key: str) -> float:
        (row,) = (row for row in rows if (row["turn"], row["side"]) == (turn, side))
        return float(row[key])

    turns = {row["turn"] for row in rows}
    return statistics.median(seconds(turn, "bare", "landed") / seconds(turn, "pipeline", key) for turn in turns)


def _ours(row: dict[str, Any]) -> float:
    return float(sum(used for name, used in row["cpu"].items() if name in {"pipe", *STAGES}))


if __name__ == "__main__":
    sys.exit(main())
