"""The shape of a cutover's status: what `/api/status` answers, the page shows, and `carryover status --json` prints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict


class LedgerState(TypedDict):
    """How current the ledger is: `behind` records still to be read (None: not known here), `unreadable` ones passed over."""

    behind: int | None
    unreadable: int


class Calls(TypedDict):
    """The org's API calls of the last 24 hours; times ms since 1970.

    Attributes:
        at: When the org said so.
        used: Whoever used them.
        most: What the org has.
        reserve: What stays for the org's users; None while no control process has asked.
        left: What workers may still use now; None likewise.
        by: What each stage, and control, has used since the cutover began.
        waiting: Stages that wait for calls, and since when.
        full_since: Since when the org has no room for rows; None: it has.
        again_at: When control asks the org again; None when it is not known.
    """

    at: int
    used: int
    most: int
    reserve: int | None
    left: int | None
    by: dict[str, int]
    waiting: dict[str, int]
    full_since: int | None
    again_at: int | None


class Forecast(TypedDict):
    """What is still to come, as far as it is known of; what the source has not shown yet is not in it.

    Attributes:
        records: Deliveries in flight.
        calls: API calls that they will take, verification included, by what was measured so far.
        calls_left: What workers may still use now; None: not known.
        calls_fit: Whether these are enough; None: not known.
        seconds: Until all are settled, at the rate of the last seconds; None while nothing moves or nothing is left.
        storage_mb: Data storage that rows to come will take.
        storage_left_mb: What the org has left; None: not known.
        storage_fits: Whether that is enough; None: not known.
    """

    records: int
    calls: int
    calls_left: int | None
    calls_fit: bool | None
    seconds: int | None
    storage_mb: int
    storage_left_mb: int | None
    storage_fits: bool | None


class Status(TypedDict):
    """Everything at one moment; counts are deliveries, times ms since 1970 UTC, and nothing in it is a patient's.

    Attributes:
        cutover: Its id.
        at: When this was put together.
        phase: The newest transition, None before the first.
        objects: Per object what `cutover.ledger.read.Reader.conservation` says.
        progress: Per object `source`, `settled` and their rates per second.
        verification: Per object `fields`, `verified`, `mismatched`.
        holds: `object code count oldest`.
        rejects: `code stage count newest`.
        drifts: Fields of the source that are not what they were: `object field resource what was now paused at`.
        mismatches: The first few: `reference object columns at`.
        batches: The oldest unfinished.
        groups: Per consumer group `members lag topics`; None while Kafka does not answer.
        calls: The org's API calls; None while nobody has asked it.
        forecast: What is still to come, and whether it fits.
        ledger: How current all this is.
    """

    cutover: str
    at: int
    phase: dict[str, Any] | None
    objects: dict[str, dict[str, Any]]
    progress: dict[str, dict[str, Any]]
    verification: dict[str, dict[str, Any]]
    holds: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    drifts: list[dict[str, Any]]
    mismatches: list[dict[str, Any]]
    batches: list[dict[str, Any]]
    groups: dict[str, dict[str, Any]] | None
    calls: Calls | None
    forecast: Forecast
    ledger: LedgerState


def told(drift: dict[str, Any]) -> str:
    """One drift of the source's schema as a sentence, without the time."""
    name = f"{drift['resource']}.{drift['field']}"
    said = {
        "gone": f"{name} is gone",
        "new": f"{name} is new",
        "type": f"{name} was {drift['was']} and is {drift['now']}",
    }.get(drift["what"], f"{name}: {drift['what']}")
    if drift["paused"]:
        said += f"; the extract of {drift['object']} waits: restore the field, or take it out of the map and restart"
    return said


def calls_told(calls: Calls) -> list[str]:
    """How the org's API calls stand, as sentences; the first is about waiting when somebody waits."""
    said = []
    if calls["waiting"]:
        who = " and ".join(
            f"{_WORK.get(stage, stage)} (since {time_of(since)})" for stage, since in calls["waiting"].items()
        )
        again = f" The org is asked again at {time_of(calls['again_at'])}." if calls["again_at"] else ""
        said.append(
            f"What may be used of the org's API calls is used up; waiting: {who}. Nothing is lost: it goes on by itself as calls of "
            f"24 hours ago fall out of the count.{again}"
        )
    kept = (
        ""
        if calls["reserve"] is None
        else f", {calls['reserve']:,} are kept for its users, {calls['left']:,} are left for this cutover"
    )
    said.append(f"Of the org's {calls['most']:,} API calls {calls['used']:,} were used in the last 24 hours{kept}.")
    if calls["by"]:
        used = ", ".join(f"{stage} {count:,}" for stage, count in sorted(calls["by"].items()))
        said.append(f"This cutover has used, since it began: {used}.")
    return said


def forecast_told(ahead: Forecast, calls: Calls | None) -> list[str]:
    """What is to come, as sentences; what does not fit comes first and says what to do."""
    said = []
    if calls and calls["full_since"]:
        said.append(
            f"The org's data storage is full (since {time_of(calls['full_since'])}): loading waits, and tries a few rows now and then. "
            "Free storage in the org (Setup, Storage Usage; empty the recycle bin), or buy some; it then goes on by itself."
        )
    elif ahead["storage_fits"] is False:
        said.append(
            f"The rows to come need {ahead['storage_mb']:,} MB of data storage, and the org has {ahead['storage_left_mb']:,} MB left: "
            "free some or buy more before it is full."
        )
    if ahead["calls_fit"] is False:
        said.append(
            f"What is known of will take about {ahead['calls']:,} API calls, and {ahead['calls_left']:,} are left for this cutover now: "
            "it will wait for calls of 24 hours ago to fall out of the count. More calls a day, or a smaller target.reserve, make it faster."
        )
    if ahead["records"]:
        fits = [f"about {ahead['calls']:,} API calls", f"{ahead['storage_mb']:,} MB of data storage"]
        if ahead["storage_left_mb"] is not None:
            fits[1] += f" of {ahead['storage_left_mb']:,} MB left"
        when = f", at this rate for {_duration(ahead['seconds'])}" if ahead["seconds"] else ""
        said.append(f"To come: {ahead['records']:,} records{when}; {' and '.join(fits)}.")
    return said


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def time_of(ms: int) -> str:
    """A moment as people read it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_WORK = {"deliver": "loading", "verify": "verification"}
