"""What is held and rejected is accounted for only by a declared kind of dirt, or by a parent that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cutover.explained import Reason, reasons
from cutover.ledger import schema
from cutover.ledger.apply import Writer
from cutover.ledger.read import Reader
from tests.cutover.records import Log, codec
from topics.catalogue import Catalogue

Told = Callable[..., list[Reason]]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Puts outcomes into a ledger, `reference=(outcome, code, detail)`, and says the reasons for the given kinds of dirt."""

    def tell(kinds: set[str], outcomes: dict[str, tuple[str, str | None, str | None]]) -> list[Reason]:
        path = tmp_path / "ledger.sqlite3"
        connection, log = schema.open_to_write(path), Log()
        for reference, (outcome, code, detail) in outcomes.items():
            log.change(reference, 1)
            what = {"held": "hold", "rejected": "reject", "loaded": "create"}[outcome]
            log.operation(reference, 1, what=what, outcome=outcome, code=code, detail=detail)
        Writer(connection, Catalogue(partitions=2), codec).apply(log.batch())
        connection.close()
        with Reader(path) as reader:
            return reasons(reader, kinds)

    return tell


def test_a_code_counts_only_when_the_practice_has_dirt_that_ends_with_it(told: Told) -> None:
    outcomes = {"patient:1": ("rejected", "REQUIRED_MISSING", None), "patient:2": ("rejected", "TEXT_TOO_LONG", None)}
    assert told({"missing_surnames"}, outcomes) == [
        Reason("patient", "rejected", "REQUIRED_MISSING", 1, 1),
        Reason("patient", "rejected", "TEXT_TOO_LONG", 1, 0),
    ]


def test_a_child_is_accounted_for_when_its_parent_is_rejected_held_or_unknown_and_not_when_it_is_there(
    told: Told,
) -> None:
    found = told(
        {"missing_surnames"},
        {
            "patient:1": ("rejected", "REQUIRED_MISSING", None),
            "patient:2": ("held", "WAITING_FOR_PARENT", "practice:9"),
            "patient:3": ("loaded", None, None),
            "appointment:1": ("held", "PARENT_REJECTED", "patient:1"),
            "appointment:2": ("held", "PARENT_REJECTED", "patient:2"),
            "appointment:3": ("held", "PARENT_REJECTED", "patient:3"),
        },
    )
    assert [(one.object, one.records, one.explained) for one in found] == [
        ("appointment", 3, 2),
        ("patient", 1, 1),
        ("patient", 1, 1),
    ]


def test_a_hold_for_an_owner_is_never_accounted_for(told: Told) -> None:
    outcomes = {"appointment:1": ("held", "OWNER_UNDECIDED", "user:7")}
    assert told({"providers_without_email"}, outcomes) == [Reason("appointment", "held", "OWNER_UNDECIDED", 1, 0)]


def test_a_document_that_is_never_ready_is_accounted_for_by_its_kind(told: Told) -> None:
    outcomes = {"document:1": ("held", "DOCUMENT_NOT_PROCESSED", None)}
    assert told({"unprocessed_documents"}, outcomes)[0].explained == 1
