"""What goes wrong on purpose: rules that say where, how and when.

Owns the rules, the decision whether one strikes, and the record of what struck. Knows no HTTP beyond a method and a
path: `disturbance` turns a decision into a broken answer, the row engine of the Salesforce server asks for rows to
refuse, its worker for jobs to break. Rules live in memory: a restart clears them.
"""

import random
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from itertools import count as counter
from typing import Any

from sandbox.freezing import Freeze

HTTP_KINDS = frozenset(
    {
        *("hang", "slow", "drop", "truncate", "not_json", "partial"),
        *("expire_session", "request_limit", "quota", "mutate"),
    }
)
ROW_KINDS = frozenset({"lock", "storage_full"})
JOB_KINDS = frozenset({"job_failed", "job_stuck"})
STATE_KINDS = frozenset({"drift", "skew"})  # true as long as the rule is there; they strike no request
LIMITS = ("retry_after", "retry_date", "reset", "silent")  # how a 429 tells when to come back
REMEMBERED = 10_000  # strikes
_TEXT, _WHOLE, _NUMBER, _FLAG = (str,), (int,), (int, float), (bool,)
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("route", "kind", "message", "limit", "object", "field", "to", "type"), _TEXT),
    **dict.fromkeys(("count", "every", "skip", "seed"), _WHOLE),
    **dict.fromkeys(("probability", "seconds", "retry_after", "begin", "end"), _NUMBER),
    **dict.fromkeys(("after", "remove"), _FLAG),
    "at": (list,),
    "work": (dict,),
}


class BadFaultError(ValueError):
    """The description of a fault cannot be understood; the text says why."""


@dataclass(slots=True)
class Fault:
    """One rule.

    `route` is searched as a regular expression in `METHOD /path?query`. When it strikes is said by any of: `count`
    (that often), `probability` (of the rule's own dice when it has a `seed`), `at` (the n-th matching ones, from 1),
    `every` (each n-th), `skip` (not the first n), `begin` and `end` (seconds since the rule was added); without any of
    them it strikes always.

    `seconds` is how long a `slow` or `hang` lasts, or how far a clock is ahead; `limit` how a 429 tells when to come
    back, `retry_after` after how many seconds; with `after` the request is carried out first and only its answer is
    lost. `object`, `field` and one of `to`, `remove`, `type` are the drift of a field; `work` is what the desk does
    after the answer of a `mutate`.
    """

    id: int
    route: str
    kind: str
    count: int | None = None
    probability: float | None = None
    at: list[int] | None = None
    every: int | None = None
    skip: int | None = None
    begin: float | None = None
    end: float | None = None
    seed: int | None = None
    seconds: float | None = None
    limit: str | None = None
    retry_after: float | None = None
    after: bool = False
    message: str | None = None
    object: str | None = None
    field: str | None = None
    to: str | None = None
    remove: bool | None = None
    type: str | None = None
    work: dict[str, int] | None = None
    seen: int = 0
    struck: int = 0

    @property
    def status(self) -> int | None:
        """The HTTP status of a refusal, or None for any other kind."""
        return int(self.kind) if self.kind.isdigit() else None

    @property
    def is_of_requests(self) -> bool:
        """Whether it strikes requests, not rows, jobs or the server's state."""
        return self.kind in HTTP_KINDS or self.kind.isdigit()

    def as_json(self) -> dict[str, Any]:
        """The rule as the admin API shows it; keys that say nothing are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(slots=True)
class _Run:
    """What a rule needs besides what it says: its dice, its beginning, its pattern, the positions it struck at."""

    dice: random.Random
    began: float
    pattern: re.Pattern[str]
    hits: list[int] = field(default_factory=list)


Watcher = Callable[[], Awaitable[None]]


class Faults:
    """The rules in force at one `server`. Decisions come from seeded dice, so that a sequential run repeats itself."""

    def __init__(self, seed: int = 0, server: str = "salesforce") -> None:
        self.server = server
        self.freeze = Freeze()
        self._rules: list[tuple[Fault, _Run]] = []
        self._ids = counter(1)
        self._random = random.Random(seed)
        self._log: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.watchers: list[Watcher] = []

    # -- rules --------------------------------------------------------------------------------------------------

    def add(self, given: dict[str, Any]) -> Fault:
        """Adds a rule from its JSON form; raises BadFaultError when a part of it makes no sense."""
        kind, pattern = _checked(given)
        default_after = kind == "truncate"
        rule = Fault(**{"route": "", "after": default_after, **given, "id": next(self._ids), "kind": kind})
        dice = self._random if rule.seed is None else random.Random(rule.seed)
        self._rules.append((rule, _Run(dice, time.monotonic(), pattern)))
        return rule

    def remove(self, identity: int | None = None) -> int:
        """Removes one rule, or all when None; returns how many went."""
        kept = [] if identity is None else [each for each in self._rules if each[0].id != identity]
        gone = len(self._rules) - len(kept)
        self._rules = kept
        return gone

    async def changed(self) -> None:
        """Tells those who watch that rules came or went; awaited by the admin API after each change."""
        for watcher in self.watchers:
            await watcher()

    def reseed(self, seed: int) -> None:
        """Starts the common dice and every rule's count anew, so that a run can be repeated."""
        self._random.seed(seed)
        self._log.clear()
        for rule, run in self._rules:
            rule.seen = rule.struck = 0
            run.hits.clear()
            run.began = time.monotonic()
            if rule.seed is not None:
                run.dice.seed(rule.seed)

    def listing(self) -> list[dict[str, Any]]:
        """Every rule, with how often it was asked and how often it struck."""
        return [rule.as_json() for rule, _ in self._rules]

    def of_kind(self, kind: str) -> list[Fault]:
        """The rules of one kind, in the order in which they came."""
        return [rule for rule, _ in self._rules if rule.kind == kind]

    def is_there(self, rule: Fault) -> bool:
        """Whether a rule is still in force."""
        return any(each is rule for each, _ in self._rules)

    def log(self) -> list[dict[str, Any]]:
        """What struck, oldest first: the rule, its kind, what it struck, and when."""
        return list(self._log)

    def replay(self) -> list[dict[str, Any]]:
        """Rules that strike at the same places again, when the same requests come in the same order."""
        left_out = {"id", "seen", "struck", "count", "probability", "every", "skip", "begin", "end", "seed", "at"}
        return [
            {name: value for name, value in rule.as_json().items() if name not in left_out} | {"at": list(run.hits)}
            for rule, run in self._rules
            if rule.kind not in STATE_KINDS
        ]

    def __bool__(self) -> bool:
        return bool(self._rules)

    # -- decisions ----------------------------------------------------------------------------------------------

    def strike(self, request: str) -> Fault | None:
        """The rule that hits this request (`METHOD /path`), counted, or None."""
        for rule, run in self._rules:
            if rule.is_of_requests and run.pattern.search(request) and self._hits(rule, run, request):
                return rule
        return None

    def job_failure(self, request: str) -> Fault | None:
        """The `job_failed` or `job_stuck` rule that hits this job (`OBJECT operation`), counted, or None."""
        for rule, run in self._rules:
            if rule.kind in JOB_KINDS and run.pattern.search(request) and self._hits(rule, run, request):
                return rule
        return None

    def rows(self, kind: str, request: str, total: int) -> set[int]:
        """Positions (0-based, of `total`) of the rows of a write (`OBJECT operation`) that a kind of row fault hits."""
        hit: set[int] = set()
        for rule, run in self._rules:
            if rule.kind == kind and run.pattern.search(request):
                hit.update(position for position in range(total) if self._hits(rule, run, request))
        return hit

    def _hits(self, rule: Fault, run: _Run, request: str) -> bool:
        rule.seen += 1
        if not self._is_due(rule, run):
            return False
        rule.struck += 1
        run.hits.append(rule.seen)
        self._log.append(
            {
                "fault": rule.id,
                "kind": rule.kind,
                "struck": request,
                "seen": rule.seen,
                "at_ms": int(time.time() * 1000),
            }
        )
        return True

    @staticmethod
    def _is_due(rule: Fault, run: _Run) -> bool:
        if rule.count is not None and rule.struck >= rule.count:
            return False
        if rule.skip is not None and rule.seen <= rule.skip:
            return False
        if rule.at is not None and rule.seen not in rule.at:
            return False
        if rule.every is not None and rule.seen % rule.every:
            return False
        elapsed = time.monotonic() - run.began
        if (rule.begin is not None and elapsed < rule.begin) or (rule.end is not None and elapsed >= rule.end):
            return False
        return rule.probability is None or run.dice.random() < rule.probability


def _checked(given: dict[str, Any]) -> tuple[str, re.Pattern[str]]:
    """The kind and the pattern of a description; raises BadFaultError."""
    if not isinstance(given, dict):
        raise BadFaultError("a fault is an object")
    if unknown := set(given) - set(_TYPES):
        raise BadFaultError(f"unknown keys: {', '.join(sorted(unknown))}")
    for name, value in given.items():
        is_flag = isinstance(value, bool)
        wanted = _TYPES[name]
        if value is not None and (not isinstance(value, wanted) or (is_flag and bool not in wanted)) and name != "kind":
            raise BadFaultError(f"{name} has a value of the wrong type")
    kind = str(given.get("kind", ""))
    if kind not in HTTP_KINDS | ROW_KINDS | JOB_KINDS | STATE_KINDS and not re.fullmatch(r"[45]\d\d", kind):
        raise BadFaultError(f"unknown kind: {kind!r}")
    if given.get("limit", LIMITS[0]) not in LIMITS:
        raise BadFaultError(f"limit must be one of {', '.join(LIMITS)}")
    if given.get("every") == 0:
        raise BadFaultError("every must be above 0")
    if kind == "drift" and not (given.get("field") and (given.get("to") or given.get("remove") or given.get("type"))):
        raise BadFaultError("a drift needs a field, and one of to, remove, type")
    if kind == "skew" and not given.get("seconds"):
        raise BadFaultError("a skew needs seconds")
    try:
        return kind, re.compile(given.get("route", ""))
    except (re.error, TypeError) as error:
        raise BadFaultError(f"route is no regular expression: {error}") from error
