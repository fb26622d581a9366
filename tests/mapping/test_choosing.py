"""Which of several records speaks in a row: the primary insurance policy in its patient's."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.comparators import compile_comparison
from mapping.document import default_map
from mapping.parts import Counted, Counting
from mapping.plan import compile_plan
from tests.mapping.stored import as_stored, parent_of

Row = dict[str, Any]

COVERAGE = compile_plan(default_map(), "coverage")
PATIENT = compile_plan(default_map(), "patient")
PERSON = {"last_name": "Doe", "updated_at": "2026-01-02T03:04:05Z"}
COLUMNS = {"Policy_Number__c": "policy_number", "Group_Number__c": "group_number", "Subscriber_ID__c": "subscriber_id"}


def policy(vp_id: str, **more: Any) -> Row:
    known = {"id": vp_id, "policy_number": f"P{vp_id}", "priority": "1", "updated_at": "2024-06-01T12:00:00Z"}
    return known | more


def contact(policies: list[Row], document: Any = None) -> Row:
    """The row of a patient with these policies, as Salesforce stores it."""
    document = document or default_map()
    plan = compile_plan(document, "coverage")
    counted = [
        Counted("coverage", f"coverage:{one['id']}", plan.map(one["id"], one, {}, "r").columns) for one in policies
    ]
    mapped = PATIENT.map("1", PERSON, {}, "r")
    return as_stored(mapped._replace(columns=Counting(document, "patient").complete(mapped.columns, counted)))


def differing(policies: list[Row], row: Row, document: Any = None) -> list[str]:
    counted = [("coverage", one, {}, f"coverage:{one['id']}") for one in policies]
    comparison = compile_comparison(document or default_map(), "patient")
    return [one.column for one in comparison.compare("1", PERSON, {}, row, parent_of, counted=counted)]


def told(policies: list[Row], document: Any = None) -> str | None:
    """The policy number in the patient's row; the comparison agrees."""
    row = contact(policies, document)
    assert differing(policies, row, document) == []
    return row.get("Policy_Number__c")


def test_the_policy_with_the_lowest_order_is_the_primary_one():
    assert told([policy("1", priority="2"), policy("2", priority="1"), policy("3", priority="10")]) == "P2"


def test_of_equal_order_the_one_that_started_last_is():
    assert told([policy("1", starts_on="2022-01-01"), policy("2", starts_on="2024-01-01"), policy("3")]) == "P2"


def test_one_without_an_order_comes_last():
    assert told([policy("1", priority=None), policy("2", priority="9")]) == "P2"
    assert told([policy("1", priority=None), policy("2", priority="first")]) == "P1"


def test_of_two_alike_the_smaller_reference_is():
    assert told([policy("10"), policy("9")]) == "P9"


def test_without_a_policy_the_fields_are_empty():
    assert told([]) is None


def test_all_fields_are_of_the_same_policy_even_where_it_has_no_value():
    first, second = policy("1", subscriber_id="S1"), policy("2", priority="2", group_number="G2", subscriber_id="S2")
    row = contact([first, second])
    assert {column: row.get(column) for column in COLUMNS} == {
        "Policy_Number__c": "P1",
        "Group_Number__c": None,
        "Subscriber_ID__c": "S1",
    }
    assert differing([first, second], row | {"Group_Number__c": "G2"}) == ["Group_Number__c"]
    assert differing([first, second], row | {"Policy_Number__c": "P2"}) == ["Policy_Number__c"]


@pytest.mark.parametrize(
    ("ends", "written", "is_over"),
    [
        ("2024-05-31", "2024-06-01T12:00:00Z", True),
        ("2024-06-01", "2024-06-01T12:00:00Z", True),  # ended on the day on which somebody wrote so
        ("2024-12-31", "2024-06-01T12:00:00Z", False),
        (None, "2024-06-01T12:00:00Z", False),
        ("soon", "2024-06-01T12:00:00Z", False),
    ],
)
def test_a_policy_is_over_when_it_had_ended_by_the_day_it_was_written(ends: str | None, written: str, is_over: bool):
    assert told([policy("1", ends_on=ends, updated_at=written)]) == (None if is_over else "P1")


def test_a_policy_that_ended_gives_way_to_the_one_that_followed():
    old = policy("1", ends_on="2024-12-31", updated_at="2023-11-02T12:00:00Z")
    new = policy("2", priority="2", starts_on="2025-01-01", updated_at="2025-01-07T12:00:00Z")
    assert told([old]) == "P1"
    assert told([old, new]) == "P2"
    assert told([old, policy("2", priority="2", starts_on="2025-01-01", updated_at="2024-11-30T12:00:00Z")]) == "P1"


def test_the_map_can_name_a_day_by_which_what_ended_is_over():
    policies = [policy("1", ends_on="2024-12-31")]
    later = default_map().model_copy(update={"as_of": "2025-01-01"})
    assert told(policies) == "P1"
    assert told(policies, later) is None


DAYS = st.sampled_from([None, "2023-01-01", "2024-01-01", "2024-06-01", "2025-01-01", "0001-01-01", "x"])
POLICIES = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["1", "2", "9", "10", "11", "a"]),
            "policy_number": st.sampled_from([None, "", " ", "A", "B ", "C\x00"]),
            "group_number": st.sampled_from([None, "G1", "G2"]),
            "priority": st.sampled_from([None, "1", "2", "10", "02", "x", "-1"]),
            "starts_on": DAYS,
            "ends_on": DAYS,
            "updated_at": st.sampled_from(["2023-06-01T12:00:00Z", "2024-06-01T00:00:00Z", "2025-06-01T23:59:59Z"]),
        }
    ),
    unique_by=lambda one: one["id"],
    max_size=5,
)


@given(POLICIES, st.integers(0, 1000))
@settings(max_examples=400, deadline=None)
def test_the_choice_is_the_same_in_any_order_and_the_comparison_agrees(policies: list[Row], seed: int):
    row = contact(policies)
    shuffled = random.Random(seed).sample(policies, len(policies))
    assert contact(shuffled) == row
    assert differing(policies, row) == []
    assert row.get("Policy_Number__c") is None or differing([], row) != []
