"""The recycle bin: deletes with what goes along, undeletes, and the last end of a record.

Owns cascades, restrictions and the memory of what a delete took, so that an undelete brings back exactly that. Called
by `rows`; undelete and purge by the admin API and by hard deletes.

Lookups of records that do not go along are emptied, as Salesforce does; an undelete fills them again if they are still
empty. Source of fact: the cascades of recorded describes; the text of DELETE_FAILED is unverified.
"""

import sqlite3
from collections.abc import Sequence

from sandbox.salesforce.errors import RowError
from sandbox.salesforce.records import MODIFIED, MOST_VALUES, Records
from sandbox.salesforce.schema import Schema, SObject

Stamp = tuple[str, str, str]
TABLES = (
    "CREATE TABLE IF NOT EXISTS bin (id TEXT PRIMARY KEY, object TEXT NOT NULL, root TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS bin_root ON bin (root)",
    "CREATE TABLE IF NOT EXISTS bin_link (root TEXT, object TEXT, id TEXT, field TEXT, value TEXT)",
    "CREATE INDEX IF NOT EXISTS bin_link_root ON bin_link (root)",
)


class RecycleBin:
    """The recycle bin of one org."""

    def __init__(self, schema: Schema, records: Records) -> None:
        self._schema, self._records = schema, records

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Creates the tables."""
        for statement in TABLES:
            connection.execute(statement)

    def held(self, connection: sqlite3.Connection, sobject: SObject, identities: Sequence[str]) -> dict[str, RowError]:
        """The records that cannot go because of others that point to them, and why."""
        refused: dict[str, RowError] = {}
        for child, lookup in self._schema.lookups_to(sobject.name):
            if not lookup.restricts or not lookup.createable:
                continue
            title = next((each.name for each in child.fields.values() if each.name_field), "Id")
            found = self._records.select(
                connection, child.name, [lookup.name, title], lookup.name, identities, live=True
            )
            for identity, shown in found:
                name = self._name(connection, sobject, identity)
                text = (
                    f"Your attempt to delete {name} could not be completed because it is associated with the following"
                    f" {child.plural.lower()}.: {shown}"
                )
                refused.setdefault(identity, RowError("DELETE_FAILED", text))
        return refused

    def _name(self, connection: sqlite3.Connection, sobject: SObject, identity: str) -> str:
        title = next((each.name for each in sobject.fields.values() if each.name_field), "Id")
        found = self._records.select(connection, sobject.name, [title], "Id", [identity], live=False)
        return str(next(found, (identity,))[0])

    def delete(self, connection: sqlite3.Connection, sobject: SObject, identities: Sequence[str], stamp: Stamp) -> int:
        """Moves records to the bin and, with them, what hangs on them; returns how many went.

        `stamp` is the user and the instant, twice.
        """
        return sum(
            self._bin(connection, sobject, {each: each for each in identities[start : start + MOST_VALUES]}, stamp)
            for start in range(0, len(identities), MOST_VALUES)
        )

    def _bin(self, connection: sqlite3.Connection, sobject: SObject, roots: dict[str, str], stamp: Stamp) -> int:
        """Bins records, each with the record whose delete takes it along."""
        some = list(roots)
        gone = 0
        for start in range(0, len(some), MOST_VALUES):
            part = some[start : start + MOST_VALUES]
            marks = ", ".join("?" * len(part))
            stamped = {name: value for name, value in zip(MODIFIED, stamp, strict=True) if name in sobject.fields}
            sets = "".join(f", {name} = ?" for name in stamped)
            gone += connection.execute(
                f'UPDATE "{sobject.name}" SET IsDeleted = 1{sets} WHERE IsDeleted = 0 AND Id IN ({marks})',  # noqa: S608
                (*stamped.values(), *part),
            ).rowcount
        connection.executemany(
            "INSERT OR IGNORE INTO bin VALUES (?, ?, ?)", [(each, sobject.name, root) for each, root in roots.items()]
        )
        for child, lookup in self._schema.lookups_to(sobject.name):
            if not lookup.createable or not lookup.indexed:
                continue
            found = list(
                self._records.select(connection, child.name, ["Id", lookup.name], lookup.name, some, live=True)
            )
            if not found:
                continue
            if lookup.cascade:
                gone += self._bin(connection, child, {each: roots[parent] for each, parent in found}, stamp)
            else:
                self._unlink(connection, child, lookup.name, [(roots[parent], each, parent) for each, parent in found])
        return gone

    @staticmethod
    def _unlink(
        connection: sqlite3.Connection, child: SObject, field: str, found: Sequence[tuple[str, str, str]]
    ) -> None:
        connection.executemany(
            "INSERT INTO bin_link VALUES (?, ?, ?, ?, ?)",
            [(root, child.name, each, field, parent) for root, each, parent in found],
        )
        connection.executemany(
            f'UPDATE "{child.name}" SET "{field}" = NULL WHERE Id = ?',  # noqa: S608
            [(each,) for _, each, _ in found],
        )

    def undelete(self, connection: sqlite3.Connection, identity: str, stamp: Stamp) -> int:
        """Brings a deleted record back with what went along with it; returns how many came, 0 if it was no root."""
        found = connection.execute("SELECT id, object FROM bin WHERE root = ?", (identity,)).fetchall()
        for each, name in found:
            sobject = self._schema.get(name)
            if sobject is not None:
                stamped = {key: value for key, value in zip(MODIFIED, stamp, strict=True) if key in sobject.fields}
                sets = "".join(f", {key} = ?" for key in stamped)
                connection.execute(
                    f'UPDATE "{name}" SET IsDeleted = 0{sets} WHERE Id = ?',  # noqa: S608
                    (*stamped.values(), each),
                )
        links = connection.execute("SELECT object, id, field, value FROM bin_link WHERE root = ?", (identity,))
        for name, each, field, value in links.fetchall():
            connection.execute(
                f'UPDATE "{name}" SET "{field}" = ? WHERE Id = ? AND "{field}" IS NULL',  # noqa: S608
                (value, each),
            )
        self._forget(connection, identity)
        return len(found)

    def purge(self, connection: sqlite3.Connection, identity: str) -> int:
        """Ends a deleted record for good, with what went along; returns how many ended."""
        found = connection.execute("SELECT id, object FROM bin WHERE root = ?", (identity,)).fetchall()
        for each, name in found:
            if self._schema.get(name) is not None:
                connection.execute(f'DELETE FROM "{name}" WHERE Id = ? AND IsDeleted = 1', (each,))  # noqa: S608
        self._forget(connection, identity)
        return len(found)

    @staticmethod
    def _forget(connection: sqlite3.Connection, identity: str) -> None:
        connection.execute("DELETE FROM bin WHERE root = ?", (identity,))
        connection.execute("DELETE FROM bin_link WHERE root = ?", (identity,))
