"""Feeds the ledger from Kafka: every partition of its topics, from where the file says it stopped.

Owns a consumer without a group: the file is the only memory of the position. Called by the control process; one at a
time per file.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TextIO, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from cutover.census import Census
from cutover.ledger import schema
from cutover.ledger.apply import Batch, Writer
from topics.broker import open_broker
from topics.catalogue import Catalogue
from topics.codec import Codec

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

RECORDS_AT_ONCE = 5000
"""In one transaction; larger ones gain nothing and keep readers' snapshots old."""

WAIT_MS = 250
SAMPLE_SECONDS = 1.0
FETCH_BYTES = 1024 * 1024
"""Of each partition: what a ledger that is far behind has in memory beside its transaction is this, times the partitions."""


class TopicsMissing(Exception):
    """The cutover's topics are not there yet."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"The topics {', '.join(names)} are missing: run `carryover topics apply`.")


class LedgerInUse(Exception):
    """Another process writes this ledger."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Another process keeps the ledger {path}: stop that one, or set control.ledger to another file."
        )


class Feed:
    """Keeps a ledger up to date.

    Args:
        path: The ledger's file; made, or made anew, as needed.
        bootstrap: Kafka's address.
        catalogue: The cutover's topics.
        codec: Decodes everything but changes.
    """

    def __init__(self, path: Path, bootstrap: str, catalogue: Catalogue, codec: Codec) -> None:
        self._path = path
        self._bootstrap = bootstrap
        self._catalogue = catalogue
        self._codec = codec
        self._sampled = 0.0
        self._writing = asyncio.Lock()
        self._pending: asyncio.Future[Any] | None = None
        self._connection: sqlite3.Connection | None = None
        self._lock: TextIO | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self.writer: Writer | None = None
        self.taken = 0
        """Records taken in since the start of this process."""

    async def start(self) -> None:
        """Open the file and the consumer, and go to where the file stopped.

        A file that has read more than a topic holds belongs to topics that were made anew: it is deleted and built again.

        Raises:
            KafkaUnreachable: No broker answers.
            TopicsMissing: A topic is not there.
            LedgerInUse: Another process writes the file.
        """
        async with open_broker(self._bootstrap) as broker:
            counts = await broker.partitions(self._catalogue.ledger)
            if missing := [name for name in self._catalogue.ledger if name not in counts]:
                raise TopicsMissing(missing)
            starts, ends = await broker.bounds(counts)
        self._lock = _lock(self._path)
        offsets = self._open()
        if any(following > ends.get(part, -1) for part, following in offsets.items()):
            log.warning("The topics were made anew since the ledger was written: building it again.")
            assert self._connection
            self._connection.close()
            schema.delete(self._path)
            offsets = self._open()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=WAIT_MS,
        )
        await self._consumer.start()
        self._consumer.assign(list(starts))
        for part, first in starts.items():
            self._consumer.seek(part, max(first, offsets.get(part, 0)))

    async def run(self) -> None:
        """Take in records until cancelled; the file is complete up to a transaction at any moment."""
        while True:
            await self.step()

    async def step(self) -> int:
        """Take in what there is now, waiting for at most a quarter of a second; returns how many records."""
        assert self._consumer
        assert self.writer
        batch = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=RECORDS_AT_ONCE)
        taken = await self._write(self._take, batch)
        self.taken += taken
        return taken

    async def note_census(self, census: Census) -> None:
        """Keep a census's result."""
        assert self.writer
        extra, missing = len(census.extra), len(census.missing)
        await self._write(self.writer.note_census, census.at, census.object, census.listed, missing, extra)

    async def behind(self) -> int:
        """How many records the topics hold that the ledger has not read yet."""
        assert self._consumer
        parts: list[TopicPartition] = list(self._consumer.assignment())
        ends = await self._consumer.end_offsets(parts)
        positions = {part: await self._consumer.position(part) for part in parts}
        return sum(max(ends[part] - positions[part], 0) for part in parts)

    async def close(self) -> None:
        if self._pending:
            await asyncio.wait([self._pending])
        if self._consumer:
            await self._consumer.stop()
        if self._connection:
            self._connection.close()
        if self._lock:
            self._lock.close()

    async def _write(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write in a thread, one at a time; what has begun there ends even when this task is cancelled."""
        async with self._writing:
            writing = asyncio.ensure_future(asyncio.to_thread(act, *args, **kwargs))
            self._pending = writing
            return await asyncio.shield(writing)

    def _open(self) -> dict[TopicPartition, int]:
        self._connection = schema.open_to_write(self._path)
        self.writer = Writer(self._connection, self._catalogue, self._codec)
        return self.writer.offsets()

    def _take(self, batch: Batch) -> int:
        assert self.writer
        taken = self.writer.apply(batch) if batch else 0
        if time.monotonic() - self._sampled >= SAMPLE_SECONDS:
            self._sampled = time.monotonic()
            self.writer.sample()
        return taken


def _lock(path: Path) -> TextIO:
    """Hold the file's lock until the returned file is closed or the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise LedgerInUse(path) from None
    return lock
