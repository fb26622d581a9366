"""Rows of several lanes that leave together: they share look-ups, calls and Bulk jobs. Each lane has a journal entry of its own and settles its own rows.

What one owner may know of a lane's rows is in that lane's partition: after a crash, or when another worker gets only some of the partitions, each of them finds
the job in its own entry, and in the job's results its own rows. All lanes of a worker have one assignment, and lose it together.
"""

from __future__ import annotations

from collections.abc import Iterable

from agents.item import Item
from agents.lane import Lane
from agents.rowstate import RowState
from agents.settlement import Member
from transport.assignment import Assignment, TopicPartition


class Flight:
    """Rows on their way.

    Arguments:
        assignment: under which they are sent.
        topic: of the rows.

    Attributes:
        members: the rows, with what is known of each before the flight; sorted by parent by `board`.
    """

    def __init__(self, assignment: Assignment, topic: str) -> None:
        self.assignment = assignment
        self._topic = topic
        self._lanes: dict[Item, Lane] = {}
        self.members: list[Member] = []

    def __len__(self) -> int:
        return len(self.members)

    def add(self, lane: Lane, item: Item, state: RowState) -> None:
        self._lanes[item] = lane
        self.members.append((item, state))

    def board(self) -> None:
        """Takes the rows out of their lanes' queues, and sorts them by parent, so that rows of one parent lock it once."""
        for lane, members in self.by_lane(self.members):
            lane.take([item for item, _ in members])
        self.members.sort(key=_parents)

    def part(self, members: Iterable[Member]) -> Flight:
        """A flight of some of the rows."""
        part = Flight(self.assignment, self._topic)
        for item, state in members:
            part.add(self._lanes[item], item, state)
        return part

    def lane(self, item: Item) -> Lane:
        return self._lanes[item]

    def by_lane(self, members: Iterable[Member]) -> list[tuple[Lane, list[Member]]]:
        """``members`` lane by lane."""
        found: dict[int, tuple[Lane, list[Member]]] = {}
        for member in members:
            lane = self._lanes[member[0]]
            found.setdefault(lane.partition, (lane, []))[1].append(member)
        return [*found.values()]

    def touch(self) -> None:
        """Tells the watchdog that the rows' partitions are being worked on.

        Raises:
            StaleAssignment: they are ours no longer.
        """
        touch(self.assignment, self._topic, {lane.partition for lane in self._lanes.values()})


def touch(assignment: Assignment, topic: str, partitions: Iterable[int]) -> None:
    """Tells the watchdog that partitions of ``topic`` are being worked on.

    Raises:
        StaleAssignment: they are ours no longer.
    """
    assignment.check()
    for partition in partitions:
        tp = TopicPartition(topic, partition)
        if tp in assignment.positions:
            assignment.touch(tp)


def _parents(member: Member) -> tuple[str, ...]:
    return member[0].parents
