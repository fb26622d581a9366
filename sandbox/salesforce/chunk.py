"""One chunk of a write on its way: what was asked, what it means, what was refused, what came of it.

Owns the data that `rows`, `checks`, the behaviours of objects and the org's rules hand on to each other; no rule.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sandbox.salesforce.columns import Column
from sandbox.salesforce.errors import RowError
from sandbox.salesforce.schema import Field, SObject
from sandbox.salesforce.values import CLEAR, Errors, Filled

CHUNK = 200  # rows that Salesforce handles at once


class Outcome(NamedTuple):
    """What became of one row; `id` is known for refused updates too."""

    id: str | None
    created: bool
    error: RowError | None


@dataclass(slots=True)
class Write:
    """One chunk: `cells` are columns of raw values, as `values` takes them. `key` is the external id of an upsert.

    `guard` looks at the identified rows before they are checked. With `allow_duplicates` a duplicate rule that only
    warns lets its rows pass.
    """

    sobject: SObject
    operation: str
    columns: Sequence[Column]
    cells: Sequence[Sequence[Any]]
    total: int
    user: str
    at: str
    key: Field | None = None
    locked: set[int] = field(default_factory=set)
    errors: Errors = field(default_factory=dict)
    stored: dict[str, list[Any]] = field(default_factory=dict)  # by field name
    ids: list[str | None] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    guard: "Callable[[Write], None] | None" = None
    allow_duplicates: bool = False

    def given(self, name: str, row: int) -> Any:
        """The stored form of a value, None when it is left as it is or made null."""
        cells = self.stored.get(name)
        value = cells[row] if cells is not None else None
        return None if value is CLEAR else value

    def clears(self, name: str, row: int) -> bool:
        """Whether the row makes the field null."""
        cells = self.stored.get(name)
        return cells is not None and cells[row] is CLEAR

    def put(self, name: str, row: int, value: Any) -> None:
        """Sets a value that the server works out."""
        cells = self.stored.get(name)
        if cells is None or isinstance(cells, Filled):  # which may stop being that
            cells = self.stored[name] = list(cells or [None] * self.total)
        cells[row] = value

    def refuse(self, row: int, code: str, text: str, *fields: str) -> None:
        """Refuses a row, unless it is refused already."""
        self.errors.setdefault(row, RowError(code, text, fields))

    def outcomes(self) -> list[Outcome]:
        """What became of the rows, in their order, once the chunk was carried out."""
        created = set(self.new)
        return [
            Outcome(self.ids[row], row in created and row not in self.errors, self.errors.get(row))
            for row in range(self.total)
        ]

    def lasting(self, rows: Iterable[int]) -> list[int]:
        """Those of the rows that are not refused."""
        return [row for row in rows if row not in self.errors]


def present(values: Iterable[Any]) -> set[Any]:
    """The values that say something."""
    if isinstance(values, Filled):
        return set(values)
    return {value for value in values if value is not None and value is not CLEAR}
