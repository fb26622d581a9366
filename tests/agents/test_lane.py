"""A lane: newest wins, one write in flight per row, and a chunk is done exactly when its rows are."""

from __future__ import annotations

from typing import cast

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agents.item import Item, Ticket
from agents.lane import Lane, Recalled
from agents.rowstate import Origin
from tests.agents.rows import item, row
from topics.messages import Batch
from transport.chunk import Chunk


class Counted:
    """A chunk, and its assignment, that counts how often it is said to be done."""

    tp, last = ("topic", 0), 7

    def __init__(self) -> None:
        self.done_count = 0

    @property
    def assignment(self) -> Counted:
        return self

    def done(self, tp: tuple[str, int], last: int) -> None:
        assert (tp, last) == (self.tp, self.last)
        self.done_count += 1


def ticket() -> tuple[Ticket, Counted]:
    counted = Counted()
    return Ticket(cast("Chunk", counted)), counted


def alone(reference: str, number: int, *, facet: str = "owner", op: str = "upsert") -> tuple[Item, Counted]:
    """A row alone in its chunk."""
    made, counted = ticket()
    return item({**row(reference, number, op=op), "facet": facet}, made), counted


def offer(lane: Lane, made: Item) -> None:
    for finished in lane.offer(made):
        finished.finish()


def test_a_row_knows_the_parents_of_the_versions_whose_place_it_takes() -> None:
    lane, versions = Lane(0), [alone("attachment:1", number)[0] for number in (1, 2, 3, 4)]
    for version, parents in zip(versions, (("A",), ("B",), ("",), ("D",)), strict=True):
        version.parents = parents
    for version in (versions[0], versions[1], versions[3], versions[2]):  # the third comes too late
        offer(lane, version)
    assert list(lane.queued.values()) == [versions[3]]
    assert versions[3].earlier == {"A", "B"}


def test_an_end_knows_the_version_that_a_dead_loader_may_have_written() -> None:
    lane = Lane(0)
    lane.recalled["patient:1", "owner"] = Recalled("batch", alone("patient:1", 2)[0].version, Origin.ABSENT)
    for number in (1, 2):
        offer(lane, alone("patient:1", number)[0])
    flag, again = alone("patient:1", 3, op="flag")[0], alone("patient:1", 4, op="flag")[0]
    offer(lane, flag)
    offer(lane, again)
    former = lane.unheard(again)
    assert former is not None
    assert former.version == lane.recalled["patient:1", "owner"].version


def test_an_end_knows_the_version_whose_answer_was_lost() -> None:
    lane = Lane(0)
    sent, flag = alone("patient:1", 1)[0], alone("patient:1", 2, op="flag")[0]
    offer(lane, sent)
    lane.take([sent])
    offer(lane, flag)
    lane.land([sent])
    sent.attempts = 1  # it is queued again, behind the newer one
    offer(lane, sent)
    assert lane.unheard(flag) is sent


def test_a_version_that_was_never_sent_made_no_row() -> None:
    lane = Lane(0)
    for op in ("upsert", "flag"):
        made = alone("patient:1", 1 if op == "upsert" else 2, op=op)[0]
        offer(lane, made)
    assert lane.unheard(made) is None


def test_a_chunk_is_done_when_its_last_row_is() -> None:
    made, counted = ticket()
    items = []
    for number in range(3):
        made.take()
        items.append(item(row(f"patient:{number}"), made))
    made.settle()
    for one in items[:2]:
        one.finish()
    assert counted.done_count == 0
    items[2].finish()
    items[2].finish()
    assert counted.done_count == 1


def test_a_chunk_without_rows_is_done_at_once() -> None:
    made, counted = ticket()
    made.settle()
    assert counted.done_count == 1


def test_a_newer_version_replaces_a_waiting_one_and_keeps_its_origin() -> None:
    lane = Lane(0)
    old, old_chunk = alone("patient:1", 1)
    old.origin = Origin.ABSENT
    new, new_chunk = alone("patient:1", 2)
    offer(lane, old)
    offer(lane, new)
    assert list(lane.queued.values()) == [new]
    assert new.origin is Origin.ABSENT
    assert (old_chunk.done_count, new_chunk.done_count) == (1, 0)


def test_an_older_version_of_what_waits_or_flies_is_finished_at_once() -> None:
    lane = Lane(0)
    new, new_chunk = alone("patient:1", 2)
    offer(lane, new)
    old, old_chunk = alone("patient:1", 1)
    offer(lane, old)
    lane.take([new])
    older, older_chunk = alone("patient:1", 1)
    offer(lane, older)
    assert (old_chunk.done_count, older_chunk.done_count, new_chunk.done_count) == (1, 1, 0)
    assert not lane.queued


def test_the_same_version_again_waits_with_the_first() -> None:
    lane = Lane(0)
    first, first_chunk = alone("patient:1", 1)
    offer(lane, first)
    again, again_chunk = alone("patient:1", 1)
    offer(lane, again)
    lane.take([first])
    third, third_chunk = alone("patient:1", 1)
    offer(lane, third)
    assert first_chunk.done_count == again_chunk.done_count == third_chunk.done_count == 0
    lane.land([first])
    first.finish()
    assert first_chunk.done_count == again_chunk.done_count == third_chunk.done_count == 1


def test_a_refused_row_whose_newer_version_waits_is_superseded_and_hands_its_origin_on() -> None:
    # A row that may have been written must not look foreign to the version after it.
    lane = Lane(0)
    old, old_chunk = alone("patient:1", 1)
    offer(lane, old)
    old.origin = Origin.ABSENT
    lane.take([old])
    new, _ = alone("patient:1", 2)
    offer(lane, new)
    lane.land([old])
    offer(lane, old)
    assert old_chunk.done_count == 1
    assert new.origin is Origin.ABSENT


def test_a_row_in_flight_keeps_every_facet_of_it_on_the_ground() -> None:
    lane = Lane(0)
    owner, _ = alone("patient:1", 1)
    insurance, _ = alone("patient:1", 1, facet="insurance")
    offer(lane, owner)
    offer(lane, insurance)
    assert list(lane.candidates(0)) == [owner]
    lane.take([owner])
    assert list(lane.candidates(0)) == []
    lane.land([owner])
    assert list(lane.candidates(0)) == [insurance]


def test_a_row_that_is_to_wait_is_no_candidate_before_its_time() -> None:
    lane = Lane(0)
    one, _ = alone("patient:1", 1)
    one.not_before = 100.0
    offer(lane, one)
    assert list(lane.candidates(99.9)) == []
    assert list(lane.candidates(100)) == [one]


def test_a_recalled_batch_is_open_until_the_last_of_its_rows_has_come_again() -> None:
    lane = Lane(0)
    for number in (1, 2):
        lane.recalled[f"patient:{number}", "owner"] = Recalled("batch", "v", Origin.ABSENT, "003A", created=True)
    assert lane.recall(("patient:9", "owner")) is None
    assert lane.recall(("patient:1", "owner")) is not None
    assert lane.open_batches() == {"batch"}
    lane.recall(("patient:2", "owner"))
    assert lane.open_batches() == set()


class LaneModel(RuleBasedStateMachine):
    """Rows come in any order, batches leave, land, and are refused in part; every chunk is done once, every newest version sent."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane(0)
        self.chunks: list[tuple[Counted, str, str]] = []
        self.newest: dict[str, str] = {}
        self.sent: dict[str, str] = {}
        self.flights: list[list[Item]] = []

    @rule(who=st.integers(1, 4), number=st.integers(1, 6))
    def a_row_comes(self, who: int, number: int) -> None:
        made, counted = alone(f"patient:{who}", number)
        reference, version = made.row["reference"], made.row["version"]
        self.chunks.append((counted, reference, version))
        self.newest[reference] = max(version, self.newest.get(reference, ""))
        offer(self.lane, made)

    @rule(most=st.integers(1, 4))
    def a_batch_leaves(self, most: int) -> None:
        members = list(self.lane.candidates(0))[:most]
        if members:
            self.lane.take(members)
            self.flights.append(members)
            in_the_air = [one.row["reference"] for flight in self.flights for one in flight]
            assert len(set(in_the_air)) == len(in_the_air), "two writes of one row in flight"

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def a_batch_lands(self, data: st.DataObject) -> None:
        flight = self.flights.pop(data.draw(st.integers(0, len(self.flights) - 1)))
        self.lane.land(flight)
        for one in flight:
            if data.draw(st.booleans()):
                reference, version = one.row["reference"], one.row["version"]
                self.sent[reference] = max(version, self.sent.get(reference, ""))
                one.finish()
            else:
                offer(self.lane, one)

    @invariant()
    def a_chunk_is_done_once_and_only_when_its_row_or_a_newer_one_is_on_its_way(self) -> None:
        open_ = {one.row["reference"]: one.row["version"] for one in self.lane.flying.values()}
        for one in self.lane.queued.values():
            open_[one.row["reference"]] = max(one.row["version"], open_.get(one.row["reference"], ""))
        for counted, reference, version in self.chunks:
            assert counted.done_count <= 1
            if counted.done_count:
                assert version <= max(self.sent.get(reference, ""), open_.get(reference, "")), "done and lost"
        assert len(self.lane.flying) == sum(map(len, self.flights))

    def teardown(self) -> None:
        for _ in range(100):
            for flight in self.flights:
                self.lane.land(flight)
                for one in flight:
                    self.sent[one.row["reference"]] = max(one.row["version"], self.sent.get(one.row["reference"], ""))
                    one.finish()
            self.flights.clear()
            members = list(self.lane.candidates(0))
            if not members:
                break
            self.lane.take(members)
            self.flights.append(members)
        assert self.sent == self.newest
        assert all(counted.done_count == 1 for counted, _, _ in self.chunks)


TestLane = LaneModel.TestCase


def test_the_journal_entry_of_a_batch_speaks_for_its_rows_until_those_that_are_sent_again_are_settled() -> None:
    lane = Lane(0)
    first, second = item(row("patient:1", 1)), item(row("patient:2", 1))
    first.origin = second.origin = Origin.ABSENT
    batch = cast("Batch", {"id": "batch-1", "rows": 3})
    assert not lane.remember(batch, [])
    assert lane.remember(batch, [first, second])
    assert not lane.remember(cast("Batch", {"id": "batch-2", "rows": 1}), [first]), "the first entry speaks for it"
    assert lane.recalled[first.key].origin is Origin.ABSENT
    lane.recall(first.key)
    assert lane.open_batches() == {"batch-1"}
    lane.recall(second.key)
    assert lane.open_batches() == set()
    assert lane.recalled_rows == {"batch-1": 3}
