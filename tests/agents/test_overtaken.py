"""A row that differs is a mismatch only when no later landing of it can be unread."""

from __future__ import annotations

from typing import Any, cast

from agents.verify import Check, Verify
from tests.transport.chunks import assignment
from transport.assignment import TopicPartition

IN = TopicPartition("in", 0)


def differs(tries: int, *, unread: int) -> bool:
    """Whether a row that has differed so often is read once more, with so many records of its partition unread."""
    current = assignment()
    current.ends = lambda tp: current.positions[tp] + unread
    check = Check(cast("Any", {}), current, IN, cast("Any", None), tries)
    return Verify._may_be_overtaken(check)


def test_a_row_that_differs_is_read_again_a_few_times_and_is_a_mismatch_then() -> None:
    assert [differs(tries, unread=0) for tries in range(6)] == [True] * 4 + [False] * 2


def test_while_landings_are_unread_it_is_no_mismatch_but_not_for_ever() -> None:
    assert [differs(tries, unread=1) for tries in (4, 15, 16)] == [True, True, False]
