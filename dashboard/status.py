"""The shape of a cutover's status: what `/api/status` answers, the page shows, and `carryover status --json` prints."""

from __future__ import annotations

from typing import Any, TypedDict


class LedgerState(TypedDict):
    """How current the ledger is: `behind` records still to be read (None: not known here), `unreadable` ones passed over."""

    behind: int | None
    unreadable: int


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
