"""The changelog of a state table: a compacted topic, partition n for partition n of the table.

**Epochs fence zombies.** Whoever opens a partition first claims it: it reads to the end, writes a marker with an epoch above every one it has seen, and
reads up to that marker. Each record carries the epoch of its writer; a reader ignores records of an epoch older than the highest it has seen. A process that
was paused over a rebalance may still send a last batch, but nobody will believe it. The count is ours and not the consumer group's generation, because Kafka
starts that anew when an idle group expires.

A local file may be behind by any length of time: the topic keeps its tombstones (``delete.retention.ms``), so that reading on from an old offset still
deletes what was deleted. Not covered: compaction may keep a zombie's late record and remove the valid one before it; ``min.compaction.lag.ms`` (a day)
leaves the next owner that long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from state.store import Store
from transport.publisher import Publisher

CLAIM: Final = b"\xff\xffclaim"
EPOCH_HEADER: Final = "epoch"
_READ_RECORDS: Final = 10_000
_READ_BYTES: Final = 16 << 20


class Changelog:
    """Reads and writes the changelog topic of one table."""

    def __init__(self, topic: str, bootstrap: str, publisher: Publisher) -> None:
        self.topic = topic
        self._bootstrap = bootstrap
        self._publisher = publisher

    async def send(
        self, partition: int, epoch: int, changes: Mapping[bytes, bytes | None]
    ) -> list[asyncio.Future[Any]]:
        """Publishes ``changes`` in order; the caller waits for the futures, one for each change but the same for all of a batch."""
        headers = _headers(epoch)
        enqueue = self._publisher.enqueue
        return [
            await enqueue(self.topic, value, key=key, partition=partition, headers=headers)
            for key, value in changes.items()
        ]

    async def claim(
        self, store: Store, partition: int, still: Callable[[], None], moved: Callable[[], None] = lambda: None
    ) -> int:
        """Brings ``store`` up to date and claims the partition.

        Arguments:
            store: its file; moved forward, or rebuilt when it can't be trusted.
            partition: which.
            still: raises when the assignment is stale; called between steps.
            moved: called whenever records were read, so that the watchdog sees a long recovery move.

        Returns:
            The epoch to write under.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_READ_BYTES,
            fetch_max_bytes=_READ_BYTES,
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        try:
            tp = TopicPartition(self.topic, partition)
            consumer.assign([tp])
            start, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
            still()
            next_offset = store.mark().next_offset
            if next_offset and not start <= next_offset <= end:
                # The topic was made anew, its head was deleted, or somebody else wrote among us (`UNTRUSTED`): the file says
                # nothing about what lies there now.
                store.wipe()
            await self._read(consumer, tp, store, end, still, moved)
            while True:
                epoch = store.mark().epoch + 1
                still()
                claim = await self._publisher.publish(
                    self.topic, b"%d" % epoch, key=CLAIM, partition=partition, headers=_headers(epoch)
                )
                await self._publisher.settle([claim])
                still()
                offset = claim.result().offset
                await self._read(consumer, tp, store, offset, still, moved)
                if store.mark().epoch < epoch:
                    await self._read(consumer, tp, store, offset + 1, still, moved)
                    return epoch
                # Somebody who read to the same end has claimed the same epoch before us: it is theirs.
        finally:
            await consumer.stop()

    async def _read(
        self,
        consumer: AIOKafkaConsumer,
        tp: TopicPartition,
        store: Store,
        end: int,
        still: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        position, epoch = store.mark()
        consumer.seek(tp, position)
        while position < end:
            fetched = await consumer.getmany(tp, timeout_ms=1000, max_records=_READ_RECORDS)
            still()
            changes: dict[bytes, bytes | None] = {}
            for record in fetched.get(tp, ()):
                if record.offset >= end:
                    break
                written = _epoch(record.headers)
                if written < epoch:
                    continue
                epoch = written
                if record.key != CLAIM:
                    changes[record.key] = record.value
            position = max(position, min(end, await consumer.position(tp)))
            still()
            store.write(changes, position, epoch)
            if fetched:
                moved()


def _headers(epoch: int) -> list[tuple[str, bytes]]:
    return [(EPOCH_HEADER, b"%d" % epoch)]


def _epoch(headers: Any) -> int:
    for name, value in headers:
        if name == EPOCH_HEADER:
            return int(value)
    return 0
