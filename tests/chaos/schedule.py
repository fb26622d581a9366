"""What goes wrong in one run, and when: drawn from a seed, the same for the same seed and length.

Pure. `tests.chaos.run` carries it out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

Act: TypeAlias = Literal["kill", "term", "freeze", "join", "broker", "sandbox", "fault", "moment"]

STAGES: Final = ("ingest", "resolve", "deliver", "verify")
JOINING: Final = ("deliver", "resolve", "ingest")
PER_SECOND: Final = 1.1  # events; each takes its time
_LISTINGS: Final = r"GET /v1/\w+(/deleted)?\?"
_WRITES: Final = r"(POST|PATCH|DELETE) /services/data/v\d+\.\d/composite/sobjects"
_JOBS: Final = r"(POST|PUT|PATCH|GET) /services/data/v\d+\.\d/jobs/ingest"
_CALLS: Final = r"/services/data/"


@dataclass(frozen=True)
class Event:
    """One thing that happens.

    Attributes:
        at: seconds from the beginning.
        act: what.
        on: a stage or `control`, the server of a fault (`source`, `org`), or nothing.
        seconds: how long: until it is started again, continued, or leaves.
        rule: of a fault, as `/__admin/faults` takes it.
        hard: of a member that leaves: by SIGKILL.
    """

    at: float
    act: Act
    on: str = ""
    seconds: float = 0.0
    rule: Mapping[str, Any] = field(default_factory=dict)
    hard: bool = False

    def __str__(self) -> str:
        told = {name: value for name, value in vars(self).items() if value}
        return orjson.dumps(told).decode()


@dataclass(frozen=True)
class Schedule:
    """All of a run.

    Attributes:
        seed: it was drawn from.
        seconds: that it takes.
        events: in the order of time.
    """

    seed: int
    seconds: float
    events: tuple[Event, ...]

    @classmethod
    def of(cls, seed: int, seconds: float) -> Schedule:
        """The schedule of a seed: always a death of the loader, at most one outage of each system in ten seconds, and frozen moments in between."""
        dice = random.Random(f"{seed}/{seconds}")
        events = [Event(_time(dice, seconds), "kill", "deliver", seconds=_down(dice))]
        left = {"broker": 1 + seconds // 20, "sandbox": 1 + seconds // 20, "quota": 1}
        while len(events) < seconds * PER_SECOND:
            event = _draw(dice, _time(dice, seconds))
            scarce = event.act if event.act in left else "quota" if "request_limit" in event.rule.values() else None
            if scarce is not None:
                if left[scarce] < 1:
                    continue
                left[scarce] -= 1
            events.append(event)
        moments = 2 if seconds < 15 else 3
        events += [
            Event(round(seconds * (number + dice.uniform(0.6, 1.0)) / moments, 2), "moment")
            for number in range(moments)
        ]
        return cls(seed, seconds, tuple(sorted(events, key=lambda event: (event.at, str(event)))))

    @property
    def hides_records(self) -> bool:
        """Whether the source has left records out of a whole answer: only a census tells that they are missing."""
        return any(event.on == "source" and event.rule.get("kind") == "partial" for event in self.events)

    @property
    def command(self) -> str:
        """What runs it again."""
        return f"make chaos SEED={self.seed} SECONDS={self.seconds:g}"

    def counted(self) -> str:
        """How often each act happens."""
        names = [event.act for event in self.events]
        return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))


def _time(dice: random.Random, seconds: float) -> float:
    return round(dice.uniform(0.3, seconds), 2)


def _down(dice: random.Random) -> float:
    return round(dice.uniform(0.0, 2.5), 2)


def _draw(dice: random.Random, at: float) -> Event:
    act: Act = dice.choices(
        ("kill", "term", "freeze", "join", "broker", "sandbox", "fault"), weights=(5, 2, 2, 3, 1, 1, 10)
    )[0]
    if act in {"kill", "term"}:
        return Event(at, act, dice.choice((*STAGES, "deliver", "control")), seconds=_down(dice))
    if act == "freeze":  # sometimes beyond the session timeout
        return Event(at, act, dice.choice((*STAGES, "control")), seconds=round(dice.choice((1, 3, 8)) + _down(dice), 2))
    if act == "join":
        return Event(at, act, dice.choice(JOINING), seconds=round(dice.uniform(3, 10), 2), hard=dice.random() < 0.5)
    if act in {"broker", "sandbox"}:
        return Event(at, act, seconds=round(dice.uniform(0.2, 4.0), 2))
    on = dice.choice(("source", "org", "org"))
    make = dice.choice(_SOURCE_FAULTS if on == "source" else _ORG_FAULTS)
    return Event(at, "fault", on, rule=make(dice))


_Make: TypeAlias = Callable[[random.Random], dict[str, Any]]


def _limit(dice: random.Random, route: str) -> dict[str, Any]:
    variant = dice.choice(("retry_after", "retry_date", "reset", "silent"))
    wait = round(dice.uniform(0.2, 2.0), 1)
    return {"route": route, "kind": "429", "limit": variant, "retry_after": wait, "count": dice.randint(1, 4)}


def _status(dice: random.Random, route: str) -> dict[str, Any]:
    after = route == _WRITES and dice.random() < 0.5
    rule = {"route": route, "kind": dice.choice(("500", "502", "503")), "count": dice.randint(1, 4)}
    return rule | {"after": True} if after else rule


def _slow(dice: random.Random, route: str) -> dict[str, Any]:
    kind = dice.choice(("hang", "slow"))
    return {"route": route, "kind": kind, "seconds": round(dice.uniform(0.5, 4.0), 1), "count": dice.randint(1, 2)}


def _broken(dice: random.Random, route: str) -> dict[str, Any]:
    return {"route": route, "kind": dice.choice(("drop", "truncate", "not_json")), "count": dice.randint(1, 3)}


def _lost_answer(dice: random.Random, route: str) -> dict[str, Any]:
    return {"route": route, "kind": "drop", "after": True, "count": dice.randint(1, 2)}


_SOURCE_FAULTS: Final[tuple[_Make, ...]] = (
    lambda dice: _limit(dice, _LISTINGS),
    lambda dice: _status(dice, _LISTINGS),
    lambda dice: _slow(dice, _LISTINGS),
    lambda dice: _broken(dice, _LISTINGS),
    lambda dice: {"route": _LISTINGS, "kind": "partial", "count": dice.randint(1, 2)},
    lambda dice: {"route": "GET /v1/", "kind": "quota", "count": dice.randint(1, 3)},
    lambda dice: {
        "route": r"GET /v1/\w+\?",
        "kind": "mutate",
        "count": 3,
        "work": {"deletes": 2, "edits": 4, "creates": 2},
    },
)
_ORG_FAULTS: Final[tuple[_Make, ...]] = (
    lambda dice: _limit(dice, _CALLS),
    lambda dice: _status(dice, _CALLS),
    lambda dice: _status(dice, _WRITES),
    lambda dice: _status(dice, _JOBS),
    lambda dice: _slow(dice, _CALLS),
    lambda dice: _broken(dice, _CALLS),
    lambda dice: _broken(dice, _WRITES),
    lambda dice: _broken(dice, _JOBS),
    lambda dice: _lost_answer(dice, _WRITES),
    lambda dice: _lost_answer(dice, _JOBS),
    lambda dice: {"route": "(successful|failed)Results", "kind": "partial", "count": dice.randint(1, 2)},
    lambda dice: {"route": " (upsert|update|delete)", "kind": "lock", "count": dice.randint(1, 30)},
    lambda dice: {"route": "upsert", "kind": "job_failed", "count": 1},
    lambda dice: {"route": "upsert", "kind": "job_stuck", "count": 1, "seconds": round(dice.uniform(0.5, 4.0), 1)},
    lambda dice: {"route": _CALLS, "kind": "expire_session", "count": dice.randint(1, 2)},
    lambda dice: {"route": _WRITES, "kind": "request_limit", "end": 2.0},
)
