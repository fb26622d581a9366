"""Puts the status together from the ledger and, when it was measured, the lag."""

from __future__ import annotations

import time
from functools import lru_cache

from cutover.calls import standing
from cutover.chosen_map import read_map
from cutover.forecast import forecast
from cutover.ledger.read import Reader
from cutover.settings import Settings, SettingsError
from dashboard.lag import Lag, summary
from dashboard.status import Status
from mapping.map_errors import MapErrors
from topics.catalogue import OWNER

SHOWN = 10
"""Mismatches and batches in a status; the rest are counted."""


def gather(reader: Reader, settings: Settings, *, lag: Lag | None = None, behind: int | None = None) -> Status:
    """The status as of one moment of the ledger.

    Args:
        reader: The ledger.
        settings: The cutover's.
        lag: The newest measurement, None when Kafka doesn't answer.
        behind: Records that the ledger has still to read, None when nobody asked.
    """
    now = int(time.time() * 1000)
    rows_of = _rows_of(settings)
    with reader.snapshot():
        objects, progress, verification = reader.conservation(), reader.progress(), reader.verification()
        limits = reader.org_limits()
        calls = standing(limits, reader.spending(), now)
        ahead = forecast(
            objects, progress, verification, calls, limits, rows_of=rows_of, batch_rows=settings.load.batch_rows
        )
        return {
            "cutover": settings.cutover.id,
            "at": now,
            "phase": reader.phase(),
            "objects": objects,
            "progress": progress,
            "verification": verification,
            "holds": reader.hold_reasons(),
            "rejects": reader.reject_codes(),
            "drifts": reader.drifts(),
            "mismatches": reader.mismatches(SHOWN),
            "batches": reader.batches(limit=SHOWN),
            "groups": summary(lag) if lag else None,
            "calls": calls,
            "forecast": ahead,
            "ledger": {"behind": behind, "unreadable": reader.unreadable()},
        }


@lru_cache
def _rows_of(settings: Settings) -> frozenset[str]:
    """Objects whose records become rows; by the map, or by the topics while that can't be read."""
    try:
        return frozenset(read_map(settings)[0].rows)
    except (SettingsError, MapErrors):
        return frozenset(name for name, target in settings.catalogue.targets.items() if target != OWNER)
