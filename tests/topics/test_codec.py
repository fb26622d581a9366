"""Messages survive the wire; poison is told apart from everything else, and nothing says what it held."""

from __future__ import annotations

import contextlib
import traceback
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.topics.samples import MESSAGES, value, written
from topics.codec import Codec, Undecodable, Unencodable, columns_of, compact_json

codec = Codec()
CANARY = "Zoë-Canary-555-12-3456"
columns = st.dictionaries(
    st.text(min_size=1),
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
)


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_comes_back_as_it_was(message: str) -> None:
    data = codec.encode(message, value(message))
    assert codec.decode(data) == (message, value(message))
    assert codec.message(data) == message


def test_a_delete_has_no_fields() -> None:
    deleted = {**value("change.patient"), "op": "delete", "fields": None}
    assert codec.decode(codec.encode("change.patient", deleted)) == ("change.patient", deleted)


@given(columns, columns)
def test_columns_of_any_kind_come_back_with_their_types(filled: dict[str, Any], insert_only: dict[str, Any]) -> None:
    ready = {**value("ready"), "columns": filled, "insert_only": insert_only}
    _, back = codec.decode(codec.encode("ready", ready))
    assert back == ready
    assert {name: type(v) for name, v in back["columns"].items()} == {name: type(v) for name, v in filled.items()}


@given(columns)
def test_packed_columns_are_the_same_bytes_in_whatever_order_they_were_set(filled: dict[str, Any]) -> None:
    rows = [{**value("ready"), "columns": some} for some in (filled, dict(reversed(filled.items())))]
    first, second = (codec.decode(codec.encode("ready", row), packed=True)[1] for row in rows)
    assert first == second
    assert columns_of(first["columns"]) == filled


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "not_bytes"),
        ("text", "not_bytes"),
        (b"", "truncated"),
        (b"\x00\x00\x00", "truncated"),
        (b"{'json': 1}", "wrong_magic"),
        (b"\x00\x00\x00\xff\xff", "unknown_schema"),
        (written("ready")[:40], "truncated"),
        (written("ready") + b"\x00", "trailing"),
        (written("ready")[:5] + b"\x02\xff" * 9, "malformed"),
    ],
)
def test_poison_has_a_code(data: Any, code: str) -> None:
    with pytest.raises(Undecodable) as caught:
        codec.decode(data)
    assert caught.value.code == code
    assert codec.message(data) in {None, "ready"}


@given(st.sampled_from(MESSAGES), st.integers(0, 400), st.integers(0, 255), st.binary(max_size=8))
def test_damaged_bytes_are_decoded_or_refused_and_nothing_else(message: str, at: int, byte: int, more: bytes) -> None:
    data = bytearray(written(message))
    at %= len(data)
    data[at] = byte
    for damaged in (bytes(data), bytes(data[:at]), bytes(data[:at]) + more):
        with contextlib.suppress(Undecodable):
            assert codec.decode(damaged)[0] in MESSAGES


def test_an_error_never_repeats_a_value() -> None:
    data = codec.encode("ready", {**value("ready"), "columns": {"LastName": CANARY}})
    wrong = {**value("change.patient"), "fields": {**value("change.patient")["fields"], "notes": [CANARY]}}
    for act in (lambda: codec.decode(data[:-3]), lambda: codec.encode("change.patient", wrong)):
        with pytest.raises((Undecodable, Unencodable)) as caught:
            act()
        assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("column", [b"bytes", object(), 2**64, {1, 2}])
def test_a_column_that_cant_travel_is_refused(column: object) -> None:
    with pytest.raises(Unencodable, match="ready"):
        codec.encode("ready", {**value("ready"), "columns": {"LastName": column}})


def test_an_unknown_message_is_refused() -> None:
    with pytest.raises(Unencodable, match="no message nonsense"):
        codec.encode("nonsense", {})


class _Xor:
    """Not a cipher, but bound to topic and key as one is."""

    def seal(self, body: bytes, *, message: str, topic: str, key: bytes) -> bytes:
        return key + bytes(byte ^ 0x5A for byte in body)

    def open(self, sealed: bytes, *, message: str, topic: str, key: bytes) -> bytes:
        if not sealed.startswith(key):
            raise Undecodable("sealed", "The key differs.")
        return bytes(byte ^ 0x5A for byte in sealed[len(key) :])


def test_a_cipher_seals_patient_data_and_leaves_the_rest_readable() -> None:
    sealing = Codec(_Xor())
    ready = {**value("ready"), "columns": {"LastName": CANARY}}
    data = sealing.encode("ready", ready, topic="sf.Contact", key=b"patient:1204")
    assert CANARY.encode() not in data
    assert sealing.decode(data, topic="sf.Contact", key=b"patient:1204") == ("ready", ready)
    with pytest.raises(Undecodable, match="sealed"):
        sealing.decode(data, topic="sf.Contact", key=b"patient:9")
    assert sealing.encode("landed", value("landed")) == codec.encode("landed", value("landed"))


def test_json_that_is_kept_takes_no_more_than_its_text() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        texts = [compact_json({"number": number}) for number in range(1000)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert texts[7] == b'{"number":7}'
    assert (after - before) / len(texts) < 100
