"""Writes of the REST API: single records and collections.

Owns the transaction of a request and all-or-none. Rules are in `rows`. Called by the record and collection routes.
"""

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sandbox import clock
from sandbox.salesforce import payload
from sandbox.salesforce.errors import STORAGE_FULL, ApiError, RowError, no_such_column
from sandbox.salesforce.files.documents import FILES, Documents
from sandbox.salesforce.org import Org
from sandbox.salesforce.payload import Record
from sandbox.salesforce.rows import CHUNK, Outcome, Write
from sandbox.salesforce.schema import Field, SObject

ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


class Writes:
    """The REST writes of one org; each call is one transaction."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.documents = Documents(org)

    def sobject(self, name: str, user: str) -> SObject:
        """A writable object as a user sees it; raises ApiError."""
        found = self._org.seen_by(user).get(name)
        if found is None or not found.writable:
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        return found

    def key(self, sobject: SObject, name: str) -> Field:
        """A field to upsert by; raises ApiError."""
        field = sobject.get(name)
        if field is None or not (field.external_id or field.id_lookup):
            text = f"Provided external ID field does not exist or is not accessible: {name}"
            raise ApiError(404, "NOT_FOUND", text)
        return field

    def run(
        self,
        operation: str,
        records: Sequence[tuple[SObject, Record]],
        user: str,
        key: Field | None = None,
        *,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
    ) -> list[Outcome]:
        """Writes up to 200 records, each with its object; the outcomes are in their order."""
        if len(records) > CHUNK:
            raise ApiError(
                400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {CHUNK} records in this call"
            )
        with self._org.database.transaction() as connection:
            connection.execute("SAVEPOINT request")
            outcomes: list[Outcome] = []
            for _, group in groupby(records, key=lambda each: each[0].name):
                some = list(group)
                plain = [record for _, record in some]
                outcomes += self._write(connection, operation, some[0][0], plain, user, key, allow_duplicates)
            if all_or_none and any(outcome.error for outcome in outcomes):
                connection.execute("ROLLBACK TO request")
                outcomes = [each if each.error else Outcome(each.id, False, ROLLED_BACK) for each in outcomes]
        return outcomes

    def _write(
        self,
        connection: sqlite3.Connection,
        operation: str,
        sobject: SObject,
        records: list[Record],
        user: str,
        key: Field | None,
        allow_duplicates: bool,
    ) -> list[Outcome]:
        org, left = self._org, records
        taken = None
        if sobject.name in FILES:
            left, taken = self.documents.take(connection, sobject.name, operation, records)
        columns, cells = payload.columns(org.seen_by(user), sobject, left)
        write = Write(
            sobject,
            operation,
            columns,
            cells,
            len(records),
            user,
            clock.salesforce_text(clock.now()),
            key,
            org.faults.rows("lock", f"{sobject.name} {operation}", len(records)),
            dict.fromkeys(org.faults.rows("storage_full", f"{sobject.name} {operation}", len(records)), STORAGE_FULL),
            allow_duplicates=allow_duplicates,
        )
        if taken is not None:
            write.errors |= taken.errors
        org.rows.apply(connection, write)
        outcomes = write.outcomes()
        if taken is None:
            return outcomes
        return self.documents.finish(connection, sobject.name, operation, left, taken, outcomes, user)

    def found(self, sobject: SObject, key: Field, value: str) -> list[str]:
        """The ids of the live records that have this value in a key field."""
        reader = self._org.database.reader()
        return [row[0] for row in self._org.records.select(reader, sobject.name, ["Id"], key.name, [value], live=True)]

    def fetch(
        self, sobject: SObject, identities: Sequence[str], fields: Sequence[str], *, live: bool = True
    ) -> dict[str, dict[str, Any]]:
        """Records by id with the named fields, stored form; raises ApiError for a field that is not there."""
        wanted = []
        for name in fields:
            field = sobject.get(name)
            if field is None:
                raise ApiError(400, "INVALID_FIELD", no_such_column(name, sobject.name))
            wanted.append(field)
        plain = [part for field in wanted for part in (field.parts or (field.name,))]
        needed = [sobject.fields[name] for name in dict.fromkeys(plain)]
        return self._org.records.fetch(self._org.database.reader(), sobject, identities, needed, live=live)
