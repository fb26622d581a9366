"""A worker process: builds a stage's app from the settings, checks what it needs, and serves it.

`all` starts one process for each stage and keeps them running. A worker takes the first free slot of its stage on this host, so that it finds the
local files of the worker before it, and two never share them.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from agents.allowance import Allowance
from agents.apps import described, stage_app
from agents.contact_roles import HIDDEN
from agents.stage import Setup
from connectors.retry import Retry
from connectors.salesforce.session import Meter, Salesforce
from connectors.visual_practice.client import VisualPractice
from cutover.chosen_map import read_map
from cutover.outcome import Refused
from cutover.priority import give_way
from cutover.settings import Settings
from cutover.source import open_source
from cutover.supervise import Supervisor, command
from cutover.target import open_target
from mapping.check import check_map, withheld
from mapping.rules import MapDocument
from topics.catalogue import STAGES
from topics.codec import Codec
from transport.worker import serve

log = logging.getLogger(__name__)

_SLOTS: Final = 64
_TALKING: Final = frozenset({"deliver", "verify"})
"""Stages that talk to Salesforce, and share its API calls."""
_AT_START: Final = Retry(max_elapsed=5.0)
"""A wrong address is told soon; later, a system that is away is waited for."""


def run(settings: Settings, stage: str, config: Path | None = None) -> int:
    """Runs one stage, or all, until a signal; returns the exit code.

    Raises:
        connectors.errors.ConnectorError: a system does not answer as it should at the start.
        cutover.outcome.Refused: the map does not fit the org.
    """
    if stage == "all":
        asyncio.run(_supervise(settings, config))
        return 0
    give_way(stage)
    with ExitStack() as stack:
        number, data_dir = stack.enter_context(_slot(settings.cutover.data_dir / "workers", stage))
        return asyncio.run(_serve(settings, stage, f"{stage}-{number}-{socket.gethostname().lower()}", data_dir))


async def _supervise(settings: Settings, config: Path | None) -> None:
    shared = ["--config", str(config)] if config else []
    commands = {stage: command("worker", "--stage", stage, *shared) for stage in STAGES}
    await Supervisor(commands, settings.cutover.data_dir / "logs").run()


@contextmanager
def _slot(directory: Path, stage: str) -> Iterator[tuple[int, Path]]:
    for number in range(_SLOTS):
        path = directory / f"{stage}-{number}"
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (path / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number, path
            return
    raise Refused(f"{_SLOTS} workers of stage {stage} run on this host already; start more on another one.")


async def _serve(settings: Settings, stage: str, worker: str, data_dir: Path) -> int:
    document, _ = read_map(settings)
    setup = Setup(
        bootstrap=settings.kafka.bootstrap,
        catalogue=settings.catalogue,
        document=document,
        cutover=settings.cutover.id,
        data_dir=data_dir,
        worker=worker,
        overlap_seconds=settings.source.overlap_seconds,
        poll_seconds=settings.source.poll_seconds,
        lookup_after_seconds=settings.resolve.lookup_after_seconds,
        hold_after_seconds=settings.resolve.hold_after_seconds,
        batch_rows=settings.load.batch_rows,
        bulk_from_rows=settings.load.bulk_from_rows,
        idle_seconds=settings.load.idle_seconds,
        owners_again_seconds=settings.resolve.owners_again_seconds,
        make_lost_again=settings.load.make_lost_again,
        verify_window=settings.verify.window_records,
        verify_idle_seconds=settings.verify.idle_seconds,
        overrides={
            "broker_session_timeout": settings.kafka.session_seconds,
            "broker_heartbeat_interval": min(3.0, settings.kafka.session_seconds / 6),
        },
    )
    allowance = _allowance(settings, stage, worker) if stage in _TALKING else None
    source, target, describes = await _clients(settings, stage, document, allowance)
    async with stage_app(setup, stage, source, target, describes, allowance) as app:
        log.info("%s starts as process %d", worker, os.getpid())
        return await serve(app)


async def _clients(
    settings: Settings, stage: str, document: MapDocument, meter: Meter | None
) -> tuple[VisualPractice | None, Salesforce | None, dict[str, dict[str, Any]]]:
    """The clients that ``stage`` needs, and the org's describes: wrong credentials and a wrong org show at the start, not in mid-load."""
    if stage == "ingest":
        async with open_source(settings, _AT_START) as source:
            for name in document.extracted:
                # Also says when its times need a zone that nobody has named.
                await source.page(document.objects[name].resource, per_page=1)
        return open_source(settings), None, {}
    if stage in _TALKING:
        async with open_target(settings, _AT_START, meter) as target:
            describes = await check_target(target, document)
        contents = stage == "deliver" and any(rule.has_content for rule in document.rows.values())
        return open_source(settings) if contents else None, open_target(settings, meter=meter), describes
    return None, None, {}


def _allowance(settings: Settings, stage: str, worker: str) -> Allowance:
    kafka, target = settings.kafka, settings.target
    return Allowance(
        worker, stage, target.kept, target.look_seconds, kafka.bootstrap, settings.catalogue.calls, Codec()
    )


async def check_target(target: Salesforce, document: MapDocument) -> dict[str, dict[str, Any]]:
    """Compares the map with the org's describes, and returns these.

    Raises:
        cutover.outcome.Refused: an object or column is missing, hidden or of another type; names each and what to do.
    """
    describes = await described(target, document)
    found = check_map(document, describes)
    told = {HIDDEN, *withheld(document, describes).values()}
    for one in found:
        if one.severity == "warning" and one.code in told:
            log.warning("%s.%s: %s (%s)", one.object, one.column or "*", one.message, one.hint)
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        lines = [f"  {one.object}.{one.column or '*'}: {one.message} ({one.hint})" for one in errors]
        raise Refused("The map does not fit this org:\n" + "\n".join(lines))
    return describes
