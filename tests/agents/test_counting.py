"""Records that count in another's row: any interleaving, with repeats, ends with the sum of what counts now, and no version says two things."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from agents.counting import Alone, Count, Countings, Emit, End, waited_for
from mapping.document import default_map
from mapping.parts import Counting
from tests.agents.rows import CODEC, row, version
from tests.agents.test_parents import Memory
from topics.codec import compact_json
from topics.messages import Base, Member, Ready
from topics.version import Version

BILLS = ("invoice:1", "invoice:2")
PAYMENTS = ("payment:1", "payment:2", "payment:3")
OPEN = 90.0


def payment(reference: str, number: int, target: str | None, amount: float = 1.0, op: str = "upsert") -> Member:
    return {
        "parent": reference,
        "target": target,
        "reference": reference,
        "object": "payment",
        "sobject": "Opportunity",
        "op": op,
        "version": version(number),
        "run": "run-1",
        "source": {"topic": "vp.payment", "partition": 0, "offset": number},
        "values": compact_json({"amount": amount, "paid_on": f"2026-01-{number % 28 + 1:02d}"}),
    }


def bill(reference: str, number: int, op: str = "upsert") -> Base:
    made = row(reference, number, op=op, **({"Amount": OPEN, "CloseDate": "2026-01-01"} if op == "upsert" else {}))
    return {"parent": reference, "row": {**made, "object": "invoice", "sobject": "Opportunity"}, "needs": []}


class World:
    """One partition of ``refs`` in which everything meets; what is sent on is looked at in the order it was sent."""

    def __init__(self) -> None:
        self.state = Memory()
        self.countings = Countings(
            self.state, lambda raw, _key: CODEC.decode(raw)[1], {"invoice": Counting(default_map(), "invoice")}
        )
        self.offset = 0
        self.sent: list[Ready] = []
        self.waiting: list[Member] = []
        self.alone: set[str] = set()
        self.ended: list[str] = []

    def member(self, message: Member) -> None:
        """A chunk of one record, at its own key."""
        self.countings.begin()
        self.offset += 1
        for effect in self.countings.member(message, CODEC.encode("member", message), self.offset, 1000):
            match effect:
                case Count(further):
                    self.waiting.append(further)
                case Alone(who, _):
                    self.alone.add(who["reference"])
                case End(who):
                    self.ended.append(who["reference"])
                case _:
                    raise AssertionError(effect)
        self.flush()

    def meet(self, most: int = 1 << 30) -> None:
        """The records that were sent on reach their rows."""
        due, self.waiting = self.waiting[:most], self.waiting[most:]
        for message in due:
            self.member(message)

    def base(self, message: Base) -> None:
        self.countings.begin()
        self.offset += 1
        self.countings.base(message, CODEC.encode("base", message), self.offset)
        self.flush()

    def flush(self) -> None:
        self.sent += [emit.row for emit in self.countings.flush() if isinstance(emit, Emit)]

    def newest(self, reference: str) -> Ready:
        return max((one for one in self.sent if one["reference"] == reference), key=lambda one: one["version"])


def test_a_bill_without_payments_is_what_its_record_says() -> None:
    world = World()
    world.base(bill("invoice:1", 1))
    assert world.newest("invoice:1")["columns"]["Amount"] == OPEN
    assert world.newest("invoice:1")["version"].startswith(version(1)[:-18])


def test_payments_are_summed_whichever_came_first() -> None:
    world = World()
    world.member(payment("payment:1", 1, "invoice:1", 0.1))
    world.meet()
    assert world.alone == {"payment:1"}
    assert [
        target for target, _, _ in waited_for(iter([(k, v) for k, v in world.state.pairs.items() if k[:2] == b"N|"]))
    ] == ["invoice:1"]
    world.base(bill("invoice:1", 5))
    world.member(payment("payment:2", 2, "invoice:1", 0.2))
    world.meet()
    newest = world.newest("invoice:1")
    assert newest["columns"]["Amount"] == 0.3
    assert newest["columns"]["CloseDate"] == "2026-01-03"
    assert [one["reference"] for one in newest["members"]] == ["payment:1", "payment:2"]
    assert not [key for key in world.state.pairs if key.startswith(b"N|")]


def test_what_is_told_again_is_sent_again_as_the_same_version() -> None:
    world = World()
    world.base(bill("invoice:1", 1))
    world.member(payment("payment:1", 1, "invoice:1"))
    world.meet()
    world.base(bill("invoice:1", 1))
    assert world.sent[-1] == world.sent[-2]
    world.member(payment("payment:1", 1, "invoice:1"))
    assert not world.waiting


def test_a_deleted_payment_no_longer_counts_and_is_told_with_its_bill() -> None:
    world = World()
    world.base(bill("invoice:1", 1))
    world.member(payment("payment:1", 1, "invoice:1", 5.0))
    world.member(payment("payment:1", 2, None, op="delete"))
    world.meet()
    newest = world.newest("invoice:1")
    assert newest["columns"]["Amount"] == OPEN
    assert [(one["reference"], one["op"]) for one in newest["members"]] == [("payment:1", "delete")]


def test_a_payment_that_never_counted_ends_by_itself() -> None:
    world = World()
    world.member(payment("payment:1", 1, None, op="delete"))
    assert world.ended == ["payment:1"]


def test_a_payment_that_moves_leaves_its_old_bill() -> None:
    world = World()
    for reference in BILLS:
        world.base(bill(reference, 1))
    world.member(payment("payment:1", 1, "invoice:1", 5.0))
    world.member(payment("payment:1", 2, "invoice:2", 5.0))
    world.meet()
    assert world.newest("invoice:1")["columns"]["Amount"] == OPEN
    assert world.newest("invoice:1")["members"] == []
    assert world.newest("invoice:2")["columns"]["Amount"] == 5.0


def test_a_deleted_bill_takes_its_payments_along() -> None:
    world = World()
    world.base(bill("invoice:1", 1))
    world.member(payment("payment:1", 1, "invoice:1", 5.0))
    world.meet()
    world.base(bill("invoice:1", 9, op="delete"))
    assert world.sent[-1]["op"] == "delete"
    assert [one["reference"] for one in world.sent[-1]["members"]] == ["payment:1"]


def test_a_bill_may_be_paid_a_thousand_times_over() -> None:
    world = World()
    world.base(bill("invoice:1", 1))
    for number in range(1100):
        world.member(payment("payment:1", number + 1, "invoice:1", float(number)))
        world.meet()
    assert world.newest("invoice:1")["columns"]["Amount"] == 1099.0


step = st.one_of(
    st.tuples(
        st.just("pay"), st.sampled_from(PAYMENTS), st.integers(1, 6), st.sampled_from([*BILLS, None]), st.booleans()
    ),
    st.tuples(st.just("bill"), st.sampled_from(BILLS), st.integers(1, 4)),
    st.tuples(st.just("meet"), st.integers(1, 4)),
    st.tuples(st.just("again"), st.integers(0, 30)),
)


@given(st.lists(step, max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_interleaving_ends_with_the_sum_of_what_counts(steps: list[tuple[object, ...]]) -> None:
    world = World()
    told: dict[tuple[str, str], Member] = {}
    log: list[Member | Base] = []
    bills: dict[str, int] = {}
    for one in steps:
        match one:
            case ("pay", str(who), int(number), target, bool(deleted)):
                # The same version of a record always says the same.
                goes = None if deleted else target
                message = payment(who, number, goes if isinstance(goes, str) else None, number / 10)
                message["op"] = "delete" if deleted or goes is None else "upsert"
                message = told.setdefault((who, message["version"]), message)
                log.append(message)
                world.member(message)
            case ("bill", str(reference), int(number)):
                base = bill(reference, number)
                bills[reference] = max(number, bills.get(reference, 0))
                log.append(base)
                world.base(base)
            case ("meet", int(most)):
                world.meet(most)
            case ("again", int(place)) if log:
                repeated = log[place % len(log)]
                if "row" in repeated:
                    world.base(repeated)
                else:
                    world.member(repeated)  # type: ignore[arg-type]
    world.meet()
    newest: dict[str, Member] = {}
    for (who, _), message in told.items():
        if who not in newest or newest[who]["version"] < message["version"]:
            newest[who] = message
    for reference in bills:
        counting = [one for one in newest.values() if one["target"] == reference and one["op"] == "upsert"]
        amounts = [int(Version.decode(one["version"]).modified.second) for one in counting]
        row_ = world.newest(reference)
        assert row_["columns"]["Amount"] == (sum(amounts) / 10 if amounts else OPEN)
        live = {one["reference"]: one["version"] for one in row_["members"] if one["op"] == "upsert"}
        assert live == {one["reference"]: one["version"] for one in counting}
    said: dict[tuple[str, str], object] = {}
    for sent in world.sent:
        content = (sent["columns"], sent["members"])
        assert said.setdefault((sent["reference"], sent["version"]), content) == content, "one version says two things"


class Partition:
    """A partition of ``refs`` read in several lives: what a life has published stays, its state is as durable as its last whole chunk."""

    def __init__(self, log: list[Member | Base]) -> None:
        self.log = log
        self.at = 0
        self.state = Memory()
        self.sent: list[Ready] = []
        self.loaded: dict[str, Ready] = {}

    def read(self, most: int, published: int | None) -> None:
        """A chunk of at most ``most`` messages; ``published``: the resolver dies when it has sent so many of its outputs."""
        before = dict(self.state.pairs)
        countings = Countings(
            self.state, lambda raw, _key: CODEC.decode(raw)[1], {"invoice": Counting(default_map(), "invoice")}
        )
        countings.begin()
        outputs: list[Member | Ready] = []
        chunk = list(enumerate(self.log))[self.at : self.at + most]
        for offset, message in chunk:
            if "row" in message:
                countings.base(message, CODEC.encode("base", message), offset)
            else:
                effects = countings.member(message, CODEC.encode("member", message), offset, 1000)  # type: ignore[arg-type]
                outputs += [effect.message for effect in effects if isinstance(effect, Count)]
        outputs += [emit.row for emit in countings.flush()]
        for output in outputs[:published]:
            if "values" in output:
                self.log.append(output)  # type: ignore[arg-type]
            else:
                self._load(output)  # type: ignore[arg-type]
        if published is None:
            self.at += len(chunk)
        else:
            self.state.pairs = before

    def _load(self, row_: Ready) -> None:
        """As the loader: what is older than, or the same version as, what it has is dropped."""
        self.sent.append(row_)
        known = self.loaded.get(row_["reference"])
        if known is None or known["version"] < row_["version"]:
            self.loaded[row_["reference"]] = row_


told = st.one_of(
    st.tuples(st.just("bill"), st.sampled_from(BILLS), st.integers(1, 3)),
    st.tuples(st.just("pay"), st.sampled_from(PAYMENTS), st.integers(1, 6)),
)
lives = st.tuples(st.integers(1, 6), st.one_of(st.none(), st.integers(0, 6)))


@given(st.lists(told, min_size=4, max_size=16), st.lists(lives, max_size=12), st.data())
@settings(max_examples=400, deadline=None)
def test_a_death_between_outputs_and_state_gives_no_version_two_contents(
    messages: list[tuple[str, str, int]], reads: list[tuple[int, int | None]], data: st.DataObject
) -> None:
    goes: dict[tuple[str, int], str] = {}
    log: list[Member | Base] = []
    for kind, who, number in messages:
        if kind == "bill":
            log.append(bill(who, number))
        else:
            target = goes.setdefault((who, number), data.draw(st.sampled_from(BILLS)))
            log.append(payment(who, number, target, number / 10))
    newest = {who: max(n for k, w, n in messages if w == who) for kind, who, _ in messages if kind == "pay"}
    partition = Partition(log)
    for most, published in reads:
        partition.read(most, published)
    while partition.at < len(partition.log):
        partition.read(5, None)
    for reference in {who for kind, who, _ in messages if kind == "bill"}:
        counted = {who: number for who, number in newest.items() if goes[who, number] == reference}
        loaded = partition.loaded[reference]
        assert {one["reference"] for one in loaded["members"]} == set(counted)
        assert loaded["columns"]["Amount"] == (sum(counted.values()) / 10 if counted else OPEN)
    said: dict[tuple[str, str], object] = {}
    for sent in partition.sent:
        content = (sent["columns"], sent["members"])
        assert said.setdefault((sent["reference"], sent["version"]), content) == content, "one version says two things"
