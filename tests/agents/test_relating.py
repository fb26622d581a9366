"""Relations of a patient with further practices: which of them Salesforce makes by itself follows the account that the patient's row has."""

from __future__ import annotations

from typing import cast

import pytest

from agents.parent_effects import Effect, Hold, Relate
from agents.parents import Parents
from tests.agents.rows import CODEC, version, waiting
from tests.agents.test_parents import Memory
from topics.messages import Waiting

PATIENT = "patient:1"
SOBJECT = "AccountContactRelation"


class Bench:
    """A patient's partition; each method gives the effects of one message."""

    def __init__(self) -> None:
        self.state = Memory()

        def decode(raw: bytes, key: bytes) -> Waiting:
            return cast("Waiting", CODEC.decode(raw)[1])

        relating = {SOBJECT: ("ContactId", "AccountId")}
        self.parents = Parents(self.state, decode, iter(()), relating=relating)

    def relation(self, child: str, account: str, second: int = 0) -> list[Effect]:
        message = waiting(child, PATIENT, second)
        message["column"] = "ContactId"
        message["row"]["sobject"] = SOBJECT
        message["row"]["columns"] = {"AccountId": account, "Roles": "Specialist"}
        return list(self.parents.waiting(message, CODEC.encode("waiting", message), 0))

    def landed(self, account: str | None, second: int = 0, sf_id: str = "003A", epoch: int = 1) -> list[Effect]:
        since = None if account is None else version(second)
        return list(self.parents.landed(PATIENT, sf_id, epoch, 0, account, since))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def told(effects: list[Effect]) -> dict[str, tuple[str, bool]]:
    """By relation: the contact's id, and whether it is the direct one."""
    return {one.waiting["child"]: (one.sf_id, one.direct) for one in effects if isinstance(one, Relate)}


def test_a_relation_waits_for_its_patient_and_is_told_whether_it_is_the_direct_one(bench: Bench) -> None:
    assert bench.relation("m:1", "001A") == []
    assert bench.relation("m:2", "001B") == []
    assert told(bench.landed("001A")) == {"m:1": ("003A", True), "m:2": ("003A", False)}


def test_a_relation_that_comes_later_is_told_at_once(bench: Bench) -> None:
    bench.landed("001A")
    assert told(bench.relation("m:1", "001A")) == {"m:1": ("003A", True)}
    assert told(bench.relation("m:2", "001B")) == {"m:2": ("003A", False)}


def test_when_the_patient_moves_only_relations_with_the_former_and_the_new_practice_are_told_again(
    bench: Bench,
) -> None:
    for name in "ABC":
        bench.relation(f"m:{name}", f"001{name}")
    bench.landed("001A", 0)
    assert told(bench.landed("001B", 1)) == {"m:A": ("003A", False), "m:B": ("003A", True)}
    assert bench.landed("001B", 2) == []
    assert told(bench.landed("", 3)) == {"m:B": ("003A", False)}


def test_an_older_landing_told_again_does_not_move_the_patient_back(bench: Bench) -> None:
    bench.relation("m:1", "001A")
    bench.landed("001B", 5)
    assert bench.landed("001A", 1) == []
    assert bench.landed(None) == []
    assert told(bench.relation("m:1", "001A", 1)) == {"m:1": ("003A", False)}


def test_a_patient_that_is_made_again_has_all_relations_told_again(bench: Bench) -> None:
    bench.relation("m:1", "001A")
    bench.relation("m:2", "001B")
    bench.landed("001A", 0)
    assert list(bench.parents.gone(PATIENT, 1, 0)) == []
    assert told(bench.landed("001A", 0, "003Z", 2)) == {"m:1": ("003Z", True), "m:2": ("003Z", False)}


def test_the_newest_version_of_a_relation_is_the_one_that_is_told_again(bench: Bench) -> None:
    bench.landed("001A", 0)
    bench.relation("m:1", "001A", 2)
    assert bench.relation("m:1", "001C", 1) == []
    assert told(bench.relation("m:1", "001B", 3)) == {"m:1": ("003A", False)}
    assert told(bench.landed("001B", 1)) == {"m:1": ("003A", True)}
    assert told(bench.landed("001A", 2)) == {"m:1": ("003A", False)}


def test_a_relation_that_waits_again_is_not_told_as_it_was(bench: Bench) -> None:
    bench.landed("001A", 0)
    bench.relation("m:1", "001B")
    list(bench.parents.gone(PATIENT, 1, 0))
    assert [type(one) for one in bench.relation("m:1", "001C")] == [Hold]
    (again,) = [one for one in bench.landed("001A", 1, "003Z", 2) if isinstance(one, Relate)]
    assert again.waiting["row"]["columns"]["AccountId"] == "001C"


def test_what_is_not_known_of_a_patients_account_keeps_no_relation_back(bench: Bench) -> None:
    bench.landed(None)
    assert told(bench.relation("m:1", "001A")) == {"m:1": ("003A", False)}
    assert told(bench.landed("001A", 1)) == {"m:1": ("003A", True)}
