"""Whether something goes on: the two implementations, and one against the other."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.comparators import compile_comparison
from mapping.document import MapErrors, default_map, default_map_text, load_map
from mapping.plan import MappingRejected, Plan, compile_plan
from mapping.rules import MapDocument

NAME = "practice_membership"
RULE = "{from: ends_on, as: ongoing, seen: updated_at, on_invalid: blank}"
LINKS = {"patient_id": "1", "practice_id": "2"}


def changed(*, head: str = "", rule: str = RULE) -> MapDocument:
    return load_map(head + default_map_text().replace(RULE, rule), "map")


def active(plan: Plan, ends: str | None, seen: str | None = "2026-03-10T12:00:00Z") -> Any:
    return plan.map("7", LINKS | {"ends_on": ends, "updated_at": seen}, {}, "r").columns["IsActive"]


@pytest.mark.parametrize(
    ("ends", "goes_on"),
    [
        (None, True),
        ("", True),
        ("0001-01-01", True),
        ("2026-03-11", True),
        ("2026-03-10", False),
        ("2020-01-01", False),
    ],
)
def test_what_had_ended_when_its_record_was_last_written_is_over(ends: str | None, goes_on: bool) -> None:
    assert active(compile_plan(default_map(), NAME), ends) is goes_on


def test_the_day_is_that_of_the_practices_clock() -> None:
    plan = compile_plan(changed(head="time_zone: Pacific/Kiritimati\n"), NAME)
    assert active(plan, "2026-03-11", "2026-03-10T12:00:00Z") is False


def test_the_map_may_name_a_day_that_has_been() -> None:
    plan = compile_plan(changed(head="as_of: 2026-06-30\n"), NAME)
    assert (active(plan, "2026-06-30"), active(plan, "2026-07-01")) == (False, True)


def test_an_end_that_is_no_date_is_reported_and_counts_as_none() -> None:
    found = compile_plan(default_map(), NAME).map("7", LINKS | {"ends_on": "soon"}, {}, "r")
    assert found.columns["IsActive"] is True
    assert "INVALID_DATE_BLANKED" in {repair.code for repair in found.repairs}
    with pytest.raises(MappingRejected, match="INVALID_DATE"):
        active(compile_plan(changed(rule="{from: ends_on, as: ongoing, seen: updated_at}"), NAME), "soon")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{from: ends_on, as: ongoing}", "go together"),
        ("{from: ends_on, as: date, seen: updated_at}", "go together"),
        ("{from: ends_on, as: ongoing, seen: written}", "has no field `written`"),
        ("{constant: true, seen: updated_at}", "`seen` means nothing here"),
    ],
)
def test_a_rule_that_makes_no_sense_is_told(rule: str, words: str) -> None:
    with pytest.raises(MapErrors, match=words):
        changed(rule=rule)


DAYS = st.dates().map(str) | st.sampled_from(["", "0001-01-01", "2026-02-30", "soon", "1699-12-31"])


WRITTEN = st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(lambda day: f"{day}T10:00:00Z")


@given(DAYS | st.none(), WRITTEN | st.none(), st.sampled_from(["", "2026-06-30"]))
def test_the_comparison_expects_what_the_plan_writes(ends: str | None, seen: str | None, as_of: str) -> None:
    document = default_map().model_copy(update={"as_of": as_of or None})
    fields = LINKS | {"ends_on": ends, "updated_at": seen}
    row = compile_plan(document, NAME).map("7", fields, {}, "r").columns
    compare = compile_comparison(document, NAME).compare
    links = {"AccountId": "A", "ContactId": "C"}
    of = {"A": "practice:2", "C": "patient:1"}
    assert not [one for one in compare("7", fields, {}, row | links, of.get) if one.column == "IsActive"]
    wrong = row | links | {"IsActive": not row["IsActive"]}
    assert [one.rule for one in compare("7", fields, {}, wrong, of.get) if one.column == "IsActive"] == ["ongoing"]
