"""Which new rows are inserted without a look, and what is learned from those that Salesforce refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from agents.adoption import Adoption, MatchRule
from agents.inserting import Inserting
from agents.item import Item
from agents.rowstate import Origin
from agents.sending import Result
from connectors.salesforce.row_errors import RowError
from tests.agents.rows import item, row

THERE = RowError("DUPLICATE_VALUE", ("VP_Id__c",), "duplicate value found")
MATCHED = {"patient": MatchRule({"Email": "email"}, "Email", ["VP_Id__c", "Email"])}


def _inserting(*, unique: bool = True, rules: dict[str, MatchRule] | None = None) -> Inserting:
    nothing = cast("Any", None)
    return Inserting(Adoption(nothing, nothing, "VP_Id__c", rules or {}), 3, unique=unique)


def _rows(count: int, *, old: bool = False) -> list[Item]:
    at = 1 if old else int((datetime.now(UTC) - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds())
    return [item(row(f"patient:{number}", at, LastName="x")) for number in range(count)]


def test_rows_that_nothing_is_known_of_are_inserted_as_absent() -> None:
    rows = _rows(4)
    rows[1].origin = Origin.OURS
    assert _inserting().choose(rows) == {one.key for one in rows if one is not rows[1]}
    assert [one.origin for one in rows] == [Origin.ABSENT, Origin.OURS, Origin.ABSENT, Origin.ABSENT]


def test_too_few_for_a_job_are_looked_for() -> None:
    rows = _rows(3)
    rows[0].attempts = 1
    assert _inserting().choose(rows) == set()
    assert all(one.origin is None for one in rows)


def test_half_a_job_of_rows_of_long_ago_is_inserted() -> None:
    rows = _rows(2, old=True)
    assert _inserting().choose(rows) == {one.key for one in rows}
    assert _inserting().choose([*rows[:1], *_rows(2)[1:]]) == set()
    assert _inserting().choose(rows[:1]) == set()


def test_without_a_unique_column_or_with_a_match_rule_rows_are_looked_for() -> None:
    assert _inserting(unique=False).choose(_rows(9)) == set()
    assert _inserting(rules=MATCHED).choose(_rows(9)) == set()


def test_rows_that_were_not_made_lose_their_origin_and_many_of_them_make_the_next_be_looked_for() -> None:
    inserting, rows = _inserting(), _rows(9)
    inserting.choose(rows)
    made = [Result(one, "003", created=True) for one in rows[:6]]
    inserting.note_inserted([*made, *(Result(one, error=THERE) for one in rows[6:8]), Result(rows[8])])
    assert [one.origin for one in rows] == [Origin.ABSENT] * 6 + [None] * 3
    assert inserting.choose(_rows(9)) == set()


def test_when_a_look_finds_few_rows_the_next_ones_are_inserted_again() -> None:
    inserting, rows = _inserting(), _rows(9)
    inserting.note_inserted([Result(one, error=THERE) for one in rows])
    inserting.note_looked(rows)
    assert len(inserting.choose(_rows(9))) == 9


def test_refusals_for_other_reasons_don_t_make_the_next_be_looked_for() -> None:
    inserting, rows = _inserting(), _rows(9)
    inserting.note_inserted([Result(one, error=RowError("STRING_TOO_LONG", (), "")) for one in rows])
    assert len(inserting.choose(_rows(9))) == 9
