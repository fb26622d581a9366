"""The publisher: an own idempotent producer, because Faust's logs a failed send and commits over it.

Sends do not wait; their futures are remembered and the checkpoint waits for them. One failed send is fatal for the process: the un-acked input is read again.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer, codec
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder

log = logging.getLogger(__name__)

_LINGER_MS: Final = 5
_BATCH_BYTES: Final = 256 * 1024

_LZ4_LEVEL: Final = 1
"""aiokafka 0.14 compresses at level 9 (`aiokafka.codec.lz4_encode`) and has no setting: six times the CPU, for an eighth less in bytes."""

_hash = lru_cache(maxsize=1 << 14)(murmur2)  # it is written in Python, and a key travels several times


class MessageTooLarge(ValueError):
    """One message is over the broker's limit (``max.message.bytes``): a data error, to be rejected with its size.

    Attributes:
        size: bytes of the value.
    """

    def __init__(self, topic: str, size: int) -> None:
        super().__init__(f"a message of {size} bytes is over the limit of topic {topic}")
        self.size = size


class PublishFailed(RuntimeError):
    """A send that was accepted did not become durable. The process must not commit anything and has to go down."""


class Publisher:
    """Sends to Kafka with acks=all and idempotence; order within a partition is kept over retries.

    Not guaranteed: that a message is written once (a process that dies and redoes its work sends it again).
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        max_request_bytes: int = 1024 * 1024,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._max_request_bytes = max_request_bytes
        self._producer: AIOKafkaProducer | None = None
        self._pending: set[asyncio.Future[Any]] = set()
        self._counts: dict[str, int] = {}
        self._failure: BaseException | None = None
        self.on_failure = on_failure

    @property
    def running(self) -> bool:
        """Whether messages can be handed to it: between `start` and `stop`."""
        return self._producer is not None

    async def start(self) -> None:
        """Connects.

        Raises:
            aiokafka.errors.KafkaConnectionError: no broker answers.
        """
        sys.modules[DefaultRecordBatchBuilder.__module__].lz4_encode = partial(codec.lz4_encode, level=_LZ4_LEVEL)  # type: ignore[attr-defined]
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=_LINGER_MS,
            max_batch_size=_BATCH_BYTES,
            max_request_size=self._max_request_bytes,
            request_timeout_ms=60_000,
            compression_type="lz4",
        )
        await producer.start()
        self._producer = producer

    async def stop(self) -> None:
        """Sends what is buffered and disconnects."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def publish(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> asyncio.Future[Any]:
        """Hands one message to the producer; waits only for room in its buffer.

        Returns:
            A future of the aiokafka ``RecordMetadata`` (``.offset``), done when the message is durable.

        Raises:
            MessageTooLarge: the message alone is over the limit; nothing was sent.
            PublishFailed: an earlier send failed.
        """
        if self._failure is not None:
            raise PublishFailed("an earlier send to Kafka failed") from self._failure
        assert self._producer is not None, "publish before start"
        try:
            future: asyncio.Future[Any] = await self._producer.send(
                topic, value, key=key, partition=partition, headers=list(headers) if headers else None
            )
        except MessageSizeTooLargeError as exc:
            raise MessageTooLarge(topic, len(value or b"")) from exc
        self._pending.add(future)
        future.add_done_callback(self._settled)
        return future

    async def enqueue(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> asyncio.Future[Any]:
        """As `publish`, at a third of its cost: the future is that of the message's whole batch, its offset that of the batch's first message.

        A message that fits into a batch that is already open is put there at once; all others go by `publish`.
        """
        if self._failure is not None:
            raise PublishFailed("an earlier send to Kafka failed") from self._failure
        if partition is None:
            partition = await self.partition_of(topic, key)
        assert self._producer is not None, "publish before start"
        buffer = self._producer._message_accumulator
        batches = buffer._batches.get((topic, partition))
        future: asyncio.Future[Any]
        if batches and not buffer._closed and buffer._exception is None:
            future = batches[-1].future
            if batches[-1].append(key, value, None, lambda: future, list(headers)) is not None:
                if future not in self._pending:
                    self._pending.add(future)
                    future.add_done_callback(self._settled)
                return future
        await self.publish(topic, value, key=key, headers=headers, partition=partition)
        future = buffer._batches[topic, partition][-1].future  # nothing has run since it was put there
        return future

    async def partition_of(self, topic: str, key: bytes) -> int:
        """The partition that records with this key go to: where aiokafka and Kafka's own clients put them.

        Raises:
            aiokafka.errors.KafkaError: the topic does not exist or no broker answers.
        """
        count = self._counts.get(topic)
        if count is None:
            count = self._counts[topic] = await self.partitions(topic)
        return int(_hash(key) & 0x7FFFFFFF) % count

    def _settled(self, future: asyncio.Future[Any]) -> None:
        self._pending.discard(future)
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is not None and self._failure is None:
            self._failure = error
            log.error(
                "a send to Kafka failed (%s); this process goes down and its work is redone", type(error).__name__
            )
            if self.on_failure is not None:
                self.on_failure(error)

    async def settle(self, futures: Iterable[asyncio.Future[Any]] | None = None) -> None:
        """Waits until ``futures`` (default: everything published so far) are durable.

        Raises:
            PublishFailed: one of them, or an earlier one, is not.
        """
        waiting = list(self._pending if futures is None else futures)
        if waiting:
            await asyncio.wait(waiting)
        if self._failure is not None:
            raise PublishFailed("a send to Kafka failed") from self._failure

    async def partitions(self, topic: str) -> int:
        """The number of partitions of ``topic``.

        Raises:
            aiokafka.errors.KafkaError: the topic does not exist or no broker answers.
        """
        assert self._producer is not None, "partitions before start"
        found = await self._producer.partitions_for(topic)
        if not found:
            raise KafkaError(f"topic {topic} has no partitions")
        return len(found)
