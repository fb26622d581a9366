"""Whether a worker may make another API call now: by its lease, or without one by what the org itself says. Pure: the caller brings the clock.

A lease counts while it lasts. Where none does and the last question has stayed without an answer, control is away: then the calls that the org counts,
those under way, and those that others may still make under their leases must together stay below the line. Either way the reserve is untouched
(`connectors.salesforce.shares`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.salesforce.shares import Reserve

ANSWER_SECONDS: Final = 5.0
"""A question that stays without an answer for so long: nobody is there."""

LATER_SECONDS: Final = 45.0
_LEAST_WANTED: Final = 20
_SAME_MOMENT: Final = 5.0


@dataclass(slots=True)
class _Owed:
    """What another worker has been given, and says to have made."""

    upto: int = 0
    spent: int = 0
    ends: float = 0.0


class Purse:
    """The calls of one worker.

    Arguments:
        reserve: what stays for the org's users.
        checks: whether this worker verifies, and stops before those who load.
        look_seconds: how often the org may be asked whether it has calls again, once it had none.

    Attributes:
        made: calls made by this process.
        before: calls made under this worker's name before it, as far as they were told.
        in_flight: calls under way.
        used, most: what the org has said last; None before.
    """

    def __init__(self, reserve: Reserve, *, checks: bool, look_seconds: float) -> None:
        self._reserve = reserve
        self._checks = checks
        self._look_seconds = look_seconds
        self.made = 0
        self.before = 0
        self.in_flight = 0
        self.used: int | None = None
        self.most: int | None = None
        self._heard = 0.0
        self._upto = 0
        self._ends = 0.0
        self._granted = 0
        self._workers = 0
        self._asked: tuple[str, float] | None = None
        self._answered = ""
        self._silent_since = 0.0
        self._owed: dict[str, _Owed] = {}
        self._paced = (0.0, 0)
        self._wants = _LEAST_WANTED

    @property
    def spent(self) -> int:
        """Calls made under this worker's name, ever."""
        return self.before + self.made

    def shortage(self, who: str) -> str:
        """Says to an operator that ``who`` waits for calls, and what will end that."""
        stands = ""
        if self.most is not None:
            stands = f": {self.used:,} of {self.most:,} are used, {self._reserve.of(self.most):,} stay for its users"
        return (
            f"{who} waits for API calls of the org{stands}. It goes on by itself as calls of 24 hours ago fall out of the count; "
            "`carryover status` tells more, target.reserve changes what stays"
        )

    # -- calls -------------------------------------------------------------------------------------------------------------------------

    def may(self, now: float) -> bool:
        """Whether a call may be made."""
        if now < self._ends and self.spent < self._upto:
            return True
        if self.pending and now - self._silent_since < ANSWER_SECONDS:
            return False  # the answer is on its way
        if self._asked is not None and not self.pending and now < self._ends:
            return False  # the answer was: no more
        return self._may_by_header(now)

    def _may_by_header(self, now: float) -> bool:
        if self.used is None or self.most is None:
            return not self.in_flight  # one, to hear how it stands
        line = self._reserve.line(self.most, self._workers)
        if self._checks:
            line -= self._reserve.kept_for_loading(self.most)
        owed = sum(max(0, other.upto - other.spent) for other in self._owed.values() if other.ends > now)
        if self.used + self.in_flight + owed < line:
            return True
        return not self.in_flight and now - self._heard >= self._look_seconds

    def begin(self) -> None:
        """A call is made."""
        self.made += 1
        self.in_flight += 1

    def end(self) -> None:
        """Its answer has come, or never will."""
        self.in_flight -= 1

    def heard(self, used: int, most: int, now: float) -> None:
        """An answer has told how the org stands; answers of the same moment may come in any order."""
        if self.used is not None and now - self._heard < _SAME_MOMENT:
            used = max(used, self.used)
        self.used, self.most, self._heard = used, most, now

    # -- questions and answers ---------------------------------------------------------------------------------------------------------

    def low(self) -> bool:
        """Whether what was given last is half gone."""
        return self._granted > 0 and 2 * (self._upto - self.spent) <= self._granted

    @property
    def pending(self) -> bool:
        """Whether the last question has no answer yet."""
        return self._asked is not None and self._answered != self._asked[0]

    def asked(self, ask: str, now: float) -> None:
        """A question goes out; one more into the silence doesn't make it begin anew."""
        if not self.pending:
            self._silent_since = now
        self._asked = (ask, now)

    def wants(self, now: float) -> int:
        """Calls to ask for: for the next three quarters of a minute, at the rate of late."""
        at, made = self._paced
        if now - at >= 1.0:
            recent = int((self.made - made) * LATER_SECONDS / (now - at))
            self._wants = max(_LEAST_WANTED, recent, self._wants // 2)
            self._paced = (now, self.made)
        return self._wants

    def leased(self, ask: str, upto: int, seconds: float, workers: int) -> None:
        """An answer; to an older question than the last it says nothing. It ends so many seconds after the question was sent: clocks needn't agree."""
        if self._asked is not None and self._asked[0] == ask:
            self._answered = ask
            self._upto, self._ends, self._workers = upto, self._asked[1] + seconds, workers
            self._granted = max(0, upto - self.spent)

    # -- others ------------------------------------------------------------------------------------------------------------------------

    def other_leased(self, worker: str, upto: int, ends: float) -> None:
        """Another worker was given calls."""
        other = self._owed.setdefault(worker, _Owed())
        other.upto, other.ends = upto, ends

    def other_spent(self, worker: str, spent: int) -> None:
        """Another worker has told what it has made."""
        self._owed.setdefault(worker, _Owed()).spent = spent
