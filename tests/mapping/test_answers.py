"""Answers of submitted forms as columns of the patient's row."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.comparators import compile_comparison
from mapping.document import default_map
from mapping.parts import Counted, Counting
from mapping.plan import MappingRejected, compile_plan
from mapping.rules import Column
from mapping.text_steps import Note
from mapping.transforms import compile_step
from tests.mapping.stored import as_stored, parent_of

Row = dict[str, Any]

FORM = compile_plan(default_map(), "intake_form")
PATIENT = compile_plan(default_map(), "patient")
PERSON = {"last_name": "Doe", "updated_at": "2026-01-02T03:04:05Z"}
ALLERGIES = "Any allergies?"


def content(**answers: Any) -> str:
    """A form with these questions (`_` for a blank): texts, or lists of ticked options beside one that isn't."""
    questions = []
    for name, answer in answers.items():
        question: Row = {"name": name.replace("_", " "), "required": False, "type": "text"}
        if isinstance(answer, list):
            question["answers"] = [{"value": "Not this"}, *({"value": one, "selected": True} for one in answer)]
        else:
            question["answer"] = answer
        questions.append(question)
    return json.dumps(
        {"sections": [{"name": "One", "questions": questions[:1]}, {"name": "Two", "questions": questions[1:]}]}
    )


def form(vp_id: str, done: str | None, **answers: Any) -> Row:
    return {"id": vp_id, "completed_at": done, "updated_at": "2026-01-02T03:04:05Z", "content": content(**answers)}


def contact(forms: list[Row], custom: dict[str, str]) -> Row:
    counted = [
        Counted("intake_form", f"intake_form:{one['id']}", FORM.map(one["id"], one, {}, "r").columns) for one in forms
    ]
    mapped = PATIENT.map("1", PERSON, custom, "r")
    return as_stored(mapped._replace(columns=Counting(default_map(), "patient").complete(mapped.columns, counted)))


def told(forms: list[Row], custom: dict[str, str] | None = None) -> tuple[str | None, ...]:
    """Referral source, allergies and consent in the patient's row; the comparison agrees, and with nothing else."""
    row, given = contact(forms, custom or {}), custom or {}
    counted = [("intake_form", one, {}, f"intake_form:{one['id']}") for one in forms]
    compare = compile_comparison(default_map(), "patient").compare
    assert compare("1", PERSON, given, row, parent_of, counted=counted) == []
    for column in ("Referral_Source__c", "Allergy_Flag__c", "Consent_Status__c"):
        other = row | {column: "something else"}
        found = compare("1", PERSON, given, other, parent_of, counted=counted)
        assert [one.column for one in found] == [column]
    return tuple(row.get(column) for column in ("Referral_Source__c", "Allergy_Flag__c", "Consent_Status__c"))


def test_ticked_options_and_texts_are_answers():
    given = {
        "Any_allergies?": ["Latex", "Pollen"],
        "How_did_you_hear_of_us?": " A friend ",
        "I_agree_to_treatment": ["I agree"],
    }
    assert told([form("1", "2026-01-01T00:00:00Z", **given)]) == ("A friend", "Latex, Pollen", "I agree")


def test_each_questions_newest_answer_counts_in_whichever_form_it_was_given():
    old = form("1", "2025-01-01T00:00:00Z", **{"Any_allergies?": ["Latex"], "How_did_you_hear_of_us?": "Radio"})
    new = form("2", "2026-01-01T00:00:00Z", **{"Any_allergies?": ["None known"]})
    assert told([new, old]) == ("Radio", "None known", None)


def test_a_question_that_was_left_open_says_nothing():
    old = form("1", "2025-01-01T00:00:00Z", **{"Any_allergies?": ["Latex"]})
    assert told([old, form("2", "2026-01-01T00:00:00Z", **{"Any_allergies?": []})])[1] == "Latex"


def test_a_form_that_was_never_completed_counts_only_where_no_other_says_anything():
    draft = form("1", None, **{"Any_allergies?": ["Pollen"], "How_did_you_hear_of_us?": "Radio"})
    assert told([draft, form("2", "2020-01-01T00:00:00Z", **{"Any_allergies?": ["Latex"]})]) == ("Radio", "Latex", None)


def test_the_patients_own_field_stands_while_no_form_says_anything():
    assert told([], {"referral_source": "Web"})[0] == "Web"
    assert told([form("1", None, **{"How_did_you_hear_of_us?": "Radio"})], {"referral_source": "Web"})[0] == "Radio"


@pytest.mark.parametrize(
    "broken", ["[", "[]", "5", '"text"', '{"sections": 5}', '{"sections": [5]}', '{"sections": [{"questions": [5]}]}']
)
def test_what_is_no_form_says_nothing_and_is_reported(broken: str):
    mapped = FORM.map("1", {"content": broken}, {}, "r")
    assert {repair.code for repair in mapped.repairs} == {"INVALID_FORM_BLANKED"}
    assert told([{"id": "1", "content": broken}]) == (None, None, None)


def test_a_question_may_have_had_another_name_and_is_found_in_any_spelling():
    column = Column.model_validate({"from": "content", "answer": ["Allergies", ALLERGIES], "with": "comma"})
    notes: list[Note] = []
    step = compile_step("X", column)
    assert step({"content": content(**{"any__ALLERGIES?": ["Latex"]})}, notes) == "Latex"
    assert step({"content": content(Allergies="Pollen")}, notes) == "Pollen"
    assert step({"content": content(Other="Pollen")}, notes) is None
    assert notes == []


ANSWER = st.none() | st.text(max_size=8) | st.integers() | st.booleans() | st.lists(st.text(max_size=4), max_size=3)
OPTION = st.fixed_dictionaries({}, optional={"value": ANSWER, "selected": st.sampled_from([True, False, None, "true"])})
QUESTION = st.fixed_dictionaries(
    {"name": st.sampled_from([ALLERGIES, "any ALLERGIES?", "I agree to treatment", "Other", None])},
    optional={"answer": ANSWER, "answers": st.none() | st.lists(OPTION | st.none(), max_size=3)},
)
SECTION = st.fixed_dictionaries({}, optional={"questions": st.none() | st.lists(QUESTION, max_size=4)})
CONTENT = (
    st.none()
    | st.text(max_size=6)
    | st.fixed_dictionaries({"sections": st.lists(SECTION, max_size=3)}).map(json.dumps)
    | st.recursive(
        ANSWER, lambda inner: st.dictionaries(st.sampled_from(["sections", "questions", "name"]), inner)
    ).map(json.dumps)
)
FORMS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["1", "2", "10"]),
            "completed_at": st.sampled_from([None, "2025-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "x"]),
            "updated_at": st.sampled_from(["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]),
            "content": CONTENT,
        }
    ),
    unique_by=lambda one: one["id"],
    max_size=3,
)


@given(FORMS)
@settings(max_examples=400, deadline=None)
def test_both_agree_on_what_forms_say(forms: list[Row]):
    try:
        row = contact(forms, {})
    except MappingRejected:
        return
    counted = [("intake_form", one, {}, f"intake_form:{one['id']}") for one in forms]
    found = compile_comparison(default_map(), "patient").compare("1", PERSON, {}, row, parent_of, counted=counted)
    assert found == []
