"""Writes records from Kafka into the ledger: one transaction for many records, their offsets in the same one.

Owns the only write path. A batch is folded in memory (`delivery`) and each touched row is read and written once.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from cutover.ledger import delivery
from cutover.ledger.delivery import Delivery
from topics.catalogue import Catalogue
from topics.codec import Codec, Undecodable

Batch = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]

ASKED_AT_ONCE = 10_000
"""References in one query; SQLite takes 32,766 parameters."""

COUNTED = {
    "spending": ("worker", "stage", "spent", "used", "most", "waiting_since", "storage_since", "at"),
    "org_limits": (
        *("used", "most", "reserve", "line", "spent", "short_since", "again_at"),
        *("storage_mb", "storage_left_mb", "at"),
    ),
}
"""Messages about API calls, and their fields that are kept in the table of that name."""

PROGRESS_KEPT_MS = 3_600_000
ERROR_HEADER = "__connect.errors."
"""Kafka Connect's names for where a reject came from: `topic`, `partition`, `offset`."""


class Writer:
    """Applies batches to one ledger file; one at a time.

    Args:
        connection: From `schema.open_to_write`.
        catalogue: The cutover's topics: which are changes of which object, and where each object goes.
        codec: Decodes everything but changes, whose headers say enough.
    """

    def __init__(self, connection: sqlite3.Connection, catalogue: Catalogue, codec: Codec) -> None:
        self._connection = connection
        self._codec = codec
        self._objects = catalogue.changes
        self._targets = {name: catalogue.target(name) for name in catalogue.targets}
        self._audit = catalogue.audit
        self._others = {
            catalogue.rejects: self._reject,
            catalogue.control: self._control,
            catalogue.images: self._image,
            catalogue.calls: self._calls,
            **{catalogue.bulk(name): self._journal for name in catalogue.sobjects},
        }
        self._touched: dict[tuple[str, str], Delivery] = {}
        self._operations: list[tuple[Any, ...]] = []

    def offsets(self) -> dict[TopicPartition, int]:
        """The next offset to read of each partition that was ever read."""
        rows = self._connection.execute('SELECT topic, "partition", next FROM offsets')
        return {TopicPartition(topic, partition): following for topic, partition, following in rows}

    def apply(self, batch: Batch) -> int:
        """Take in records, partition by partition in their order; all or nothing.

        Records that can't be read are noted by position and passed over: the stages reject them by name.

        Returns:
            How many records were taken in.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._fold(batch)
            self._connection.executemany(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
                [(part.topic, part.partition, records[-1].offset + 1) for part, records in batch.items() if records],
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        finally:
            self._touched, self._operations = {}, []
        return sum(map(len, batch.values()))

    def sample(self, now_ms: int | None = None) -> None:
        """Note how far each object is, for rates; keeps an hour."""
        now = int(time.time() * 1000) if now_ms is None else now_ms
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(
            "INSERT OR REPLACE INTO progress SELECT ?, object, SUM(count * (name = 'source')), "
            "SUM(count * (name IN ('held', 'loaded', 'rejected', 'skipped', 'deleted', 'superseded'))) "
            "FROM counts GROUP BY object",
            (now,),
        )
        self._connection.execute("DELETE FROM progress WHERE at < ?", (now - PROGRESS_KEPT_MS,))
        self._connection.execute("COMMIT")

    def note_census(self, at: int, object_: str, listed: int, missing: int, extra: int) -> None:
        """Keep a census's result; the one thing in the ledger that the topics don't tell."""
        self._connection.execute(
            "INSERT OR REPLACE INTO censuses VALUES (?, ?, ?, ?, ?)", (at, object_, listed, missing, extra)
        )

    def _fold(self, batch: Batch) -> None:
        # A record that two objects take is on its way to two rows: two deliveries.
        changes = [
            (f"{object_}:{(record.key or b'').decode(errors='replace')}", object_, part, record)
            for part, records in batch.items()
            if part.topic in self._objects
            for record in records
            for object_ in self._objects[part.topic]
        ]
        operations = [
            decoded
            for part, records in batch.items()
            if part.topic == self._audit
            for record in records
            if (decoded := self._decode(part, record)) is not None
        ]
        before = self._read({item[0] for item in changes} | {operation["reference"] for operation in operations})
        counts: Counter[tuple[str, str]] = Counter()
        for found in before:
            for name, amount in found.counted():
                counts[found.object, name] -= amount
        for ref, object_, part, record in changes:
            self._change(ref, object_, part, record)
        for operation in operations:
            self._settle(operation)
        for part, records in batch.items():
            if other := self._others.get(part.topic):
                for record in records:
                    other(part, record)
        self._write(counts)

    def _read(self, references: Iterable[str]) -> list[Delivery]:
        wanted = sorted(references)
        columns = ", ".join(delivery.FIELDS)
        for start in range(0, len(wanted), ASKED_AT_ONCE):
            asked = wanted[start : start + ASKED_AT_ONCE]
            marks = ",".join("?" * len(asked))
            query = f"SELECT {columns} FROM deliveries WHERE reference IN ({marks})"  # noqa: S608 - marks only
            for values in self._connection.execute(query, asked):
                self._touched[values[0], values[1]] = delivery.from_row(values)
        return list(self._touched.values())

    def _delivery(self, ref: str, sobject: str, object_: str) -> Delivery:
        found = self._touched.get((ref, sobject))
        if found is None:
            found = self._touched[ref, sobject] = Delivery(ref, sobject, object_)
        return found

    def _change(self, ref: str, object_: str, part: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> None:
        headers = dict(record.headers)
        try:
            version, op, origin = (headers[name].decode() for name in ("version", "op", "origin"))
        except (KeyError, UnicodeDecodeError):
            self._unreadable(part, record, "headers")
            return
        self._delivery(ref, self._targets[object_], object_).see(version, op, origin)

    def _settle(self, operation: Mapping[str, Any]) -> None:
        if operation["what"] == delivery.DOUBT:
            return
        ref, object_ = operation["reference"], operation["object"]
        sobject = operation["sobject"] or self._targets.get(object_, "")
        self._delivery(ref, sobject, object_).settle(operation)
        self._operations.append(
            (
                *(ref, operation["id"], operation["what"], object_, sobject, operation["facet"], operation["version"]),
                *(operation["run"], operation["row_id"], operation["outcome"], operation["code"], operation["detail"]),
                *(",".join(operation["columns"]), operation["at"]),
            )
        )

    def _write(self, counts: Counter[tuple[str, str]]) -> None:
        for found in self._touched.values():
            for name, amount in found.counted():
                counts[found.object, name] += amount
        self._connection.executemany(
            f"INSERT OR REPLACE INTO deliveries VALUES ({','.join('?' * (len(delivery.FIELDS) + 1))})",  # noqa: S608
            [delivery.row(self._touched[key]) for key in sorted(self._touched)],
        )
        # A replayed operation has the id of the first: it stays as it was told first.
        self._connection.executemany(
            f"INSERT OR IGNORE INTO operations VALUES ({','.join('?' * 14)})",  # noqa: S608
            sorted(self._operations, key=itemgetter(0, 1)),
        )
        self._connection.executemany(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(object_, name, amount) for (object_, name), amount in counts.items() if amount],
        )

    def _decode(self, part: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> dict[str, Any] | None:
        try:
            return self._codec.decode(record.value, topic=part.topic, key=record.key or b"")[1]
        except Undecodable as error:
            self._unreadable(part, record, error.code)
            return None

    def _unreadable(self, part: TopicPartition, record: ConsumerRecord[bytes, bytes], code: str) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", (part.topic, part.partition, record.offset, code)
        )

    def _reject(self, part: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> None:
        value = self._decode(part, record)
        if value is None:
            return
        headers = dict(record.headers)
        topic = headers.get(ERROR_HEADER + "topic")
        source = (part.topic, part.partition, record.offset)
        if topic is not None:  # a stage that repeats itself rejects the same input again: count it once
            numbers = (headers.get(ERROR_HEADER + name, b"").decode() for name in ("partition", "offset"))
            partition, offset = (int(text) if text.isdecimal() else -1 for text in numbers)
            source = (topic.decode(), partition, offset)
        self._connection.execute(
            "INSERT OR REPLACE INTO rejects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (value["stage"], *source, value["reference"], value["code"], value["message"], value["at"]),
        )

    def _control(self, part: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> None:
        if (value := self._decode(part, record)) is None:
            return
        if self._codec.message(record.value or b"") == "drift":
            self._drift(value)
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO transitions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(part.partition, record.offset, value["phase"], value["run"]),
                    *(value["map_hash"], value["by"], value["at"], value["detail"]),
                ),
            )

    def _image(self, part: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> None:
        """Only where it lies: a ledger holds no values. The newest counts; nothing of ours was written before any of them."""
        if (value := self._decode(part, record)) is not None:
            self._connection.execute(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(value["reference"], value["row_id"], part.topic, part.partition, record.offset),
                    value["at"],
                ),
            )

    def _calls(self, part: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> None:
        """Who has used how many API calls, and how the org stands; only the newest of each."""
        if (value := self._decode(part, record)) is None:
            return
        name = self._codec.message(record.value or b"")
        if name in COUNTED:
            columns = COUNTED[name]
            marks = ", ".join("?" * len(columns))
            names = ", ".join(columns)
            key = "1, " if name == "org_limits" else ""
            self._connection.execute(
                f"INSERT OR REPLACE INTO {name} ({'id, ' if key else ''}{names}) VALUES ({key}{marks})",  # noqa: S608 - names are ours
                [value[column] for column in columns],
            )

    def _drift(self, value: Mapping[str, Any]) -> None:
        """Keeps what differs now; what is as it was is no drift any more."""
        key = (value["object"], value["field"])
        if value["what"] == "back":
            self._connection.execute("DELETE FROM drifts WHERE object = ? AND field = ?", key)
            return
        what = (value["resource"], value["what"], value["was"], value["now"], value["paused"], value["at"])
        self._connection.execute("INSERT OR REPLACE INTO drifts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*key, *what))

    def _journal(self, part: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> None:
        if (record.key or b"").startswith(b"\xff\xff"):
            return  # the journal is a state table's changelog: its owner's claim, not an entry
        key = (record.key or b"").hex()
        if record.value is None:
            self._connection.execute(
                'DELETE FROM batches WHERE topic = ? AND "partition" = ? AND key = ?', (part.topic, part.partition, key)
            )
        elif self._codec.message(record.value) != "batch_rows" and (value := self._decode(part, record)) is not None:
            self._connection.execute(
                f"INSERT OR REPLACE INTO batches VALUES ({','.join('?' * 13)})",  # noqa: S608
                (
                    *(key, part.topic, value["id"], value["sobject"], value["operation"], value["facet"]),
                    *(part.partition, value["state"], value["path"], value["job_id"], value["rows"]),
                    *(value["run"], value["at"]),
                ),
            )
