"""`carryover demo`: a practice moves from sandbox to sandbox while people work in it and workers are killed, and the outcome is proved.

Everything is real but the two ends: Kafka, the workers, the ledger. It ends 0 only if the proof holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import click
import httpx
from rich.console import Console

from agents.ownership import FALLBACK
from cutover import demo_attachments, explained, harm, phase, population, running
from cutover.bystanders import others
from cutover.census import RESOURCES, compare, list_ids, lookups
from cutover.chosen_map import read_map
from cutover.demo_report import tell
from cutover.ledger.read import Reader
from cutover.ledger.schema import LedgerMissing
from cutover.outcome import DIFFERENT, Failed
from cutover.owners import decide, find_user
from cutover.proof import Proof, prove
from cutover.publish import publish
from cutover.settings import ControlSettings, Settings, load
from cutover.source import open_source
from cutover.status import gather
from cutover.supervise import Supervisor, command
from cutover.target import open_target
from dashboard.status import Status
from mapping.rules import MOST_ATTACHED, MapDocument
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from sandbox.staff import STAFF
from sandbox.visual_practice import dirt
from topics import provision
from topics.broker import open_broker
from topics.catalogue import STAGES
from topics.codec import Codec

_PICTURED: Final = 30
"""Notes with images."""
_ORG_ROWS: Final = 200
_DESK_SECONDS: Final = 1.0
_READ: Final = 0.95  # of the patients at the start: some are deleted before they have been read
_KILL_AT: Final = {"deliver": 0.15, "resolve": 0.3, "ingest": 0.45, "verify": 0.6}
_QUIET_SECONDS: Final = 8.0
_SETTLE_SECONDS: Final = 240.0  # without any progress
_SETTLE_MOST: Final = 3600.0
_AT_THE_DESK: Final = {"edits": 10, "creates": 3, "deletes": 2, "undeletes": 1}
_VISITS: Final = {"bookings": 3, "cancellations": 2, "visits": 2, "payments": 2, "rebills": 1, "memberships": 1}
_DECIDE_AT: Final = 0.5  # of the patients: until then whoever has no user in Salesforce holds up what is theirs
_OF_THE_SAMPLE: Final = frozenset({"long_visits"})
"""Dirt that the Synthea practice has, whatever is asked for."""
_WIDE: Final = 120  # columns of what is shown when nobody says how wide the screen is
_BY_HAND: Final = ("user:11", STAFF[0].email)  # a practitioner without a login; their records go to a colleague
_FALLBACK: Final = STAFF[6].email


@dataclass
class _Run:
    """What happened while it ran."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    quiet_from: float = 0.0
    kills: dict[str, int] = field(default_factory=dict)
    began: float = 0.0
    patients: int = 0
    objects: dict[str, int] = field(default_factory=dict)
    deleted: population.Deleted = field(default_factory=dict)
    caught_up: float = 0.0
    waited_for_owners: int = 0
    faults: int = 0
    decided: bool = False


@click.command()
@click.option("--patients", default=2_000, show_default=True, help="Patients of the generated practice.")
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same practice.")
@click.option(
    "--dirty",
    default="usual",
    show_default=True,
    help="Dirt of the practice: all, usual, clean, or kinds by name with commas (`carryover sandbox dirt`).",
)
@click.option(
    "--files", type=click.IntRange(0), default=100, show_default=True, help="Documents with contents, of up to 4 MB."
)
@click.option(
    "--attachments",
    type=click.IntRange(0, MOST_ATTACHED),
    default=0,
    help="Documents up to so many bytes as Attachments.",
)
@click.option("--keep", is_flag=True, help="Leave everything running at the end, and say what to look at.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the outcome to this file."
)
def demo(
    patients: int, seed: int, dirty: str, files: int, attachments: int, keep: bool, json_file: Path | None
) -> None:
    """Move a made-up practice and the Synthea one to a made-up org; kill a worker of each stage; prove the outcome.

    Records that are rejected or held are no failure when the practice's dirt accounts for them (docs/dirty-data.md).

    Needs Docker, or Java 17 and Maven, for Kafka. Exit code 0: proved; 4: something differs, and it is named.
    """
    try:
        kinds = dirt.chosen(dirty)
    except ValueError as exc:
        raise click.BadParameter(f"{exc}; `carryover sandbox dirt` lists the kinds", param_hint="--dirty") from exc
    made = {"patients": patients, "seed": seed, "dirty": dirty, "documents": files}
    proof = asyncio.run(_demo(made, kinds, attachments, keep=keep, json_file=json_file))
    if proof.faults:
        sys.exit(DIFFERENT)


async def _demo(
    made: dict[str, Any], kinds: frozenset[str], attachments: int, *, keep: bool, json_file: Path | None
) -> Proof:
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    directory = Path(mkdtemp(prefix="carryover-demo-"))
    async with contextlib.AsyncExitStack() as stack:
        console.print("Starting Kafka, Visual Practice and Salesforce (sandboxes) …")
        kafka = await _entered(stack, LocalKafka(directory / "kafka"))
        options = {
            **made,
            "practice": "both",
            "pictured_notes": _PICTURED,
            "org_rows": _ORG_ROWS,
            "practices": max(20, made["patients"] // 250),
            "resources": ",".join(dict.fromkeys(RESOURCES.values())),
        }
        sandbox = await _entered(stack, SandboxProcess(data_dir=directory / "sandbox", **options))
        await _let_contacts_have_several_accounts(sandbox)
        environment = _environment(kafka.bootstrap, sandbox, directory)
        if attachments:
            environment["CARRYOVER_CUTOVER__MAP"] = str(demo_attachments.write_map(directory, attachments))
        os.environ.update(environment)
        settings = load(None)
        await provision.apply(settings.kafka.bootstrap, settings.catalogue)
        names = {"control": command("control")} | {stage: command("worker", "--stage", stage) for stage in STAGES}
        supervisor = Supervisor(names, settings.cutover.data_dir / "logs", environment)
        supervising = asyncio.create_task(supervisor.run())
        stack.push_async_callback(_ended, supervising)
        proof, outcome = await _move(settings, sandbox, supervisor, supervising, console, kinds)
        if json_file is not None:
            await asyncio.to_thread(json_file.write_text, json.dumps(outcome, indent=2) + "\n")
        tell(console, proof, outcome, settings, directory, keep=keep)
        if keep:
            await _until_interrupted(supervising)
    return proof


async def _entered(stack: contextlib.AsyncExitStack, manager: Any) -> Any:
    """Enters a blocking context manager in a thread, and leaves it there."""
    entered = await asyncio.to_thread(manager.__enter__)
    stack.push_async_callback(asyncio.to_thread, manager.__exit__, None, None, None)
    return entered


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


async def _let_contacts_have_several_accounts(sandbox: SandboxProcess) -> None:
    """What an administrator does before a move with further practices (docs/loading.md)."""
    async with httpx.AsyncClient(base_url=sandbox.salesforce["url"], timeout=30) as client:
        setting = {"contacts_to_multiple_accounts": True}
        (await client.post("/__admin/settings", json=setting)).raise_for_status()


def _environment(bootstrap: str, sandbox: SandboxProcess, directory: Path) -> dict[str, str]:
    org, practice = sandbox.salesforce, sandbox.visual_practice
    return {
        "CARRYOVER_CONFIG": _empty(directory),
        "CARRYOVER_KAFKA__BOOTSTRAP": bootstrap,
        "CARRYOVER_KAFKA__PREFIX": f"demo-{int(time.time())}.",
        "CARRYOVER_SOURCE__URL": practice["url"],
        "CARRYOVER_SOURCE__API_KEY": practice["api_key"],
        "CARRYOVER_TARGET__URL": org["url"],
        "CARRYOVER_TARGET__CLIENT_ID": org["client_id"],
        "CARRYOVER_TARGET__CLIENT_SECRET": org["client_secret"],
        "CARRYOVER_CUTOVER__DATA_DIR": str(directory / "data"),
        "CARRYOVER_CONTROL__PORT": os.environ.get("CARRYOVER_CONTROL__PORT") or str(_free_port()),
    }


def _free_port() -> int:
    """The usual port of the status page, or another one when something has it: without control the demo would never end."""
    usual = ControlSettings()
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((usual.host, usual.port))
        except OSError:
            tried.bind((usual.host, 0))
        return int(tried.getsockname()[1])


def _empty(directory: Path) -> str:
    path = directory / "carryover.toml"
    path.write_text("")
    return str(path)


# -- the move --------------------------------------------------------------------------------------------------------------------------


async def _move(
    settings: Settings,
    sandbox: SandboxProcess,
    supervisor: Supervisor,
    supervising: asyncio.Task[None],
    console: Console,
    kinds: frozenset[str],
) -> tuple[Proof, dict[str, Any]]:
    document, map_hash = read_map(settings)
    run, codec = _Run(began=time.time()), Codec()
    async with open_source(settings) as source:
        run.deleted = await population.list_deleted(source)
        run.objects = await population.count(sandbox.visual_practice["url"], source, run.deleted)
    run.patients = run.objects["patient"]
    calls_before = await _api_calls(sandbox)
    others_before = await others(sandbox.salesforce["url"])
    await phase.begin(settings, codec, map_hash)
    console.print(f"Moving. Status page: http://{settings.control.host}:{settings.control.port}/")
    await harm.disturb(sandbox)
    async with (
        _beside(_desk(settings, sandbox, run)),
        _beside(_reaper(settings, supervisor, run, console)),
        _beside(_decider(settings, document, codec, run, console)),
    ):
        await _until(settings, supervising, lambda status: _caught_up(status, run))
    run.caught_up = time.time()
    run.faults = await harm.soothe(sandbox)
    killed = ", ".join(f"{stage} (process {pid})" for stage, pid in run.kills.items())
    console.print(
        f"Snapshot done. Killed in mid-load: {killed}. Now {_QUIET_SECONDS:.0f} s of ordinary work, to time the delta …"
    )
    run.quiet_from = time.time()
    async with _beside(_desk(settings, sandbox, run)):
        await asyncio.sleep(_QUIET_SECONDS)
    console.print("Waiting until nothing is on its way, then comparing source, ledger and org …")
    await _settled(settings, supervising, codec)
    api_calls = await _api_calls(sandbox) - calls_before
    async with open_source(settings) as source, open_target(settings) as target:
        with Reader(settings.ledger) as reader:
            lag = await _lag(settings)
            held = await population.count(sandbox.visual_practice["url"], source, run.deleted)
            proof = await prove(reader, document, source, target, held, lag)
            delays = _delays(reader, run)
            reasons = explained.reasons(reader, kinds | _OF_THE_SAMPLE)
    if unexplained := sum(one.records - one.explained for one in reasons):
        proof.faults.append(f"{unexplained} records are held or rejected for no reason that is declared")
    if await others(sandbox.salesforce["url"]) != others_before:
        proof.faults.append("rows of the org that are not ours have changed")
    if not run.decided:
        proof.faults.append("no record waited for an owner")
    missed = [stage for stage in STAGES if stage not in run.kills]
    if missed:
        proof.faults.append(f"no worker was killed of: {', '.join(missed)}")
    if delays is None:
        proof.faults.append("some edits never arrived")
    total = sum(counts["source"] for counts in proof.objects.values())
    outcome = {
        "objects": proof.objects,
        "reasons": [one._asdict() for one in reasons],
        "conserved": proof.conserved,
        "verified_fields": proof.verified_fields,
        "mismatches": proof.mismatches,
        "orphans": proof.orphans,
        "duplicates": proof.duplicates,
        "lag": proof.lag,
        "kills": len(run.kills),
        "edit_to_target_seconds": delays if delays is not None else dict.fromkeys(("p50", "p95")),
        "records_per_second": round(total / (run.caught_up - run.began), 1),
        "api_calls": api_calls,
        "changes_while_it_ran": len(run.changes),
        "waited_for_owners": run.waited_for_owners,
        "disturbances": run.faults,
        "proved": not proof.faults,
        "faults": proof.faults,
    }
    return proof, outcome


@contextlib.asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await _ended(task)


async def _desk(settings: Settings, sandbox: SandboxProcess, run: _Run) -> None:
    """People go on working in the source, once it is being read: of a record that went before that, nobody is told."""
    made = [name for name, count in run.objects.items() if count]
    while not all(_counts(settings, name).get("source") for name in made):  # noqa: ASYNC110 - as in `_reaper`
        await asyncio.sleep(0.05)
    async with httpx.AsyncClient(base_url=sandbox.visual_practice["url"], timeout=30) as client:
        while True:
            answer = (await client.post("/__admin/mutate", json=_AT_THE_DESK | _VISITS)).json()
            run.changes += answer["changes"]
            await asyncio.sleep(_DESK_SECONDS)


async def _reaper(settings: Settings, supervisor: Supervisor, run: _Run, console: Console) -> None:
    """Kills one worker of each stage with SIGKILL, each at another point of the load."""
    for stage, share in sorted(_KILL_AT.items(), key=lambda one: one[1]):
        while _share_loaded(settings) < share:  # noqa: ASYNC110 - the ledger is a file that another process writes
            await asyncio.sleep(0.05)
        pid = supervisor.pids.get(stage)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            run.kills[stage] = pid
            console.print(f"kill -9 {pid} ({stage}, at {share:.0%} of what has been read so far)")


async def _decider(settings: Settings, document: MapDocument, codec: Codec, run: _Run, console: Console) -> None:
    """Decides who owns the records of those who have no user in Salesforce, once half of the patients are in."""
    while _share_loaded(settings) < _DECIDE_AT or not run.waited_for_owners:
        await asyncio.sleep(0.1)
        run.waited_for_owners = max(run.waited_for_owners, _waiting_for_owners(settings))
    async with open_target(settings) as target:
        by_hand, fallback = await find_user(target, _BY_HAND[1]), await find_user(target, _FALLBACK)
    await decide(settings, document, codec, _BY_HAND[0], by_hand["Id"])
    await decide(settings, document, codec, FALLBACK, fallback["Id"])
    console.print(
        f"{run.waited_for_owners:,} records wait for an owner. Decided: {_BY_HAND[0]} is {by_hand['Name']}, all others {fallback['Name']}."
    )
    run.decided = True


def _waiting_for_owners(settings: Settings) -> int:
    try:
        with Reader(settings.ledger) as reader:
            return sum(row["count"] for row in reader.hold_reasons() if row["code"] == "OWNER_UNDECIDED")
    except LedgerMissing:
        return 0


def _counts(settings: Settings, name: str) -> dict[str, Any]:
    try:
        with Reader(settings.ledger) as reader:
            return reader.conservation().get(name, {})
    except LedgerMissing:
        return {}


def _share_loaded(settings: Settings) -> float:
    counts = _counts(settings, "patient")
    return counts["loaded"] / counts["source"] if counts.get("source", 0) > 100 else 0.0


def _caught_up(status: Status, run: _Run) -> bool:
    """All has been read, the snapshot is in, and the kills are behind us."""
    patients = status["objects"].get("patient")
    if patients is None or len(run.kills) < len(_KILL_AT) or patients["source"] < _READ * run.patients:
        return False
    held = sum(row["count"] for row in status["holds"] if row["code"] == "OWNER_UNDECIDED")
    few = all(counts["in_flight"] <= max(50, counts["source"] // 200) for counts in status["objects"].values())
    return (
        run.decided
        and not held
        and few
        and all(counts["source"] >= _READ * run.objects.get(name, 0) for name, counts in status["objects"].items())
    )


async def _until(settings: Settings, supervising: asyncio.Task[None], reached: Any) -> None:
    showing = asyncio.create_task(running.show(settings, as_json=False, until=reached))
    await asyncio.wait({showing, supervising}, return_when=asyncio.FIRST_COMPLETED)
    if supervising.done():
        showing.cancel()
        await supervising
        raise Failed("The workers have ended; their reasons are in the logs.")
    await showing


# -- the end ---------------------------------------------------------------------------------------------------------------------------


async def _settled(settings: Settings, supervising: asyncio.Task[None], codec: Codec) -> None:
    """Waits until source and ledger agree by census, everything is settled and verified, and no lag is left; or until nothing moves any more."""
    ends = time.monotonic() + _SETTLE_MOST
    deadline = time.monotonic() + _SETTLE_SECONDS
    quiet, last = 0, None
    async with open_source(settings) as source:
        while time.monotonic() < min(deadline, ends) and quiet < 3:
            if supervising.done():
                await supervising
            await asyncio.sleep(1)
            with Reader(settings.ledger) as reader:
                status = gather(reader, settings)
                lag = await _lag(settings)
                settled = _is_settled(status) and lag == 0
                known = {name: set(reader.ids(name)) for name in RESOURCES} if settled else {}
            quiet = quiet + 1 if settled else 0
            now = (lag, status["objects"], status["verification"])
            if now != last:
                last, deadline = now, time.monotonic() + _SETTLE_SECONDS
            for name, ids in known.items():
                census = compare(name, int(time.time() * 1000), await list_ids(source, name), ids)
                if census.missing or census.extra:
                    quiet = 0
                    topic = settings.catalogue.extract
                    await publish(settings.kafka.bootstrap, topic, lookups(census, codec, topic))


def _is_settled(status: Status) -> bool:
    for name, counts in status["objects"].items():
        verified = status["verification"].get(name, {})
        if counts["in_flight"] or verified.get("verified", 0) + verified.get("mismatched", 0) != counts["loaded"]:
            return False
    return bool(status["objects"])


async def _lag(settings: Settings) -> int:
    """Records that a stage has not committed, from the broker's own end offsets and committed offsets."""
    catalogue = settings.catalogue
    lag = 0
    async with open_broker(settings.kafka.bootstrap) as broker:
        for stage, names in catalogue.sources.items():
            parts = await broker.partitions(list(names))
            starts, ends = await broker.bounds(parts)
            committed = await broker.committed(catalogue.group(stage))
            lag += sum(max(0, end - committed.get(part, starts[part])) for part, end in ends.items())
    return lag


async def _api_calls(sandbox: SandboxProcess) -> int:
    async with httpx.AsyncClient(base_url=sandbox.salesforce["url"], timeout=60) as client:
        found = (await client.get("/__admin/stats")).json()["api_calls"]
    return sum(found.values()) if isinstance(found, dict) else int(found)


def _delays(reader: Reader, run: _Run) -> dict[str, float] | None:
    """Seconds from an edit in the source to its landing, for edits made after the snapshot; None when one never landed."""
    seconds: list[float] = []
    newest = {(change["object"], change["id"]): change for change in run.changes}
    for (object_, vp_id), change in newest.items():
        if change["at_ms"] / 1000 < run.quiet_from:
            continue
        at = datetime.fromtimestamp(change["at_ms"] // 1000, UTC)
        landed = reader.landed(f"{object_}:{vp_id}", f"{at:%Y-%m-%dT%H:%M:%S}")
        if landed is not None:
            seconds.append((landed - change["at_ms"]) / 1000)
        elif not _rejected(reader, f"{object_}:{vp_id}"):
            return None
    if len(seconds) < 2:
        return None
    quantiles = statistics.quantiles(seconds, n=20)
    return {"p50": round(statistics.median(seconds), 2), "p95": round(quantiles[18], 2)}


def _rejected(reader: Reader, reference: str) -> bool:
    found = reader.record(reference)
    return found is not None and all(one["outcome"] in {"rejected", "held", "skipped"} for one in found["deliveries"])


async def _until_interrupted(supervising: asyncio.Task[None]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait({waiting, supervising}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
