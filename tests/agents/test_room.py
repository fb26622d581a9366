"""A full org is noticed, tried again now and then, and forgotten as soon as it takes a row."""

from __future__ import annotations

from agents.item import Item
from agents.room import Room
from agents.sending import Result
from connectors.salesforce.row_errors import RowError
from tests.agents.rows import item, row

FULL = RowError("STORAGE_LIMIT_EXCEEDED", (), "storage limit exceeded")


def _row() -> Item:
    return item(row("patient:1"))


def test_a_row_refused_for_want_of_room_closes_the_door_for_a_while() -> None:
    room = Room()
    room.note([Result(_row(), "003", created=True), Result(_row(), error=FULL)])
    assert room.since is not None
    assert room.closed


def test_it_is_tried_again_and_a_row_that_was_made_shows_that_there_is_room() -> None:
    room = Room(first=0.0)
    room.note([Result(_row(), error=FULL)])
    assert room.since is not None
    assert not room.closed
    room.note([Result(_row(), "003", created=False)])
    assert room.since is not None, "an update takes no room"
    room.note([Result(_row(), "003", created=True)])
    assert room.since is None


def test_other_refusals_say_nothing_about_room() -> None:
    room = Room()
    room.note([Result(_row(), error=RowError("REQUIRED_FIELD_MISSING", (), ""))])
    assert room.since is None
