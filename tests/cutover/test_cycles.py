"""Circles of records that wait for each other are found, each once, and broken at one place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cutover.cycles import breaks, circles


def test_a_circle_is_broken_at_its_smallest_id() -> None:
    ring = {"practice:10": "practice:9", "practice:9": "practice:11", "practice:11": "practice:10"}
    assert breaks(ring) == [{"parent": "practice:11", "child": "practice:9"}]


def test_who_waits_for_one_in_a_circle_or_for_nobody_known_is_in_none() -> None:
    waits = {
        "patient:1": "practice:1",
        "practice:1": "practice:2",
        "practice:2": "practice:1",
        "patient:2": "practice:9",
    }
    assert [set(circle) for circle in circles(waits)] == [{"practice:1", "practice:2"}]


def test_one_that_waits_for_itself_is_a_circle() -> None:
    assert breaks({"practice:1": "practice:1"}) == [{"parent": "practice:1", "child": "practice:1"}]


names = st.integers(0, 12).map(str)


@given(st.dictionaries(names, names))
def test_without_the_links_that_are_broken_nobody_waits_in_a_circle(waits: dict[str, str]) -> None:
    broken = {one["child"] for one in breaks(waits)}
    left = {child: parent for child, parent in waits.items() if child not in broken}
    assert not list(circles(left))
    assert len(broken) == len(list(circles(waits)))
    for start in waits:
        seen, here = set(), start
        while here in left and here not in seen:
            seen.add(here)
            here = left[here]
        assert here not in seen
