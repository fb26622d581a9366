"""Who owns what: a match, a decision, and what a new version of a user keeps of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from agents.ownership import AMBIGUOUS, INACTIVE, NO_EMAIL, UNMATCHED, Entry, match
from tests.agents.rows import version


def entry(number: int = 1, email: str | None = "Ann@clinic.example") -> Entry:
    return Entry("user", version(number), "run-1", "vp.user", 0, number, email, "Ann")


def user(sf_id: str, email: str | None = "ann@CLINIC.example", **more: Any) -> dict[str, Any]:
    return {"Id": sf_id, "Email": email, "IsActive": True, "UserType": "Standard", **more}


def test_the_one_active_user_with_the_same_email_owns() -> None:
    others = [user("005B", "bob@clinic.example"), user("005C", IsActive=False), user("005D", UserType="Guest")]
    found = match(entry(), [*others, user("005A")])
    assert (found.sf_id, found.how, found.code) == ("005A", "matched", None)


@pytest.mark.parametrize(
    ("email", "users", "code"),
    [
        (None, [user("005A", None)], NO_EMAIL),
        ("", [user("005A", "")], NO_EMAIL),
        ("ann@clinic.example", [], UNMATCHED),
        ("ann@clinic.example", [user("005A", "anna@clinic.example")], UNMATCHED),
        ("ann@clinic.example", [user("005A", IsActive=False)], INACTIVE),
        ("ann@clinic.example", [user("005A", UserType="PowerPartner")], INACTIVE),
        ("ann@clinic.example", [user("005A"), user("005B")], AMBIGUOUS),
    ],
)
def test_why_nobody_owns_is_said(email: str | None, users: list[dict[str, Any]], code: str) -> None:
    found = match(entry(email=email), users)
    assert (found.open, found.code) == (True, code)


def test_another_answer_is_told_as_a_newer_version_and_the_same_one_is_not() -> None:
    first = entry().answered("005A", "matched")
    assert first.told == version(1)
    assert first.answered("005A", "matched") == first
    second = first.answered("005B", "decided", "admin")
    assert second.told > first.told
    assert (second.sf_id, second.by) == ("005B", "admin")


def test_a_new_version_keeps_a_decision_and_a_match_by_the_same_email() -> None:
    decided = entry().answered("005A", "decided", "admin")
    assert entry(2, "other@clinic.example").succeeds(decided).sf_id == "005A"
    matched = entry().answered("005A", "matched")
    assert entry(2).succeeds(matched).sf_id == "005A"
    assert entry(2, "other@clinic.example").succeeds(matched).open


def test_who_stands_for_another_has_that_ones_answer_whatever_it_was_before() -> None:
    first = entry().answered("005A", "same")
    again = entry().answered("005B", "same").succeeds(first)
    assert again.sf_id == "005B"
    assert again.told > first.told


def test_an_entry_is_stored_and_read() -> None:
    stored = entry().answered("005A", "decided", "admin")
    assert Entry.decode(stored.encode()) == stored
