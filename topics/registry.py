"""The numbered schemas in `avro/`: loads `registry.json`, parses each schema once, knows the newest of each message.

Owns the numbering and the fingerprints; encoding is `topics.codec`'s. No schema registry server is involved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from fastavro import parse_schema

import avro

Schema = dict[str, Any]


class Entry(NamedTuple):
    """One numbered schema.

    Attributes:
        id: Number on the wire, for ever.
        message: Name of the message, e.g. `ready`.
        version: 1 for a message's first schema; the highest is written, all are read.
        schema: As parsed by fastavro.
        phi: Whether any field holds patient data (attribute `phi` other than `none`).
    """

    id: int
    message: str
    version: int
    schema: Schema
    phi: bool


def fingerprint(schema: Any) -> str:
    """SHA-256, hex, of a schema as it stands in its file, without `doc`s and white space.

    Stricter than Avro's canonical form: a changed default, order of a union or `phi` mark changes it too.
    """
    return hashlib.sha256(orjson.dumps(_without_docs(schema), option=orjson.OPT_SORT_KEYS)).hexdigest()


def entry(id_: int, message: str, version: int, schema: Schema) -> Entry:
    """An entry from a schema as JSON has it."""
    parsed: Schema = parse_schema(schema)  # type: ignore[assignment]
    return Entry(id_, message, version, parsed, _holds_phi(schema))


def read(root: Path = avro.ROOT) -> tuple[Entry, ...]:
    """Every schema that `registry.json` under `root` lists, by id."""
    listed = orjson.loads((root / "registry.json").read_bytes())
    return tuple(
        entry(item["id"], item["message"], item["version"], orjson.loads((root / item["file"]).read_bytes()))
        for item in sorted(listed, key=lambda item: int(item["id"]))
    )


@cache
def published() -> tuple[Entry, ...]:
    """The product's own schemas, parsed once per process."""
    return read()


def newest(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entry with the highest version of each message, by message name."""
    found: dict[str, Entry] = {}
    for item in entries:
        if item.message not in found or found[item.message].version < item.version:
            found[item.message] = item
    return found


def _without_docs(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_docs(value) for name, value in node.items() if name != "doc"}
    return [_without_docs(item) for item in node] if isinstance(node, list) else node


def _holds_phi(node: Any) -> bool:
    if isinstance(node, dict):
        return node.get("phi", "none") != "none" or any(_holds_phi(value) for value in node.values())
    return isinstance(node, list) and any(_holds_phi(item) for item in node)
