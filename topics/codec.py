"""Messages to bytes and back: magic byte, schema id, Avro body.

Owns the wire format and the errors of poison. On the hot path: every record passes several times. Two shapes differ
between Python and Avro, for speed (25 columns: 5 µs instead of 20 as a map of unions): the columns of a ready row
travel as JSON in Avro bytes, and the union around a change's fields is told its branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, NamedTuple, Protocol

import orjson
from fastavro import schemaless_reader, schemaless_writer

from topics import registry
from topics.registry import Entry, Schema

MAGIC = b"\x00"
"""First byte of Confluent's wire format; the four that follow are the schema id, big endian."""

HEADER = 5
STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS
SORTED = STRICT | orjson.OPT_SORT_KEYS


class Undecodable(Exception):
    """Bytes that are no message: a record that can never be processed.

    Attributes:
        code: `not_bytes`, `wrong_magic`, `unknown_schema`, `truncated`, `trailing`, `malformed` or `sealed`; from an agent also
            `misplaced` and `key`.
        detail: A sentence without any value.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Unencodable(Exception):
    """A dict that doesn't fit its message's schema: a mistake in the program. The text holds no value."""


class Cipher(Protocol):
    """Seals the body of messages that hold patient data; the other messages never pass through it."""

    def seal(self, body: bytes, *, message: str, topic: str, key: bytes) -> bytes:
        """The body as it may lie on a broker's disk, bound to its topic and key."""

    def open(self, sealed: bytes, *, message: str, topic: str, key: bytes) -> bytes:
        """The body that `seal` was given.

        Raises:
            Undecodable: With code `sealed`: other topic or key, a tampered body, or a destroyed key.
        """


class Plain:
    """No encryption: bodies stay readable on the broker's disks."""

    def seal(self, body: bytes, *, message: str, topic: str, key: bytes) -> bytes:
        return body

    def open(self, sealed: bytes, *, message: str, topic: str, key: bytes) -> bytes:
        return sealed


class _Writer(NamedTuple):
    header: bytes
    schema: Schema
    phi: bool
    pack: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None


class _Reader(NamedTuple):
    message: str
    writer: Schema
    reader: Schema | None
    phi: bool
    unpack: Callable[[dict[str, Any]], None] | None


class Codec:
    """Encodes with the newest schema of a message and decodes what any published one wrote.

    Args:
        cipher: Seals messages with patient data.
        entries: Schemas to know; None means the published ones.
    """

    def __init__(self, cipher: Cipher | None = None, entries: Iterable[Entry] | None = None) -> None:
        known = tuple(registry.published() if entries is None else entries)
        newest = registry.newest(known)
        self._cipher = cipher or Plain()
        self._seals = not isinstance(self._cipher, Plain)
        self._writers = {
            item.message: _Writer(_header(item.id), item.schema, item.phi, _packer(item)) for item in newest.values()
        }
        self._readers = {
            _header(item.id): _Reader(
                item.message,
                item.schema,
                None if newest[item.message] is item else newest[item.message].schema,
                item.phi,
                _UNPACKERS.get(item.message),
            )
            for item in known
        }

    def encode(self, message: str, value: Mapping[str, Any], *, topic: str = "", key: bytes = b"") -> bytes:
        """One message as bytes for Kafka; `value` has the shape of its TypedDict in `topics.messages`.

        Topic and key bind a sealed body to its place; without encryption they are not looked at.

        Raises:
            Unencodable: No such message, or the value doesn't fit its schema.
        """
        writer = self._writers.get(message)
        if writer is None:
            raise Unencodable(f"There is no message {message}.")
        out = BytesIO()
        seals = self._seals and writer.phi
        if not seals:
            out.write(writer.header)
        try:
            schemaless_writer(out, writer.schema, writer.pack(value) if writer.pack else value)
        except Exception:  # noqa: BLE001 - fastavro raises many kinds, and their texts repeat the value
            raise Unencodable(f"A value doesn't fit the schema of {message}.") from None
        if not seals:
            return out.getvalue()
        return writer.header + self._cipher.seal(out.getvalue(), message=message, topic=topic, key=key)

    def decode(
        self, data: bytes | None, *, topic: str = "", key: bytes = b"", packed: bool = False
    ) -> tuple[str, dict[str, Any]]:
        """Message name and value; a value written with an older schema comes in the newest one's shape.

        Args:
            data: A record's value.
            topic: Where it lay.
            key: And its key.
            packed: Leave the columns of a ready row as the JSON they travel as (`topics.messages.Packed`).

        Raises:
            Undecodable: The bytes are no message of ours, or damaged.
        """
        if not isinstance(data, bytes):
            raise Undecodable("not_bytes", "The record has no bytes as its value.")
        reader = self._readers.get(data[:HEADER])
        if reader is None:
            raise _unknown(data)
        if self._seals and reader.phi:
            body = BytesIO(self._cipher.open(data[HEADER:], message=reader.message, topic=topic, key=key))
            size = len(body.getbuffer())
        else:
            body = BytesIO(data)
            body.seek(HEADER)
            size = len(data)
        try:
            value: dict[str, Any] = schemaless_reader(body, reader.writer, reader.reader)  # type: ignore[assignment]
            if reader.unpack and not packed:
                reader.unpack(value)
        except EOFError:
            raise Undecodable("truncated", f"The {reader.message} ends too early.") from None
        except Exception:  # noqa: BLE001 - damaged bytes make fastavro raise anything, with values in the text
            raise Undecodable("malformed", f"The {reader.message} doesn't follow its schema.") from None
        if body.tell() != size:
            raise Undecodable("trailing", f"The {reader.message} is followed by bytes that don't belong to it.")
        return reader.message, value

    def message(self, data: bytes | None) -> str | None:
        """Name of the message, from the schema id alone; None if it is none of ours."""
        reader = self._readers.get(data[:HEADER]) if isinstance(data, bytes) else None
        return reader.message if reader else None


def _header(id_: int) -> bytes:
    return MAGIC + id_.to_bytes(4, "big")


def _unknown(data: bytes) -> Undecodable:
    if len(data) < HEADER:
        return Undecodable("truncated", "The record is shorter than a header.")
    if data[:1] != MAGIC:
        return Undecodable("wrong_magic", "The record doesn't begin as ours do.")
    return Undecodable(
        "unknown_schema", f"The record names schema {int.from_bytes(data[1:HEADER], 'big')}, unknown here."
    )


def _packer(item: Entry) -> Callable[[Mapping[str, Any]], Mapping[str, Any]] | None:
    if item.message.startswith("change."):
        (field,) = (field for field in item.schema["fields"] if field["name"] == "fields")
        branch = field["type"][1]["name"]

        def pack_change(value: Mapping[str, Any]) -> Mapping[str, Any]:
            fields = value["fields"]
            return value if fields is None else {**value, "fields": (branch, fields)}

        return pack_change
    return {"ready": _pack_ready, "waiting": _pack_waiting, "base": _pack_waiting, "image": _pack_image}.get(
        item.message
    )


def _pack_ready(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        **value,
        "columns": orjson.dumps(value["columns"], option=SORTED),
        "insert_only": orjson.dumps(value["insert_only"], option=SORTED),
    }


def _pack_image(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**value, "columns": orjson.dumps(value["columns"], option=SORTED)}


def _pack_waiting(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**value, "row": _pack_ready(value["row"])}


def _unpack_ready(value: dict[str, Any]) -> None:
    value["columns"] = columns_of(value["columns"])
    value["insert_only"] = columns_of(value["insert_only"])


def _unpack_image(value: dict[str, Any]) -> None:
    value["columns"] = columns_of(value["columns"])


def _unpack_waiting(value: dict[str, Any]) -> None:
    _unpack_ready(value["row"])


def compact_json(value: Any) -> bytes:
    """JSON that stays in memory, of the types that STRICT allows.

    What `orjson.dumps` returns takes 4 kB, however short it is (orjson 3.13.0, by malloc_usable_size; `sys.getsizeof` doesn't tell): the copy is
    as long as its text. Deliver keeps thousands: the states of 2,500 rows took 10 MB.
    """
    return b"%b" % orjson.dumps(value, option=STRICT)


def columns_of(packed: bytes) -> dict[str, Any]:
    """The columns of a row from the JSON they travel as: sorted by name, so that equal columns are equal bytes.

    Raises:
        ValueError: It is no JSON.
        TypeError: It is JSON, but no object.
    """
    columns = orjson.loads(packed)
    if columns.__class__ is not dict:
        raise TypeError("columns")
    return columns


_UNPACKERS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "ready": _unpack_ready,
    "waiting": _unpack_waiting,
    "base": _unpack_waiting,
    "image": _unpack_image,
}
