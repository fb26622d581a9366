"""What a write does: at most 200 rows of one object, one operation, inside the caller's transaction.

Owns the order of things, what is written, and the outcome of each row. A refused row changes nothing and stops no
other. Values come from `values`, refusals from `checks`, statements from `records`. Called by `ingest` for each chunk
and by `writes` for REST.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.salesforce import errors, ids, values
from sandbox.salesforce.access import GRANTS, Access
from sandbox.salesforce.checks import Checks
from sandbox.salesforce.chunk import CHUNK, Outcome, Write, present
from sandbox.salesforce.columns import Column
from sandbox.salesforce.contact_roles import ROLE, ContactRoles
from sandbox.salesforce.errors import RowError
from sandbox.salesforce.events import Activities
from sandbox.salesforce.grants import ASSIGNMENT, FIELDS, Grants
from sandbox.salesforce.products import Products
from sandbox.salesforce.records import MODIFIED, Records
from sandbox.salesforce.recycling import RecycleBin
from sandbox.salesforce.relations import RELATION, Relations
from sandbox.salesforce.rules import Rules
from sandbox.salesforce.schema import Field, Schema, folded
from sandbox.salesforce.settings import Settings
from sandbox.salesforce.values import CLEAR, Errors, Filled

__all__ = ["CHUNK", "Outcome", "Rows", "Write"]

CREATED = ("CreatedById", "CreatedDate")
Behaviour = Callable[[sqlite3.Connection, Write], None]


class Rows:
    """The rules of one org."""

    def __init__(self, schema: Schema, records: Records, settings: Settings, access: Access) -> None:
        self._schema, self._records, self._settings, self._access = schema, records, settings, access
        self._checks = Checks(schema, records, access)
        self.bin = RecycleBin(schema, records)
        self.rules = Rules(schema, records)
        self.relations = Relations(schema, records)
        roles = ContactRoles(schema, records)
        activities, products = Activities(schema, records, settings), Products(schema, records)
        grants = Grants(schema, records)
        self.before: dict[str, Behaviour] = {  # what an object does by itself, by object
            "Event": activities.before,
            "Task": activities.before,
            "Opportunity": products.opportunities,
            "PricebookEntry": products.entries,
            "OpportunityLineItem": products.items,
            RELATION: self.relations.before,
            FIELDS: grants.fields,
            ASSIGNMENT: grants.assignments,
        }
        self.after: dict[str, Behaviour] = {  # what follows once rows are written
            "Opportunity": roles.opportunities_written,
            ROLE: roles.written,
        }
        self.gone: dict[str, Behaviour] = {ROLE: roles.deleted}  # what follows once rows are deleted

    def apply(self, connection: sqlite3.Connection, write: Write) -> None:
        """Carries the chunk out, which knows then what became of each row."""
        write.ids = [None] * write.total
        self._convert(connection, write)
        if self._supported(write):
            self._identify(connection, write)
            if write.guard is not None:
                write.guard(write)
            self._carry_out(connection, write)
        if write.sobject.name in GRANTS:
            self._access.forget()

    def _carry_out(self, connection: sqlite3.Connection, write: Write) -> None:
        own = self.before.get(write.sobject.name)
        if write.operation == "delete":
            if own is not None and write.sobject.name == RELATION:
                own(connection, write)
            self._delete(connection, write)
            if (then := self.gone.get(write.sobject.name)) is not None:
                then(connection, write)
            return
        self._checks.run(connection, write)
        if own is not None:
            own(connection, write)
        if self.rules.of(write.sobject):
            self._write_by_rules(connection, write)
        else:
            self._insert(connection, write)
            self._update(connection, write)
        if (then := self.after.get(write.sobject.name)) is not None:
            then(connection, write)
        if write.sobject.name == "Contact" and self._settings.contacts_to_multiple_accounts:
            self.relations.contacts_written(connection, write)

    def _write_by_rules(self, connection: sqlite3.Connection, write: Write) -> None:
        while True:
            connection.execute("SAVEPOINT ruled")
            self._insert(connection, write)
            self._update(connection, write)
            if not self.rules.refuse(connection, write):
                break
            connection.execute("ROLLBACK TO ruled")  # and once more, without those that are refused now
            connection.execute("RELEASE ruled")
            for row in write.new:
                write.ids[row] = None
        connection.execute("RELEASE ruled")
        self.rules.automate(connection, write)

    @staticmethod
    def _supported(write: Write) -> bool:
        """Whether the object has the operation; the flags of its describe say so."""
        named = {"insert": ("createable",), "update": ("updateable",), "delete": ("deletable",)}
        for flag in named.get(write.operation, ("createable", "updateable")):
            if not write.sobject.flags.get(flag, True):
                error = errors.unsupported(write.sobject.name, write.operation)
                write.errors.update({row: error for row in range(write.total) if row not in write.errors})
                return False
        return True

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
        matches = self._records.matches(connection, parent, key, set(spelled.values()))
        found = {value: matches.get(folded(key, text), []) for value, text in spelled.items()}
        resolved = [value if value is None or value is CLEAR else _only(found[value]) for value in raw]
        if any(len(each) != 1 for each in found.values()):
            for row, value in enumerate(raw):
                if value in found and len(found[value]) != 1:
                    text = f"Foreign key external ID: {spelled[value]} not found for field {key.name} in entity {parent.name}"
                    several = found[value]
                    wrong.setdefault(row, _ambiguous(key, several) if several else RowError("INVALID_FIELD", text))
        return resolved

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
        wanted = present(given)
        matches = self._records.matches(connection, write.sobject, key, wanted)
        if not matches and key.case_sensitive and len(wanted) == write.total:  # the usual first load
            write.new = list(range(write.total))
            return
        compared = [None if value is None or value is CLEAR else folded(key, value) for value in given]
        repeated = {value for value, times in Counter(compared).items() if times > 1 and value is not None}
        for row, value in enumerate(compared):
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

    # -- writing ------------------------------------------------------------------------------------------------

    def _insert(self, connection: sqlite3.Connection, write: Write) -> None:
        rows = [row for row in write.new if row not in write.errors]
        if not rows:
            return
        number = self._records.next_number(connection, write.sobject)
        for row, identity in zip(rows, ids.run(write.sobject.prefix, number, len(rows)), strict=True):
            write.ids[row] = identity
        self._number(write, rows, number)
        fixed = {
            name: write.at if name.endswith(("Date", "Modstamp")) else write.user
            for name in (*CREATED, *MODIFIED)
            if name in write.sobject.fields and name not in write.stored
        }
        if write.sobject.get("OwnerId") and "OwnerId" not in write.stored:
            fixed["OwnerId"] = write.user
        chosen = [_picked(write, name, cells, rows) for name, cells in write.stored.items()]
        self._records.insert(
            connection,
            write.sobject,
            ["seq", "Id", *write.stored],
            zip(range(number, number + len(rows)), [write.ids[row] for row in rows], *chosen, strict=True),
            fixed,
        )

    @staticmethod
    def _number(write: Write, rows: Sequence[int], number: int) -> None:
        """Gives auto numbers, and custom records without a name their id as one."""
        for each in write.sobject.fields.values() if write.sobject.custom or write.sobject.name == "Case" else ():
            if each.format is not None:
                for place, row in enumerate(rows, number + 1):
                    write.put(each.name, row, _numbered(each.format, place))
            elif each.name == "Name" and write.sobject.custom:
                for row in rows:
                    if write.given("Name", row) is None:
                        write.put("Name", row, write.ids[row])

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
        wanted = {identity: row for row in write.lasting(write.known) if (identity := write.ids[row])}
        for identity, error in self.bin.held(connection, write.sobject, list(wanted)).items():
            write.errors[wanted.pop(identity)] = error
        self.bin.delete(connection, write.sobject, list(wanted), (write.user, write.at, write.at))


def _only(found: Sequence[str]) -> str | None:
    return found[0] if len(found) == 1 else None


def _ambiguous(key: Field, found: Sequence[str]) -> RowError:
    text = f"more than one record found for external id field: [{', '.join(found)}]"
    return RowError("DUPLICATE_EXTERNAL_ID", f"{key.label}: {text}")


def _numbered(pattern: str, number: int) -> str:
    before, _, rest = pattern.partition("{")
    zeros, _, after = rest.partition("}")
    return f"{before}{number:0{max(1, len(zeros))}d}{after}"


def _picked(write: Write, name: str, cells: list[Any], rows: Sequence[int]) -> list[Any]:
    some = cells if len(rows) == len(cells) else [cells[row] for row in rows]
    if isinstance(cells, Filled):
        return some
    field = write.sobject.fields[name]
    default = _default(write, field)
    if default is not None and (None in some or CLEAR in some):
        return [default if value is None or value is CLEAR else value for value in some]
    return [None if value is CLEAR else value for value in some] if CLEAR in some else some


def _default(write: Write, field: Field) -> Any:
    if field.name in (*CREATED, *MODIFIED):
        return write.at if field.type == "datetime" else write.user
    if field.name == "OwnerId":
        return write.user
    return (field.default or 0) if field.type == "boolean" else field.default
