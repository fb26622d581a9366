"""Texts that wait for the files of their images: when they go on, with what, and when they are told again."""

from __future__ import annotations

import pytest

from agents.parent_effects import Check, Effect, Forward, Hold, Without
from agents.picturing import MOST_ANSWERS, fill, retellable
from mapping.image_slots import ADDRESS, slot
from tests.agents.rows import row, waiting
from tests.agents.test_parents import Bench, codes
from topics.messages import Need, Waiting
from topics.version import LAST_RESOLUTION, TELLINGS

IMAGE = "document:12"
FILE, OTHER = "069000000000001AAA", "069000000000002AAA"


def text(number: int = 1, left: int = 0) -> Waiting:
    needs: tuple[Need, ...] = tuple(need(f"document:{100 + n}") for n in range(left))
    return waiting("note:7", IMAGE, number, on_absent="named", left=needs)


def need(parent: str, on_absent: str = "named") -> Need:
    return {"column": "Description", "parent": parent, "on_absent": on_absent}


def landed(bench: Bench, sf_id: str, document: str | None, epoch: int = 1) -> list[Effect]:
    return list(bench.parents.landed(IMAGE, sf_id, epoch, bench.now, document=document))


def told(effects: list[Effect]) -> list[tuple[str | None, int]]:
    return [(one.sf_id, one.told) for one in effects if isinstance(one, Forward)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_text_waits_for_its_image_and_has_the_files_document_and_not_its_version(bench: Bench) -> None:
    assert bench.waiting(text()) == []
    assert told(landed(bench, "068A", FILE)) == [(FILE, 0)]
    assert bench.children() == []
    assert told(bench.waiting(text(2))) == [(FILE, 0)]


@pytest.mark.parametrize("fate", ["rejected", "absent", "gone"])
@pytest.mark.parametrize("first", ["text", "fate"])
def test_a_text_goes_on_without_an_image_that_does_not_come_and_is_told_when_it_does(
    bench: Bench, fate: str, first: str
) -> None:
    if fate == "gone":
        landed(bench, "068A", FILE)
    effects = [] if first == "fate" else bench.waiting(text())
    effects += {
        "rejected": lambda: bench.rejected(IMAGE),
        "absent": lambda: bench.absent(IMAGE),
        "gone": lambda: bench.gone(1, IMAGE),
    }[fate]()
    effects = bench.waiting(text(2)) if first == "fate" or fate == "gone" else effects
    assert codes(effects) == ["Without"]
    assert isinstance(effects[0], Without)
    bench.opened()
    effects = landed(bench, "068B", OTHER, epoch=2)
    assert [sf_id for sf_id, _ in told(effects)][-1] == OTHER
    assert all(number > 0 for _, number in told(effects))


def test_a_new_version_of_the_file_tells_nobody_and_another_file_does(bench: Bench) -> None:
    landed(bench, "068A", FILE)
    bench.waiting(text())
    assert landed(bench, "068B", FILE) == []
    bench.gone(1, IMAGE)
    assert told(landed(bench, "068C", OTHER, epoch=2)) == [(OTHER, 3)]


def test_of_a_file_that_landed_before_files_told_their_document_the_loader_is_asked(bench: Bench) -> None:
    bench.waiting(text())
    assert landed(bench, "068A", None) == [Check(IMAGE, "run-1")]
    assert bench.waiting(text(2)) == [Check(IMAGE, "run-1")]
    assert bench.children() == [f"{IMAGE} <- note:7|owner"]
    bench.opened()
    assert told(landed(bench, "068A", FILE)) == [(FILE, 0)]
    assert bench.children() == []


def test_an_image_that_nobody_has_spoken_of_is_looked_up_and_the_text_held_by_name(bench: Bench) -> None:
    bench.waiting(text())
    effects = bench.overdue(11)
    assert [type(one).__name__ for one in effects] == ["Lookup", "Hold"]
    held = effects[1]
    assert isinstance(held, Hold)
    assert (held.code, held.parent) == ("WAITING_FOR_PARENT", IMAGE)


def test_beyond_what_a_version_has_room_for_a_text_is_told_once(bench: Bench) -> None:
    bench.waiting(text(left=MOST_ANSWERS))
    assert codes(bench.rejected(IMAGE)) == ["Without"]
    assert landed(bench, "068A", FILE) == []
    assert told(bench.waiting(text(2, left=MOST_ANSWERS))) == [(FILE, 0)]
    bench.gone(1, IMAGE)
    assert landed(bench, "068B", OTHER, epoch=2) == []


@pytest.mark.parametrize("images", [0, 1, 7, 8, 30])
def test_every_answer_that_may_change_has_its_digits_in_the_version(images: int) -> None:
    parents = [need("patient:1", "hold"), need("provider:1", "placeholder")]
    needs = retellable([*parents, *(need(f"document:{n}") for n in range(images))])
    assert sorted(str(one) for one in needs) == sorted(
        str(one) for one in [*parents, *(need(f"document:{n}") for n in range(images))]
    )
    for place, one in enumerate(needs):
        left = len(needs) - place - 1
        if one["on_absent"] != "named" or left < MOST_ANSWERS:
            assert (TELLINGS - 1) * TELLINGS**left <= LAST_RESOLUTION


def test_an_address_goes_into_each_slot_of_its_image_and_no_other() -> None:
    made = row("note:7", Description=f"a {slot(IMAGE)} b {slot('document:1')} {slot(IMAGE)}")
    fill(made, need(IMAGE), FILE)
    fill(made, need("document:1"), None)
    assert made["columns"]["Description"] == f"a {ADDRESS}{FILE} b (not moved: document:1) {ADDRESS}{FILE}"
