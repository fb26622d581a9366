"""Records as Kafka would hand them to the ledger."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from topics.catalogue import TARGETS
from topics.codec import Codec

codec = Codec()


def version(number: int, resolution: int = 0) -> str:
    """Versions that differ by their second; the extract's have no map sequence, the operations' have one."""
    return f"2026-01-02T03:04:{number:02d}.000000Z/1/0/0000/{resolution:018d}"


def mapped(number: int, resolution: int = 0) -> str:
    return version(number, resolution).replace("/0000/", "/0001/", 1)


def operation(reference: str, number: int, **changed: Any) -> dict[str, Any]:
    object_ = reference.partition(":")[0]
    value: dict[str, Any] = {
        "id": f"{reference}|{number}|{changed.get('what', 'create')}",
        "what": "create",
        "reference": reference,
        "object": object_,
        "sobject": TARGETS[object_],
        "facet": object_,
        "version": mapped(number),
        "run": "r1",
        "row_id": None,
        "outcome": "loaded",
        "code": None,
        "detail": None,
        "columns": [],
        "at": 1000 + number,
        "source": None,
    }
    return {**value, **changed}


class Log:
    """Topics in memory: what was appended comes out as batches of records with offsets."""

    def __init__(self) -> None:
        self._offsets: Counter[TopicPartition] = Counter()
        self.records: list[tuple[TopicPartition, ConsumerRecord[bytes, bytes]]] = []

    def add(
        self, topic: str, value: bytes | None, key: bytes = b"", headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        part = TopicPartition(topic, len(key) % 2)
        record = ConsumerRecord(
            topic, part.partition, self._offsets[part], 0, 0, key, value, None, len(key), 0, headers
        )
        self._offsets[part] += 1
        self.records.append((part, record))

    def change(self, reference: str, number: int, op: str = "upsert") -> None:
        object_, _, vp_id = reference.partition(":")
        headers = (("version", version(number).encode()), ("op", op.encode()), ("origin", b"snapshot"))
        self.add(f"vp.{object_}", b"sealed", vp_id.encode(), headers)

    def operation(self, reference: str, number: int, **changed: Any) -> None:
        self.add("audit", codec.encode("operation", operation(reference, number, **changed)), reference.encode())

    def batch(self) -> dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]:
        found: dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]] = {}
        for part, record in self.records:
            found.setdefault(part, []).append(record)
        self.records = []
        return found
