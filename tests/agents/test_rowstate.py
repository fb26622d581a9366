"""The guard: nothing at or below what landed is written again, facet by facet."""

from __future__ import annotations

from agents.rowstate import RowState
from tests.agents.rows import row
from topics.messages import Ready


def facet(name: str, made: Ready) -> Ready:
    return {**made, "facet": name}


def has(state: RowState, made: Ready) -> bool:
    return state.has(made["facet"], made["version"])


def test_nothing_at_or_below_what_landed_is_new() -> None:
    state = RowState().after(row("patient:1", 5), "003A", created=True)
    assert [has(state, row("patient:1", number)) for number in (4, 5, 6)] == [True, True, False]


def test_each_facet_has_a_version_of_its_own() -> None:
    state = RowState().after(row("patient:1", 5), "003A", created=True)
    other = facet("insurance", row("patient:1", 3))
    assert not has(state, other)
    state = state.after(other, "003A", created=False)
    assert has(state, other)
    assert not has(state, row("patient:1", 6))
    assert (state.sf_id, state.epoch) == ("003A", 1)


def test_a_delete_leaves_its_version_behind_even_of_a_row_that_never_landed() -> None:
    state = RowState().after(row("patient:1", 5, op="delete"), None, created=False)
    assert has(state, row("patient:1", 5))
    assert not has(state, row("patient:1", 6))
    assert (state.sf_id, state.epoch) == (None, 0)


def test_a_row_that_comes_back_is_of_a_new_epoch() -> None:
    state = RowState().after(row("patient:1", 1), "003A", created=True)
    state = state.after(row("patient:1", 2, op="delete"), None, created=False)
    state = state.after(row("patient:1", 3), "003B", created=True)
    assert (state.sf_id, state.epoch) == ("003B", 2)


def test_a_state_survives_being_stored() -> None:
    state = RowState().after(row("patient:1", 2), "003A", created=True, digest="d1")
    state = state.after(facet("insurance", row("patient:1", 3)), "003A", digest="d2")
    again = RowState.decode(state.encode())
    assert again == state
    assert again.digests == {"owner": "d1", "insurance": "d2"}


def test_a_row_that_was_taken_over_stays_known_as_such_until_it_is_gone() -> None:
    state = RowState().after(row("patient:1", 1), "003A", created=True, adopted=True)
    state = RowState.decode(state.after(row("patient:1", 2), "003A").encode())
    assert state.adopted
    assert not state.after(row("patient:1", 3, op="delete"), None).adopted


def test_a_state_from_before_there_was_adoption_is_read() -> None:
    assert RowState.decode(b'["003A",1,{"owner":"v"},{}]') == RowState("003A", 1, {"owner": "v"}, {}, adopted=False)


def test_nothing_stored_is_an_empty_state() -> None:
    assert RowState.decode(None) == RowState()
    assert not has(RowState(), row("patient:1", 1))


def test_what_landed_last_may_be_written_again_once_the_row_is_lost_but_nothing_older() -> None:
    state = RowState().after(row("patient:1", 5), "003A", created=True, digest="d1").missed()
    state = RowState.decode(state.encode())
    assert (state.sf_id, state.epoch, state.lost) == (None, 1, True)
    assert [has(state, row("patient:1", number)) for number in (4, 5, 6)] == [True, False, False]
    back = state.after(row("patient:1", 5), "003A", created=True)
    assert (back.epoch, back.lost) == (2, False)
    assert has(back, row("patient:1", 5))


def test_an_adopted_row_that_is_lost_is_still_somebody_elses() -> None:
    state = RowState().after(row("patient:1", 1), "003A", created=True, adopted=True).missed()
    assert RowState.decode(state.encode()).adopted


def test_whom_a_row_was_given_is_known_until_the_row_is_gone() -> None:
    state = RowState().after(row("invoice:1", 1), "006A", created=True, contact="003A")
    state = RowState.decode(state.after(row("invoice:1", 2, op="flag"), "006A").encode())
    assert (state.contact, state.adopted) == ("003A", False)
    assert RowState.decode(state.after(row("invoice:1", 3), "006A", contact="").encode()).contact == ""
    assert state.after(row("invoice:1", 3, op="delete"), None).contact is None


def test_a_state_from_before_there_were_contact_roles_does_not_know() -> None:
    assert RowState.decode(b'["006A",1,{"owner":"v"},{}]').contact is None
    assert RowState.decode(b'["006A",1,{"owner":"v"},{},true]').contact is None


def test_a_row_that_was_written_in_part_is_known_and_its_version_is_not() -> None:
    landed = RowState().after(row("invoice:1", 1), "006A", created=True, digest="d1", contact="003A")
    state = landed.half(row("invoice:1", 2), "006A", created=False, adopted=False)
    assert not has(state, row("invoice:1", 2))
    assert has(state, row("invoice:1", 1))
    assert (state.digests, state.contact, state.epoch) == ({}, None, 1)
    fresh = RowState().half(row("invoice:2", 1), "006B", created=True, adopted=True)
    assert (fresh.sf_id, fresh.epoch, fresh.adopted, fresh.versions) == ("006B", 1, True, {})
