"""The book of leases: how many calls each worker may still make, so that all of them together stop at the line. Pure: the caller brings clock and readings.

The room is known when the org has been asked, and from then on only what is given away is taken from it: what a worker has made since is either in the
next reading or still in its lease, and never counted twice in our favour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.salesforce.shares import Reserve, divide

LEASE_SECONDS: Final = 90.0
FORGOTTEN_SECONDS: Final = 60.0
"""A worker that has not asked for so long wants nothing; it asks three times as often."""
_FEW: Final = 200


@dataclass(frozen=True, slots=True)
class Asker:
    """What a worker has told last.

    Attributes:
        worker: its name.
        ask: what it calls this question.
        spent: calls that it has made, ever.
        wants: calls that it would make in the time of a lease.
        checks: it verifies: loading goes first.
        at: when it was heard, in seconds of the caller's clock.
    """

    worker: str
    ask: str
    spent: int
    wants: int
    checks: bool
    at: float


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker may make calls until it has made ``upto`` altogether, and until ``ends`` (seconds of the caller's clock)."""

    worker: str
    ask: str
    upto: int
    ends: float


class _Reading(NamedTuple):
    """The arguments of `Book.measured`."""

    used: int
    most: int
    spent: Mapping[str, int]


class Book:
    """Who may make how many calls.

    Arguments:
        reserve: what stays for the org's users.
    """

    def __init__(self, reserve: Reserve) -> None:
        self._reserve = reserve
        self._askers: dict[str, Asker] = {}
        self._leases: dict[str, Lease] = {}
        self._answered: dict[str, str] = {}
        self._room: int | None = None
        self._kept = 0
        self._reading = _Reading(0, 0, {})

    def ask(self, asker: Asker) -> None:
        """Notes what a worker has made and wants."""
        self._askers[asker.worker] = asker

    def restore(self, lease: Lease) -> None:
        """Notes a lease that an earlier process has given; before the first reading."""
        self._leases[lease.worker] = lease

    def spent(self) -> dict[str, int]:
        """What each worker says to have made; to be taken before the org is asked, and handed to `measured`."""
        return {name: asker.spent for name, asker in self._askers.items()}

    def measured(self, used: int, most: int, spent: Mapping[str, int], at: float) -> None:
        """Takes in a reading of the org.

        Arguments:
            used: calls of the last 24 hours, whoever made them.
            most: calls that the org has for 24 hours.
            spent: what `spent` was before the org was asked.
            at: when it was asked.
        """
        self._leases = {name: lease for name, lease in self._leases.items() if lease.ends > at}
        owed = sum(max(0, lease.upto - spent.get(name, 0)) for name, lease in self._leases.items())
        self._room = self._reserve.line(most, len(self.workers(at))) - used - owed
        self._kept = self._reserve.kept_for_loading(most)
        self._reading = _Reading(used, most, spent)

    def outdated(self, used: int) -> bool:
        """Whether the last reading says too little: since then others than us have used more than a hundredth of the org's calls.

        Arguments:
            used: calls of the last 24 hours, as a worker has heard it; older ones say nothing.
        """
        before = self._reading
        ours = sum(asker.spent - before.spent.get(name, asker.spent) for name, asker in self._askers.items())
        return self._room is not None and used > before.used + ours + max(_FEW, before.most // 100)

    def workers(self, now: float) -> list[str]:
        """Workers that have asked lately."""
        return [name for name, asker in self._askers.items() if now - asker.at < FORGOTTEN_SECONDS]

    def short(self, now: float) -> bool:
        """Whether somebody wants more than he can get now."""
        lacks, shares = self._shares(now)
        return any(shares[name] < lack for name, lack in lacks.items())

    def grants(self, now: float) -> list[Lease]:
        """The leases to be told now: to those who have asked since the last time, and to those who have got less than they want.

        Before the first reading there are none.
        """
        if self._room is None:
            return []
        told = []
        for name, calls in self._shares(now)[1].items():
            asker = self._askers[name]
            if not calls and self._answered.get(name) == asker.ask:
                continue
            lease = Lease(name, asker.ask, self._current(name, now) + calls, now + LEASE_SECONDS)
            self._leases[name], self._answered[name] = lease, asker.ask
            self._room -= calls
            told.append(lease)
        return told

    def _shares(self, now: float) -> tuple[dict[str, int], dict[str, int]]:
        """What each worker lacks, and what it can get of it."""
        lacks = {name: self._lack(name, now) for name in self.workers(now)}
        checking = {name: lack for name, lack in lacks.items() if self._askers[name].checks}
        loading = {name: lack for name, lack in lacks.items() if name not in checking}
        return lacks, divide(self._room or 0, self._kept, loading, checking)

    def _current(self, name: str, now: float) -> int:
        lease, spent = self._leases.get(name), self._askers[name].spent
        return lease.upto if lease is not None and lease.ends > now and lease.upto > spent else spent

    def _lack(self, name: str, now: float) -> int:
        asker = self._askers[name]
        return max(0, asker.spent + asker.wants - self._current(name, now))
