"""The page about dirty data says what the code does."""

from __future__ import annotations

import pytest

from cutover.dirty_data import RULES
from sandbox.visual_practice import dirt
from tests.collected import exists
from tests.dirt import proofs
from tests.dirt.page import PAGE, rendered

CLASSES = (*("Absence", "Ids", "Money", "Time", "Codes", "Names", "Contact data", "Text", "Relations", "Attachments"),)


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered(), "run `make dirt`"


def test_every_kind_has_a_line_and_no_line_is_of_a_kind_that_there_is_not() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    assert sorted(line.split(" | ")[1].strip("`") for line in lines) == sorted(dirt.KINDS)


def test_the_classes_are_those_of_the_catalogue_in_its_order() -> None:
    assert list(dict.fromkeys(rule.group for rule in RULES.values())) == list(CLASSES)


@pytest.mark.parametrize("kind", sorted(RULES))
def test_the_tests_that_are_named_exist(kind: str) -> None:
    missing = [name for name in (*proofs.EVERY, *proofs.of(kind)) if not exists(name)]
    assert not missing


def test_every_proof_is_of_a_kind_that_there_is() -> None:
    assert proofs.FURTHER.keys() <= RULES.keys()
