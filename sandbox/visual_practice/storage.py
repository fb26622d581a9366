"""Keeps the records of a practice, ready to be answered: each as the JSON text that goes out.

Owns the tables, the order of listings, counts, and what deleting, archiving and their undoing mean. Knows no HTTP and
no profile. Called by the handlers, the generator and the desk.

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
from sandbox.visual_practice.anchors import Anchors, Key, Listing
from sandbox.visual_practice.schema import BY_NAME, RESOURCES, Record, Resource, complete

NOT_NUMERIC = -1  # sorts ids that are no numbers before all that are
ORDINARY_IDS = 10**12  # new ids stay below; a few dirty ones lie above
SELECTIVE = 4  # a delta smaller than 1/4 of the table is read by its own index and sorted

TABLES = """
CREATE TABLE IF NOT EXISTS {name} (
  id TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, updated_at TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS {name}_deleted (
  id TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, deleted_at TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS {name}_deleted_by_time ON {name}_deleted (deleted_at, number, id);
CREATE TABLE IF NOT EXISTS {name}_archived (
  id TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, archived_at TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS {name}_archived_by_time ON {name}_archived (archived_at, number, id);
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS {name}_by_id ON {name} (number, id, updated_at);
CREATE INDEX IF NOT EXISTS {name}_by_time ON {name} (updated_at, number, id);
"""
BINS = ("deleted", "archived")  # where a record may be instead of in its listing
COMMON = """
CREATE TABLE IF NOT EXISTS tally (name TEXT PRIMARY KEY, live INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


Row = tuple[bytes | None, str, str, int]  # the JSON text (None when it was not asked for), id, updated_at, number


class Page(NamedTuple):
    """One page of a listing: its rows, how many the whole listing has, and the key of the last row of a full page."""

    rows: list[Row]
    total: int
    last: Key | None = None


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
                connection.executescript(INDEXES.format(name=resource.name))
            connection.executescript(COMMON)
            for resource in RESOURCES:
                connection.execute("INSERT OR IGNORE INTO tally VALUES (?, 0)", (resource.name,))
        self.wide = self.setting("wide") == "yes"

    def close(self) -> None:
        self.database.close()

    # -- reading ------------------------------------------------------------------------------------------------

    def page(self, listing: Listing, page: int, per_page: int) -> Page:
        """One page (1-based) of live records; an empty one beyond the end."""
        version = self._anchors.version
        start, skip = self._anchors.start(listing, per_page, page)
        found = self.after(listing, start, per_page, skip, version)
        if found.last is not None:
            self._anchors.remember(listing, per_page, page, found.last, version)
        return found

    def after(self, listing: Listing, start: Key | None, limit: int, skip: int = 0, version: int | None = None) -> Page:
        """Live records that follow a key in the order of the listing, from its beginning when that is None."""
        total = self._total(listing, self._anchors.version if version is None else version)
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
        rows = self.database.reader().execute(statement, (*values, limit, skip)).fetchall()
        if len(rows) < limit or not rows:
            return Page(rows, total)
        _, identity, updated_at, number = rows[-1]
        return Page(rows, total, (updated_at, number, identity) if listing.by_time else (number, identity))

    @staticmethod
    def _index(listing: Listing, total: int) -> str:
        if listing.by_time or (listing.since is not None and total < listing.population / SELECTIVE):
            return "time"
        return "id"

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

    @staticmethod
    def written(connection: sqlite3.Connection, resource: Resource, identity: str) -> bytes | None:
        """A live record as the caller's transaction sees it, or None."""
        row = connection.execute(f"SELECT body FROM {resource.name} WHERE id = ?", (identity,)).fetchone()  # noqa: S608
        return row[0] if row else None

    def binned(self, resource: Resource, which: str, since: str | None, page: int, per_page: int) -> Page:
        """One page of what is deleted (or archived) now, by that instant; the rows' `updated_at` is that instant."""
        reader = self.database.reader()
        stamp, table = f"{which}_at", f"{resource.name}_{which}"
        where, values = (f" WHERE {stamp} >= ?", (since,)) if since is not None else ("", ())
        total = reader.execute(f"SELECT count(*) FROM {table}{where}", values).fetchone()[0]  # noqa: S608
        rows = reader.execute(
            f"SELECT body, id, {stamp}, number FROM {table}{where} ORDER BY {stamp}, number, id LIMIT ? OFFSET ?",  # noqa: S608
            (*values, per_page, (page - 1) * per_page),
        ).fetchall()
        return Page(rows, total)

    def highest(self, connection: sqlite3.Connection, resource: Resource) -> int:
        """The highest ordinary id of a resource, live, deleted or archived; 0 when there is none."""
        found = [
            connection.execute(f"SELECT max(number) FROM {table} WHERE number < ?", (ORDINARY_IDS,)).fetchone()[0]  # noqa: S608
            for table in (resource.name, *(f"{resource.name}_{which}" for which in BINS))
        ]
        return max(0, *(number or 0 for number in found))

    def counts(self) -> dict[str, dict[str, int]]:
        """Live, deleted and archived records of each resource, counted, not remembered."""
        reader = self.database.reader()
        return {
            resource.plural: {
                "live": reader.execute(f"SELECT count(*) FROM {resource.name}").fetchone()[0],  # noqa: S608
                "deleted": reader.execute(f"SELECT count(*) FROM {resource.name}_deleted").fetchone()[0],  # noqa: S608
                "archived": reader.execute(f"SELECT count(*) FROM {resource.name}_archived").fetchone()[0],  # noqa: S608
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
                for suffix, stamp in (("", ""), ("_archived", ", archived_at"), ("_deleted", ", deleted_at")):
                    yield opening + orjson.dumps(resource.plural + suffix) + b":["
                    separator = b""
                    statement = f"SELECT body{stamp} FROM {resource.name}{suffix} ORDER BY number, id"  # noqa: S608
                    for row in connection.execute(statement):
                        record = orjson.loads(row[0])
                        if stamp:
                            record[stamp[2:]] = row[1]
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

    def _rows(self, resource: Resource, records: Iterable[Record]) -> list[tuple[str, int, str, bytes]]:
        wide = self.wide
        return [
            (record["id"], number_of(record["id"]), record["updated_at"], orjson.dumps(record))
            for record in (complete(resource, record, wide=wide) for record in records)
        ]

    @staticmethod
    def _add_to_tally(connection: sqlite3.Connection, resource: Resource, difference: int) -> None:
        connection.execute("UPDATE tally SET live = live + ? WHERE name = ?", (difference, resource.name))

    def forget(self, connection: sqlite3.Connection, resource: Resource, identities: Iterable[str]) -> None:
        """Removes live records as if they had never been, without a word in the feed of deletions."""
        for identity in identities:
            gone = connection.execute(f"DELETE FROM {resource.name} WHERE id = ?", (identity,)).rowcount  # noqa: S608
            self._add_to_tally(connection, resource, -gone)

    def delete(self, connection: sqlite3.Connection, resource: Resource, identity: str, at: str) -> bool:
        """Moves a live record to the deleted ones; False when there is none."""
        return self._bin(connection, resource, "deleted", identity, at)

    def undelete(self, connection: sqlite3.Connection, resource: Resource, identity: str, at: str) -> bool:
        """Brings a deleted record back, modified at that instant; False when there is none."""
        return self._unbin(connection, resource, "deleted", identity, at)

    def archive(self, connection: sqlite3.Connection, resource: Resource, identity: str, at: str) -> bool:
        """Moves a live record to the archive; False when there is none."""
        return self._bin(connection, resource, "archived", identity, at)

    def unarchive(self, connection: sqlite3.Connection, resource: Resource, identity: str, at: str) -> bool:
        """Brings a record back from the archive, modified at that instant; False when there is none."""
        return self._unbin(connection, resource, "archived", identity, at)

    def _bin(self, connection: sqlite3.Connection, resource: Resource, which: str, identity: str, at: str) -> bool:
        row = connection.execute(
            f"DELETE FROM {resource.name} WHERE id = ? RETURNING id, number, body",  # noqa: S608
            (identity,),
        ).fetchone()
        if row is None:
            return False
        connection.execute(
            f"INSERT OR REPLACE INTO {resource.name}_{which} VALUES (?, ?, ?, ?)",  # noqa: S608
            (row[0], row[1], at, row[2]),
        )
        self._add_to_tally(connection, resource, -1)
        return True

    def _unbin(self, connection: sqlite3.Connection, resource: Resource, which: str, identity: str, at: str) -> bool:
        row = connection.execute(
            f"DELETE FROM {resource.name}_{which} WHERE id = ? RETURNING body",  # noqa: S608
            (identity,),
        ).fetchone()
        if row is None:
            return False
        self.put(connection, resource, [orjson.loads(row[0]) | {"updated_at": at}])
        return True

    def setting(self, name: str) -> str | None:
        """A remembered setting, or None."""
        row = self.database.reader().execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def remember(self, connection: sqlite3.Connection, name: str, value: str) -> None:
        """Remembers a setting inside the caller's transaction."""
        connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def set_wide(self, *, wide: bool) -> None:
        """Decides, before any record is written, whether records have the fields of a wide practice."""
        with self.writing() as connection:
            self.remember(connection, "wide", "yes" if wide else "no")
        self.wide = wide

    @contextmanager
    def filling(self) -> Iterator[None]:
        """For writing very many records: indexes are made at the end, which saves random writes all the while."""
        with self.database.schema_change() as connection:
            for name in BY_NAME:
                connection.executescript(f"DROP INDEX IF EXISTS {name}_by_id; DROP INDEX IF EXISTS {name}_by_time")
        yield
        with self.database.schema_change() as connection:
            connection.execute("PRAGMA temp_store = FILE")  # sorting millions of rows in memory would need all of it
            for name in BY_NAME:
                connection.executescript(INDEXES.format(name=name))
            connection.execute("PRAGMA temp_store = MEMORY")

    def empty(self, connection: sqlite3.Connection) -> None:
        """Removes every record."""
        for name in BY_NAME:
            for table in (name, *(f"{name}_{which}" for which in BINS)):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
        connection.execute("UPDATE tally SET live = 0")
