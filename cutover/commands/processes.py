"""`carryover run`, `worker`, `control`: the processes of a cutover."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from cutover import control as control_process
from cutover import logs, memory, running
from cutover.chosen_map import read_map
from cutover.commands import options
from cutover.outcome import Failed
from cutover.settings import Settings, load
from cutover.supervise import end_with_parent
from topics import provision

NEEDED = {
    "ingest": ("source",),
    "resolve": (),
    "deliver": ("source", "target"),  # contents of documents come from the source
    "verify": ("target",),
    "all": ("source", "target"),
}
"""Systems that each stage talks to."""


@click.command()
@click.option(
    "--stage", type=click.Choice(list(NEEDED)), default="all", show_default=True, help="Which stage to work on."
)
@options.config
def worker(config: Path | None, stage: str) -> None:
    """Work on one stage of the cutover, or on all of them; as many processes as partitions share a stage.

    Checks the topics first, and refuses to start when records would be passed over.
    """
    settings = _started(config)
    settings.need(*NEEDED[stage])  # type: ignore[arg-type]
    read_map(settings)
    _check_topics(settings)
    code = importlib.import_module("cutover.worker").run(settings, stage, config)
    if code:
        sys.exit(code)


@click.command()
@options.common
def control(config: Path | None, as_json: bool) -> None:
    """Keep the ledger, and serve the status page, its API and the metrics, until Ctrl-C or SIGTERM."""
    settings = _started(config)

    def serving(url: str) -> None:
        if as_json:
            options.print_json({"url": url})
        else:
            click.echo(f"Status page: {url}   metrics: {url}metrics")
        sys.stdout.flush()

    _until_ended(control_process.run(settings, serving))


@click.command()
@options.common
def run(config: Path | None, as_json: bool) -> None:
    """Run the whole cutover on this machine: topics, control process, workers, snapshot, progress; until Ctrl-C.

    May be interrupted and started again at any time: it goes on where it was. With --json it prints the status as one
    line a second.
    """
    settings = load(config)
    settings.need("source", "target")
    _, map_hash = read_map(settings)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    asyncio.run(provision.apply(settings.kafka.bootstrap, settings.catalogue))
    _check_topics(settings)
    _until_ended(running.run(settings, map_hash, config=config, as_json=as_json))


def _started(config: Path | None) -> Settings:
    end_with_parent()
    memory.give_back()
    logs.start()
    return load(config)


def _check_topics(settings: Settings) -> None:
    errors = asyncio.run(provision.check(settings.kafka.bootstrap, settings.catalogue))
    if errors:
        more = f" ({len(errors) - 1} more: run `carryover topics check`.)" if len(errors) > 1 else ""
        raise Failed(errors[0] + more)


def _until_ended(work: Coroutine[Any, Any, Any]) -> Any:
    """Run until done, Ctrl-C or SIGTERM; the latter two cancel the work and are no failure."""

    async def main() -> Any:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        asked = False

        def end() -> None:
            nonlocal asked
            asked = True
            task.cancel()

        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, end)
        with contextlib.suppress(asyncio.CancelledError):
            return await task
        if not asked:
            raise Failed("The work was cancelled from within.")
        return None

    return asyncio.run(main())


async def _awaited(work: Any) -> Any:
    return await work
