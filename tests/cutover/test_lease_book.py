"""Leases, whatever is asked, given, used, forgotten or restarted, never let the workers make a call beyond the line."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.salesforce.shares import Reserve
from cutover.lease_book import FORGOTTEN_SECONDS, LEASE_SECONDS, Asker, Book, Lease

WORKERS = ("deliver-0", "deliver-1", "verify-0")
MOST = 1000


class Org(RuleBasedStateMachine):
    """Workers that make calls as their leases say, an org that counts them, and a control that may be started anew at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.reserve = Reserve(0.2)
        self.book = Book(self.reserve)
        self.now = 1000.0
        self.used = 0
        self.made = dict.fromkeys(WORKERS, 0)
        self.told: dict[str, Asker] = {}
        self.leases: dict[str, Lease] = {}
        self.asked = 0

    @rule(worker=st.sampled_from(WORKERS), wants=st.integers(0, 600))
    def ask(self, worker: str, wants: int) -> None:
        self.asked += 1
        asker = Asker(worker, str(self.asked), self.made[worker], wants, worker.startswith("verify"), self.now)
        self.told[worker] = asker
        self.book.ask(asker)

    @rule(during=st.integers(0, 80))
    def measure(self, during: int) -> None:
        """The workers go on while the org is asked."""
        spent, at = self.book.spent(), self.now
        self.call("deliver-0", during // 2)
        reading = self.used
        self.call("deliver-1", during)
        self.ask("deliver-1", 5 * during)
        self.book.measured(reading, MOST, spent, at)

    @rule()
    def grant(self) -> None:
        for lease in self.book.grants(self.now):
            self.leases[lease.worker] = lease

    @rule(worker=st.sampled_from(WORKERS), calls=st.integers(0, 400))
    def call(self, worker: str, calls: int) -> None:
        lease = self.leases.get(worker)
        if lease is None or lease.ends <= self.now:
            return
        made = max(0, min(calls, lease.upto - self.made[worker]))
        self.made[worker] += made
        self.used += made

    @rule(seconds=st.sampled_from([1.0, FORGOTTEN_SECONDS / 2, LEASE_SECONDS]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    @precondition(lambda self: self.told)
    def restart(self) -> None:
        """What is in the topic is all that the next control knows; when a lease was given it doesn't know."""
        self.book = Book(self.reserve)
        for asker in self.told.values():
            self.book.ask(asker)
        for lease in self.leases.values():
            self.book.restore(Lease(lease.worker, lease.ask, lease.upto, self.now + LEASE_SECONDS))

    @invariant()
    def never_beyond_the_line(self) -> None:
        assert self.used <= self.reserve.line(MOST, 0)


TestOrg = Org.TestCase
TestOrg.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def _ask(worker: str, wants: int, spent: int = 0, at: float = 0.0, ask: str = "1") -> Asker:
    return Asker(worker, ask, spent, wants, worker.startswith("verify"), at)


def test_verification_gets_nothing_of_the_last_tenth_and_loading_all_of_it() -> None:
    book = Book(Reserve(0.2))
    book.ask(_ask("deliver-0", 30))
    book.ask(_ask("verify-0", 30))
    book.measured(700, 1000, book.spent(), 0.0)
    assert {lease.worker: lease.upto for lease in book.grants(0.0)} == {"deliver-0": 30, "verify-0": 0}
    assert book.short(0.0)


def test_who_got_nothing_is_told_as_soon_as_there_is_something_again() -> None:
    book = Book(Reserve(0.2))
    book.ask(_ask("deliver-0", 30))
    book.measured(1000, 1000, book.spent(), 0.0)
    assert [lease.upto for lease in book.grants(0.0)] == [0]
    assert book.grants(1.0) == []
    book.measured(500, 1000, book.spent(), 2.0)
    assert [lease.upto for lease in book.grants(2.0)] == [30]
    assert not book.short(2.0)


def test_before_the_org_was_asked_nobody_gets_a_word() -> None:
    book = Book(Reserve(0.2))
    book.ask(_ask("deliver-0", 30))
    assert book.grants(0.0) == []


def test_what_workers_hear_outdates_a_reading_when_others_than_they_have_used_many_calls() -> None:
    book = Book(Reserve(0.2))
    assert not book.outdated(5_000), "there is no reading yet"
    book.ask(_ask("deliver-0", 30, spent=100))
    book.measured(1_000, 100_000, book.spent(), 0.0)
    book.ask(_ask("deliver-0", 30, spent=3_100, ask="2"))
    assert not book.outdated(4_000), "they are its own"
    assert not book.outdated(5_000), "a hundredth is nothing"
    assert book.outdated(5_001)
