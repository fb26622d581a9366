"""Puts the status together from the ledger and, when it was measured, the lag."""

from __future__ import annotations

import time

from cutover.ledger.read import Reader
from dashboard.lag import Lag, summary
from dashboard.status import Status

SHOWN = 10
"""Mismatches and batches in a status; the rest are counted."""


def gather(reader: Reader, cutover: str, *, lag: Lag | None = None, behind: int | None = None) -> Status:
    """The status as of one moment of the ledger.

    Args:
        reader: The ledger.
        cutover: The cutover's id.
        lag: The newest measurement, None when Kafka doesn't answer.
        behind: Records that the ledger has still to read, None when nobody asked.
    """
    with reader.snapshot():
        return {
            "cutover": cutover,
            "at": int(time.time() * 1000),
            "phase": reader.phase(),
            "objects": reader.conservation(),
            "progress": reader.progress(),
            "verification": reader.verification(),
            "holds": reader.hold_reasons(),
            "rejects": reader.reject_codes(),
            "drifts": reader.drifts(),
            "mismatches": reader.mismatches(SHOWN),
            "batches": reader.batches(limit=SHOWN),
            "groups": summary(lag) if lag else None,
            "ledger": {"behind": behind, "unreadable": reader.unreadable()},
        }
