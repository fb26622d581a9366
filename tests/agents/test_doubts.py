"""Which rows that differed are looked at again."""

from __future__ import annotations

from agents.doubts import Doubts
from transport.assignment import Assignment


def assignment() -> Assignment:
    return Assignment.at(1, {})


def test_a_doubt_stays_open_until_the_row_lands_anew() -> None:
    doubts, mine = Doubts(), assignment()
    doubts.raise_("patient:1", "a", mine)
    doubts.raise_("patient:2", "a", mine)
    doubts.answer("patient:2")
    assert doubts.open("patient:1", "a")
    assert not doubts.open("patient:2", "a")
    assert len(doubts) == 0


def test_a_doubt_of_a_newer_landing_does_not_open_the_older_one_again() -> None:
    doubts, mine = Doubts(), assignment()
    doubts.raise_("patient:1", "a", mine)
    doubts.answer("patient:1")
    doubts.raise_("patient:1", "b", mine)
    assert not doubts.open("patient:1", "a")
    assert doubts.open("patient:1", "b")
    assert len(doubts) == 0


def test_what_a_predecessor_doubted_is_looked_at_again() -> None:
    assert Doubts().open("patient:1", "a")


def test_doubts_of_partitions_that_went_elsewhere_are_forgotten() -> None:
    doubts, gone, mine = Doubts(), assignment(), assignment()
    doubts.raise_("patient:1", "a", gone)
    doubts.raise_("patient:2", "a", mine)
    gone.close()
    doubts.forget_stale()
    assert len(doubts) == 1
    doubts.answer("patient:1")
    assert doubts.open("patient:1", "a"), "it knows nothing of it any more"
