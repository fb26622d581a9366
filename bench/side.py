"""One worker of the transport benchmark, chunked or stock Faust; prints what it has measured and leaves.

The clock runs from the first record that the agent is handed to the moment when all effects are durable. Run by `bench.transport`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import faust

from state.table import StateTable
from transport import agent
from transport.app import create
from transport.assignment import Assignment, TopicPartition
from transport.checkpoint import Checkpoint
from transport.chunk import Chunk
from transport.consumer import Consumer
from transport.publisher import Publisher

PARTITIONS: Final = 4


class Task(NamedTuple):
    """What to measure."""

    side: str
    case: str
    bootstrap: str
    prefix: str
    group: str
    records: int
    data_dir: str


class Clock:
    """Wall and CPU time of this process between two calls."""

    def start(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, records: int | Callable[[], int]) -> None:
        """Prints the result, counting only when the time is known, and leaves the process at once."""
        seconds, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        count = records if isinstance(records, int) else records()
        print(json.dumps({"records": count, "seconds": seconds, "cpu": cpu}), flush=True)
        os._exit(0)


# -- chunked -----------------------------------------------------------------------------------------------------------------------------


class _Timed(Checkpoint):
    """Times the recovery of the partitions."""

    clock: Clock | None = None
    opened = 0
    table: StateTable

    async def open(self, assignment: Assignment, tp: TopicPartition) -> None:
        if self.clock is not None and self.opened == 0:
            self.clock.start()
            self.opened = 1
        await super().open(assignment, tp)
        if self.clock is not None and len(self.table.partitions()) == PARTITIONS:
            self.clock.stop(lambda: sum(1 for partition in self.table.partitions() for _ in partition.items()))


def chunked(task: Task) -> Any:
    clock, publisher = Clock(), Publisher(task.bootstrap)
    source, out = f"{task.prefix}in", f"{task.prefix}out"
    table = StateTable(
        f"{task.group}-state",
        source,
        bootstrap=task.bootstrap,
        publisher=publisher,
        directory=Path(task.data_dir) / "state",
    )
    checkpoint = _Timed(publisher, [table] if task.case in {"state", "recovery"} else [])
    checkpoint.table = table
    app = create(task.group, task.bootstrap, checkpoint, worker="bench", data_dir=Path(task.data_dir) / "faust")
    seen = 0

    async def consume(chunk: Chunk) -> None:
        sizes = 0
        for record in chunk.records:
            sizes += len(record.value)

    async def publish(chunk: Chunk) -> None:
        for record in chunk.records:
            await publisher.enqueue(out, record.value, key=record.key)

    async def state(chunk: Chunk) -> None:
        partition = table.partition(chunk.tp.partition)
        for record in chunk.records:
            if partition.get(record.key) is None:
                partition.put(chunk, record.key, record.value)

    work = {"consume": consume, "publish": publish, "state": state, "recovery": consume}[task.case]
    if task.case == "recovery":
        checkpoint.clock = clock

    async def handle(chunk: Chunk) -> None:
        nonlocal seen
        if seen == 0:
            clock.start()
        await work(chunk)
        chunk.done()
        seen += len(chunk.records)
        if seen == task.records:
            while await cast("Consumer", app.consumer).force_commit():  # outputs, state, offsets: all durable
                pass
            clock.stop(seen)

    async def records(stream: Any) -> None:
        await agent.run(app, stream, handle, _never)

    app.agent(app.topic(source, value_type=bytes, key_type=bytes), concurrency=1, name="bench")(records)
    return app


async def _never(chunk: Chunk, exc: BaseException) -> None:
    raise AssertionError from exc


# -- stock -------------------------------------------------------------------------------------------------------------------------------


def stock(task: Task) -> Any:
    """Plain Faust as its users are told to set it up for throughput: large queues, a linger, compression, no commit per message."""
    app = faust.App(
        task.group,
        broker=f"kafka://{task.bootstrap}",
        datadir=task.data_dir,
        store="memory://",
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=65536,
        stream_wait_empty=False,
        broker_commit_interval=1.0,
        broker_max_poll_interval=86400.0,
        producer_linger=0.02,
        producer_max_batch_size=256 * 1024,
        producer_compression_type="lz4",
        producer_acks=-1,
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        autodiscover=False,
    )
    source = app.topic(f"{task.prefix}in", value_type=bytes, key_type=bytes)
    work = {"consume": _consume, "publish": _publish, "state": _state, "recovery": _recovery}[task.case](app, task)
    app.agent(source, concurrency=1, name="bench")(work)
    return app


def _consume(app: Any, task: Task) -> Any:
    clock, last = Clock(), task.records

    async def consume(stream: Any) -> None:
        seen = sizes = 0
        async for value in stream:
            if seen == 0:
                clock.start()
            sizes += len(value)
            seen += 1
            if seen == last:
                clock.stop(seen)

    return consume


def _publish(app: Any, task: Task) -> Any:
    clock, last = Clock(), task.records
    out = app.topic(f"{task.prefix}out", value_type=bytes, key_type=bytes)

    async def publish(stream: Any) -> None:
        seen = 0
        async for key, value in stream.items():
            if seen == 0:
                clock.start()
            await out.send(key=key, value=value)
            seen += 1
            if seen == last:
                await app.producer.flush()
                clock.stop(seen)

    return publish


def _table(app: Any) -> Any:
    return app.Table("state", key_type=bytes, value_type=bytes, partitions=PARTITIONS)


def _state(app: Any, task: Task) -> Any:
    clock, last, table = Clock(), task.records, _table(app)

    async def state(stream: Any) -> None:
        seen = 0
        async for key, value in stream.items():
            if seen == 0:
                clock.start()
            if key not in table:
                table[key] = value
            seen += 1
            if seen == last:
                await app.producer.flush()
                clock.stop(seen)

    return state


def _recovery(app: Any, task: Task) -> Any:
    clock, table = Clock(), _table(app)

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
    async def assigned(*_: Any, **__: Any) -> None:
        clock.start()

    @table.on_recover  # type: ignore[untyped-decorator]
    async def recovered() -> None:
        clock.stop(lambda: len(table))

    async def nothing(stream: Any) -> None:
        async for _ in stream:
            pass

    return nothing


async def main(task: Task) -> None:
    Path(task.data_dir).mkdir(parents=True)
    app = chunked(task) if task.side == "chunked" else stock(task)
    app.finalize()
    await app.start()
    await app._crashed.wait()  # noqa: SLF001 - Faust has no other name for it
    print(f"{task.side} {task.case} crashed: {app.crash_reason!r}", file=sys.stderr)
    os._exit(1)


if __name__ == "__main__":
    asyncio.run(main(Task(**json.loads(sys.argv[1]))))
