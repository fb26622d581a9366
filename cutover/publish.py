"""Publishes the few records that the operator's side writes: transitions and requests to the extract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from topics.broker import KafkaUnreachable
from topics.catalogue import DERIVED_BYTES
from transport.publisher import Publisher


async def publish(bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Write keys and values to a topic and wait until all are durable; returns how many.

    Raises:
        KafkaUnreachable: No broker answers.
        KafkaError: The broker refused a record.
    """
    async with open_producer(bootstrap) as producer:
        sent = [await producer.send(topic, value, key=key) for key, value in records]
        for future in sent:
            await future
        return len(sent)


async def publish_to_all(bootstrap: str, topic: str, key: bytes, value: bytes) -> None:
    """Write one record to every partition of a topic; raises as `publish`."""
    async with open_producer(bootstrap) as producer:
        partitions = await producer.partitions_for(topic)
        for future in [await producer.send(topic, value, key=key, partition=number) for number in partitions]:
            await future


@asynccontextmanager
async def open_producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """An open producer that loses nothing.

    Raises:
        KafkaUnreachable: No broker answers.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_request_size=DERIVED_BYTES
    )
    try:
        await producer.start()
    except KafkaConnectionError as error:
        await producer.stop()
        raise KafkaUnreachable(bootstrap) from error
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def open_publisher(bootstrap: str) -> AsyncIterator[Publisher]:
    """An open publisher, for commands that write what workers do; what it has been given is durable only once it was settled."""
    publisher = Publisher(bootstrap, max_request_bytes=DERIVED_BYTES)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()
