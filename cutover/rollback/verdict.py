"""What is to become of each row, and the count of it. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from agents.contact_roles import Wish

Row = dict[str, Any]
"""A row of `cutover.ledger.read.Reader.rows`."""

Action = Literal["delete", "restore", "keep", "gone", "done"]
ACTIONS: Final[tuple[Action, ...]] = ("delete", "restore", "keep", "gone", "done")

ROLLED_BACK: Final = "ROLLED_BACK"
"""Code of every operation of a rollback that took something back."""

REASONS: Final = {
    "EDITED": "somebody else changed it last",
    "DIFFERS": "it is no longer what we wrote",
    "HAS_CHILDREN": "rows hang on it that stay",
    "NO_IMAGE": "there is no image of what it was before us",
    "NO_SOURCE": "what we wrote can't be read any more, so nobody can say whether it was changed",
    "ORIGIN_UNKNOWN": "it was loaded before origins were told",
    "REFUSED": "Salesforce refused to take it back",
}
"""Why a row is kept."""


class Verdict(NamedTuple):
    """What is to become of one row.

    Attributes:
        row: As the ledger has it.
        action: `delete`, `restore`, `keep`; `gone`: it isn't in the org; `done`: a former run has done it.
        reason: One of `REASONS` for a row that is kept.
        detail: Column names, Salesforce ids or a code; never a value.
        blocked_by: Salesforce ids of the rows that hang on it.
        values: What a restore writes.
        contact: Whom a restore makes the row's contact again, by its contact roles; None when that is who it is.
    """

    row: Row
    action: Action
    reason: str = ""
    detail: str = ""
    blocked_by: tuple[str, ...] = ()
    values: Mapping[str, Any] = MappingProxyType({})
    contact: Wish | None = None

    def kept(self, reason: str, detail: str) -> Verdict:
        return Verdict(self.row, "keep", reason, detail)


@dataclass
class Report:
    """What a plan would do, or an application did.

    Attributes:
        counts: By Salesforce object, how many rows got which action.
        kept: Rows that stay, with reason and detail.
        changed: Rows that were deleted or restored in the org by this pass.
    """

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    kept: list[Verdict] = field(default_factory=list)
    changed: int = 0

    def take(self, verdict: Verdict) -> None:
        self.counts[verdict.row["sobject"]][verdict.action] += 1
        if verdict.action == "keep":
            self.kept.append(verdict)

    def as_json(self) -> dict[str, Any]:
        """Counts and kept rows, for programs."""
        return {
            "objects": {
                sobject: {action: count[action] for action in ACTIONS} for sobject, count in sorted(self.counts.items())
            },
            "kept": [
                {
                    "reference": one.row["reference"],
                    "sobject": one.row["sobject"],
                    "row_id": one.row["row_id"],
                    "reason": one.reason,
                    "detail": one.detail,
                }
                for one in sorted(self.kept, key=lambda one: (one.row["sobject"], one.row["reference"]))
            ],
        }
