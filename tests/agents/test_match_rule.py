"""When a row of the org is the same thing as a record of ours."""

from __future__ import annotations

from typing import Any

import pytest

from agents import adoption
from agents.adoption import MatchRule


@pytest.mark.parametrize(
    ("form", "ours", "stored"),
    [
        ("text", "O'Neil ", "o'neil"),
        ("text", "STRASSE", "straße"),
        ("email", "A@Clinic.example", "a@clinic.example"),
        ("date", "1980-01-31", "1980-01-31"),
        ("datetime", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.000+0000"),
        ("money", 12.5, "12.50"),
        ("integer", 7, 7.0),
        ("boolean", True, True),
    ],
)
def test_equal_values_match_in_whatever_form_they_come(form: str, ours: Any, stored: Any) -> None:
    rule = MatchRule({"Column": form}, "Column", [])
    assert adoption._key(rule, {"Column": ours}) == adoption._key(rule, {"Column": stored}) is not None


def test_one_column_that_differs_is_enough_not_to_match() -> None:
    rule = MatchRule({"Email": "email", "LastName": "text"}, "Email", [])
    keys = {adoption._key(rule, {"Email": "a@b.example", "LastName": name}) for name in ("Doe", "Roe")}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("among", "row", "counts"),
    [
        ({"Insurance_Carrier__c": True}, {"Insurance_Carrier__c": True}, True),
        ({"Insurance_Carrier__c": True}, {"Insurance_Carrier__c": False}, False),
        ({"Insurance_Carrier__c": False}, {"Insurance_Carrier__c": True}, False),
        ({"Insurance_Carrier__c": True}, {}, False),
        ({"Type": "payer"}, {"Type": "Payer"}, True),
        ({"Type": "Payer"}, {"Type": None}, False),
        ({"Type": None}, {"Type": ""}, True),
        ({"Type": None}, {"Type": "Payer"}, False),
        ({"Type": "Payer", "Insurance_Carrier__c": True}, {"Type": "Payer", "Insurance_Carrier__c": False}, False),
        ({}, {"Type": "Payer"}, True),
    ],
)
def test_only_rows_that_have_what_the_map_asks_for_are_looked_at(
    among: dict[str, Any], row: dict[str, Any], counts: bool
) -> None:
    assert adoption._is_among(MatchRule({"Name": "text"}, "Name", [], among), row) is counts


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_an_empty_value_matches_nothing_not_even_another_empty_one(empty: str | None) -> None:
    rule = MatchRule({"Email": "email", "LastName": "text"}, "Email", [])
    assert adoption._key(rule, {"Email": empty, "LastName": "Doe"}) is None
