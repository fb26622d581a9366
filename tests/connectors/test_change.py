from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.visual_practice.change import ChangeReader, RecordUnreadable

READER = ChangeReader(["name", "phone", "updated_at"])


def record(**more: Any) -> dict[str, Any]:
    return {"id": "7", "name": "A", "updated_at": "2026-01-02T03:04:05Z", **more}


def test_a_record_becomes_text_fields_in_the_declared_order():
    change = READER.read(record())
    assert change.vp_id == "7"
    assert change.modified == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert list(change.fields.items()) == [("name", "A"), ("phone", None), ("updated_at", "2026-01-02T03:04:05Z")]
    assert change.custom == {}


def test_texts_are_left_as_they_are():
    text = ' \x00"a",\r\n é😀 '
    assert READER.read(record(name=text)).fields["name"] == text


def test_what_is_no_text_becomes_its_json():
    fields = READER.read(record(name=True, phone=[1, {"a": None}])).fields
    assert (fields["name"], fields["phone"]) == ("true", '[1,{"a":null}]')
    assert READER.read(record(name=1.5)).fields["name"] == "1.5"
    assert READER.read(record(name=12345678901234567)).fields["name"] == "12345678901234567"


def test_custom_and_unknown_fields_are_kept():
    change = READER.read(record(custom_fields={"source": "Friend", "n": 5, "none": None}, extra=[1], empty=None))
    assert change.custom == {"source": "Friend", "n": "5", "extra": "[1]"}


def test_an_unknown_field_does_not_hide_a_custom_one():
    assert READER.read(record(custom_fields={"x": "1"}, x="2")).custom == {"x": "1", "~x": "2"}


def test_custom_fields_of_another_shape_are_kept_whole():
    assert READER.read(record(custom_fields=[{"a": 1}])).custom == {"custom_fields": '[{"a":1}]'}
    assert READER.read(record(custom_fields=None)).custom == {}


def test_a_number_is_an_id_too():
    assert READER.read(record(id=123456789012345678)).vp_id == "123456789012345678"


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"id": None}, "ID_MISSING", "id"),
        ({"id": ""}, "ID_MISSING", "id"),
        ({"id": 1e20}, "ID_UNREADABLE", "id"),
        ({"id": True}, "ID_UNREADABLE", "id"),
        ({"id": " 7"}, "ID_UNREADABLE", "id"),
        ({"updated_at": None}, "MODIFIED_MISSING", "updated_at"),
        ({"updated_at": "yesterday"}, "MODIFIED_UNREADABLE", "updated_at"),
        ({"updated_at": "2026-01-02T03:04:05"}, "MODIFIED_UNREADABLE", "updated_at"),
        ({"updated_at": 5}, "MODIFIED_UNREADABLE", "updated_at"),
    ],
)
def test_a_record_without_identity_is_unreadable(more: dict[str, Any], code: str, field: str):
    with pytest.raises(RecordUnreadable) as caught:
        READER.read(record(**more))
    assert (caught.value.code, caught.value.field) == (code, field)
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize("what", [None, 5, [], "x"])
def test_what_is_no_record_is_unreadable(what: Any):
    with pytest.raises(RecordUnreadable, match="NOT_A_RECORD"):
        READER.read(what)


def test_an_entry_of_the_delete_feed_is_read():
    entry = {"id": "7", "deleted_at": "2026-01-02T03:04:05Z"}
    assert READER.read_deleted(entry) == ("7", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    with pytest.raises(RecordUnreadable, match="deleted_at"):
        READER.read_deleted({"id": "7"})
