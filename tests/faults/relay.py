"""The worker that the fault tests kill: the spine of the product with the smallest agent that needs all of it.

Input ``W <parent> <child>`` waits for ``L <parent>``; whichever comes second sends the child to the output. The agent reads state, writes it
conditionally and deletes from it, so that a lost, doubled or reordered effect shows. ``P`` records raise each time they are seen.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import time
from pathlib import Path

from cutover.supervise import end_with_parent
from state.table import StateTable
from transport import agent
from transport.app import App, create
from transport.checkpoint import Checkpoint
from transport.chunk import Chunk
from transport.publisher import Publisher
from transport.worker import serve

PREFIX = os.environ.get("RELAY_PREFIX", "")
RAISE = float(os.environ.get("RELAY_RAISE", "0"))  # probability that a chunk raises, once
SLOW = float(os.environ.get("RELAY_SLOW", "0"))  # probability that a record takes up to 10 ms

STATIC = os.environ.get("RELAY_STATIC", "1") == "1"  # static group membership, as in production
BLOCKED = os.environ.get("RELAY_BLOCKED") == "1"
DUMP = Path(os.environ.get("RELAY_DUMP", "/dev/null"))


async def block(*_: object, **__: object) -> None:
    """On request it holds the event loop up, as waiting for a thread does that waits for the event loop."""
    if BLOCKED:
        time.sleep(600)  # noqa: ASYNC251


def relay(bootstrap: str, data_dir: Path, worker: str) -> App:
    publisher = Publisher(bootstrap)
    table = StateTable(
        f"{PREFIX}state", f"{PREFIX}in", bootstrap=bootstrap, publisher=publisher, directory=data_dir / "state"
    )
    app = create(
        f"{PREFIX}relay",
        bootstrap,
        Checkpoint(publisher, [table]),
        worker=worker,
        data_dir=data_dir / "faust",
        stall_seconds=float(os.environ.get("RELAY_STALL", "60")),
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=10.0,
        broker_commit_interval=0.2,
        **({} if STATIC else {"consumer_group_instance_id": None}),
    )
    out, rejects = f"{PREFIX}out", f"{PREFIX}rejects"

    async def handle(chunk: Chunk) -> None:
        state = table.partition(chunk.tp.partition)
        suspected = app.consumer.suspected(chunk)
        raise_at = random.randrange(len(chunk.records)) if random.random() < RAISE and not suspected else -1
        for index, record in enumerate(chunk.records):
            if SLOW and random.random() < SLOW:
                await asyncio.sleep(random.random() * 0.01)
                chunk.assignment.check()
            if index == raise_at:
                raise RuntimeError("injected")
            kind, parent, child = record.value.split(b" ")
            if kind == b"P":
                raise ValueError("poison")
            if kind == b"W":
                if state.get(b"L" + parent) is not None:
                    await publisher.publish(out, child, key=child)
                else:
                    state.put(chunk, b"W" + parent + b"\0" + child, child)
            else:
                state.put(chunk, b"L" + parent, b"1")
                for key, value in state.scan(b"W" + parent):
                    await publisher.publish(out, value, key=value)
                    state.delete(chunk, key)
        chunk.done()

    async def quarantine(chunk: Chunk, exc: BaseException) -> None:
        await publisher.publish(rejects, chunk.records[0].value, key=type(exc).__name__.encode())

    async def records(stream):  # type: ignore[no-untyped-def]
        await agent.run(app, stream, handle, quarantine)

    app.agent(app.topic(f"{PREFIX}in", value_type=bytes, key_type=bytes), concurrency=1, name="relay")(records)

    app.on_before_shutdown.connect(block)

    @app.task
    async def dump() -> None:
        """Answers a request file with the tables that are open, so that the test can look into a live process."""
        request = DUMP.with_suffix(".request")
        while True:
            await asyncio.sleep(0.1)
            if request.exists():
                request.unlink()
                found = {p.number: {k.hex(): v.hex() for k, v in p.items()} for p in table.partitions()}
                DUMP.with_suffix(".part").write_text(json.dumps(found))
                DUMP.with_suffix(".part").rename(DUMP)

    return app


async def main() -> int:
    return await serve(relay(os.environ["RELAY_BOOTSTRAP"], Path(os.environ["RELAY_DATA"]), os.environ["RELAY_WORKER"]))


if __name__ == "__main__":
    end_with_parent()  # else a relay of a test run that was killed goes on answering in the next one's folder
    logging.basicConfig(
        level=os.environ.get("RELAY_LOG", "WARNING"), stream=sys.stderr, format="%(asctime)s %(name)s %(message)s"
    )
    sys.exit(asyncio.run(main()))
