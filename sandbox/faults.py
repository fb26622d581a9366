"""What goes wrong on purpose: rules that say where, how and how often.

Owns the rules and the decision whether one strikes. Knows no HTTP beyond a method and a path: `disturbance` turns a
decision into a broken answer, the row engine of the Salesforce server asks for rows to refuse. Rules live in memory:
a restart clears them.
"""

import random
import re
from dataclasses import asdict, dataclass
from itertools import count as counter
from typing import Any

HTTP_KINDS = frozenset({"hang", "slow", "drop", "truncate", "not_json", "expire_session", "request_limit"})
ROW_KINDS = frozenset({"lock"})
JOB_KINDS = frozenset({"job_failed"})


class BadFaultError(ValueError):
    """The description of a fault cannot be understood; the text says why."""


@dataclass(slots=True)
class Fault:
    """One rule.

    `route` is searched as a regular expression in `METHOD /path`. It strikes `count` times, or each time with
    `probability`, or always when neither is given. `seconds` is how long a `slow` or `hang` lasts; `retry_after` goes
    into the header of a refusal; with `after` the request is carried out first and only its answer is lost.
    """

    id: int
    route: str
    kind: str
    count: int | None = None
    probability: float | None = None
    seconds: float | None = None
    retry_after: float | None = None
    after: bool = False
    message: str | None = None
    struck: int = 0

    @property
    def status(self) -> int | None:
        """The HTTP status of a refusal, or None for any other kind."""
        return int(self.kind) if self.kind.isdigit() else None

    def as_json(self) -> dict[str, Any]:
        """The rule as the admin API shows it; keys that say nothing are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class Faults:
    """The rules in force. Decisions come from a seeded source, so that a sequential run repeats itself."""

    def __init__(self, seed: int = 0) -> None:
        self._rules: list[Fault] = []
        self._ids = counter(1)
        self._random = random.Random(seed)

    def add(self, given: dict[str, Any]) -> Fault:
        """Adds a rule from its JSON form; raises BadFaultError when a part of it makes no sense."""
        known = set(Fault.__dataclass_fields__) - {"id", "struck"}
        if unknown := set(given) - known:
            raise BadFaultError(f"unknown keys: {', '.join(sorted(unknown))}")
        kind = str(given.get("kind", ""))
        if kind not in HTTP_KINDS | ROW_KINDS | JOB_KINDS and not re.fullmatch(r"[45]\d\d", kind):
            raise BadFaultError(f"unknown kind: {kind!r}")
        try:
            re.compile(given.get("route", ""))
        except (re.error, TypeError) as error:
            raise BadFaultError(f"route is no regular expression: {error}") from error
        default_after = kind == "truncate"
        rule = Fault(**{"route": "", "after": default_after, **given, "id": next(self._ids), "kind": kind})
        self._rules.append(rule)
        return rule

    def remove(self, identity: int | None = None) -> int:
        """Removes one rule, or all when None; returns how many went."""
        kept = [] if identity is None else [rule for rule in self._rules if rule.id != identity]
        gone = len(self._rules) - len(kept)
        self._rules = kept
        return gone

    def listing(self) -> list[dict[str, Any]]:
        """Every rule that may still strike, with how often it has."""
        return [rule.as_json() for rule in self._rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def strike(self, request: str) -> Fault | None:
        """The rule that hits this request (`METHOD /path`), counted, or None."""
        for rule in self._rules:
            if rule.kind in ROW_KINDS or rule.kind in JOB_KINDS or not re.search(rule.route, request):
                continue
            if self._hits(rule):
                return rule
        return None

    def job_failure(self, request: str) -> Fault | None:
        """The `job_failed` rule that hits this job (`OBJECT operation`), counted, or None."""
        for rule in self._rules:
            if rule.kind in JOB_KINDS and re.search(rule.route, request) and self._hits(rule):
                return rule
        return None

    def rows(self, kind: str, request: str, total: int) -> set[int]:
        """Positions (0-based, of `total`) of the rows that a row fault of this kind hits."""
        hit: set[int] = set()
        for rule in self._rules:
            if rule.kind == kind and re.search(rule.route, request):
                hit.update(position for position in range(total) if self._hits(rule))
        return hit

    def _hits(self, rule: Fault) -> bool:
        if rule.count is not None and rule.struck >= rule.count:
            return False
        if rule.probability is not None and self._random.random() >= rule.probability:
            return False
        rule.struck += 1
        return True
