"""Columns that are made of the records that count in a row: an invoice's amount is the sum of its payments, a patient's policy number the primary policy's.

Owns what is made of them. Pure; called where they meet their row, with the values that `plan` made of each. `comparators` has its own
idea of the same.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from mapping.choosing import Candidate, Choice
from mapping.rules import MapDocument
from mapping.text_steps import Value

__all__ = ["Counted", "Counting"]


class Counted(NamedTuple):
    """A record that counts.

    Attributes:
        object: Which object, e.g. `payment`.
        reference: Its reference.
        values: What the map makes of it.
    """

    object: str
    reference: str
    values: Mapping[str, Value]


class _Made(NamedTuple):
    """A column that is made of others' records: by which rule, of which object and field, and whether records without a value are passed over."""

    column: str
    kind: str
    object: str
    field: str
    filled: bool


class Counting:
    """Completes the rows of one object.

    Args:
        document: A loaded map.
        object_name: An object that others count in.
    """

    def __init__(self, document: MapDocument, object_name: str) -> None:
        self._made = [
            _Made(name, column.kind, *column.counted, column.filled)
            for name, column in document.objects[object_name].columns.items()
            if column.counted is not None
        ]
        parts = ((made.object, document.objects[made.object].part_of) for made in self._made if made.kind == "first")
        self._choices = {name: Choice(part, document.as_of) for name, part in parts if part is not None}

    def complete(self, columns: Mapping[str, Value], counted: Iterable[Counted]) -> dict[str, Value]:
        """A row's columns with what its records make of them; a column that none has a value for stays what its own record says."""
        whole = dict(columns)
        members = list(counted)
        ordered = {
            name: choice.ordered(Candidate(one.reference, one.values) for one in members if one.object == name)
            for name, choice in self._choices.items()
        }
        for made in self._made:
            if made.kind == "first":
                value = _first(ordered[made.object], made.field, filled=made.filled)
                if value is not None:
                    whole[made.column] = value
                continue
            values = [
                value
                for one in members
                if one.object == made.object and (value := one.values.get(made.field)) is not None
            ]
            if values:
                whole[made.column] = _sum(values) if made.kind == "sum" else max(map(str, values))
        return whole


def _first(ordered: Iterable[Candidate], field: str, *, filled: bool) -> Value:
    values = (one.values.get(field) for one in ordered)
    return next((value for value in values if value is not None or not filled), None)


def _sum(values: Iterable[Value]) -> float:
    """In decimals: a thousand payments of 0.10 are 100."""
    return float(sum((Decimal(str(value)) for value in values), Decimal()))
