"""Answers SOQL over REST: pages of at most 2,000 records, continued by a cursor.

Owns paging. A result longer than a page is fixed as a list of rows when it is asked for, as Salesforce's cursors are:
later pages show those rows as they are then. Cursors outlive a restart. Called by the query routes.
"""

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from sandbox.salesforce import ids
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.org import Org
from sandbox.salesforce.records import MOST_VALUES
from sandbox.salesforce.schema import Schema
from sandbox.salesforce.soql import described, syntax
from sandbox.salesforce.soql.results import Record, Shape
from sandbox.salesforce.soql.statement import Statement, translate, translate_children

PAGE = 2_000
CURSORS = 50  # kept; the oldest goes first
CURSOR_PREFIX = "0r8"


class Answer(NamedTuple):
    """One page: how many records the whole result has, those of this page, and where the rest is."""

    total: int
    records: list[Record]
    locator: str | None


class Queries:
    """The queries of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def run(self, soql: str, version: str, *, deleted: bool, page: int = PAGE, user: str | None = None) -> Answer:
        """The first page of what a user sees, or of everything; raises ApiError when the query is wrong."""
        statement = self._statement(soql, user, deleted=deleted)
        reader = self._org.database.reader()
        if statement.query.counting:
            total = reader.execute(statement.sql("count(*)"), statement.values).fetchone()[0]
            return Answer(total, [], None)
        shape = Shape(statement, version)
        if statement.query.aggregate:
            rows = reader.execute(statement.sql(*shape.selected), statement.values).fetchall()
            return Answer(len(rows), shape.records(rows), None)
        found = reader.execute(statement.sql(*shape.selected), statement.values)
        rows = found.fetchmany(page + 1)
        found.close()
        if len(rows) <= page:
            return Answer(len(rows), self._shown(statement, shape, rows, version, user, deleted=deleted), None)
        return self._begin(statement, version, page, user, deleted=deleted)

    def columns(self, soql: str, user: str | None = None) -> dict[str, Any]:
        """What the columns of a query are, without carrying it out; raises ApiError when the query is wrong."""
        return described.columns(self._schema(user), self._statement(soql, user, deleted=False))

    def more(self, locator: str, version: str, page: int = PAGE, user: str | None = None) -> Answer:
        """A later page; raises ApiError when the locator is unknown."""
        name, _, start = locator.partition("-")
        number = next((row for row in self._cursors() if ids.make(CURSOR_PREFIX, row)[:15] == name[:15]), None)
        if number is None or not start.isdigit():
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        reader = self._org.database.reader()
        soql, deleted, stored = reader.execute(
            "SELECT soql, deleted, rows FROM cursor WHERE id = ?", (number,)
        ).fetchone()
        rows = array("q")
        rows.frombytes(stored)
        return self._page(
            self._statement(soql, user, deleted=bool(deleted)),
            version,
            rows,
            int(start),
            page,
            name,
            user,
            deleted=bool(deleted),
        )

    def _cursors(self) -> list[int]:
        return [row[0] for row in self._org.database.reader().execute("SELECT id FROM cursor")]

    def _statement(self, soql: str, user: str | None, *, deleted: bool) -> Statement:
        return translate(self._schema(user), soql, syntax.parse(soql), deleted=deleted)

    def _begin(self, statement: Statement, version: str, page: int, user: str | None, *, deleted: bool) -> Answer:
        database = self._org.database
        rows = array("q", (row[0] for row in database.reader().execute(statement.sql("t.seq"), statement.values)))
        with database.transaction() as connection:
            number = connection.execute(
                "INSERT INTO cursor (soql, deleted, rows) VALUES (?, ?, ?)", (statement.soql, deleted, rows.tobytes())
            ).lastrowid
            assert number is not None
            connection.execute("DELETE FROM cursor WHERE id <= ?", (number - CURSORS,))
        return self._page(statement, version, rows, 0, page, ids.make(CURSOR_PREFIX, number), user, deleted=deleted)

    def _page(
        self,
        statement: Statement,
        version: str,
        rows: "array[int]",
        start: int,
        page: int,
        name: str,
        user: str | None,
        *,
        deleted: bool,
    ) -> Answer:
        some = rows[start : start + page].tolist()
        shape = Shape(statement, version)
        sql = statement.sql_of_rows(some, "t.seq", *shape.selected)
        found: dict[int, Any] = {row[0]: row[1:] for row in self._org.database.reader().execute(sql)}
        kept = [found[row] for row in some if row in found]
        records = self._shown(statement, shape, kept, version, user, deleted=deleted)
        end = start + page
        return Answer(len(rows), records, f"{name}-{end}" if end < len(rows) else None)

    def _schema(self, user: str | None) -> Schema:
        return self._org.schema if user is None else self._org.seen_by(user)

    def _shown(
        self,
        statement: Statement,
        shape: Shape,
        rows: Sequence[Sequence[Any]],
        version: str,
        user: str | None,
        *,
        deleted: bool,
    ) -> list[Record]:
        records = shape.records(rows)
        for child in statement.children:
            by_parent: dict[str, list[Record]] = {}
            for start in range(0, len(rows), MOST_VALUES):
                parents = [row[0] for row in rows[start : start + MOST_VALUES]]
                made = translate_children(self._schema(user), statement.soql, child, parents, deleted=deleted)
                inner = Shape(made, version)
                sql = made.sql(f't."{child.lookup.name}"', *inner.selected)
                found = self._org.database.reader().execute(sql, made.values).fetchall()
                for row, record in zip(found, inner.records([each[1:] for each in found]), strict=True):
                    by_parent.setdefault(row[0], []).append(record)
            offset, limit = child.query.offset, child.query.limit
            for row, record in zip(rows, records, strict=True):
                some = by_parent.get(row[0], [])[offset:]
                some = some if limit is None else some[:limit]
                record[child.name] = {"totalSize": len(some), "done": True, "records": some} if some else None
        return records
