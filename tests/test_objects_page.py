"""The page that says which test proves which object names tests that there are, and leaves no object out."""

from __future__ import annotations

import re

import pytest

from tests.collected import ROOT, exists

PAGE = (ROOT / "docs" / "objects.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", PAGE, re.MULTILINE))
ROWS = (
    "Patient",
    "Practice, referring physician",
    "Appointment",
    "Invoice, payment",
    "Insurance record",
    "Intake form, compliance note",
    "User, provider",
    "Document",
    "Insurance carrier",
    "Lab result, imaging record",
)
NAMED = re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)


def test_every_row_of_the_mapping_has_a_section() -> None:
    assert [name.partition(" → ")[0] for name in SECTIONS if " → " in name] == list(ROWS)


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_every_line_names_a_test_or_says_what_is_not_there(section: str) -> None:
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ") and "shown by" not in line]
    assert len(lines) > 1
    assert [line for line in lines if "`tests/" not in line and "**" not in line and "docs/" not in line] == []
    assert "`tests/" in SECTIONS[section]


def test_every_test_that_is_named_exists() -> None:
    tests = [name for name in NAMED if "::" in name]
    assert len(tests) > 40
    assert [name for name in tests if not exists(name)] == []
    assert [name for name in NAMED if not (ROOT / name.partition("::")[0]).is_file()] == []
