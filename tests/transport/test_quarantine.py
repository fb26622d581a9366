"""The count of crashes travels with the partition, in the metadata of its committed offset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.quarantine import Suspicion, another

OFFSETS = st.integers(0, 2**62)


@given(st.integers(0, 10**6), OFFSETS)
def test_a_suspicion_survives_the_metadata(crashes: int, until: int) -> None:
    assert Suspicion.decode(Suspicion(crashes, until).encode()) == Suspicion(crashes, until)


@pytest.mark.parametrize("metadata", ["", "crashes=1", "crashes=x;until=2", "somebody else's", "crashes=1;until=2;"])
def test_other_metadata_raises_no_suspicion(metadata: str) -> None:
    assert Suspicion.decode(metadata) is None


@given(OFFSETS, st.lists(st.integers(0, 500), min_size=1, max_size=5))
def test_crashes_at_the_same_place_add_up_whatever_the_chunk_borders(first: int, sizes: list[int]) -> None:
    suspicion = None
    for size in sizes:
        suspicion = another(suspicion, first, first + size)
    assert suspicion == Suspicion(len(sizes), first + max(sizes))


def test_the_head_is_taken_alone_after_the_second_crash_and_only_as_far_as_it_reaches() -> None:
    once = another(None, 10, 19)
    assert not once.alone(10)
    twice = another(once, 10, 14)
    assert twice.alone(10)
    assert twice.alone(19)
    assert not twice.alone(20)


def test_a_crash_behind_the_suspected_run_counts_anew() -> None:
    assert another(Suspicion(2, 19), 20, 29) == Suspicion(1, 29)
