"""The crash matrix as data: at which steps of a batch its worker dies, by which way the batch goes, and who comes after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Way: TypeAlias = Literal["bulk", "collections"]
Heir: TypeAlias = Literal["same", "other"]

AT_RANDOM: Final = "SIGKILL"


@dataclass(frozen=True)
class Step:
    """A moment of death.

    Attributes:
        name: as the table says it.
        bulk: the fail point, and at which of its hits, when the batch is a Bulk job; None where it has no such step.
        collections: the same when it goes by collections.
        again: where whoever comes next dies, too.
    """

    name: str
    bulk: str | None
    collections: str | None
    again: str | None = None

    def point(self, way: Way) -> str | None:
        return self.bulk if way == "bulk" else self.collections


@dataclass(frozen=True)
class Case:
    """One cell of the table."""

    step: Step
    way: Way
    heir: Heir
    number: int
    """Of the case within the matrix: dice of a random moment are thrown by it."""

    @property
    def id(self) -> str:
        return f"{self.way}, {self.heir} worker: {self.step.name}"

    @property
    def point(self) -> str:
        point = self.step.point(self.way)
        assert point is not None
        return point


def _both(name: str, point: str) -> Step:
    return Step(name, point, point)


# A batch has rows of two partitions, each with its own journal entry and state. In each batch is one row that somebody else's stands in the way of. It is
# settled aside, before the journal: the second audit is the batch's.
STEPS: Final = (
    _both("origins decided", "origins-decided=exit#1"),
    _both("journal in its topic, not in the local file", "changelog-durable=exit#1"),
    _both("journal durable", "batch-planned=exit#1"),
    Step("job created", "job-created=exit#1", None),
    Step("job id in its topic, not in the local file", "changelog-durable=exit#3", None),
    Step("job id durable", "job-id-durable=exit#1", None),
    Step("uploaded", "job-uploaded=exit#1", None),
    Step("closed", "job-closed=exit#1", None),
    Step("complete", "job-complete=exit#1", None),
    Step("results read", "results-read=exit#1", None),
    Step("first call sent", None, "collections-sent=exit#1"),
    Step("last call sent", None, "collections-sent=exit#2"),
    _both("audit sent", "audit-sent=exit#2"),
    _both("audit durable", "audit-durable=exit#2"),
    Step("rows in their topic, not in the local file", "changelog-durable=exit#5", "changelog-durable=exit#3"),
    _both("rows durable", "rows-durable=exit#2"),
    _both("journal entry removed", "journal-removed=exit#1"),
    _both("checkpoint begun", "before-outputs=exit#1"),
    _both("state durable", "state-durable=exit#1"),
    _both("offsets committed", "offsets-committed=exit#1"),
    Step("journal durable; the next one dies there, too", *["batch-planned=exit#1"] * 3),
    Step("job id durable; the next one at job created", "job-id-durable=exit#1", None, "job-created=exit#1"),
    Step("complete; the next one at rows durable", "job-complete=exit#1", None, "rows-durable=exit#1"),
    Step("last call sent; the next one at its first", None, "collections-sent=exit#2", "collections-sent=exit#1"),
    _both("any moment (SIGKILL), once", AT_RANDOM),
    _both("any moment (SIGKILL), twice", AT_RANDOM),
)
COLUMNS: Final[tuple[tuple[str, Way, Heir], ...]] = (
    ("Bulk, same worker", "bulk", "same"),
    ("Bulk, other worker", "bulk", "other"),
    ("collections, same worker", "collections", "same"),
    ("collections, other worker", "collections", "other"),
)
CASES: Final = tuple(
    Case(step, way, heir, row * len(COLUMNS) + column)
    for column, (_, way, heir) in enumerate(COLUMNS)
    for row, step in enumerate(STEPS)
    if step.point(way) is not None
)

_TELLING: Final = {
    ("bulk", "same"): ("job id in its topic, not in the local file", "complete"),
    ("bulk", "other"): ("job created", "uploaded", "rows durable"),
    ("collections", "same"): ("last call sent", "journal durable; the next one dies there, too"),
    ("collections", "other"): ("first call sent", "audit durable"),
}
CHOSEN: Final = tuple(case for case in CASES if case.step.name in _TELLING.get((case.way, case.heir), ()))
"""One of each kind of what the next owner has to tell apart."""
