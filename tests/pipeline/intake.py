"""What patients said in forms, written down a second time for a few columns; nothing is shared with the product's mapping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = dict[str, list[Record]]

QUESTIONS = {"Any allergies?": "Allergy_Flag__c", "I agree to treatment": "Consent_Status__c"}
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def ticked(form: Record, question: str) -> str | None:
    """The ticked options of a question, None when there are none."""
    for section in form["content"]["sections"]:
        for one in section["questions"]:
            chosen = [each["value"] for each in one.get("answers", ()) if each.get("selected")]
            if one["name"] == question and chosen:
                return ", ".join(chosen)
    return None


def newest_first(forms: list[Record]) -> list[Record]:
    """By when they were completed, then by when they were written, then by id."""
    found = sorted(forms, key=lambda one: int(one["id"]))
    found.sort(key=lambda one: datetime.fromisoformat(one["updated_at"]), reverse=True)
    at = lambda one: datetime.fromisoformat(one["completed_at"]) if one["completed_at"] else _NEVER  # noqa: E731
    return sorted(found, key=at, reverse=True)


def check_answers(source: Records, contacts: dict[str, Record], wanted: Iterable[str]) -> None:
    """Every patient's row has the newest answer to each question."""
    of: dict[str, list[Record]] = defaultdict(list)
    for one in source.get("intake-forms", ()):
        of[f"patient:{one['patient_id']}"].append(one)
    for reference in wanted:
        for question, column in QUESTIONS.items():
            said = next(filter(None, (ticked(form, question) for form in newest_first(of[reference]))), None)
            assert contacts[reference].get(column) == said, f"{column} of {reference}"


def form(vp_id: str, of: str, done: str, *allergies: str, **more: Any) -> Record:
    """A form with one question, completed at ``done``, as tests put it into the practice."""
    options = ("Latex", "Pollen", "None known")
    answers = [{"value": one, "selected": one in allergies} for one in options]
    question = {"name": "Any allergies?", "type": "checkboxes", "required": False, "answers": answers}
    content = {"sections": [{"name": "Allergies", "questions": [question]}]}
    return {"id": vp_id, "patient_id": of, "name": "Intake", "completed_at": done, "content": content, **more}
