"""What becomes of children and their parents: every message in every state of its parent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from agents import parents as module
from agents.parent_effects import Continue, Create, Effect, Forward, Hold, Hop, Later, Lookup
from agents.parents import Parents
from tests.agents.rows import CODEC, version, waiting
from topics.messages import Waiting

PARENT = "practice:7"
STAND_IN = "practice:~unassigned"


class Memory:
    """A partition's state as a dict."""

    def __init__(self) -> None:
        self.pairs: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.pairs.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.pairs.pop(key, None)
        else:
            self.pairs[key] = value

    def scan(self, group: bytes, *, after: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        found = sorted(
            (key, value)
            for key, value in self.pairs.items()
            if key.startswith(group + b"\0") and (after is None or key > after)
        )
        return found[:limit]


class Bench:
    """Parents over a dict; each method gives the effects of one message."""

    def __init__(self) -> None:
        self.state = Memory()
        self.now = 1_000_000
        self.parents = self.opened()

    def opened(self) -> Parents:
        """As after a restart: only what is stored is known."""

        def decode(raw: bytes, key: bytes) -> Waiting:
            message = cast("Waiting", CODEC.decode(raw)[1])
            assert key == message["parent"].encode()
            return message

        stored = [(key, value) for key, value in self.state.pairs.items() if key.startswith(b"W|")]
        self.parents = Parents(self.state, decode, iter(stored))
        return self.parents

    def waiting(self, message: Waiting) -> list[Effect]:
        return list(self.parents.waiting(message, CODEC.encode("waiting", message), self.now))

    def landed(self, sf_id: str = "001A", epoch: int = 1, parent: str = PARENT) -> list[Effect]:
        return list(self.parents.landed(parent, sf_id, epoch, self.now))

    def rejected(self, parent: str = PARENT) -> list[Effect]:
        return list(self.parents.rejected(parent, "REQUIRED_MISSING", self.now))

    def gone(self, epoch: int = 1, parent: str = PARENT) -> list[Effect]:
        return list(self.parents.gone(parent, epoch, self.now))

    def doubted(self, sf_id: str, parent: str = PARENT) -> list[Effect]:
        return list(self.parents.doubted(parent, sf_id, "run-1"))

    def absent(self, parent: str = PARENT) -> list[Effect]:
        return list(self.parents.absent(parent, self.now))

    def release(self, cursor: str = "", parent: str = PARENT) -> list[Effect]:
        return list(self.parents.release(parent, cursor, self.now))

    def overdue(self, after: float = 0, *, lookup: float = 5, hold: float = 10) -> list[Effect]:
        return list(self.parents.overdue(self.now + int(after * 1000), lookup, hold))

    def children(self) -> list[str]:
        """Who waits, for whom."""
        return [key[2:].replace(b"\0", b" <- ").decode() for key in self.state.pairs if key.startswith(b"W|")]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def codes(effects: list[Effect]) -> list[str]:
    """Kind of each effect, with the code of a hold."""
    return [f"Hold {one.code}" if isinstance(one, Hold) else type(one).__name__ for one in effects]


def children_of(effects: list[Effect]) -> list[str]:
    found: list[Any] = [getattr(one, "waiting", None) or one for one in effects]
    return [one["child"] if isinstance(one, dict) else one.row["reference"] for one in found]


def bring(bench: Bench, fate: str) -> None:
    """Brings the parent to that fate."""
    for step in {"unknown": [], "gone": [bench.landed, bench.gone]}.get(fate, [getattr(bench, fate, None)]):
        assert step is not None
        step()


# -- a child arrives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "on_absent", "effects", "stays"),
    [
        ("unknown", "hold", [], True),
        ("unknown", "placeholder", [], True),
        ("unknown", "reject", [], True),
        ("landed", "hold", ["Forward"], False),
        ("landed", "placeholder", ["Forward"], False),
        ("rejected", "placeholder", ["Hold PARENT_REJECTED"], True),
        ("gone", "placeholder", ["Hold PARENT_GONE"], True),
        ("absent", "hold", ["Hold PARENT_ABSENT"], True),
        ("absent", "placeholder", ["Hop"], True),
        ("absent", "reject", ["Refuse"], False),
    ],
)
def test_a_child_finds_its_parent_with_a_fate(
    bench: Bench, fate: str, on_absent: str, effects: list[str], *, stays: bool
) -> None:
    bring(bench, fate)
    assert codes(bench.waiting(waiting("patient:1", PARENT, on_absent=on_absent))) == effects
    assert bench.children() == ([f"{PARENT} <- patient:1|owner"] if stays else [])


@pytest.mark.parametrize(
    ("fate", "on_absent", "effects", "stays"),
    [
        ("landed", "hold", ["Forward"], False),
        ("rejected", "hold", ["Hold PARENT_REJECTED"], True),
        ("gone", "hold", ["Hold PARENT_GONE"], True),
        ("absent", "hold", ["Hold PARENT_ABSENT"], True),
        ("absent", "placeholder", ["Hop"], True),
        ("absent", "reject", ["Refuse"], False),
    ],
)
def test_a_parents_fate_finds_a_waiting_child(
    bench: Bench, fate: str, on_absent: str, effects: list[str], *, stays: bool
) -> None:
    assert bench.waiting(waiting("patient:1", PARENT, on_absent=on_absent)) == []
    assert codes(getattr(bench, fate)()) == effects
    assert bench.children() == ([f"{PARENT} <- patient:1|owner"] if stays else [])


def test_a_forwarded_child_is_the_one_that_came_with_its_parents_id(bench: Bench) -> None:
    child = waiting(
        "patient:1", PARENT, left=({"column": "OwnerId", "parent": "user:3", "on_absent": "hold"},), on_absent="reject"
    )
    bench.waiting(child)
    (forward,) = bench.landed("001X")
    assert forward == Forward(child, "001X", told=0)


def test_other_parents_children_stay(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    bench.waiting(waiting("patient:2", "practice:70"))  # a longer name must not match as a prefix
    assert children_of(bench.landed()) == ["patient:1"]
    assert bench.children() == ["practice:70 <- patient:2|owner"]


def test_a_newer_version_of_a_waiting_child_replaces_it_and_an_older_one_is_dropped(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT, 5))
    assert bench.waiting(waiting("patient:1", PARENT, 3)) == []
    bench.waiting(waiting("patient:1", PARENT, 8))
    assert bench.waiting(waiting("patient:1", PARENT, 7)) == []
    (forward,) = bench.landed()
    assert isinstance(forward, Forward)
    assert forward.waiting["row"]["version"] == version(8)


def test_the_same_version_of_a_held_child_is_held_again(bench: Bench) -> None:
    bench.rejected()
    for _ in range(2):
        assert codes(bench.waiting(waiting("patient:1", PARENT))) == ["Hold PARENT_REJECTED"]


# -- a parent's fate ---------------------------------------------------------------------------------------------------


def test_landed_beats_rejected(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    assert codes(bench.rejected()) == ["Hold PARENT_REJECTED"]
    assert codes(bench.landed()) == ["Forward"]
    assert bench.rejected() == []
    assert codes(bench.waiting(waiting("patient:2", PARENT))) == ["Forward"]


def test_only_gone_of_this_epoch_undoes_landed(bench: Bench) -> None:
    bench.landed("001A", 2)
    assert bench.gone(1) == []
    assert bench.absent() == []
    assert codes(bench.waiting(waiting("patient:1", PARENT))) == ["Forward"]
    bench.gone(2)
    assert codes(bench.waiting(waiting("patient:2", PARENT))) == ["Hold PARENT_GONE"]


def test_a_repeated_landing_of_a_row_that_is_gone_is_ignored_and_a_later_one_releases(bench: Bench) -> None:
    bench.landed("001A", 1)
    bench.gone(1)
    bench.waiting(waiting("patient:1", PARENT))
    assert bench.landed("001A", 1) == []
    (forward,) = bench.landed("001B", 2)
    assert isinstance(forward, Forward)
    assert forward.sf_id == "001B"


def test_a_repeated_landing_of_a_row_that_is_gone_is_ignored_after_a_reject_too(bench: Bench) -> None:
    # The messages since the last committed offset come again over the state that they have already made.
    bench.landed("001A", 1)
    bench.gone(1)
    bench.rejected()
    bench.waiting(waiting("patient:1", PARENT))
    assert bench.landed("001A", 1) == []
    assert codes(bench.landed("001B", 2)) == ["Forward"]


def test_a_repeated_landing_does_not_replace_a_later_one(bench: Bench) -> None:
    bench.landed("001A", 1)
    bench.gone(1)
    bench.landed("001B", 2)
    bench.landed("001A", 1)
    (forward,) = bench.waiting(waiting("patient:1", PARENT))
    assert isinstance(forward, Forward)
    assert forward.sf_id == "001B"


def test_a_delete_before_the_first_landing_does_not_keep_it_from_landing(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    assert codes(bench.gone(0)) == ["Hold PARENT_GONE"]
    assert codes(bench.landed("001A", 1)) == ["Forward"]


def test_a_doubted_parent_keeps_its_children_until_its_loader_has_looked(bench: Bench) -> None:
    bench.landed("001A", 1)
    assert codes(bench.doubted("001A")) == ["Check"]
    assert bench.waiting(waiting("patient:1", PARENT)) == []
    assert bench.doubted("001A") == []
    assert codes(bench.landed("001A", 1)) == ["Forward"]
    bench.doubted("001A")
    bench.waiting(waiting("patient:2", PARENT))
    assert codes(bench.gone(1)) == ["Hold PARENT_GONE"]


def test_a_doubt_about_a_former_row_and_a_reject_of_a_doubted_one_change_nothing(bench: Bench) -> None:
    bench.landed("001B", 2)
    assert bench.doubted("001A") == []
    assert codes(bench.waiting(waiting("patient:1", PARENT))) == ["Forward"]
    bench.doubted("001B")
    assert bench.rejected() == []
    bench.waiting(waiting("patient:2", PARENT))
    assert codes(bench.landed("001B", 2)) == ["Forward"]


@pytest.mark.parametrize("fate", ["landed", "rejected", "gone"])
def test_a_late_absent_changes_nothing_that_is_known(bench: Bench, fate: str) -> None:
    bring(bench, fate)
    before = dict(bench.state.pairs)
    assert bench.absent() == []
    assert bench.state.pairs == before


def test_an_absent_parent_that_appears_is_no_longer_absent(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    bench.absent()
    assert codes(bench.landed()) == ["Forward"]
    assert bench.absent() == []


# -- placeholders ------------------------------------------------------------------------------------------------------


def test_a_placed_child_is_relinked_when_its_parent_appears(bench: Bench) -> None:
    child = waiting("patient:1", PARENT, on_absent="placeholder")
    bench.waiting(child)
    assert bench.absent() == [Hop(child)]
    assert bench.landed("001A") == [Forward(child, "001A", told=1)]
    assert bench.children() == []


def test_a_child_that_was_not_placed_is_not_relinked(bench: Bench) -> None:
    bench.absent()
    bench.waiting(waiting("patient:1", PARENT, on_absent="hold"))
    (forward,) = bench.landed()
    assert isinstance(forward, Forward)
    assert not forward.told


def test_a_newer_version_of_a_placed_child_is_placed_too_and_the_older_one_is_not_relinked(bench: Bench) -> None:
    bench.absent()
    for number in (1, 2):
        assert codes(bench.waiting(waiting("patient:1", PARENT, number, on_absent="placeholder"))) == ["Hop"]
    (forward,) = bench.landed()
    assert isinstance(forward, Forward)
    assert forward.waiting["row"]["version"] == version(2)
    assert forward.told


@pytest.mark.parametrize("fate", ["rejected", "gone"])
def test_a_placed_child_stays_placed_when_its_parent_appears_but_does_not_land(bench: Bench, fate: str) -> None:
    bench.waiting(waiting("patient:1", PARENT, on_absent="placeholder"))
    bench.absent()
    assert getattr(bench, fate)() == []
    (forward,) = bench.landed(epoch=2)
    assert isinstance(forward, Forward)
    assert forward.told


def test_a_placeholder_is_made_for_the_first_who_waits_for_it_and_only_once(bench: Bench) -> None:
    assert bench.waiting(waiting("patient:1", STAND_IN)) == [Create(STAND_IN, "run-1")]
    assert bench.waiting(waiting("patient:2", STAND_IN)) == []
    bench.opened()
    assert bench.waiting(waiting("patient:3", STAND_IN)) == []
    effects = bench.landed("001S", parent=STAND_IN)
    assert children_of(effects) == ["patient:1", "patient:2", "patient:3"]
    assert codes(bench.waiting(waiting("patient:4", STAND_IN))) == ["Forward"]


def test_a_placeholder_is_never_looked_up(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", STAND_IN))
    assert codes(bench.overdue(60)) == ["Hold WAITING_FOR_PARENT"]


# -- many children -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [0, 1, module.PAGE])
def test_a_parent_with_many_children_releases_them_page_by_page(bench: Bench, over: int) -> None:
    total = module.PAGE + over
    everyone = [f"patient:{number}" for number in range(total)]
    for child in everyone:
        bench.waiting(waiting(child, PARENT))
    forwarded: list[str] = []
    effects = bench.landed()
    pages = 1
    while effects and isinstance(effects[-1], Continue):
        *released, again = effects
        assert len(released) == module.PAGE
        forwarded += children_of(released)
        effects = bench.release(cast("Continue", again).cursor)
        pages += 1
    forwarded += children_of(effects)
    assert sorted(forwarded) == sorted(everyone)
    assert pages == total // module.PAGE + 1
    assert bench.children() == []


def test_a_page_follows_the_fate_at_its_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    for number in range(5):
        bench.waiting(waiting(f"patient:{number}", PARENT))
    *first, again = bench.landed()
    assert codes(first) == ["Forward", "Forward"]
    bench.gone(1)
    assert isinstance(again, Continue)
    assert codes(bench.release(again.cursor)) == ["Hold PARENT_GONE", "Hold PARENT_GONE", "Continue"]
    bench.landed("001B", 2)
    cursor: Effect = Continue(PARENT, "")
    while isinstance(cursor, Continue):
        effects = bench.release(cursor.cursor)
        cursor = effects[-1] if effects else Hop(waiting("x:1", PARENT))
    assert bench.children() == []


def test_the_release_of_a_parent_nobody_has_spoken_of_does_nothing(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    assert bench.release() == []
    assert codes(bench.overdue(6)) == ["Lookup"]


# -- time and restarts -------------------------------------------------------------------------------------------------


def test_a_parent_waited_for_is_looked_up_once_and_then_its_children_are_held_once(bench: Bench) -> None:
    for number in (1, 2):
        bench.waiting(waiting(f"patient:{number}", PARENT))
    assert bench.overdue(4.9) == []
    assert bench.overdue(5) == [Lookup(PARENT, "run-1")]
    assert bench.overdue(9.9) == []
    effects = bench.overdue(10)
    assert codes(effects) == ["Hold WAITING_FOR_PARENT"] * 2
    assert children_of(effects) == ["patient:1", "patient:2"]
    assert bench.overdue(100) == []


def test_a_child_of_a_parent_that_is_overdue_already_is_held_at_once(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    bench.overdue(10)
    assert codes(bench.waiting(waiting("patient:2", PARENT))) == ["Hold WAITING_FOR_PARENT"]
    assert children_of(bench.landed()) == ["patient:1", "patient:2"]


def test_nothing_is_overdue_once_the_parent_has_a_fate(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    bench.rejected()
    assert bench.overdue(100) == []


def test_waiting_is_counted_from_the_eldest_child_over_a_restart(bench: Bench) -> None:
    bench.waiting(waiting("patient:2", PARENT))
    bench.now += 3000
    bench.waiting(waiting("patient:1", PARENT))
    bench.opened()
    assert bench.overdue(1.9) == []
    assert bench.overdue(2) == [Lookup(PARENT, "run-1")]


def test_a_landed_parent_that_still_has_children_releases_them_after_a_restart(bench: Bench) -> None:
    for number in (1, 2):
        bench.waiting(waiting(f"patient:{number}", PARENT))
    bench.waiting(waiting("patient:3", "practice:8"))
    cut_short: Iterator[Effect] = bench.parents.landed(PARENT, "001A", 1, bench.now)
    next(cut_short)
    bench.opened()
    assert bench.parents.unreleased == [Continue(PARENT, "")]
    assert children_of(bench.release()) == ["patient:2"]


def test_children_of_a_parent_that_did_not_land_wait_on_after_a_restart(bench: Bench) -> None:
    bench.waiting(waiting("patient:1", PARENT))
    bench.rejected()
    bench.opened()
    assert bench.parents.unreleased == []
    assert bench.overdue(100) == []
    assert codes(bench.landed()) == ["Forward"]


# -- circles and those who stand for others ----------------------------------------------------------------------------


def test_a_child_goes_on_without_a_parent_that_waits_for_it_and_is_linked_when_that_lands(bench: Bench) -> None:
    for number in (1, 11):
        bench.waiting(waiting(f"practice:{number}", PARENT))
    (on,) = bench.parents.unlink(PARENT, "practice:1")
    assert isinstance(on, Forward)
    assert (on.waiting["child"], on.sf_id, on.told) == ("practice:1", None, 0)
    assert list(bench.parents.unlink(PARENT, "practice:1")) == [], "once is enough"
    landed = sorted((one.waiting["child"], one.told) for one in bench.landed() if isinstance(one, Forward))
    assert landed == [("practice:1", 1), ("practice:11", 0)]
    assert list(bench.parents.unlink(PARENT, "practice:1")) == []


def test_who_stands_for_a_parent_is_told_again_when_that_has_another_id(bench: Bench) -> None:
    stands = {**waiting("provider:1", PARENT), "column": "Id"}
    bench.waiting(cast("Waiting", stands))
    assert codes(bench.landed("005A")) == ["Forward"]
    assert bench.landed("005A") == []
    (again,) = bench.landed("005B")
    assert isinstance(again, Forward)
    assert (again.sf_id, again.told) == ("005B", 2)
    bench.gone()
    (third,) = bench.landed("005C", epoch=2)
    assert isinstance(third, Forward)
    assert (third.sf_id, third.told) == ("005C", 3), "each answer has a number of its own"


def test_a_child_that_may_be_linked_later_goes_on_at_once_and_is_never_looked_up_or_held(bench: Bench) -> None:
    child = waiting("lab_result:1", PARENT, on_absent="later")
    assert bench.waiting(child) == [Later(child)]
    bench.opened()
    assert bench.overdue(1000) == []
    assert bench.rejected() == []
    assert bench.landed("068A") == [Forward(child, "068A", told=1)]
    assert bench.landed("068B", epoch=2) == [Forward(child, "068B", told=2)]


def test_a_child_that_is_linked_later_is_linked_at_once_when_its_parent_is_there(bench: Bench) -> None:
    bench.landed("068A")
    child = waiting("lab_result:1", PARENT, 2, on_absent="later")
    assert bench.waiting(child) == [Forward(child, "068A", told=0)]
    assert codes(bench.waiting(waiting("lab_result:1", PARENT, 1, on_absent="later"))) == ["Forward"]
    assert bench.landed("068B", epoch=2) == [Forward(child, "068B", told=2)], "the newer version is told again"


def test_what_counts_in_a_row_that_has_not_come_is_held_as_a_child_is(bench: Bench) -> None:
    bench.parents.expect(PARENT, waiting("payment:1", PARENT)["row"], bench.now)
    assert codes(list(bench.parents.expect(PARENT, waiting("payment:1", PARENT)["row"], bench.now))) == []
    assert codes(bench.overdue(5)) == ["Lookup"]
    bench.parents.met(PARENT)
    assert bench.overdue(100) == []
    bench.absent()
    row = waiting("payment:2", PARENT)["row"]
    assert codes(list(bench.parents.expect(PARENT, row, bench.now))) == ["Hold PARENT_ABSENT"]
