"""Columns that are made of the records that count in a row: an invoice's amount is the sum of its payments.

Owns what is made of them. Pure; called where they meet their row, with the values that `plan` made of each. `comparators` has its own
idea of the same.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from mapping.rules import MapDocument
from mapping.transforms import Value

__all__ = ["Counted", "Counting"]


class Counted(NamedTuple):
    """A record that counts.

    Attributes:
        object: Which object, e.g. `payment`.
        values: What the map makes of it.
    """

    object: str
    values: Mapping[str, Value]


class Counting:
    """Completes the rows of one object.

    Args:
        document: A loaded map.
        object_name: An object that others count in.
    """

    def __init__(self, document: MapDocument, object_name: str) -> None:
        self._columns: list[tuple[str, str, str, bool]] = []
        for name, column in document.objects[object_name].columns.items():
            made = column.sum or column.latest
            if made is not None:
                part, _, field = made.partition(".")
                self._columns.append((name, part, field, column.sum is not None))

    def complete(self, columns: Mapping[str, Value], counted: Iterable[Counted]) -> dict[str, Value]:
        """A row's columns with what its records make of them; a column that none has a value for stays what its own record says."""
        whole = dict(columns)
        members = list(counted)
        for name, part, field, summed in self._columns:
            values = [one.values[field] for one in members if one.object == part and one.values.get(field) is not None]
            if values:
                whole[name] = _sum(values) if summed else max(map(str, values))
        return whole


def _sum(values: Iterable[Value]) -> float:
    """In decimals: a thousand payments of 0.10 are 100."""
    return float(sum((Decimal(str(value)) for value in values), Decimal()))
