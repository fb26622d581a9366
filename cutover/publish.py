"""Publishes the few records that the operator's side writes: transitions and requests to the extract."""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from topics.broker import KafkaUnreachable
from topics.catalogue import DERIVED_BYTES


async def publish(bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Write keys and values to a topic and wait until all are durable; returns how many.

    Raises:
        KafkaUnreachable: No broker answers.
        KafkaError: The broker refused a record.
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
        sent = [await producer.send(topic, value, key=key) for key, value in records]
        for future in sent:
            await future
        return len(sent)
    finally:
        await producer.stop()
