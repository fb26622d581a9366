"""Keeps the records of the org: one table per object, one column per field.

Owns tables, indexes and every statement that reads or writes a record outside SOQL. Knows no rule about what may be
written: `rows` does. All methods take the caller's connection, so that the caller decides about transactions.

Values as stored: text; dates `YYYY-MM-DD`; instants `YYYY-MM-DDTHH:MM:SS.000+0000`; booleans 0/1; numbers; ids of 18
characters. Text compares without regard to ASCII case, unless the field is case sensitive or an id.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sandbox.salesforce import ids
from sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field, Schema, SObject, folded

MOST_VALUES = 500  # in one IN list; SQLite takes 32,766
MODIFIED = ("LastModifiedById", "LastModifiedDate", "SystemModstamp")


def _column(field: Field) -> str:
    if field.formula is not None:
        kind = "INTEGER" if field.type == "boolean" else "REAL" if field.type in NUMERIC else "TEXT COLLATE NOCASE"
        return f'"{field.name}" {kind} GENERATED ALWAYS AS ({field.formula}) VIRTUAL'
    if field.type == "boolean":
        return f'"{field.name}" INTEGER DEFAULT {int(bool(field.default))}'
    if field.type in NUMERIC:
        kind = "INTEGER" if field.type == "int" else "REAL"
    else:
        kind = f"TEXT{' COLLATE NOCASE' if field.type in TEXTUAL and not field.case_sensitive else ''}"
    default = "" if field.default is None else f" DEFAULT {_quoted(field.default)}"
    return f'"{field.name}" {kind}{default}'


def _quoted(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _index(table: str, field: Field) -> str:
    name, column = f'"{table}_{field.name}"', f'"{field.name}"'
    if field.unique:
        return f'CREATE UNIQUE INDEX IF NOT EXISTS {name} ON "{table}" ({column}) WHERE {column} IS NOT NULL AND IsDeleted = 0'
    return f'CREATE INDEX IF NOT EXISTS {name} ON "{table}" ({column}) WHERE {column} IS NOT NULL'


class Records:
    """The tables of one org."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    # -- shape --------------------------------------------------------------------------------------------------

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Creates the tables and columns that are missing."""
        for sobject in self._schema:
            self.create(connection, sobject)

    def create(self, connection: sqlite3.Connection, sobject: SObject) -> None:
        """Creates the table of an object, or what it lacks."""
        columns = [_column(each) for each in sobject.fields.values() if not each.parts]
        if sobject.get("IsDeleted") is None:
            columns.append("IsDeleted INTEGER DEFAULT 0")
        connection.execute(
            f'CREATE TABLE IF NOT EXISTS "{sobject.name}" (seq INTEGER PRIMARY KEY, {", ".join(columns)})'
        )
        self.complete(connection, sobject, list(sobject.fields.values()))

    def complete(self, connection: sqlite3.Connection, sobject: SObject, fields: Sequence[Field]) -> None:
        """Adds the columns and indexes of fields."""
        present = {row[1].lower() for row in connection.execute(f'PRAGMA table_xinfo("{sobject.name}")')}
        for field in fields:
            if field.parts:
                continue
            if field.name.lower() not in present:
                connection.execute(f'ALTER TABLE "{sobject.name}" ADD COLUMN {_column(field)}')
            if field.name == "Id":
                connection.execute(f'CREATE UNIQUE INDEX IF NOT EXISTS "{sobject.name}_Id" ON "{sobject.name}" (Id)')
                continue
            known = self._schema.get(sobject.name)
            before = known.get(field.name) if known else None
            if before is not None and before.unique != field.unique:
                connection.execute(f'DROP INDEX IF EXISTS "{sobject.name}_{field.name}"')
            if field.indexed:
                connection.execute(_index(sobject.name, field))

    def empty(self, connection: sqlite3.Connection, sobject: SObject, field: Field) -> None:
        """Empties the column of a field that goes, and drops its index."""
        if field.stored:
            connection.execute(f'DROP INDEX IF EXISTS "{sobject.name}_{field.name}"')
            connection.execute(f'UPDATE "{sobject.name}" SET "{field.name}" = NULL')  # noqa: S608

    # -- reading ------------------------------------------------------------------------------------------------

    def select(
        self,
        connection: sqlite3.Connection,
        table: str,
        wanted: Sequence[str],
        key: str,
        values: Iterable[Any],
        *,
        live: bool,
    ) -> Iterator[tuple[Any, ...]]:
        """The wanted columns of the rows whose `key` is one of the values, live ones only if `live`."""
        distinct = list(dict.fromkeys(values))
        columns = ", ".join(f'"{name}"' for name in wanted)
        alive = " AND IsDeleted = 0" if live else ""
        for start in range(0, len(distinct), MOST_VALUES):
            some = distinct[start : start + MOST_VALUES]
            yield from connection.execute(
                f'SELECT {columns} FROM "{table}" WHERE "{key}" IN ({", ".join("?" * len(some))}){alive}',  # noqa: S608
                some,
            )

    def matches(
        self, connection: sqlite3.Connection, sobject: SObject, key: Field, wanted: set[Any]
    ) -> dict[Any, list[str]]:
        """The ids of the live records that have these values in a key field, by the value as it compares."""
        found: dict[Any, list[str]] = {}
        for value, identity in self.select(connection, sobject.name, (key.name, "Id"), key.name, wanted, live=True):
            found.setdefault(folded(key, value), []).append(identity)
        return found

    def fetch(
        self,
        connection: sqlite3.Connection,
        sobject: SObject,
        identities: Sequence[str],
        wanted: Sequence[Field],
        *,
        live: bool,
    ) -> dict[str, dict[str, Any]]:
        """Records by id, each a dict of the wanted stored fields; missing ones are absent."""
        names = ["Id", *(each.name for each in wanted if not each.parts)]
        found = self.select(connection, sobject.name, names, "Id", identities, live=live)
        return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in found}

    def count(self, connection: sqlite3.Connection, sobject: SObject) -> int:
        """Live records of an object."""
        statement = f'SELECT count(*) FROM "{sobject.name}" WHERE IsDeleted = 0'  # noqa: S608
        return int(connection.execute(statement).fetchone()[0])

    def all_rows(self, connection: sqlite3.Connection, sobject: SObject) -> Iterator[dict[str, Any]]:
        """Every record, deleted ones too, in the order of ids; only fields that hold something."""
        names = [each.name for each in sobject.fields.values() if not each.parts]
        columns = ", ".join(f'"{name}"' for name in names)
        for row in connection.execute(f'SELECT {columns} FROM "{sobject.name}" ORDER BY seq'):  # noqa: S608
            yield {name: value for name, value in zip(names, row, strict=True) if value is not None}

    # -- writing ------------------------------------------------------------------------------------------------

    def next_number(self, connection: sqlite3.Connection, sobject: SObject) -> int:
        """The number of the next record, from 0; numbers are never used again."""
        return int(connection.execute(f'SELECT coalesce(max(seq), -1) + 1 FROM "{sobject.name}"').fetchone()[0])  # noqa: S608

    def insert(
        self,
        connection: sqlite3.Connection,
        sobject: SObject,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        fixed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Inserts rows; the first column must be `seq`. The columns in `fixed` get the same text in all of them."""
        names = ", ".join(f'"{name}"' for name in (*columns, *fixed))
        values = ", ".join(("?",) * len(columns) + tuple(map(_quoted, fixed.values())))
        connection.executemany(f'INSERT INTO "{sobject.name}" ({names}) VALUES ({values})', rows)  # noqa: S608

    def make(
        self,
        connection: sqlite3.Connection,
        sobject: SObject,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        user: str,
        at: str,
    ) -> None:
        """Makes records that Salesforce makes by itself beside others: with ids of their own, and the stamps of whoever caused them."""
        names = ("seq", "Id", *columns, "CreatedById", "LastModifiedById")
        stamps = ("CreatedDate", "LastModifiedDate", "SystemModstamp")
        numbered = enumerate(rows, self.next_number(connection, sobject))
        made = [
            (number, ids.make(sobject.prefix, number), *row, user, user, *[at] * len(stamps))
            for number, row in numbered
        ]
        self.insert(connection, sobject, (*names, *stamps), made)

    def update(
        self,
        connection: sqlite3.Connection,
        sobject: SObject,
        assignments: Sequence[str],
        rows: Iterable[Sequence[Any]],
    ) -> None:
        """Updates rows by id. Each row has the values of the assignments (numbered parameters) and, last, its id."""
        connection.executemany(
            f'UPDATE "{sobject.name}" SET {", ".join(assignments)} WHERE Id = ?{len(assignments) + 1}',  # noqa: S608
            rows,
        )
