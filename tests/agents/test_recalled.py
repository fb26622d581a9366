"""What a dead owner may have written counts when a row is compared with what is known of it."""

from __future__ import annotations

from agents.lane import Recalled
from agents.load import Load
from agents.rowstate import Origin, RowState
from tests.agents.rows import item, row, version

BEFORE = item(row("patient:1", 1, LastName="First"))
STATE = RowState("003", 1, {"owner": version(1)}, {"owner": BEFORE.digest})


def test_a_row_that_is_again_as_it_was_is_sent_when_a_dead_owner_may_have_written_another_in_between() -> None:
    back = item(row("patient:1", 3, LastName="First"))
    assert Load._needs_no_call(back, STATE, None)
    assert not Load._needs_no_call(back, STATE, Recalled("batch", version(2), Origin.OURS))
    assert not Load._needs_no_call(back, STATE, Recalled("batch", version(2), Origin.OURS, "003"))


def test_a_row_that_a_dead_owner_has_written_for_certain_is_not_sent_again() -> None:
    changed = item(row("patient:1", 2, LastName="Second"))
    assert Load._needs_no_call(changed, STATE, Recalled("batch", version(2), Origin.OURS, "003"))
    assert not Load._needs_no_call(changed, STATE, Recalled("batch", version(2), Origin.OURS))
