"""The guard: nothing at or below what landed is written again, facet by facet."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.rowstate import RowState, digest
from tests.agents.rows import row
from topics.messages import Ready


def facet(name: str, made: Ready) -> Ready:
    return {**made, "facet": name}


def test_nothing_at_or_below_what_landed_is_new() -> None:
    state = RowState().after(row("patient:1", 5), "003A", created=True)
    assert [state.has(row("patient:1", number)) for number in (4, 5, 6)] == [True, True, False]


def test_each_facet_has_a_version_of_its_own() -> None:
    state = RowState().after(row("patient:1", 5), "003A", created=True)
    other = facet("insurance", row("patient:1", 3))
    assert not state.has(other)
    state = state.after(other, "003A", created=False)
    assert state.has(other)
    assert not state.has(row("patient:1", 6))
    assert (state.sf_id, state.epoch) == ("003A", 1)


def test_a_delete_leaves_its_version_behind_even_of_a_row_that_never_landed() -> None:
    state = RowState().after(row("patient:1", 5, op="delete"), None, created=False)
    assert state.has(row("patient:1", 5))
    assert not state.has(row("patient:1", 6))
    assert (state.sf_id, state.epoch) == (None, 0)


def test_a_row_that_comes_back_is_of_a_new_epoch() -> None:
    state = RowState().after(row("patient:1", 1), "003A", created=True)
    state = state.after(row("patient:1", 2, op="delete"), None, created=False)
    state = state.after(row("patient:1", 3), "003B", created=True)
    assert (state.sf_id, state.epoch) == ("003B", 2)


@given(st.dictionaries(st.text(max_size=4), st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text())))
def test_a_state_survives_being_stored_and_its_digest_tells_content_apart(columns: dict[str, Any]) -> None:
    made = row("patient:1", 2)
    made["columns"] = {"LastName": "x"} | columns
    state = RowState().after(made, "003A", created=True)
    again = RowState.decode(state.encode())
    assert again == state
    backwards = dict(reversed(list(made["columns"].items())))
    assert again.digests["owner"] == digest(backwards)
    assert again.digests["owner"] != digest({**backwards, "LastName": "y"})


def test_nothing_stored_is_an_empty_state() -> None:
    assert RowState.decode(None) == RowState()
    assert not RowState().has(row("patient:1", 1))
