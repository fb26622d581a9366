"""The rules of conservation: what a delivery's state is, and how each message changes it.

Pure. A delivery is one record on its way to one row in Salesforce. Changes and operations may be seen in any order and
any number of times, as topics are read side by side and stages repeat themselves after a crash: the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from topics.messages import Position

STATES = ("in_flight", "held", "loaded", "rejected", "skipped", "deleted", "superseded")
"""Every delivery is in exactly one."""

FINALITY: Mapping[str | None, int] = {None: 0, "held": 0, "superseded": 1}
"""At one version a final outcome outranks a hold, whichever was told later: a stage that repeats itself after a crash
says `held` again about what has landed since. All other outcomes rank 2; of equals the later one counts."""

CHECKS = frozenset({"verify", "mismatch"})
NOTES = frozenset({"undo_keep", "contact"})
"""Operations that say why nothing was done, or what was done beside a row; they change no state."""

DOUBT = "doubt"
"""Operation by which verification asks itself to look again: nothing has happened."""

LOST = "lost"
"""Operation that says that somebody has deleted the row in Salesforce."""

LEAVES = frozenset({"skip", "undo_restore", LOST})
"""Operations besides deletes after which Salesforce has nothing of ours."""


class Delivery:
    """One record on its way to one row; field by field a row of the table `deliveries`.

    Attributes:
        source_version: Newest version seen in the source; None when only operations tell of it.
        version, outcome, what, code, detail, row_id, at: The newest outcome; outcome None after a release.
        loaded_version, loaded_at: What Salesforce has now, and when that was told last; None when nothing, or no longer.
        left_version, left_at: The newest operation after which Salesforce has nothing of ours; what is older, and told later, doesn't bring it back.
        landed_in: Of a record that counts in another's row, which row that is and in which version the record landed last: `id/version`.
        row_origin: Where the row came from: `foreign` when somebody else made it, `absent` when we did, None when nobody has told.
        landed_source: Where the source record of what landed last lies: `topic/partition/offset`; None when it has none.
        verified_version, verified_in, verified_at, verified_fields, mismatch: The newest check, `verified_in` as `landed_in`; `mismatch` names
            columns, by comma.
    """

    __slots__ = (
        "at",
        "code",
        "detail",
        "landed_in",
        "landed_source",
        "left_at",
        "left_version",
        "loaded_at",
        "loaded_version",
        "mismatch",
        "object",
        "origin",
        "outcome",
        "reference",
        "row_id",
        "row_origin",
        "sobject",
        "source_op",
        "source_version",
        "verified_at",
        "verified_fields",
        "verified_in",
        "verified_version",
        "version",
        "what",
    )

    def __init__(self, reference: str, sobject: str, object_: str) -> None:
        self.reference = reference
        self.sobject = sobject
        self.object = object_
        self.source_version: str | None = None
        self.source_op: str | None = None
        self.origin: str | None = None
        self.version: str | None = None
        self.outcome: str | None = None
        self.what: str | None = None
        self.code: str | None = None
        self.detail: str | None = None
        self.row_id: str | None = None
        self.at = 0
        self.loaded_version: str | None = None
        self.loaded_at: int | None = None
        self.left_version: str | None = None
        self.left_at = 0
        self.row_origin: str | None = None
        self.landed_source: str | None = None
        self.landed_in: str | None = None
        self.verified_version: str | None = None
        self.verified_in: str | None = None
        self.verified_at = 0
        self.verified_fields = 0
        self.mismatch: str | None = None

    @property
    def checked(self) -> bool:
        """Whether the newest check is of the row as it is; one of a version overwritten or deleted since says nothing of it."""
        if self.loaded_version is None or self.verified_version is None:
            return False
        if self.verified_version != self.loaded_version or self.landed_in is None:
            return self.verified_version >= self.loaded_version
        return self.verified_in == self.landed_in or _newer(self.verified_in, self.landed_in)

    @property
    def state(self) -> str:
        """One of `STATES`: what became of the newest version."""
        if self.outcome is None or self.version is None:
            return "in_flight"
        if self.source_version is not None and self.version < self.source_version:
            return "in_flight"
        return self.outcome

    def see(self, version: str, op: str, origin: str) -> None:
        """Take in one version that the extract read from the source."""
        if self.source_version is None or version > self.source_version:
            self.source_version, self.source_op, self.origin = version, op, origin

    def settle(self, operation: Mapping[str, Any]) -> None:
        """Take in one operation."""
        if operation["what"] in CHECKS:
            self._check(operation)
            return
        if operation["what"] in NOTES:
            return
        version, outcome = operation["version"], operation["outcome"]
        if operation.get("origin") == "foreign" or (operation.get("origin") == "absent" and self.row_origin is None):
            self.row_origin = operation["origin"]
        if operation["row_id"]:
            self.row_id = operation["row_id"]
        told = (version, operation["at"])
        if outcome == "loaded":
            if told > (self.left_version or "", self.left_at):
                self._land(operation)
        elif outcome == "deleted" or operation["what"] in LEAVES:
            if told > (self.left_version or "", self.left_at):
                self.left_version, self.left_at = told
            if self.loaded_version is not None and told >= (self.loaded_version, self.loaded_at or 0):
                self.loaded_version = self.loaded_at = None
        now = (self.version or "", FINALITY.get(self.outcome, 2), self.at)
        if (version, FINALITY.get(outcome, 2), operation["at"]) >= now:
            self.version, self.outcome, self.at = version, outcome, operation["at"]
            self.what, self.code, self.detail = operation["what"], operation["code"], operation["detail"]

    def counted(self) -> Iterator[tuple[str, int]]:
        """What this delivery adds to its object's counts: names and amounts."""
        if (
            self.source_version is None and self.outcome != "rejected"
        ):  # what the extract can't read is rejected without ever being in vp.*
            yield "unsourced", 1  # a row of our own making, or a change that is still to be read
        else:
            yield "source", 1
            yield self.state, 1
        if self.loaded_version is not None:
            yield "present", 1
        if self.checked:
            yield "verified_fields", self.verified_fields
            if self.mismatch is not None:
                yield "mismatched", 1
            elif self.version is not None and (self.verified_version or "") >= self.version:
                yield "verified", 1

    def _land(self, operation: Mapping[str, Any]) -> None:
        version, at = operation["version"], operation["at"]
        if self.loaded_version is None or version > self.loaded_version:
            self.loaded_version, self.loaded_at = version, at
            self.landed_source, self.landed_in = _place(operation["source"]), _row(operation)
        elif version == self.loaded_version:
            if self._lands_anew(operation):
                self.landed_in = _row(operation)
            self.loaded_at = max(self.loaded_at or 0, at)

    def _lands_anew(self, operation: Mapping[str, Any]) -> bool:
        """Whether a record lands in another version of a row, or in another row, than the last that is known of it."""
        row = _row(operation)
        return _newer(row, self.landed_in) if _same(row, self.landed_in) else operation["at"] > (self.loaded_at or 0)

    def _check(self, operation: Mapping[str, Any]) -> None:
        version, at, row = operation["version"], operation["at"], _row(operation)
        if version == self.verified_version and row != self.verified_in and _same(row, self.verified_in):
            if not _newer(row, self.verified_in):
                return
        elif (version, at) < (self.verified_version or "", self.verified_at):
            return
        self.verified_version, self.verified_in, self.verified_at = version, row, at
        detail = operation["detail"] or ""
        self.verified_fields = int(detail) if detail.isdecimal() else 0
        self.mismatch = ",".join(operation["columns"]) if operation["what"] == "mismatch" else None


FIELDS = (
    *("reference", "sobject", "object", "source_version", "source_op", "origin"),
    *("version", "outcome", "what", "code", "detail", "row_id", "at", "loaded_version", "loaded_at"),
    *("left_version", "left_at"),
    *("row_origin", "landed_source", "landed_in"),
    *("verified_version", "verified_in", "verified_at", "verified_fields", "mismatch"),
)
"""Columns of the table `deliveries` before `state`, in its order."""

row = attrgetter(*FIELDS, "state")
"""A delivery as a row of the table."""


def _row(operation: Mapping[str, Any]) -> str | None:
    """Which row a record counts in, and which version of it."""
    version = operation.get("row_version")
    return f"{operation['row_id'] or ''}/{version}" if version else None


def _same(one: str | None, other: str | None) -> bool:
    """Whether both are of one row."""
    return (one or "/").partition("/")[0] == (other or "/").partition("/")[0]


def _newer(one: str | None, other: str | None) -> bool:
    """Whether one is a newer version of the row that the other is of."""
    return _same(one, other) and (one or "") > (other or "")


def _place(source: Mapping[str, Any] | None) -> str | None:
    if source is None or source["offset"] < 0:
        return None
    return f"{source['topic']}/{source['partition']}/{source['offset']}"


def position(place: str) -> Position:
    """Where a source record lies, from `Delivery.landed_source`."""
    topic, partition, offset = place.rsplit("/", 2)
    return {"topic": topic, "partition": int(partition), "offset": int(offset)}


def from_row(values: tuple[Any, ...]) -> Delivery:
    """The delivery that a row of the table (its columns in order, `state` left out or last) describes."""
    found = Delivery(values[0], values[1], values[2])
    for name, value in zip(FIELDS[3:], values[3:], strict=False):
        setattr(found, name, value)
    return found
