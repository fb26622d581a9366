"""What agents say to each other: each message encoded, keyed and sent to its topic in one place.

Nothing is waited for here; the checkpoint makes outputs durable before anything is committed.
"""

from __future__ import annotations

import time
from asyncio import Future
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from topics.catalogue import OWNER, Catalogue
from topics.codec import Codec, Undecodable
from topics.messages import (
    Base,
    Extract,
    Image,
    Member,
    Need,
    Operation,
    Outcome,
    Owner,
    Position,
    Ready,
    Reject,
    Row,
    RowMember,
    Value,
    Waiting,
)
from transport.publisher import Publisher

NO_VERSION: Final = ""
FACET: Final = "owner"
"""The facet that may create its Salesforce row."""
DOUBT: Final = "doubt"
"""What an operation is that only tells verification to look at a landing again."""
CHECK: Final = "check"
"""What a row is that nothing is to be done with but to look; as a facet, it waits beside a version of the same row."""


def operation_id(what: str, reference: str, facet: str, version: str, target: str) -> str:
    """The same for the same thing done to the same version, however often: readers upsert by it.

    ``what`` is a class of operations (a create that is seen again as an update is one landing).
    """
    return blake2b(f"{what}|{reference}|{facet}|{version}|{target}".encode(), digest_size=16).hexdigest()


_CLASS: Final = {
    "create": "land",
    "adopt": "land",
    "match": "land",
    "update": "land",
    "unchanged": "land",
    "delete": "end",
    "flag": "end",
    "verify": "verify",
    "mismatch": "verify",
}


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Outputs:
    """Publishes messages for one process.

    Arguments:
        publisher: shared with the checkpoint, which waits for it.
        codec: the wire format.
        catalogue: topic names.
    """

    def __init__(self, publisher: Publisher, codec: Codec, catalogue: Catalogue) -> None:
        self.publisher = publisher
        self.codec = codec
        self.catalogue = catalogue
        self._sf = {name: catalogue.sf(name) for name in (OWNER, *catalogue.sobjects)}
        self._messages = {topic.name: frozenset(topic.messages) for topic in catalogue.topics}

    def decode(self, record: Any, *, packed: bool = False) -> tuple[str, dict[str, Any]]:
        """The message that a fetched record carries: its name and its content; ``packed`` as in `topics.codec.Codec.decode`.

        Raises:
            topics.codec.Undecodable: it is none, or none that belongs into the record's topic, or its key can't be read.
        """
        key = record.key or b""
        found = self.codec.decode(record.value, topic=record.topic, key=key, packed=packed)
        if found[0] not in self._messages[record.topic]:
            raise Undecodable("misplaced", f"A {found[0]} doesn't belong into this topic.")
        try:
            readable = key.decode()
        except UnicodeDecodeError:
            readable = ""
        if not readable:
            raise Undecodable("key", "The record has no key, or one that is no text.")
        return found

    async def send(self, topic: str, message: str, value: Mapping[str, Any], key: str) -> None:
        """Encodes ``value`` as ``message`` and publishes it under ``key``.

        Raises:
            transport.publisher.MessageTooLarge: the one message is too large; nothing was sent.
        """
        raw = key.encode()
        await self.publisher.enqueue(topic, self.codec.encode(message, value, topic=topic, key=raw), key=raw)

    async def ready(self, row: Ready) -> None:
        await self.send(self._sf[row["sobject"]], "ready", row, row["reference"])

    async def waiting(self, row: Ready, needs: Sequence[Need]) -> None:
        """Sends ``row`` to wait for the first of ``needs``, and then for the others."""
        first, *left = needs
        message: Waiting = {
            "parent": first["parent"],
            "child": row["reference"],
            "row": row,
            "column": first["column"],
            "on_absent": first["on_absent"],
            "left": left,
        }
        await self.send(self.catalogue.refs, "waiting", message, first["parent"])

    async def base(self, row: Ready, needs: Sequence[Need]) -> None:
        """Sends ``row`` to where the records that count in it meet it."""
        message: Base = {"parent": row["reference"], "row": row, "needs": list(needs)}
        await self.send(self.catalogue.refs, "base", message, row["reference"])

    async def member(self, message: Member) -> None:
        """Sends a record that counts in the row of another one."""
        await self.send(self.catalogue.refs, "member", message, message["parent"])

    async def owner(self, message: Owner) -> None:
        """Says who owns the records of a user, or why that is not known."""
        await self.send(self.catalogue.owners, "owner", message, message["owner"])

    async def fate(self, message: str, parent: str, **fields: Any) -> None:
        """Tells the parent's waiting children.

        ``landed`` (sf_id, epoch), ``rejected`` (version, code), ``gone`` (epoch), ``doubted`` (sf_id, run) or ``absent``.
        """
        await self.send(self.catalogue.refs, message, {"parent": parent, **fields}, parent)

    async def extract(self, kind: str, object_: str, run: str, vp_id: str | None = None) -> None:
        request: Extract = {"kind": kind, "object": object_, "vp_id": vp_id, "run": run, "at": now_ms()}
        await self.send(self.catalogue.extract, "extract", request, object_)

    async def image(self, row: Row, row_id: str, columns: dict[str, Value], read: Mapping[str, Any]) -> Future[Any]:
        """Keeps somebody else's row as it is before ``row`` is written into it; ``read`` is the row as Salesforce gave it."""
        image: Image = {
            "reference": row["reference"],
            "object": row["object"],
            "sobject": row["sobject"],
            "row_id": row_id,
            "version": row["version"],
            "run": row["run"],
            "at": now_ms(),
            "modified_by": read.get("LastModifiedById"),
            "modstamp": read.get("SystemModstamp"),
            "columns": columns,
        }
        topic, key = self.catalogue.images, row["reference"].encode()
        return await self.publisher.publish(topic, self.codec.encode("image", image, topic=topic, key=key), key=key)

    async def audit(
        self,
        what: str,
        row: Row,
        outcome: Outcome | None,
        *,
        row_id: str | None = None,
        code: str | None = None,
        detail: str | None = None,
        columns: Sequence[str] = (),
        source: Position | None = None,
        origin: str | None = None,
        row_version: str | None = None,
    ) -> None:
        """Notes what was done to ``row``, and with it what became of the records that count in it.

        ``detail`` and ``columns`` hold names and numbers, never a value; ``origin`` is where the row in Salesforce came from; ``row_version`` is for a
        record that counts in another's row.
        """
        operation: Operation = {
            "id": operation_id(_CLASS.get(what, what), row["reference"], row["facet"], row["version"], row["sobject"]),
            "what": what,
            "reference": row["reference"],
            "object": row["object"],
            "sobject": row["sobject"],
            "facet": row["facet"],
            "version": row["version"],
            "run": row["run"],
            "row_id": row_id,
            "outcome": outcome,
            "code": code,
            "detail": detail,
            "columns": list(columns),
            "at": now_ms(),
            "source": source if source is not None else row["source"],
            "members": row["members"],
            "origin": origin,
            "row_version": row_version,
        }
        await self.send(self.catalogue.audit, "operation", operation, row["reference"])
        if outcome is not None:
            for member in row["members"]:
                await self._audit_member(operation, member)

    async def _audit_member(self, of: Operation, member: RowMember) -> None:
        """A member fares as its row does; a row that is rejected holds it, one that is lost takes it along."""
        what, outcome, code, detail = of["what"], of["outcome"], of["code"], of["detail"]
        if outcome == "loaded" and member["op"] == "delete":
            outcome = "deleted"
        elif what == "lost":
            detail = of["reference"]
        elif outcome == "rejected":
            what, outcome, code, detail = "hold", "held", "PARENT_REJECTED", of["reference"]
        operation: Operation = {
            **of,
            "id": operation_id(
                _CLASS.get(what, what), member["reference"], of["facet"], member["version"], of["sobject"]
            ),
            "what": what,
            "reference": member["reference"],
            "object": member["object"],
            "version": member["version"],
            "outcome": outcome,
            "code": code,
            "detail": detail,
            "source": member["source"],
            "members": [],
            "origin": None,
            "row_version": of["version"],
        }
        await self.send(self.catalogue.audit, "operation", operation, member["reference"])

    async def reject(
        self, stage: str, reference: str, code: str, message: str, data: bytes, position: Position | None
    ) -> None:
        """Keeps an input that can't go on, as it came or (a row under way) encoded anew, with where it lay in headers named as Kafka Connect names them."""
        reject: Reject = {
            "reference": reference,
            "stage": stage,
            "code": code,
            "message": message,
            "input": data,
            "at": now_ms(),
        }
        headers = [("__connect.errors.stage", stage.encode()), ("__connect.errors.exception.class.name", code.encode())]
        if position is not None:
            headers += [
                ("__connect.errors.topic", position["topic"].encode()),
                ("__connect.errors.partition", b"%d" % position["partition"]),
                ("__connect.errors.offset", b"%d" % position["offset"]),
            ]
        topic, key = self.catalogue.rejects, reference.encode()
        value = self.codec.encode("reject", reject, topic=topic, key=key)
        await self.publisher.publish(topic, value, key=key, headers=headers)

    async def poison(self, stage: str, record: Any, code: str, advice: str) -> None:
        """Keeps a fetched record that ``stage`` can't read or can't carry out; ``advice`` says what to do about it."""
        own = (record.key or b"unknown:?").decode(errors="replace")
        await self.reject(stage, own, code, advice, record.value or b"", position_of(record))


def row_of(
    object_: str,
    sobject: str,
    reference: str,
    version: str,
    run: str,
    source: Position | None,
    *,
    op: str = "upsert",
    columns: dict[str, Value] | None = None,
) -> Ready:
    """A row of the facet `FACET`."""
    return {
        "reference": reference,
        "object": object_,
        "sobject": sobject,
        "facet": FACET,
        "op": op,
        "version": version,
        "run": run,
        "source": source if source is not None else {"topic": "", "partition": -1, "offset": -1},
        "columns": columns if columns is not None else {},
        "insert_only": {},
        "members": [],
    }


def check_of(row: Row) -> Ready:
    """Asks whoever loads ``row`` to see whether it is still in Salesforce; told to the one place that keeps its state."""
    return {**row, "op": CHECK, "facet": CHECK, "version": NO_VERSION, "columns": {}, "insert_only": {}}


def position_of(record: Any) -> Position:
    """Where a fetched record lies."""
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
