"""What counts as a change of the source's schema, and what is only dirty data."""

from __future__ import annotations

from typing import Any

import pytest

from agents.shape import NOTHING, Finding, Shape

DECLARED = ("mrn", "last_name", "notes", "extra")
NEEDED = ("mrn", "last_name")


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "mrn": f"M{number}", "last_name": "A", "notes": None, **more}


def without(name: str, number: int = 1) -> dict[str, Any]:
    return {key: value for key, value in record(number).items() if key != name}


@pytest.fixture
def shape() -> Shape:
    made = Shape(DECLARED, NEEDED)
    assert made.learn([record(number) for number in range(100)], first_sight=True) == []
    return made


def test_records_like_those_before_are_no_news(shape: Shape) -> None:
    assert shape.odd([record(1)]) == []
    assert shape.learn([record(1)], first_sight=False) == []


def test_at_first_sight_everything_is_as_it_is() -> None:
    shape = Shape(DECLARED, NEEDED)
    assert shape.odd([without("mrn")]) == []
    assert shape.learn([record(1, surprise=1)], first_sight=True) == []


def test_a_needed_field_that_all_records_lack_is_gone_when_others_lack_it_too(shape: Shape) -> None:
    page = [without("mrn")]
    odd = shape.odd(page)
    assert odd == [Finding("mrn", "gone", "text", "")]
    assert shape.confirmed(odd, [record(1), *page]) == []
    assert shape.confirmed(odd, page * 2) == odd


def test_a_field_that_one_record_of_many_lacks_is_dirt(shape: Shape) -> None:
    assert shape.odd([without("mrn"), record(2)]) == []


def test_a_field_that_the_map_does_not_need_is_missed_as_well(shape: Shape) -> None:
    assert [one.field for one in shape.odd([without("notes")])] == ["notes"]


def test_a_rare_field_is_not_missed() -> None:
    shape = Shape(DECLARED, NEEDED)
    shape.learn(
        [record(number, **({"rare": 1} if number % 10 == 0 else {})) for number in range(100)], first_sight=True
    )
    assert shape.odd([record(1)]) == []


@pytest.mark.parametrize(
    ("value", "now"), [(12, "number"), (1.5, "number"), ([], "list"), (True, "yes/no"), (None, NOTHING)]
)
def test_a_field_of_another_type_is_odd(shape: Shape, value: Any, now: str) -> None:
    assert shape.odd([record(1, mrn=value), record(2, mrn=value)]) == [Finding("mrn", "type", "text", now)]


def test_a_type_that_some_records_had_before_is_dirt() -> None:
    shape = Shape(DECLARED, NEEDED)
    shape.learn([record(1), record(2, mrn=7)], first_sight=True)
    assert shape.odd([record(3, mrn=8)]) == []


def test_a_field_that_is_often_empty_may_be_empty(shape: Shape) -> None:
    assert shape.odd([record(1, notes=None)] * 5) == []


def test_a_rare_field_of_a_large_snapshot_is_no_news_later() -> None:
    shape = Shape(DECLARED, NEEDED)
    for start in range(0, 3000, 100):
        more = {"rare": 1} if start == 2900 else {}
        shape.learn(
            [record(start), record(start + 1, **more), *(record(start + n) for n in range(2, 100))], first_sight=True
        )
    assert shape.learn([record(1, rare=2)], first_sight=False) == []
    assert shape.odd([record(1)]) == []


def test_a_new_field_is_told_once_and_a_declared_one_never(shape: Shape) -> None:
    page = [record(1, foo=1, extra="x")]
    assert shape.learn(page, first_sight=False) == [Finding("foo", "new", "", "number")]
    assert shape.learn(page, first_sight=False) == []


def test_what_is_gone_and_comes_back_is_told_and_closed(shape: Shape) -> None:
    odd = shape.odd([without("mrn")])
    assert shape.note(odd) == odd
    assert shape.note(odd) == []
    assert shape.learn([record(1)], first_sight=False) == [Finding("mrn", "back", "", "text")]
    assert shape.open == {}


def test_a_new_field_that_goes_away_again_is_forgotten(shape: Shape) -> None:
    shape.note(shape.strange([record(1, foo=1)]))
    odd = shape.odd([record(1)])
    assert odd == [Finding("foo", "gone", "", "")]
    assert [one.what for one in shape.note(shape.confirmed(odd, [record(2)]))] == ["back"]
    assert (shape.open, shape.odd([record(1)])) == ({}, [])


def test_a_shape_survives_being_stored(shape: Shape) -> None:
    shape.note(shape.odd([without("mrn")]))
    again = Shape(DECLARED, NEEDED)
    again.restore(shape.encode())
    assert (again.records, again.fields, again.open) == (shape.records, shape.fields, shape.open)
    assert again.odd([without("mrn")]) == shape.odd([without("mrn")])
