"""The worker of the consumer tests: it says what it was given, and finishes chunks when its input tells it to.

A record ``stuck`` keeps its chunk unfinished, ``release`` finishes all that are kept, ``raise`` raises, ``raise once`` does so the first time that a
worker with this data directory sees it, and ``outage`` raises what a failed send raises. Everything else is finished at once. Each record seen goes to
the topic ``seen``. With ``PROBE_TABLE`` it has a table, too, that stages a write for each record; the file ``staged`` tells how many waited at each persist.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from transport import agent
from transport.app import App, create
from transport.assignment import Assignment
from transport.checkpoint import Checkpoint
from transport.chunk import Chunk
from transport.publisher import Publisher, PublishFailed
from transport.worker import serve

PERSIST_SECONDS = 0.2

PREFIX = os.environ["PROBE_PREFIX"]
DIRECTORY = Path(os.environ["PROBE_DATA"])


class Table:
    """A state table whose writes are slow to become durable."""

    source = f"{PREFIX}in"

    def __init__(self) -> None:
        self.waiting: dict[int, dict[int, int]] = defaultdict(dict)  # by partition: writes by chunk end

    def stage(self, chunk: Chunk) -> None:
        self.waiting[chunk.tp.partition][chunk.last] = len(chunk.records)

    def staged(self, partition: int) -> int:
        return sum(self.waiting[partition].values())

    async def open(self, assignment: Assignment, partition: int) -> None: ...

    def drop(self) -> None:
        self.waiting.clear()

    def retain(self, partitions: Collection[int]) -> None: ...

    def abandon(self, chunk: Chunk) -> None: ...

    async def persist(self, assignment: Assignment, partition: int, upto: int) -> None:
        with (DIRECTORY / "staged").open("a") as file:
            file.write(f"{self.staged(partition)}\n")
        await asyncio.sleep(PERSIST_SECONDS)
        for last in [last for last in self.waiting[partition] if last < upto]:
            del self.waiting[partition][last]

    async def stop(self) -> None: ...


def probe(bootstrap: str) -> App:
    publisher = Publisher(bootstrap)
    table = Table() if os.environ.get("PROBE_TABLE") else None
    app = create(
        f"{PREFIX}probe",
        bootstrap,
        Checkpoint(publisher, [table] if table is not None else []),
        worker=os.environ["PROBE_WORKER"],
        data_dir=DIRECTORY,
        window_records=int(os.environ.get("PROBE_WINDOW", "4000")),
        stall_seconds=float(os.environ.get("PROBE_STALL", "300")),
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=10.0,
        broker_commit_interval=float(os.environ.get("PROBE_COMMIT", "0.1")),
        broker_commit_livelock_soft_timeout=float(os.environ.get("PROBE_LIVELOCK", "300")),
        stream_processing_timeout=float(os.environ.get("PROBE_LIVELOCK", "300")),
    )
    kept: list[Chunk] = []
    once = DIRECTORY / "raised"

    async def handle(chunk: Chunk) -> None:
        for record in chunk.records:
            key, chunk_of = b"%d:%d" % (record.partition, record.offset), b"%d" % chunk.first
            await publisher.publish(f"{PREFIX}seen", record.value, key=key, headers=[("chunk", chunk_of)])
        if table is not None:
            table.stage(chunk)
        values = {record.value for record in chunk.records}
        if b"raise" in values:
            raise ValueError("injected")
        if b"raise once" in values and not once.exists():
            once.touch()
            raise ValueError("injected")
        if b"slow" in values:
            await asyncio.sleep(3)
        if b"outage" in values:
            raise PublishFailed("injected")
        if b"release" in values:
            for waiting in kept:
                waiting.done()
            kept.clear()
        if b"stuck" in values:
            kept.append(chunk)
        else:
            chunk.done()

    async def quarantine(chunk: Chunk, exc: BaseException) -> None:
        assert len(chunk.records) == 1
        await publisher.publish(f"{PREFIX}rejects", chunk.records[0].value, key=type(exc).__name__.encode())

    async def records(stream):  # type: ignore[no-untyped-def]
        await agent.run(app, stream, handle, quarantine)

    app.agent(app.topic(f"{PREFIX}in", value_type=bytes, key_type=bytes), concurrency=1, name="probe")(records)
    return app


async def main() -> int:
    return await serve(probe(os.environ["PROBE_BOOTSTRAP"]))


if __name__ == "__main__":
    logging.basicConfig(level="WARNING", stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.exit(asyncio.run(main()))
