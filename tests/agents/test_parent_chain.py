"""A row with several parents, each in a partition of its own: however their answers interleave, the newest version has the newest of each."""

from __future__ import annotations

from collections import deque
from typing import Any, cast

import hypothesis.strategies as st
from hypothesis import given, settings

from agents.parent_effects import Create, Effect, Forward, Hop, Later, Lookup
from agents.parents import Parents
from tests.agents.rows import CODEC, row
from tests.agents.test_parents import Memory
from topics.messages import Need, Ready, Waiting
from topics.version import renumbered

PARENTS = ("practice:7", "user:3", "document:5")
STAND_IN = {"practice:7": "practice:~unassigned", "user:3": "user:~nobody"}
COLUMNS = {"practice:7": "AccountId", "user:3": "OwnerId", "document:5": "File__c"}


class Chain:
    """Partitions of ``refs``, one for each parent; messages between them arrive in any order, but in order within one."""

    def __init__(self) -> None:
        names = [*PARENTS, *STAND_IN.values()]
        self.parents = {
            name: Parents(Memory(), lambda raw, _key: cast("Waiting", CODEC.decode(raw)[1]), iter(())) for name in names
        }
        self.due: dict[str, deque[Waiting]] = {name: deque() for name in names}
        self.sent: list[Ready] = []

    def pass_on(self, made: Ready, needs: list[Need]) -> None:
        if not needs:
            self.sent.append(made)
            return
        first, *left = needs
        message: Waiting = {
            "parent": first["parent"],
            "child": made["reference"],
            "row": made,
            "column": first["column"],
            "on_absent": first["on_absent"],
            "left": left,
        }
        self.due[first["parent"]].append(message)

    def arrive(self, name: str) -> None:
        if self.due[name]:
            message = self.due[name].popleft()
            raw = CODEC.encode("waiting", message)
            self.follow(list(self.parents[name].waiting(cast("Waiting", CODEC.decode(raw)[1]), raw, 1000)))

    def settle(self) -> None:
        while any(self.due.values()):
            for name in self.due:
                self.arrive(name)

    def follow(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Forward(waiting, sf_id, told):
                    made = waiting["row"]
                    made["columns"][waiting["column"]] = sf_id
                    made["version"] = renumbered(made["version"], told, len(waiting["left"]))
                    self.pass_on(made, waiting["left"])
                case Later(waiting):
                    waiting["row"]["columns"][waiting["column"]] = None
                    self.pass_on(waiting["row"], waiting["left"])
                case Hop(waiting):
                    stand_in = STAND_IN[waiting["parent"]]
                    need: Need = {"column": waiting["column"], "parent": stand_in, "on_absent": "hold"}
                    self.pass_on(waiting["row"], [need, *waiting["left"]])
                case Create(parent, _):
                    self.follow(list(self.parents[parent].landed(parent, "stand-in", 1, 1000)))
                case Lookup():
                    pass
                case _:
                    raise AssertionError(effect)


step = st.one_of(
    st.tuples(st.just("arrive"), st.sampled_from([*PARENTS, *STAND_IN.values()])),
    st.tuples(st.just("absent"), st.sampled_from(PARENTS[:2])),
    st.tuples(st.just("lands"), st.sampled_from(PARENTS)),
    st.tuples(st.just("row"), st.just("")),
    st.tuples(st.just("settle"), st.just("")),
)


@given(st.lists(step, max_size=40))
@settings(max_examples=500, deadline=None)
def test_whatever_the_order_of_answers_the_newest_version_has_the_newest_of_each(steps: list[tuple[str, str]]) -> None:
    chain, ids, epochs, number = Chain(), dict[str, str](), dict.fromkeys(PARENTS, 0), 0

    def begin() -> None:
        nonlocal number
        number += 1
        policies = ("placeholder", "placeholder", "later")
        needs: list[Need] = [
            {"column": COLUMNS[name], "parent": name, "on_absent": policy}
            for name, policy in zip(PARENTS, policies, strict=True)
        ]
        chain.pass_on(row("lab_result:1", number), needs)

    def land(name: str) -> None:
        # Only a document's row is another one with each content; others keep theirs.
        epochs[name] += 1
        ids[name] = f"{name}#{epochs[name] if name == 'document:5' else 1}"
        chain.follow(list(chain.parents[name].landed(name, ids[name], 1, 1000)))

    begin()
    for what, name in steps:
        match what:
            case "arrive":
                chain.arrive(name)
            case "absent":
                chain.follow(list(chain.parents[name].absent(name, 1000)))
            case "lands":
                land(name)
            case "settle":
                chain.settle()
            case _:
                begin()
    for name in PARENTS:
        land(name)
    chain.settle()
    newest = max(chain.sent, key=lambda one: one["version"])
    assert newest["columns"] == {COLUMNS[name]: ids[name] for name in PARENTS}
    said: dict[str, Any] = {}
    for sent in chain.sent:
        assert said.setdefault(sent["version"], sent["columns"]) == sent["columns"], "one version says two things"
