"""Whether identified rows may be written: writable fields, required ones, lookups, owners, uniqueness, audit dates.

Owns those checks and nothing that changes a record. A refusal goes to `write.errors`. Called by `rows` for each chunk.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sandbox.salesforce import errors
from sandbox.salesforce.access import AUDIT, Access
from sandbox.salesforce.chunk import Write, present
from sandbox.salesforce.errors import RowError
from sandbox.salesforce.records import Records
from sandbox.salesforce.schema import Field, Schema, folded
from sandbox.salesforce.values import CLEAR, Filled


class Checks:
    """The checks of one org."""

    def __init__(self, schema: Schema, records: Records, access: Access) -> None:
        self._schema, self._records, self._access = schema, records, access

    def run(self, connection: sqlite3.Connection, write: Write) -> None:
        """Looks at every row that is to be written."""
        self._writable(write, write.new, "createable")
        self._writable(write, write.known, "updateable")
        self._required(write)
        for column in write.columns:
            if column.field.references and column.key is None:
                self._lookup(connection, write, column.field)
            if column.field.name == "RecordTypeId":
                self._record_type(connection, write)
            if column.field.name == "OwnerId":
                self._owner(connection, write)
            if column.field.unique and column.field.name in write.stored:
                self._unique(connection, write, column.field)
        if not AUDIT.isdisjoint(write.stored):
            self._audit(write)

    @staticmethod
    def _writable(write: Write, rows: Sequence[int], flag: str) -> None:
        closed = [name for name in write.stored if not getattr(write.sobject.fields[name], flag)]
        for row in rows if closed else ():
            named = [name for name in closed if write.stored[name][row] is not None]
            if named:
                write.errors.setdefault(row, errors.not_writable(named))
        for name in closed:
            if not write.sobject.fields[name].createable:
                del write.stored[name]

    @staticmethod
    def _required(write: Write) -> None:
        required = [each.name for each in write.sobject.fields.values() if each.required and each.type != "base64"]
        absent: dict[int, list[str]] = {}
        for name in required:
            given = write.stored.get(name)
            if isinstance(given, Filled):
                continue
            for row in write.new:
                if given is None or given[row] is None or given[row] is CLEAR:
                    absent.setdefault(row, []).append(name)
            if given is not None and CLEAR in given:
                for row in write.known:
                    if given[row] is CLEAR:
                        absent.setdefault(row, []).append(name)
        for row, names in absent.items():
            write.errors.setdefault(row, errors.missing(names))

    def _lookup(self, connection: sqlite3.Connection, write: Write, lookup: Field) -> None:
        given = write.stored.get(lookup.name, [])
        wanted = present(given)
        found: dict[str, int] = {}
        prefixes = {parent.prefix: parent.name for name in lookup.references if (parent := self._schema.get(name))}
        for prefix in {value[:3] for value in wanted} & prefixes.keys():
            some = [value for value in wanted if value.startswith(prefix)]
            found.update(
                self._records.select(connection, prefixes[prefix], ("Id", "IsDeleted"), "Id", some, live=False)
            )
        if len(found) == len(wanted) and 1 not in found.values():
            return
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

    def _record_type(self, connection: sqlite3.Connection, write: Write) -> None:
        given = write.stored.get("RecordTypeId", [])
        columns = ("Id", "SobjectType", "IsActive")
        found = self._records.select(connection, "RecordType", columns, "Id", present(given), live=True)
        fitting = {identity for identity, name, active in found if name == write.sobject.name and active}
        for row, value in enumerate(given):
            if value is not None and value is not CLEAR and value not in fitting:
                text = f"Record Type ID: this ID value isn't valid for the user: {value}"
                write.refuse(row, "INVALID_CROSS_REFERENCE_KEY", text, "RecordTypeId")

    def _owner(self, connection: sqlite3.Connection, write: Write) -> None:
        owners = write.stored["OwnerId"]
        found = self._records.select(
            connection, "User", ("Id", "IsActive", "UserType"), "Id", present(owners), live=False
        )
        users = {identity: (active, kind) for identity, active, kind in found}
        if all(active and kind == "Standard" for active, kind in users.values()):
            return
        allowed = self._access.rights(connection, write.user).inactive_owners and write.sobject.name != "ContentVersion"
        for row, value in enumerate(owners):
            active, kind = users.get(value, (1, "Standard"))
            if not active and not allowed:
                text = f"operation performed with inactive user [{value}] as owner of {write.sobject.name.lower()}"
                write.errors.setdefault(row, RowError("INACTIVE_OWNER_OR_USER", text))
            elif kind != "Standard":
                text = "Operation not valid for this user type"
                write.errors.setdefault(row, RowError("OP_WITH_INVALID_USER_TYPE_EXCEPTION", text, ("OwnerId",)))

    def _unique(self, connection: sqlite3.Connection, write: Write, unique: Field) -> None:
        if unique is write.key:
            return
        given = write.stored[unique.name]
        found = self._records.matches(connection, write.sobject, unique, present(given))
        taken: dict[Any, str] = {folded(unique, value): ids[0] for value, ids in found.items()}
        for row, value in enumerate(given):
            if value is None or value is CLEAR or row in write.errors:
                continue
            holder = taken.setdefault(folded(unique, value), write.ids[row] or f"row {row}")
            if holder not in {write.ids[row], f"row {row}"}:
                named = "unknown" if holder.startswith("row") else holder
                text = f"duplicate value found: {unique.name} duplicates value on record with id: {named}"
                write.errors.setdefault(row, RowError("DUPLICATE_VALUE", text, (unique.name,)))

    @staticmethod
    def _audit(write: Write) -> None:
        """Nothing in the future, and nothing modified before it was made; the texts are unverified."""
        created, modified = (write.stored.get(name) for name in ("CreatedDate", "LastModifiedDate"))
        for row in write.new:
            instants = [given[row] if given and given[row] is not CLEAR else None for given in (created, modified)]
            first, last = instants
            for name, value in zip(("CreatedDate", "LastModifiedDate"), instants, strict=True):
                if value is not None and value > write.at:
                    write.errors.setdefault(row, errors.in_the_future(write.sobject.fields[name].label, name))
            if first is not None and last is not None and last < first:
                text = "Last Modified Date: must not be before Created Date"
                write.errors.setdefault(row, RowError("FIELD_INTEGRITY_EXCEPTION", text, ("LastModifiedDate",)))
