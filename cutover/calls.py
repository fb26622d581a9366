"""What the status says of the org's API calls: how many there are, who has used them, who waits, and when it goes on.

Pure: from what the ledger has of control's and the workers' own words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from dashboard.status import Calls

SILENT_MS = 120_000
"""A worker that has said nothing for so long is not waiting, it is gone."""


def standing(limits: Mapping[str, Any] | None, spending: Sequence[Mapping[str, Any]], now: int) -> Calls | None:
    """How the calls stand.

    Args:
        limits: `Reader.org_limits`.
        spending: `Reader.spending`.
        now: ms since 1970.

    Returns:
        None before anybody has said anything.
    """
    readings = [
        (one["at"], one["used"], one["most"]) for one in (*spending, *([limits] if limits else ())) if one["most"]
    ]
    if not readings:
        return None
    at, used, most = max(readings, key=itemgetter(0))
    by = Counter[str]()
    for one in spending:
        by[one["stage"]] += one["spent"]
    heard = [one for one in spending if now - one["at"] < SILENT_MS]
    full = [one["storage_since"] for one in heard if one["storage_since"] is not None]
    waiting: dict[str, int] = {}
    for one in heard:
        if one["waiting_since"] is not None:
            waiting[one["stage"]] = min(one["waiting_since"], waiting.get(one["stage"], now))
    if limits:
        by["control"] = limits["spent"]
    return {
        "at": at,
        "used": used,
        "most": most,
        "reserve": limits["reserve"] if limits else None,
        "left": max(0, limits["line"] - used) if limits else None,
        "by": dict(by),
        "waiting": waiting,
        "full_since": min(full) if full else None,
        "again_at": limits["again_at"] if limits and limits["again_at"] > now else None,
    }
