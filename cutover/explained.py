"""Whether what is held and rejected at the end is accounted for: by the dirt that the practice is known to have, and by what hangs on it.

Reads the ledger only. Used by the demo, whose practice's dirt is known by kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import islice
from typing import Final, NamedTuple

from cutover.dirty_data import PARENT_CODES, codes
from cutover.ledger.read import Reader

_AT_ONCE: Final = 5_000
_ALL: Final = 1 << 40
_THERE: Final = frozenset({"loaded", "in_flight"})


class Reason(NamedTuple):
    """Records of one object that are not in Salesforce for one reason.

    Attributes:
        object: of which object.
        state: `held` or `rejected`.
        code: why.
        records: how many.
        explained: how many of them are accounted for.
    """

    object: str
    state: str
    code: str
    records: int
    explained: int


def reasons(reader: Reader, kinds: Collection[str]) -> list[Reason]:
    """Why records are held and rejected, object by object.

    A record is accounted for when a kind of dirt that the practice has is declared to end with that code, or when it is held for a parent that is
    not in Salesforce: rejected, held or left out itself, deleted, or unknown to the ledger, which the census holds against the source. A hold for an
    owner never is: somebody can decide it.

    Arguments:
        reader: the ledger, caught up and after a census.
        kinds: of dirt that the practice has.
    """
    rejected, held = codes(kinds)
    counts: Counter[tuple[str, str, str]] = Counter()
    explained: Counter[tuple[str, str, str]] = Counter()
    for row in reader.unsettled():
        if row["state"] == "rejected":
            key = (row["object"], "rejected", row["code"])
            counts[key] += 1
            explained[key] += row["code"] in rejected
    holds = reader.holds(limit=_ALL)
    there = _there(reader, {row["detail"] for row in holds if row["code"] in PARENT_CODES and row["detail"]})
    for row in holds:
        key, code = (row["object"], "held", row["code"]), row["code"]
        counts[key] += 1
        explained[key] += (
            row["detail"] not in there if code in PARENT_CODES else code in held and not code.startswith("OWNER_")
        )
    return [Reason(*key, count, explained[key]) for key, count in sorted(counts.items())]


def _there(reader: Reader, parents: Collection[str]) -> set[str]:
    """Those that are in Salesforce, or on their way."""
    found: set[str] = set()
    left = iter(sorted(parents))
    while some := list(islice(left, _AT_ONCE)):
        found.update(name for name, row in reader.settled_as(some).items() if row["state"] in _THERE)
    return found
