"""Any interleaving of children and fates, with crashes that replay a part of the log: every child ends where it belongs.

After a crash the messages since the last committed offset come again over the state that they have made already; so do their effects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast
from unittest import mock

import hypothesis.strategies as st
from hypothesis import given, settings

from agents import parents as module
from agents.parent_effects import Check, Continue, Create, Effect, Forward, Hold, Hop, Lookup, Refuse
from agents.parents import Parents
from tests.agents.rows import CODEC, waiting
from tests.agents.test_parents import Memory
from topics.messages import Waiting

PARENTS = ("practice:1", "practice:2")
STAND_IN = "practice:~unassigned"
CHILDREN = tuple(f"patient:{number}" for number in range(6))
Message = tuple[object, ...]

child = st.tuples(
    st.just("child"),
    st.sampled_from(CHILDREN),
    st.sampled_from(PARENTS),
    st.integers(1, 3),
    st.sampled_from(["hold", "placeholder", "reject"]),
)
fate = st.tuples(
    st.just("fate"),
    st.sampled_from(PARENTS),
    st.sampled_from(["land", "reject", "delete", "absent", "vanish", "doubt"]),
)
harm = st.one_of(
    st.tuples(st.just("replay"), st.integers(1, 12)), st.tuples(st.just("restart")), st.tuples(st.just("overdue"))
)
STEPS = st.one_of(child, child, child, fate, fate, harm)


class World:
    """One partition of ``refs`` with its log, and what has been said of each parent so far."""

    def __init__(self) -> None:
        self.state = Memory()
        self.log: list[Message] = []
        self.position = 0
        self.furthest = 0
        self.epochs = dict.fromkeys((*PARENTS, STAND_IN), 0)
        self.alive: dict[str, str] = {}  # as written to the log: the row that the parent has now
        self.missing: set[str] = set()  # somebody has deleted that row, and its loader doesn't know
        self.told: dict[str, str | None] = dict.fromkeys((*PARENTS, STAND_IN))  # as read from the log
        self.forwarded: dict[tuple[str, str], dict[str, str]] = {}  # (child, parent) -> version -> id
        self.refused: set[tuple[str, str, str]] = set()
        self.held: set[tuple[str, str, str]] = set()
        self.hopped: set[tuple[str, str]] = set()
        self.newest: dict[tuple[str, str], str] = {}
        self.created = 0
        self.parents = self.opened()

    def opened(self) -> Parents:
        decode = lambda raw, _key: cast("Waiting", CODEC.decode(raw)[1])  # noqa: E731
        stored = [(key, value) for key, value in self.state.pairs.items() if key.startswith(b"W|")]
        self.parents = Parents(self.state, decode, iter(stored))
        return self.parents

    # -- what others write to the log --------------------------------------------------------------------------------------

    def do(self, step: Message) -> None:
        match step:
            case ("child", who, parent, number, on_absent):
                self.say("waiting", waiting(str(who), str(parent), cast("int", number), on_absent=str(on_absent)))
            case ("fate", parent, what):
                self.live(str(parent), str(what))
            case ("replay", back):
                self.work()
                self.position = max(0, self.position - cast("int", back))
                self.restart()
            case ("restart",):
                self.restart()
            case ("overdue",):
                self.work()
                self.carry_out(self.parents.overdue(10**9, 5, 10))

    def live(self, parent: str, what: str) -> None:
        """A parent's life as the load agent tells it: it lands under a new epoch, and only a row that is there goes."""
        if what == "land" and parent not in self.alive:
            self.epochs[parent] += 1
            self.missing.discard(parent)
            self.alive[parent] = f"001-{parent}-{self.epochs[parent]}"
            self.say("landed", parent, self.alive[parent], self.epochs[parent])
        elif what == "delete":
            self.alive.pop(parent, None)
            self.say("gone", parent, self.epochs[parent])
        elif what == "reject":
            self.say("rejected", parent)
        elif what == "absent":
            self.say("absent", parent)
        elif what == "vanish":
            self.missing.add(parent)
        elif what == "doubt" and parent in self.alive:
            self.say("doubted", parent, self.alive[parent])

    def look(self, parent: str) -> None:
        """The parent's loader answers a check."""
        if parent in self.alive and parent in self.missing:
            self.live(parent, "delete")
        elif parent in self.alive:
            self.say("landed", parent, self.alive[parent], self.epochs[parent])

    def say(self, *message: object) -> None:
        self.log.append(message)

    def restart(self) -> None:
        self.opened()
        self.carry_out(self.parents.unreleased)

    # -- the agent ---------------------------------------------------------------------------------------------------------

    def work(self) -> None:
        for _ in range(2000):
            if self.position == len(self.log):
                return
            message = self.log[self.position]
            self.position += 1
            if self.position > self.furthest:
                self.furthest = self.position
                self.note(message)
            self.carry_out(self.effects(message))
        raise AssertionError("it never ends")

    def note(self, message: Message) -> None:
        match message:
            case ("landed", parent, sf_id, _):
                self.told[str(parent)] = str(sf_id)
            case ("gone", parent, _):
                self.told[str(parent)] = None
            case ("waiting", row):
                key, version = self.key(cast("Waiting", row))
                self.newest[key] = max(version, self.newest.get(key, ""))

    def effects(self, message: Message) -> Iterator[Effect]:
        match message:
            case ("waiting", row):
                yield from self.parents.waiting(
                    cast("Waiting", row), CODEC.encode("waiting", cast("Waiting", row)), self.position
                )
            case ("landed", parent, sf_id, epoch):
                yield from self.parents.landed(str(parent), str(sf_id), cast("int", epoch), 0)
            case ("gone", parent, epoch):
                yield from self.parents.gone(str(parent), cast("int", epoch), 0)
            case ("rejected", parent):
                yield from self.parents.rejected(str(parent), "CODE", 0)
            case ("doubted", parent, sf_id):
                yield from self.parents.doubted(str(parent), str(sf_id), "run")
            case ("absent", parent):
                yield from self.parents.absent(str(parent), 0)
            case ("release", parent, cursor):
                yield from self.parents.release(str(parent), str(cursor), 0)

    def carry_out(self, effects: object) -> None:
        for effect in list(cast("Iterator[Effect]", effects)):
            match effect:
                case Forward(row, sf_id, _):
                    key, version = self.key(row)
                    assert sf_id == self.told[row["parent"]], "forwarded with an id that is not the parent's now"
                    self.forwarded.setdefault(key, {})[version] = sf_id
                case Hop(row):
                    self.hopped.add(self.key(row)[0])
                    self.say("waiting", {**row, "parent": STAND_IN, "on_absent": "hold"})
                case Hold(row, parent, _):
                    self.held.add((row["reference"], parent, row["version"]))
                case Refuse(row, parent):
                    self.refused.add((row["reference"], parent, row["version"]))
                case Continue(parent, cursor):
                    self.say("release", parent, cursor)
                case Create(parent, _):
                    assert parent == STAND_IN
                    self.created += 1
                    self.live(STAND_IN, "land")
                case Check(parent, _):
                    self.look(parent)
                case Lookup(parent, _):
                    assert self.told[parent] is None, "a parent that has landed is looked up"

    @staticmethod
    def key(row: Waiting) -> tuple[tuple[str, str], str]:
        return (row["child"], row["parent"]), row["row"]["version"]

    # -- the end -----------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        waits = {
            tuple(key[2:].decode().removesuffix("|owner").split("\0")) for key in self.state.pairs if key[:1] == b"W"
        }
        for (who, parent), version in self.newest.items():
            through = version in self.forwarded.get((who, parent), {})
            settled = through or (who, parent, version) in self.refused
            if self.told[parent] is not None:
                assert settled, f"{who} of {parent}, which has landed, went nowhere"
                assert (parent, who) not in waits
            else:
                assert settled or (parent, who) in waits, f"{who} of {parent} is lost"
                stuck = not settled and (who, parent) not in self.hopped
                assert not stuck or (who, parent, version) in self.held, f"{who} of {parent} waits unnamed"
        assert (self.told[STAND_IN] is not None) == bool(self.hopped)


@settings(max_examples=400, deadline=None)
@given(st.integers(5, 60).flatmap(lambda size: st.lists(STEPS, min_size=size, max_size=size)))
def test_every_child_ends_where_its_parents_fate_says(steps: list[Message]) -> None:
    with mock.patch.object(module, "PAGE", 2):
        world = World()
        for number, step in enumerate(steps):
            world.do(step)
            if number % 3 == 0:
                world.work()
        world.do(("overdue",))
        world.work()
        world.check()
