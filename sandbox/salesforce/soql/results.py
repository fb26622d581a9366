"""Turns stored rows into the records of an answer, JSON or CSV.

Owns the outward form of values. Called by `queries`, `extracts` and the record routes.
"""

from collections.abc import Sequence
from typing import Any

from sandbox.salesforce.schema import Field, SObject
from sandbox.salesforce.soql.statement import Output, Statement

Record = dict[str, Any]


def attributes(sobject: SObject, version: str, identity: str) -> dict[str, str]:
    """What comes first in every record."""
    return {"type": sobject.name, "url": f"/services/data/v{version}/sobjects/{sobject.name}/{identity}"}


def shown(field: Field, value: Any) -> Any:
    """A stored value as JSON shows it."""
    return bool(value) if field.type == "boolean" and value is not None else value


def part_name(field: Field, part: str) -> str:
    """The key of a component inside a compound address: `BillingPostalCode` is `postalCode`."""
    bare = part.removeprefix(field.name.removesuffix("Address"))
    return bare[:1].lower() + bare[1:]


def columns(output: Output) -> list[str]:
    """The SQL columns that an output needs: itself, or the components of a compound field."""
    if not output.field.parts:
        return [output.sql]
    alias = output.sql.partition(".")[0]
    return [f'{alias}."{part}"' for part in output.field.parts]


class Shape:
    """How the rows of one statement become records. A row is: id, ids of the parents, then the outputs' columns."""

    def __init__(self, statement: Statement, version: str) -> None:
        self._statement, self._version = statement, version
        self._aggregate = statement.query.aggregate
        walked = (join for output in statement.outputs if output.join for join in output.join.chain)
        self._joins = list({join.path: join for join in walked}.values())

    @property
    def selected(self) -> list[str]:
        """The columns to select."""
        found = [each for output in self._statement.outputs for each in columns(output)]
        if self._aggregate:
            return found
        return ["t.Id", *(join.identity for join in self._joins), *found]

    def records(self, rows: Sequence[Sequence[Any]]) -> list[Record]:
        """The records of these rows, in the order of SELECT."""
        return [self._grouped(row) if self._aggregate else self._record(row) for row in rows]

    def _grouped(self, row: Sequence[Any]) -> Record:
        record: Record = {"attributes": {"type": "AggregateResult"}}
        for output, value in zip(self._statement.outputs, row, strict=True):
            record[output.path[-1]] = shown(output.field, value)
        return record

    def _record(self, row: Sequence[Any]) -> Record:
        statement, version = self._statement, self._version
        record: Record = {"attributes": attributes(statement.sobject, version, row[0])}
        at = 1 + len(self._joins)
        parents = self._parents(row[1:at]) if self._joins else {}
        for output in statement.outputs:
            width = len(output.field.parts) or 1
            value = self._value(output.field, row[at : at + width])
            at += width
            node: Record | None = record
            for depth in range(1, len(output.path)):
                if node is not None:
                    node = node.setdefault(output.path[depth - 1], parents[output.path[:depth]])
            if node is not None:
                node[output.path[-1]] = value
        return record

    def _parents(self, identities: Sequence[str | None]) -> dict[tuple[str, ...], Record | None]:
        return {
            join.path: {"attributes": attributes(join.named(identity), self._version, identity)} if identity else None
            for join, identity in zip(self._joins, identities, strict=True)
        }

    @staticmethod
    def _value(field: Field, values: Sequence[Any]) -> Any:
        if not field.parts:
            return shown(field, values[0])
        return address(field, values)


def address(field: Field, values: Sequence[Any]) -> Record | None:
    """A compound address from its components, or None when all are empty."""
    if all(value is None for value in values):
        return None
    named = {part_name(field, part): value for part, value in zip(field.parts, values, strict=True)}
    return dict(sorted({**named, "geocodeAccuracy": None, "latitude": None, "longitude": None}.items()))


def as_csv(output: Output) -> str:
    """The SQL of an output's value as Bulk query results show it."""
    if output.field.type == "datetime":
        return f"replace({output.sql}, '+0000', 'Z')"
    if output.field.type == "boolean":
        return f"iif({output.sql}, 'true', 'false')"
    return output.sql
