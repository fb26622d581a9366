"""What the apps of all stages are made of: the settings a worker has, its publisher, tables and checkpoint, and how agents join an app."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, cast

from agents.allowance import Allowance
from agents.outputs import Outputs
from mapping.rules import MapDocument
from state.table import StateTable
from topics.catalogue import Catalogue
from topics.codec import Codec
from transport import agent
from transport.app import App, create
from transport.checkpoint import Checkpoint
from transport.chunk import Chunk
from transport.consumer import Consumer
from transport.publisher import Publisher

_LARGEST_MESSAGE: Final = 2 * 1024 * 1024
_WINDOW: Final = 2000  # records of each partition
_EXCUSE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Setup:
    """What a worker needs to know; made from the settings by `cutover.worker`.

    Attributes:
        bootstrap: Kafka.
        catalogue: the cutover's topics.
        document: the confirmed map.
        cutover: id of the cutover.
        data_dir: local files of this worker alone.
        worker: its name among the workers of the stage.
        overlap_seconds: how far each sweep of the source looks back.
        poll_seconds: pause between two sweeps.
        lookup_after_seconds: see `agents.resolve.Resolve`.
        hold_after_seconds: see `agents.resolve.Resolve`.
        batch_rows: see `agents.load.Load`.
        bulk_from_rows: see `agents.load.Load`.
        idle_seconds: see `agents.departure.Departure`.
        owners_again_seconds: see `agents.owners.Owners`.
        make_lost_again: see `agents.loss.Loss`.
        verify_window, verify_idle_seconds: see `agents.verify.Verify`.
        overrides: further Faust settings.
    """

    bootstrap: str
    catalogue: Catalogue
    document: MapDocument
    cutover: str
    data_dir: Path
    worker: str
    overlap_seconds: float = 5.0
    poll_seconds: float = 1.0
    lookup_after_seconds: float = 5.0
    hold_after_seconds: float = 10.0
    batch_rows: int = 10_000
    bulk_from_rows: int = 2000
    idle_seconds: float = 0.5
    owners_again_seconds: float = 30.0
    make_lost_again: bool = False
    verify_window: int = 8000
    verify_idle_seconds: float = 1.0
    overrides: Mapping[str, Any] | None = None


class _Agent(Protocol):
    async def handle(self, chunk: Chunk) -> None: ...

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None: ...


class Parts:
    """What every stage's app is made of."""

    def __init__(self, setup: Setup, stage: str) -> None:
        self.setup = setup
        self.stage = stage
        self.publisher = Publisher(setup.bootstrap, max_request_bytes=_LARGEST_MESSAGE)
        self.outputs = Outputs(self.publisher, Codec(), setup.catalogue)
        self._tables: list[StateTable] = []

    def table(self, topic: str, source: str) -> StateTable:
        table = StateTable(
            topic,
            source,
            bootstrap=self.setup.bootstrap,
            publisher=self.publisher,
            directory=self.setup.data_dir / "state",
        )
        self._tables.append(table)
        return table

    def app(self, *, window_records: int = _WINDOW, order: Sequence[str] = ()) -> App:
        setup = self.setup
        return create(
            setup.catalogue.group(self.stage),
            setup.bootstrap,
            Checkpoint(self.publisher, self._tables),
            worker=setup.worker,
            data_dir=setup.data_dir / "faust",
            window_records=window_records,
            order=order,
            **(setup.overrides or {}),
        )


def register(app: App, name: str, member: _Agent, *topics: str) -> None:
    """Lets ``member`` work through the chunks of ``topics``."""

    async def chunks(stream: Any) -> None:
        await agent.run(app, stream, member.handle, member.quarantine)

    chunks.__name__ = name
    channel = app.topic(*topics, value_type=bytes, key_type=bytes)
    app.agent(channel, concurrency=1, name=name)(chunks)


def background(app: App, work: Callable[[], Awaitable[None]]) -> None:
    """Runs ``work`` beside the agents; whatever it raises takes the process down."""

    async def task() -> None:
        try:
            await work()
        except Exception as exc:  # noqa: BLE001 - unknown: die and redo
            await app.crash(exc)

    app.task(task)


def share_calls(app: App, allowance: Allowance, publisher: Publisher) -> None:
    """Asks for leases of API calls; while there are none to be had, standing still is no stall."""

    async def excuse() -> None:
        while True:
            await asyncio.sleep(_EXCUSE_SECONDS)
            assignment = cast("Consumer", app.consumer).current
            if allowance.waiting and assignment is not None:
                for tp in assignment.watermarks:
                    assignment.touch(tp)

    background(app, partial(allowance.follow, publisher))
    background(app, excuse)
