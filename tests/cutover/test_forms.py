"""The forms of a practice as a reference for rebuilding them: every question and where its answers go, and no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cutover import forms
from mapping.document import default_map
from sandbox.process import SandboxProcess
from sandbox.visual_practice import vocabulary
from tests.cutover.test_cli import Shell, carryover

__all__ = ["carryover"]


@pytest.fixture(scope="module")
def clinic() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(patients=30, practices=2, only="visual-practice", clean=True) as sandbox:
        yield sandbox


def exported(carryover: Shell, clinic: SandboxProcess, monkeypatch: pytest.MonkeyPatch, to: Path) -> Any:
    monkeypatch.setenv("CARRYOVER_SOURCE__URL", clinic.visual_practice["url"])
    monkeypatch.setenv("CARRYOVER_SOURCE__API_KEY", clinic.visual_practice["api_key"])
    code, told = carryover.json("forms", "export", "--to", str(to))
    assert code == 0, told
    return told


def test_every_question_is_told_with_its_type_its_options_and_where_it_goes(
    carryover: Shell, clinic: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = exported(carryover, clinic, monkeypatch, tmp_path / "new" / "forms")
    found = json.loads((tmp_path / "new" / "forms" / "forms.json").read_text())["forms"]
    asked = [
        (form["name"], section["name"], question["name"], question["type"], question["required"])
        for form in vocabulary.FORMS
        for section in form["sections"]
        for question in section["questions"]
    ]
    written = [
        (form["name"], one["section"], one["name"], one["type"], one["required"])
        for form in found
        for one in form["questions"]
    ]
    assert written[: len(asked)] == asked
    questions = {one["name"]: one for form in found for one in form["questions"]}
    assert questions["Any allergies?"]["columns"] == ["Contact.Allergy_Flag__c"]
    assert questions["Any allergies?"]["options"] == ["Latex", "Penicillin", "Peanuts", "Pollen", "None known"]
    assert questions["Referral source"]["columns"] == ["Contact.Referral_Source__c"]
    assert questions["Emergency contact"]["columns"] == []
    assert told == {"forms": 3, "questions": len(written), "moved": 4, "directory": str(tmp_path / "new" / "forms")}
    text = (tmp_path / "new" / "forms" / "forms.md").read_text()
    assert all(question in text for _, _, question, _, _ in asked)
    assert "| Allergies | Any allergies? | checkboxes | no | Latex; Penicillin; Peanuts; Pollen; None known |" in text


def test_an_export_that_is_made_again_is_the_same(
    carryover: Shell, clinic: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = []
    for _ in range(2):
        exported(carryover, clinic, monkeypatch, tmp_path)
        files.append({path.name: path.read_bytes() for path in sorted(tmp_path.glob("forms.*"))})
    assert files[0] == files[1]


def test_a_place_that_can_not_be_written_is_one_sentence(
    carryover: Shell, clinic: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("CARRYOVER_SOURCE__URL", clinic.visual_practice["url"])
    monkeypatch.setenv("CARRYOVER_SOURCE__API_KEY", clinic.visual_practice["api_key"])
    code, _, said = carryover("forms", "export", "--to", str(tmp_path / "taken" / "below"))
    assert code == 1
    assert said.count("\n") == 1
    assert "can't be written" in said


def test_limits_are_told_and_nothing_that_might_be_an_answer() -> None:
    question = {
        "name": "Weight | kg",
        "type": "number",
        "min": 0,
        "max": 300,
        "answer": "82",
        "value": "82",
        "hint": "82",
    }
    schema = {"forms": [{"id": 1, "name": "X", "sections": [{"name": "S", "questions": [question, "no question"]}]}]}
    (form,) = forms.forms_of(schema, default_map())
    assert form.questions[0].validation == {"min": 0, "max": 300}
    text = forms.as_markdown([form])
    assert "| S | Weight \\| kg | number | no |  | min 0, max 300 | Number | nothing: say so in the map |" in text
    assert "82" not in text + json.dumps(forms.as_json([form]))


def test_a_practice_that_describes_no_forms_says_so() -> None:
    assert "describes no forms" in forms.as_markdown(forms.forms_of({}, default_map()))
