"""Bytes of older schemas stay readable, and a published schema never changes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest

import avro
from tests.topics.samples import MESSAGES, value, written
from topics import registry
from topics.codec import Codec

LISTED = orjson.loads((avro.ROOT / "registry.json").read_bytes())


@pytest.mark.parametrize("item", LISTED, ids=lambda item: f"{item['message']}.v{item['version']}")
def test_a_published_schema_is_unchanged(item: dict[str, Any]) -> None:
    schema = orjson.loads((avro.ROOT / item["file"]).read_bytes())
    assert registry.fingerprint(schema) == item["fingerprint"], "publish a new version under a new id instead"


def test_ids_and_versions_are_given_once() -> None:
    assert max(Counter(item["id"] for item in LISTED).values()) == 1
    assert max(Counter((item["message"], item["version"]) for item in LISTED).values()) == 1
    assert {item["file"] for item in LISTED} == {
        path.relative_to(avro.ROOT).as_posix() for path in avro.ROOT.rglob("*.avsc")
    }


@pytest.mark.parametrize("message", MESSAGES)
def test_what_version_1_wrote_is_read(message: str) -> None:
    assert Codec().decode(written(message)) == (message, value(message))


def test_every_message_has_stored_bytes() -> None:
    assert {item["message"] for item in LISTED} == set(MESSAGES)


def test_a_reader_with_a_new_field_reads_an_old_writers_bytes() -> None:
    old = {
        "type": "record",
        "name": "landed",
        "namespace": "carryover",
        "fields": [{"name": "parent", "type": "string"}, {"name": "sf_id", "type": "string"}],
    }
    new = {**old, "fields": [*old["fields"], {"name": "epoch", "type": "long", "default": 1}]}
    before = Codec(entries=[registry.entry(900, "landed", 1, old)])
    after = Codec(entries=[registry.entry(900, "landed", 1, old), registry.entry(901, "landed", 2, new)])
    data = before.encode("landed", {"parent": "practice:7", "sf_id": "001"})
    assert after.decode(data) == ("landed", {"parent": "practice:7", "sf_id": "001", "epoch": 1})
    assert after.encode("landed", {"parent": "practice:7", "sf_id": "001", "epoch": 2})[:5] == b"\x00\x00\x00\x03\x85"


def test_a_change_with_fewer_source_fields_is_read_with_nulls() -> None:
    newest = orjson.loads((avro.ROOT / "change.patient.avsc").read_bytes())
    older = orjson.loads((avro.ROOT / "change.patient.avsc").read_bytes())
    (field,) = (field for field in older["fields"] if field["name"] == "fields")
    field["type"][1]["fields"] = [inner for inner in field["type"][1]["fields"] if inner["name"] != "notes"]
    before = Codec(entries=[registry.entry(900, "change.patient", 0, older)])
    after = Codec(
        entries=[registry.entry(900, "change.patient", 0, older), registry.entry(2, "change.patient", 1, newest)]
    )
    sample = value("change.patient")
    _, read = after.decode(before.encode("change.patient", sample))
    assert read == {**sample, "fields": {**sample["fields"], "notes": None}}


def test_a_ready_row_looks_the_same_inside_a_waiting_message() -> None:
    waiting = orjson.loads((avro.ROOT / "waiting.avsc").read_bytes())
    base = orjson.loads((avro.ROOT / "base.avsc").read_bytes())
    ready = orjson.loads((avro.ROOT / "ready.avsc").read_bytes())
    for carrier in (waiting, base):
        (row,) = (field["type"] for field in carrier["fields"] if field["name"] == "row")
        assert row["fields"] == ready["fields"]


def test_every_field_says_whether_it_holds_patient_data() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "name" in node and "type" in node and node["type"] != "record":
                assert node.get("phi") in {"direct", "quasi", "none"}, node["name"]
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    for path in avro.ROOT.glob("*.avsc"):
        walk(orjson.loads(path.read_bytes()))
    holding = {item.message for item in registry.published() if item.phi}
    staff = {"change.user", "change.provider"}
    changes = {item.message for item in registry.published() if item.message.startswith("change.")}
    assert holding == {*changes, "waiting", "base", "member", "ready", "image", "reject"}
    for item in registry.published():
        if item.message in staff:
            (fields,) = (field for field in item.schema["fields"] if field["name"] == "fields")
            assert fields["phi"] == "none"
