"""`carryover run`: the whole cutover on one machine, with its progress on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cutover import phase
from cutover.commands import options
from cutover.ledger.read import Reader
from cutover.ledger.schema import LedgerMissing
from cutover.outcome import Refused
from cutover.settings import Settings
from cutover.status import gather
from cutover.supervise import Supervisor, command
from dashboard.status import Status
from topics.codec import Codec

SHOW_SECONDS = 1.0
PLAIN_SECONDS = 5.0
"""Between lines when the output is no terminal."""
_NAMED = 3
"""Objects that a line names, those first of which most is on its way."""


async def run(settings: Settings, map_hash: str, *, config: Path | None, as_json: bool) -> None:
    """Start the processes, begin the snapshot if none was begun, and show progress until cancelled.

    Args:
        settings: Checked; the topics are there.
        map_hash: Of the map in force; a cutover that began under another one is refused.
        config: Settings file to hand on to the processes.
        as_json: Print the status as a line of JSON a second.

    Raises:
        Refused: The map changed since the cutover began.
        ChildFailed: A process ends again and again (in an ExceptionGroup).
    """
    codec = Codec()
    begun = await phase.newest(settings, codec)
    if begun and begun["phase"] in {"ROLLING_BACK", "ROLLED_BACK"}:
        raise Refused(
            f"This cutover is {begun['phase']}: finish with `carryover rollback apply`, and start another cutover under "
            "another kafka.prefix."
        )
    if begun and begun["map_hash"] != map_hash:
        raise Refused(
            f"This cutover began with map {begun['map_hash']}, and the map is now {map_hash}: put the old one back, "
            "or start another cutover under another kafka.prefix."
        )
    shared = ["--config", str(config)] if config else []
    commands = {
        "control": command("control", *shared),
        "worker": command("worker", "--stage", "all", *shared),
    }
    logs = settings.cutover.data_dir / "logs"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Supervisor(commands, logs).run())
        if begun is None:
            begun = await phase.begin(settings, codec, map_hash)
        if not as_json:
            page = f"http://{settings.control.host}:{settings.control.port}/"
            click.echo(f"{begun['phase']} of {begun['run']}. Status page: {page}   Logs: {logs}   Ctrl-C ends it.")
        await show(settings, as_json=as_json)


async def show(settings: Settings, *, as_json: bool, until: Callable[[Status], bool] | None = None) -> None:
    """Show a cutover's progress from its ledger: bars on a terminal, lines elsewhere, or JSON.

    Args:
        settings: Whose ledger.
        as_json: A line of JSON a second.
        until: Asked of each status; True ends the show. None: until cancelled.
    """
    terminal = options.console().is_terminal and not as_json
    with contextlib.ExitStack() as stack:
        bars = stack.enter_context(_Bars()) if terminal else None
        while True:
            status = await asyncio.to_thread(_status, settings)
            if status:
                if as_json:
                    options.print_json(status)
                elif bars:
                    bars.update(status)
                else:
                    click.echo(line(status))
                if until and until(status):
                    return
            await asyncio.sleep(SHOW_SECONDS if bars or as_json or until else PLAIN_SECONDS)


def line(status: Status) -> str:
    """The status as one line that stays short, e.g. `1,000 of 1,300 settled, 3 held, 1 rejected (250/s); on its way: 200 patient, 90 invoice, 10 others`."""
    objects = status["objects"]
    source, moving, held, rejected = (
        sum(counts[name] for counts in objects.values()) for name in ("source", "in_flight", "held", "rejected")
    )
    if not source:
        return "nothing read yet"
    stuck = "".join(f", {count:,} {name}" for count, name in ((held, "held"), (rejected, "rejected")) if count)
    rate = max(0.0, sum(found.get("settled_rate", 0.0) for found in status["progress"].values()))
    said = f"{source - moving:,} of {source:,} settled{stuck} ({rate:,.0f}/s)"
    if not moving:
        return said
    busiest = sorted(objects, key=lambda name: -objects[name]["in_flight"])[:_NAMED]
    named = {name: objects[name]["in_flight"] for name in busiest if objects[name]["in_flight"]}
    others = moving - sum(named.values())
    parts = [*(f"{count:,} {name}" for name, count in named.items()), *([f"{others:,} others"] if others else ())]
    return f"{said}; on its way: {', '.join(parts)}"


class _Bars:
    """A bar for each object, as long as what the source is known to hold."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=40),
            TextColumn("{task.completed:>10,.0f} of {task.total:,.0f}"),
            TextColumn("{task.fields[said]}"),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, status: Status) -> None:
        for object_, counts in status["objects"].items():
            if object_ not in self._tasks:
                self._tasks[object_] = self._progress.add_task(object_, said="")
            rate = status["progress"].get(object_, {}).get("settled_rate", 0.0)
            said = [f"{rate:,.0f}/s", *(f"{counts[name]:,} {name}" for name in ("held", "rejected") if counts[name])]
            self._progress.update(
                self._tasks[object_],
                total=counts["source"],
                completed=counts["source"] - counts["in_flight"],
                said="  ".join(said),
            )


def _status(settings: Settings) -> Status | None:
    try:
        with Reader(settings.ledger) as reader:
            return gather(reader, settings)
    except LedgerMissing:
        return None
