"""What a rolling day allows of Bulk 2.0: batches, records and query jobs.

Owns the table of what was used and the limits, which tests may turn. A batch is 10,000 records; every job costs one more,
the parent's. What a deleted job has used stays used. Called by `ingest`, by the job routes and by `/limits`.
"""

import sqlite3
from typing import Any

from sandbox import clock
from sandbox.salesforce.org import Org

DAY = 86_400.0
BATCHES, RECORDS, QUERIES = "DailyBulkApiBatches", "DailyBulkApiRecords", "DailyBulkV2QueryJobs"
LIMITS = {BATCHES: 15_000, RECORDS: 150_000_000, QUERIES: 10_000}
TABLE = "CREATE TABLE IF NOT EXISTS allocation (kind TEXT NOT NULL, at REAL NOT NULL, amount INTEGER NOT NULL)"
EXHAUSTED = {  # the first is what Bulk 1 says; the others are unverified
    BATCHES: "ApiBatchItems Limit exceeded.",
    RECORDS: "ApiRecords Limit exceeded.",
    QUERIES: "Bulk API 2.0 Query Jobs Limit exceeded.",
}


class Allocations:
    """The daily allocations of one org; `limits` may be changed while it runs and are forgotten at a restart."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.limits = dict(LIMITS)
        with org.database.schema_change() as connection:
            connection.execute(TABLE)

    def left(self, connection: sqlite3.Connection, kind: str) -> int:
        """How much of a kind is left for the 24 hours that end now; 0 when it is used up."""
        row = connection.execute(
            "SELECT coalesce(sum(amount), 0) FROM allocation WHERE kind = ? AND at > ?", (kind, clock.now() - DAY)
        ).fetchone()
        return max(0, self.limits[kind] - int(row[0]))

    def take(self, connection: sqlite3.Connection, kind: str, amount: int = 1) -> bool:
        """Uses an amount inside the caller's transaction, or nothing and False when less than that is left."""
        if self.left(connection, kind) < amount:
            return False
        connection.execute("INSERT INTO allocation VALUES (?, ?, ?)", (kind, clock.now(), amount))
        return True

    def as_json(self) -> dict[str, Any]:
        """As in `/limits`; records are not told there."""
        reader = self._org.database.reader()
        return {kind: {"Max": self.limits[kind], "Remaining": self.left(reader, kind)} for kind in (BATCHES, QUERIES)}

    def age(self, connection: sqlite3.Connection, seconds: float) -> None:
        """Moves what was used into the past, for tests."""
        connection.execute("UPDATE allocation SET at = at - ?", (seconds,))
