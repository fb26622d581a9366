"""When landings are read back."""

from __future__ import annotations

from dataclasses import dataclass

from agents.readback import FEW, LONG_SILENCE, PATIENCE, SHORT_SILENCE, ripe
from connectors.salesforce.collections import MOST_IDS

IDLE = 0.5


@dataclass
class Waits:
    due: float = PATIENCE * IDLE


def count(number: int, *, silence: float = 0.0, now: float = 1.0) -> int:
    return len(list(ripe({"patient": [Waits() for _ in range(number)]}, idle=IDLE, silence=silence, now=now)))


def test_what_fills_calls_is_read_at_once_and_the_rest_waits_for_company() -> None:
    assert count(MOST_IDS - 1) == 0
    assert count(2 * MOST_IDS + 3) == 2 * MOST_IDS


def test_a_few_are_read_after_a_short_silence_many_after_a_long_one() -> None:
    assert count(FEW - 1, silence=IDLE) == 0, "what was read within its second lands again"
    assert count(FEW - 1, silence=SHORT_SILENCE * IDLE) == FEW - 1
    assert count(FEW, silence=SHORT_SILENCE * IDLE) == 0
    assert count(FEW, silence=LONG_SILENCE * IDLE) == FEW


def test_nothing_waits_longer_than_it_may_however_many_come() -> None:
    assert count(FEW, now=PATIENCE * IDLE) == FEW


def test_each_object_waits_for_itself() -> None:
    patients, visits = [Waits() for _ in range(FEW)], [Waits()]
    assert (
        list(ripe({"patient": patients, "appointment": visits}, idle=IDLE, silence=SHORT_SILENCE * IDLE, now=1.0))
        == visits
    )
    assert list(ripe({"patient": []}, idle=IDLE, silence=0.0, now=PATIENCE * IDLE)) == []


def test_into_a_full_window_none_can_come_and_the_objects_that_have_waited_longer_are_read() -> None:
    waiting = {
        "patient": [Waits(10.0) for _ in range(FEW)],
        "appointment": [Waits(50.0) for _ in range(FEW)],
        "invoice": [Waits(20.0), Waits(59.0)],
    }
    assert list(ripe(waiting, idle=IDLE, silence=0.0, now=1.0)) == []
    assert list(ripe(waiting, idle=IDLE, silence=0.0, now=1.0, full=True)) == waiting["patient"] + waiting["invoice"]
    assert (
        list(ripe({"note": waiting["appointment"]}, idle=IDLE, silence=0.0, now=1.0, full=True))
        == waiting["appointment"]
    )
    assert list(ripe({"note": []}, idle=IDLE, silence=0.0, now=1.0, full=True)) == []


def test_a_full_window_is_emptied_by_whole_calls_first() -> None:
    waiting = {"patient": [Waits(10.0) for _ in range(FEW)], "note": [Waits(50.0) for _ in range(MOST_IDS + 1)]}
    assert list(ripe(waiting, idle=IDLE, silence=0.0, now=1.0, full=True)) == waiting["note"][:MOST_IDS]
