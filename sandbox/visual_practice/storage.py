"""Keeps the records of a practice, ready to be answered: each as the JSON text that goes out.

Owns the tables, the order of listings, counts, and what deleting and undeleting mean. Knows no HTTP. Called by the
handlers, the generator and the desk.

A listing is read by index. A page that follows one already read seeks from that page's last row instead of counting
rows from the start, as long as nothing was written in between.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

from sandbox.database import Database
from sandbox.visual_practice.anchors import Anchors, Listing
from sandbox.visual_practice.schema import BY_NAME, RESOURCES, Record, Resource, complete

NOT_NUMERIC = -1  # sorts ids that are no numbers before all that are
SELECTIVE = 4  # a delta smaller than 1/4 of the table is read by its own index and sorted

TABLES = """
CREATE TABLE IF NOT EXISTS {name} (
  id TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, updated_at TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS {name}_by_id ON {name} (number, id, updated_at);
CREATE INDEX IF NOT EXISTS {name}_by_time ON {name} (updated_at, number, id);
CREATE TABLE IF NOT EXISTS {name}_deleted (
  id TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, deleted_at TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS {name}_deleted_by_time ON {name}_deleted (deleted_at, number, id);
"""
COMMON = """
CREATE TABLE IF NOT EXISTS tally (name TEXT PRIMARY KEY, live INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Page(NamedTuple):
    """One page of a listing: the records as JSON texts, and how many the whole listing has."""

    bodies: list[bytes]
    total: int


def number_of(identity: str) -> int:
    """The number an id sorts by: its value when it is one, else -1."""
    return int(identity) if identity.isascii() and identity.isdigit() and len(identity) <= 18 else NOT_NUMERIC


class Storage:
    """The data of one practice in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self._anchors = Anchors()
        with self.database.schema_change() as connection:
            for resource in RESOURCES:
                connection.executescript(TABLES.format(name=resource.name))
            connection.executescript(COMMON)
            for resource in RESOURCES:
                connection.execute("INSERT OR IGNORE INTO tally VALUES (?, 0)", (resource.name,))

    def close(self) -> None:
        self.database.close()

    # -- reading ------------------------------------------------------------------------------------------------

    def page(self, listing: Listing, page: int, per_page: int) -> Page:
        """One page (1-based) of live records; an empty one beyond the end."""
        version = self._anchors.version
        total = self._total(listing, version)
        start, skip = self._anchors.start(listing, per_page, page)
        columns = ("updated_at", "number", "id") if listing.by_time else ("number", "id")
        marks: list[str] = []
        values: list[str | int] = []
        if listing.since is not None:
            marks.append("updated_at >= ?")
            values.append(listing.since)
        if start is not None:
            compare = "<" if listing.descending else ">"
            marks.append(f"({', '.join(columns)}) {compare} ({', '.join('?' * len(columns))})")
            values.extend(start)
        direction = " DESC" if listing.descending else ""
        # identifiers come from the schema, values are bound
        statement = (
            f"SELECT {'body' if listing.whole else 'NULL'}, id, updated_at, number FROM {listing.resource}"  # noqa: S608
            f" INDEXED BY {listing.resource}_by_{self._index(listing, total)}"
            + (f" WHERE {' AND '.join(marks)}" if marks else "")
            + f" ORDER BY {', '.join(column + direction for column in columns)} LIMIT ? OFFSET ?"
        )
        rows = self.database.reader().execute(statement, (*values, per_page, skip)).fetchall()
        if len(rows) == per_page:
            _, identity, updated_at, number = rows[-1]
            last = (updated_at, number, identity) if listing.by_time else (number, identity)
            self._anchors.remember(listing, per_page, page, last, version)
        return Page([self._shown(row, listing.fields) for row in rows], total)

    @staticmethod
    def _index(listing: Listing, total: int) -> str:
        if listing.by_time or (listing.since is not None and total < listing.population / SELECTIVE):
            return "time"
        return "id"

    @staticmethod
    def _shown(row: tuple[bytes | None, str, str, int], fields: tuple[str, ...] | None) -> bytes:
        body, identity, updated_at, _ = row
        if fields is None:
            return body or b""
        record = orjson.loads(body) if body is not None else {"id": identity, "updated_at": updated_at}
        return orjson.dumps({name: record.get(name) for name in fields})

    def _total(self, listing: Listing, version: int) -> int:
        if listing.since is None:
            return listing.population
        known = self._anchors.total(listing)
        if known is None:
            known = (
                self.database.reader()
                .execute(
                    f"SELECT count(*) FROM {listing.resource} WHERE updated_at >= ?",  # noqa: S608
                    (listing.since,),
                )
                .fetchone()[0]
            )
            self._anchors.remember_total(listing, known, version)
        return int(known)

    def listing(self, resource: Resource, since: str | None, fields: tuple[str, ...] | None, **order: bool) -> Listing:
        """A listing as it stands now: which resource, since when, which fields, in which order."""
        population = (
            self.database.reader().execute("SELECT live FROM tally WHERE name = ?", (resource.name,)).fetchone()[0]
        )
        return Listing(resource.name, since, fields, order["by_time"], order["descending"], population)

    def record(self, resource: Resource, identity: str) -> bytes | None:
        """A live record as JSON text, or None."""
        row = (
            self.database.reader()
            .execute(f"SELECT body FROM {resource.name} WHERE id = ?", (identity,))  # noqa: S608
            .fetchone()
        )
        return row[0] if row else None

    def deleted(self, resource: Resource, since: str | None, page: int, per_page: int) -> Page:
        """One page of what is deleted now: id and instant; an undeleted record is in it no longer."""
        reader = self.database.reader()
        where, values = (" WHERE deleted_at >= ?", (since,)) if since is not None else ("", ())
        table = f"{resource.name}_deleted"
        total = reader.execute(f"SELECT count(*) FROM {table}{where}", values).fetchone()[0]  # noqa: S608
        rows = reader.execute(
            f"SELECT id, deleted_at FROM {table}{where} ORDER BY deleted_at, number, id LIMIT ? OFFSET ?",  # noqa: S608
            (*values, per_page, (page - 1) * per_page),
        ).fetchall()
        return Page([orjson.dumps({"id": identity, "deleted_at": at}) for identity, at in rows], total)

    def counts(self) -> dict[str, dict[str, int]]:
        """Live and deleted records of each resource, counted, not remembered."""
        reader = self.database.reader()
        return {
            resource.plural: {
                "live": reader.execute(f"SELECT count(*) FROM {resource.name}").fetchone()[0],  # noqa: S608
                "deleted": reader.execute(f"SELECT count(*) FROM {resource.name}_deleted").fetchone()[0],  # noqa: S608
            }
            for resource in RESOURCES
        }

    def dump(self) -> Iterator[bytes]:
        """Everything, as the pieces of one canonical JSON text: keys sorted, records by id; one consistent instant."""
        connection = sqlite3.connect(
            f"file:{self.database.path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute("BEGIN")
        try:
            opening = b"{"
            for resource in sorted(RESOURCES, key=lambda each: each.plural):
                for suffix, stamp in (("", ""), ("_deleted", ", deleted_at")):
                    yield opening + orjson.dumps(resource.plural + suffix) + b":["
                    separator = b""
                    statement = f"SELECT body{stamp} FROM {resource.name}{suffix} ORDER BY number, id"  # noqa: S608
                    for row in connection.execute(statement):
                        record = orjson.loads(row[0])
                        if stamp:
                            record["deleted_at"] = row[1]
                        yield separator + orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
                        separator = b",\n"
                    yield b"]"
                    opening = b",\n"
            yield b"}\n"
        finally:
            connection.close()

    # -- writing ------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; listings forget where their pages ended once it is committed."""
        with self.database.transaction() as connection:
            yield connection
        self._anchors.change()

    def create(self, connection: sqlite3.Connection, resource: Resource, records: list[Record]) -> None:
        """Inserts new records; raises sqlite3.IntegrityError when an id is taken."""
        rows = self._rows(resource, records)
        connection.executemany(f"INSERT INTO {resource.name} VALUES (?, ?, ?, ?)", rows)  # noqa: S608
        self._add_to_tally(connection, resource, len(rows))

    def put(self, connection: sqlite3.Connection, resource: Resource, records: Iterable[Record]) -> None:
        """Inserts or replaces records, which come complete and with `updated_at`."""
        for row in self._rows(resource, records):
            known = connection.execute(f"SELECT 1 FROM {resource.name} WHERE id = ?", row[:1]).fetchone()  # noqa: S608
            connection.execute(
                f"INSERT INTO {resource.name} VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"  # noqa: S608
                " SET updated_at = excluded.updated_at, body = excluded.body",
                row,
            )
            if known is None:
                self._add_to_tally(connection, resource, 1)

    @staticmethod
    def _rows(resource: Resource, records: Iterable[Record]) -> list[tuple[str, int, str, bytes]]:
        return [
            (record["id"], number_of(record["id"]), record["updated_at"], orjson.dumps(record))
            for record in (complete(resource, record) for record in records)
        ]

    @staticmethod
    def _add_to_tally(connection: sqlite3.Connection, resource: Resource, difference: int) -> None:
        connection.execute("UPDATE tally SET live = live + ? WHERE name = ?", (difference, resource.name))

    def delete(self, connection: sqlite3.Connection, resource: Resource, identity: str, at: str) -> bool:
        """Moves a live record to the deleted ones; False when there is none."""
        row = connection.execute(
            f"DELETE FROM {resource.name} WHERE id = ? RETURNING id, number, body",  # noqa: S608
            (identity,),
        ).fetchone()
        if row is None:
            return False
        connection.execute(
            f"INSERT OR REPLACE INTO {resource.name}_deleted VALUES (?, ?, ?, ?)",  # noqa: S608
            (row[0], row[1], at, row[2]),
        )
        self._add_to_tally(connection, resource, -1)
        return True

    def undelete(self, connection: sqlite3.Connection, resource: Resource, identity: str, at: str) -> bool:
        """Brings a deleted record back, modified at that instant; False when there is none."""
        row = connection.execute(
            f"DELETE FROM {resource.name}_deleted WHERE id = ? RETURNING body",  # noqa: S608
            (identity,),
        ).fetchone()
        if row is None:
            return False
        self.create(connection, resource, [orjson.loads(row[0]) | {"updated_at": at}])
        return True

    def setting(self, name: str) -> str | None:
        """A remembered setting, or None."""
        row = self.database.reader().execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def remember(self, connection: sqlite3.Connection, name: str, value: str) -> None:
        """Remembers a setting inside the caller's transaction."""
        connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def empty(self, connection: sqlite3.Connection) -> None:
        """Removes every record."""
        for name in BY_NAME:
            connection.execute(f"DELETE FROM {name}")  # noqa: S608
            connection.execute(f"DELETE FROM {name}_deleted")  # noqa: S608
        connection.execute("UPDATE tally SET live = 0")
