"""What a write must obey: at most 200 rows of one object, one operation, inside the caller's transaction.

Owns the order of the checks, what is written, and the outcome of each row. A refused row changes nothing and stops no
other. Values come from `values`, statements from `records`. Called by `ingest` for each chunk and by `writes` for REST.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sandbox.salesforce import errors, ids, values
from sandbox.salesforce.columns import Column
from sandbox.salesforce.errors import RowError
from sandbox.salesforce.records import MODIFIED, Records
from sandbox.salesforce.schema import Field, Schema, SObject
from sandbox.salesforce.values import CLEAR, Errors

CHUNK = 200  # rows that Salesforce handles at once
CREATED = ("CreatedById", "CreatedDate")


class Outcome(NamedTuple):
    """What became of one row; `id` is known for refused updates too."""

    id: str | None
    created: bool
    error: RowError | None


@dataclass(slots=True)
class Write:
    """One chunk: `cells` are columns of raw values, as `values` takes them. `key` is the external id of an upsert."""

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
    guard: "Callable[[Write], None] | None" = None  # looks at the identified rows before they are checked


class Rows:
    """The rules of one org."""

    def __init__(self, schema: Schema, records: Records) -> None:
        self._schema, self._records = schema, records

    def apply(self, connection: sqlite3.Connection, write: Write) -> list[Outcome]:
        """Carries the chunk out; the outcomes are in the order of its rows."""
        write.ids = [None] * write.total
        self._convert(connection, write)
        self._identify(connection, write)
        if write.guard is not None:
            write.guard(write)
        if write.operation == "delete":
            self._delete(connection, write)
        else:
            self._check(connection, write)
            self._insert(connection, write)
            self._update(connection, write)
        created = set(write.new)
        return [
            Outcome(write.ids[row], row in created and row not in write.errors, write.errors.get(row))
            for row in range(write.total)
        ]

    # -- reading the rows ---------------------------------------------------------------------------------------

    def _convert(self, connection: sqlite3.Connection, write: Write) -> None:
        for row in sorted(write.locked):
            text = "unable to obtain exclusive access to this record or 200 records: "
            write.errors[row] = RowError("UNABLE_TO_LOCK_ROW", text + ids.make(write.sobject.prefix, row))
        for column, raw in zip(write.columns, write.cells, strict=True):
            if column.key is None or column.parent is None:
                write.stored[column.field.name] = values.converter(column.field)(column.field, raw, write.errors)
            else:
                write.stored[column.field.name] = self._resolve(connection, column, raw, write.errors)

    def _resolve(self, connection: sqlite3.Connection, column: Column, raw: Sequence[Any], wrong: Errors) -> list[Any]:
        parent, key = column.parent, column.key
        assert parent is not None
        assert key is not None
        spelled = {value: value.strip() for value in set(raw) if value is not None and value is not CLEAR}
        matches = self._matches(connection, parent, key, set(spelled.values()))
        found = {value: matches.get(_folded(key, text), []) for value, text in spelled.items()}
        resolved = [value if value is None or value is CLEAR else _only(found[value]) for value in raw]
        if any(len(each) != 1 for each in found.values()):
            for row, value in enumerate(raw):
                if value in found and len(found[value]) != 1:
                    text = f"Foreign key external ID: {spelled[value]} not found for field {key.name} in entity {parent.name}"
                    several = found[value]
                    wrong.setdefault(row, _ambiguous(key, several) if several else RowError("INVALID_FIELD", text))
        return resolved

    def _matches(
        self, connection: sqlite3.Connection, sobject: SObject, key: Field, wanted: set[Any]
    ) -> dict[Any, list[str]]:
        matches: dict[Any, list[str]] = {}
        for value, identity in self._records.select(
            connection, sobject.name, (key.name, "Id"), key.name, wanted, live=True
        ):
            matches.setdefault(_folded(key, value), []).append(identity)
        return matches

    # -- which record a row means -------------------------------------------------------------------------------

    def _identify(self, connection: sqlite3.Connection, write: Write) -> None:
        if write.operation == "insert":
            write.new = list(range(write.total))
            if "Id" in write.stored:
                error = RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
                for row, value in enumerate(write.stored.pop("Id")):
                    if value is not None and value is not CLEAR:
                        write.errors.setdefault(row, error)
        elif write.operation == "upsert" and write.key is not None and write.key.name != "Id":
            self._identify_by_key(connection, write, write.key)
        else:
            self._identify_by_id(connection, write)

    def _identify_by_key(self, connection: sqlite3.Connection, write: Write, key: Field) -> None:
        for row, value in enumerate(write.stored.pop("Id", ())):
            if value is not None:
                text = f"cannot specify both an external ID reference {key.name} and a salesforce id, Id"
                write.errors.setdefault(row, RowError("INVALID_FIELD", text, ("Id",)))
        given = write.stored.get(key.name, [None] * write.total)
        folded = [None if value is None or value is CLEAR else _folded(key, value) for value in given]
        repeated = {value for value, times in Counter(folded).items() if times > 1 and value is not None}
        matches = self._matches(connection, write.sobject, key, {value for value in given if value is not None})
        for row, value in enumerate(folded):
            if row in write.errors and value is None:
                continue
            if value is None:
                write.errors.setdefault(row, RowError("MISSING_ARGUMENT", f"{key.name} not specified", (key.name,)))
            elif value in repeated:
                text = f"Duplicate external id specified: {given[row]}"
                write.errors.setdefault(row, RowError("DUPLICATE_VALUE", text, (key.name,)))
            elif not (found := matches.get(value)):
                write.new.append(row)
            elif len(found) > 1:
                write.errors.setdefault(row, _ambiguous(key, found))
            else:
                write.ids[row] = found[0]
                write.known.append(row)

    def _identify_by_id(self, connection: sqlite3.Connection, write: Write) -> None:
        given = write.stored.pop("Id", [None] * write.total)
        wanted = [value for value in given if value is not None and value is not CLEAR]
        found = dict(
            self._records.select(connection, write.sobject.name, ("Id", "IsDeleted"), "Id", wanted, live=False)
        )
        for row, value in enumerate(given):
            if row in write.errors:
                continue
            if value is None or value is CLEAR:
                if write.operation == "upsert":
                    write.new.append(row)
                else:
                    write.errors[row] = RowError("MISSING_ARGUMENT", "Id not specified", ("Id",))
                continue
            write.ids[row] = value
            if not value.startswith(write.sobject.prefix):
                text = f"{write.sobject.label} ID: id value of incorrect type: {value}"
                write.errors[row] = RowError("MALFORMED_ID", text, ("Id",))
            elif value not in found:
                write.errors[row] = errors.CROSS_REFERENCE
            elif found[value] == 1:
                write.errors[row] = errors.IS_DELETED
            else:
                write.known.append(row)

    # -- whether it may be written ------------------------------------------------------------------------------

    def _check(self, connection: sqlite3.Connection, write: Write) -> None:
        self._check_writable(write, write.new, "createable")
        self._check_writable(write, write.known, "updateable")
        self._check_required(write)
        for column in write.columns:
            if column.field.references and column.key is None:
                self._check_lookup(connection, write, column.field)
            if column.field.name == "OwnerId":
                self._check_owner(connection, write)
            if column.field.unique and column.field.name in write.stored:
                self._check_unique(connection, write, column.field)

    @staticmethod
    def _check_writable(write: Write, rows: Sequence[int], flag: str) -> None:
        closed = [name for name in write.stored if not getattr(write.sobject.fields[name], flag)]
        for row in rows if closed else ():
            named = [name for name in closed if write.stored[name][row] is not None]
            if named:
                write.errors.setdefault(row, errors.not_writable(named))
        for name in closed:
            if not write.sobject.fields[name].createable:
                del write.stored[name]

    @staticmethod
    def _check_required(write: Write) -> None:
        required = [each.name for each in write.sobject.fields.values() if each.required and each.type != "base64"]
        absent: dict[int, list[str]] = {}
        for name in required:
            given = write.stored.get(name)
            for row in write.new:
                if given is None or given[row] is None or given[row] is CLEAR:
                    absent.setdefault(row, []).append(name)
            if given is not None and CLEAR in given:
                for row in write.known:
                    if given[row] is CLEAR:
                        absent.setdefault(row, []).append(name)
        for row, names in absent.items():
            write.errors.setdefault(row, errors.missing(names))

    def _check_lookup(self, connection: sqlite3.Connection, write: Write, lookup: Field) -> None:
        given = write.stored.get(lookup.name, [])
        wanted = {value for value in given if value is not None and value is not CLEAR}
        found: dict[str, int] = {}
        for name in lookup.references:
            parent = self._schema.get(name)
            if parent is not None and wanted:
                found.update(self._records.select(connection, name, ("Id", "IsDeleted"), "Id", wanted, live=False))
        prefixes = {parent.prefix for name in lookup.references if (parent := self._schema.get(name))}
        for row, value in enumerate(given):
            if value is None or value is CLEAR:
                continue
            if value[:3] not in prefixes:
                text = f"{lookup.label}: id value of incorrect type: {value}"
                write.errors.setdefault(row, RowError("MALFORMED_ID", text, (lookup.name,)))
            elif value not in found:
                write.errors.setdefault(row, errors.CROSS_REFERENCE)
            elif found[value] == 1:
                write.errors.setdefault(row, errors.IS_DELETED)

    def _check_owner(self, connection: sqlite3.Connection, write: Write) -> None:
        owners = write.stored["OwnerId"]
        wanted = {value for value in owners if value is not None and value is not CLEAR}
        active = dict(self._records.select(connection, "User", ("Id", "IsActive"), "Id", wanted, live=False))
        for row, value in enumerate(owners):
            if active.get(value) == 0:
                text = f"operation performed with inactive user [{value}] as owner of {write.sobject.name.lower()}"
                write.errors.setdefault(row, RowError("INACTIVE_OWNER_OR_USER", text))

    def _check_unique(self, connection: sqlite3.Connection, write: Write, unique: Field) -> None:
        if unique is write.key:
            return
        given = write.stored[unique.name]
        wanted = {value for value in given if value is not None and value is not CLEAR}
        taken = {
            _folded(unique, value): found[0]
            for value, found in self._matches(connection, write.sobject, unique, wanted).items()
        }
        for row, value in enumerate(given):
            if value is None or value is CLEAR or row in write.errors:
                continue
            holder = taken.setdefault(_folded(unique, value), write.ids[row] or f"row {row}")
            if holder not in {write.ids[row], f"row {row}"}:
                named = "unknown" if holder.startswith("row") else holder
                text = f"duplicate value found: {unique.name} duplicates value on record with id: {named}"
                write.errors.setdefault(row, RowError("DUPLICATE_VALUE", text, (unique.name,)))

    # -- writing ------------------------------------------------------------------------------------------------

    def _insert(self, connection: sqlite3.Connection, write: Write) -> None:
        rows = [row for row in write.new if row not in write.errors]
        if not rows:
            return
        number = self._records.next_number(connection, write.sobject)
        for row, identity in zip(rows, ids.run(write.sobject.prefix, number, len(rows)), strict=True):
            write.ids[row] = identity
        fixed = {
            name: write.at if name.endswith(("Date", "Modstamp")) else write.user
            for name in (*CREATED, *MODIFIED)
            if name in write.sobject.fields
        }
        if write.sobject.get("OwnerId") and "OwnerId" not in write.stored:
            fixed["OwnerId"] = write.user
        chosen = [_picked(write.sobject.fields[name], cells, rows, write.user) for name, cells in write.stored.items()]
        self._records.insert(
            connection,
            write.sobject,
            ["seq", "Id", *fixed, *write.stored],
            zip(
                range(number, number + len(rows)),
                [write.ids[row] for row in rows],
                *([value] * len(rows) for value in fixed.values()),
                *chosen,
                strict=True,
            ),
        )

    def _update(self, connection: sqlite3.Connection, write: Write) -> None:
        rows = [row for row in write.known if row not in write.errors]
        if not rows:
            return
        assignments: list[str] = []
        chosen: list[list[Any]] = []
        for name, cells in write.stored.items():
            if write.key is not None and name == write.key.name:
                continue
            some = [cells[row] for row in rows]
            place = f"?{len(assignments) + 1}"
            value = f"nullif({place}, char(0, 0))" if CLEAR in some else place
            assignments.append(f'"{name}" = ' + (f'iif({place} IS NULL, "{name}", {value})' if None in some else value))
            chosen.append(some)
        for name in filter(write.sobject.fields.__contains__, MODIFIED):
            assignments.append(f"{name} = ?{len(assignments) + 1}")
            chosen.append([write.user if name.endswith("Id") else write.at] * len(rows))
        self._records.update(
            connection, write.sobject, assignments, zip(*chosen, [write.ids[row] for row in rows], strict=True)
        )

    def _delete(self, connection: sqlite3.Connection, write: Write) -> None:
        rows = [row for row in write.known if row not in write.errors]
        found = [identity for row in rows if (identity := write.ids[row])]
        self._records.delete(connection, write.sobject, found, (write.user, write.at, write.at))


def _folded(key: Field, value: Any) -> Any:
    return value if key.case_sensitive or not isinstance(value, str) else value.lower()


def _only(found: Sequence[str]) -> str | None:
    return found[0] if len(found) == 1 else None


def _ambiguous(key: Field, found: Sequence[str]) -> RowError:
    text = f"more than one record found for external id field: [{', '.join(found)}]"
    return RowError("DUPLICATE_EXTERNAL_ID", f"{key.label}: {text}")


def _picked(field: Field, cells: list[Any], rows: Sequence[int], user: str) -> list[Any]:
    some = cells if len(rows) == len(cells) else [cells[row] for row in rows]
    if field.name == "OwnerId" or field.type == "boolean":
        default = user if field.name == "OwnerId" else 0
        return [default if value is None or value is CLEAR else value for value in some]
    return [None if value is CLEAR else value for value in some] if CLEAR in some else some
