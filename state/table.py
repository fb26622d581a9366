"""A table of state, bound to one source topic: its partition n is the state for partition n of the source.

An agent reads and writes it without an await in between, so that what it read still holds when it writes. Writes of a chunk are staged and become
durable at the checkpoint (`transport.checkpoint`), changelog first, then the local file; work without an offset (a timer, a batch) uses `StateTable.write`.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from state.changelog import Changelog
from state.staged import SEPARATOR, Layer, Staged
from state.store import UNTRUSTED, Store
from transport import failpoint
from transport.assignment import Assignment, StaleAssignment, TopicPartition
from transport.chunk import Chunk
from transport.publisher import Publisher


class Partition:
    """The state of one partition under one assignment.

    Keys are bytes; ``group + NUL + rest`` puts a key into a group that can be scanned. Reads see staged writes.
    """

    def __init__(self, number: int, store: Store, assignment: Assignment, epoch: int) -> None:
        self.number = number
        self.assignment = assignment
        self._store = store
        self._epoch = epoch
        self._staged = Staged()
        self._lock = asyncio.Lock()
        self._persisted = asyncio.Event()
        self._chunk_layer: Layer | None = None

    @property
    def staged(self) -> int:
        """How many keys have been written and are not durable yet."""
        return self._staged.keys

    def get(self, key: bytes) -> bytes | None:
        staged = self._staged.get(key)
        return staged[1] if staged is not None else self._store.get(key)

    def scan(self, group: bytes, *, after: bytes | None = None, limit: int | None = None) -> list[tuple[bytes, bytes]]:
        """The pairs of ``group``, ascending by key, from the first key greater than ``after``, at most ``limit``."""
        overlay = dict(self._staged.group(group))
        staged = sorted(
            (key, value) for key, value in overlay.items() if value is not None and (after is None or key > after)
        )
        stored = ((key, value) for key, value in self._store.scan(group + SEPARATOR, after) if key not in overlay)
        found: list[tuple[bytes, bytes]] = []
        for pair in heapq.merge(stored, staged):
            if limit is not None and len(found) >= limit:
                break
            found.append(pair)
        return found

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Every stored pair whose key starts with ``prefix``; staged writes are not seen. For start-up and inspection."""
        return ((key, value) for key, value in self._store.scan(prefix) if not key.startswith(b"\xff\xff"))

    def put(self, chunk: Chunk, key: bytes, value: bytes | None) -> None:
        """Stages a write of ``chunk`` (None deletes).

        Raises:
            transport.assignment.StaleAssignment: the chunk belongs to a former assignment.
        """
        if chunk.assignment is not self.assignment or not self.assignment.live:
            raise StaleAssignment
        layer = self._chunk_layer
        if layer is None or layer.end != chunk.last:
            layer = self._chunk_layer = self._staged.layer(chunk.last)
        self._staged.put(layer, key, value)

    def delete(self, chunk: Chunk, key: bytes) -> None:
        self.put(chunk, key, None)

    def abandon(self, chunk: Chunk) -> None:
        """Drops what ``chunk`` has staged, as if it had never been looked at."""
        layer = self._chunk_layer
        if layer is not None and layer.end == chunk.last:
            self._chunk_layer = None
            self._staged.abandon(layer)

    async def persist(self, changelog: Changelog, publisher: Publisher, upto: int) -> None:
        async with self._lock:
            due = self._staged.due(upto)
            if due:
                if self._chunk_layer in due:
                    self._chunk_layer = None
                merged: dict[bytes, bytes | None] = {}
                for layer in due:
                    merged.update(layer.writes)
                await self._make_durable(changelog, publisher, merged)
                for layer in due:
                    self._staged.supersede(layer)
                self._persisted.set()

    async def write(self, changelog: Changelog, publisher: Publisher, changes: Mapping[bytes, bytes | None]) -> None:
        self.assignment.check()
        layer = self._staged.layer(None)
        for key, value in changes.items():
            self._staged.put(layer, key, value)
        try:
            while self._staged.conflicts(layer):
                self._persisted.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._persisted.wait(), 1.0)
                self.assignment.check()
            async with self._lock:
                await self._make_durable(changelog, publisher, layer.writes)
        finally:
            self._staged.remove(layer)
            self._persisted.set()

    async def _make_durable(
        self, changelog: Changelog, publisher: Publisher, writes: Mapping[bytes, bytes | None]
    ) -> None:
        self.assignment.check()
        futures = await changelog.send(self.number, self._epoch, writes)
        await publisher.settle(futures)
        if failpoint.ARMED:
            failpoint.hit("changelog-durable")
        self.assignment.check()
        next_offset = self._store.mark().next_offset
        for batch, run in groupby(futures):
            if batch.result().offset != next_offset:
                next_offset = UNTRUSTED  # a former owner has written meanwhile, or the next one: then we are the zombie
                break
            next_offset += sum(1 for _ in run)
        self._store.write(writes, next_offset, self._epoch)
        if failpoint.ARMED:
            failpoint.hit("state-written")


class StateTable:
    """A state table.

    Arguments:
        topic: the changelog topic; compacted, with as many partitions as ``source``.
        source: the topic whose partitions it follows.
        bootstrap: Kafka, for reading the changelog.
        publisher: shared with everything else the process sends.
        directory: local files; one worker's own.
    """

    def __init__(self, topic: str, source: str, *, bootstrap: str, publisher: Publisher, directory: Path) -> None:
        self.topic = topic
        self.source = source
        self._publisher = publisher
        self._changelog = Changelog(topic, bootstrap, publisher)
        self._directory = directory / topic
        self._stores: dict[int, Store] = {}
        self._partitions: dict[int, Partition] = {}
        self._opening: dict[int, asyncio.Lock] = {}

    def partition(self, number: int) -> Partition:
        """The open partition.

        Raises:
            transport.assignment.StaleAssignment: it is not open (any more).
        """
        found = self._partitions.get(number)
        if found is None:
            raise StaleAssignment
        return found

    def partitions(self) -> list[Partition]:
        """The partitions that are open now."""
        return list(self._partitions.values())

    async def write(self, number: int, changes: Mapping[bytes, bytes | None]) -> None:
        """Makes ``changes`` of partition ``number`` durable now, without an offset; readable from the call on.

        Raises:
            transport.assignment.StaleAssignment: revoked on the way; whether the changes are durable is unknown.
        """
        await self.partition(number).write(self._changelog, self._publisher, changes)

    async def open(self, assignment: Assignment, partition: int) -> None:
        async with self._opening.setdefault(partition, asyncio.Lock()):
            assignment.check()
            store = self._stores.get(partition)
            if store is None:
                store = self._stores[partition] = Store(self._directory / str(partition))
            source = TopicPartition(self.source, partition)
            epoch = await self._changelog.claim(store, partition, assignment.check, lambda: assignment.touch(source))
            assignment.check()
            self._partitions[partition] = Partition(partition, store, assignment, epoch)

    async def persist(self, assignment: Assignment, partition: int, upto: int) -> None:
        found = self._partitions.get(partition)
        if found is None or found.assignment is not assignment:
            raise StaleAssignment
        await found.persist(self._changelog, self._publisher, upto)

    def abandon(self, chunk: Chunk) -> None:
        self.partition(chunk.tp.partition).abandon(chunk)

    def staged(self, partition: int) -> int:
        found = self._partitions.get(partition)
        return 0 if found is None else found.staged

    def drop(self) -> None:
        self._partitions.clear()

    def retain(self, partitions: Collection[int]) -> None:
        for number in [number for number in self._stores if number not in partitions]:
            self._stores.pop(number).close()

    async def stop(self) -> None:
        self.drop()
        self.retain(())
