"""What is still to come will cost: API calls, time, and storage in the org. Pure arithmetic on the ledger's counts and on what workers have used so far.

Calls a record are those measured in this cutover, all included: look-ups, polls, repeats. Until enough has been done they are those of whole batches
(`calls_of_batches`). Storage is counted as Salesforce does: 2 kB for each Account, Contact, Event, Task, Opportunity or row of a custom object (Salesforce
Help, "Data Storage and File Storage"; not so for some other objects, of which none is written).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from dashboard.status import Calls, Forecast

ROW_KB: Final = 2
JOB_CALLS: Final = 7
"""Of a Bulk job: created, uploaded, closed, asked for twice, two results."""
READ_BACK_ROWS: Final = 2000
_ENOUGH: Final = 2000
"""Records after which what was measured counts."""


def calls_of_batches(batch_rows: int) -> float:
    """Calls that a record costs which is loaded in whole batches."""
    return JOB_CALLS / batch_rows


def forecast(
    objects: Mapping[str, Mapping[str, Any]],
    progress: Mapping[str, Mapping[str, Any]],
    verification: Mapping[str, Mapping[str, Any]],
    calls: Calls | None,
    limits: Mapping[str, Any] | None,
    *,
    rows_of: frozenset[str],
    batch_rows: int,
) -> Forecast:
    """What remains, and whether it fits.

    Args:
        objects: `Reader.conservation`.
        progress: `Reader.progress`.
        verification: `Reader.verification`.
        calls: How the org's calls stand; None: not known.
        limits: `Reader.org_limits`, for storage; None: not known.
        rows_of: Objects whose records become rows (others count in them, or are only looked up).
        batch_rows: Rows in a whole batch.
    """
    sent = [objects[name] for name in objects if name in rows_of]
    remaining = sum(counts["in_flight"] for counts in sent)
    written = sum(counts["loaded"] + counts["deleted"] for counts in sent)
    loaded = sum(counts["loaded"] for counts in sent)
    verified = min(loaded, sum(verification.get(name, {}).get("verified", 0) for name in objects if name in rows_of))
    spent = calls["by"] if calls else {}
    loading = _each(spent.get("deliver"), written) or calls_of_batches(batch_rows)
    checking = _each(spent.get("verify"), verified) or 1 / READ_BACK_ROWS
    needed = ceil(remaining * loading + (remaining + loaded - verified) * checking)
    rate = sum(progress.get(name, {}).get("settled_rate", 0.0) for name in objects)
    left = sum(counts["in_flight"] for counts in objects.values())
    # What waits for its parents, or was refused, may become a row yet.
    making = sum(counts["in_flight"] + counts["held"] for counts in sent)
    room = limits["storage_left_mb"] if limits else None
    megabytes = ceil(making * ROW_KB / 1024)
    return {
        "records": left,
        "calls": needed,
        "calls_left": calls["left"] if calls else None,
        "calls_fit": None if calls is None or calls["left"] is None else needed <= calls["left"],
        "seconds": ceil(left / rate) if rate > 0 and left else None,
        "storage_mb": megabytes,
        "storage_left_mb": room,
        "storage_fits": None if room is None else megabytes <= room,
    }


def _each(calls: int | None, records: int) -> float:
    return calls / records if calls and records >= _ENOUGH else 0.0
