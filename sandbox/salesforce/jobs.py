"""Bulk 2.0 jobs as they are remembered: states, counters, uploads.

Owns the tables of jobs and of outcomes, which `results` reads and writes. Every change of a job is one transaction; the
outcomes of a chunk, the job's progress and the rows themselves are in the same one, so that a killed server resumes
without losing or repeating a row. Called by `ingest`, `extracts` and the job routes.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import clock
from sandbox.salesforce import ids
from sandbox.salesforce.allocations import Allocations
from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.locks import Locks
from sandbox.salesforce.org import Org

PREFIX = "750"
OPEN_SECONDS, KEPT_SECONDS = 86_400.0, 7 * 86_400.0
TERMINAL = frozenset({"JobComplete", "Failed", "Aborted"})
TABLES = """
CREATE TABLE IF NOT EXISTS job (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, operation TEXT NOT NULL, object TEXT NOT NULL,
  created_by TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL, state TEXT NOT NULL, version TEXT NOT NULL,
  key TEXT, line_ending TEXT NOT NULL, delimiter TEXT NOT NULL, soql TEXT, uploaded INTEGER NOT NULL DEFAULT 0,
  processed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, milliseconds REAL NOT NULL DEFAULT 0,
  error TEXT, assignment_rule TEXT, retries INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS job_outcome (
  job INTEGER NOT NULL, last INTEGER NOT NULL, kinds BLOB NOT NULL, ids TEXT NOT NULL, errors TEXT, PRIMARY KEY (job, last));
"""
COLUMNS = (
    *("number", "id", "kind", "operation", "object", "created_by", "created", "changed", "state", "version", "key"),
    *(
        "line_ending",
        "delimiter",
        "soql",
        "uploaded",
        "processed",
        "failed",
        "milliseconds",
        "error",
        "assignment_rule",
        "retries",
    ),
)


@dataclass(slots=True)
class Job:
    """One job, `kind` V2Ingest or V2Query; `processed` counts failed rows too; times are seconds since 1970."""

    number: int
    id: str
    kind: str
    operation: str
    object: str
    created_by: str
    created: float
    changed: float
    state: str
    version: str
    key: str | None
    line_ending: str
    delimiter: str
    soql: str | None
    uploaded: int
    processed: int
    failed: int
    milliseconds: float
    error: str | None
    assignment_rule: str | None
    retries: int

    def as_json(self, *, short: bool = False) -> dict[str, Any]:
        """JobInfo; the short one is what creating and closing a job answer."""
        ingest = self.kind == "V2Ingest"
        shown: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.object,
            "createdById": self.created_by,
            "createdDate": clock.salesforce_text(self.created),
            "systemModstamp": clock.salesforce_text(self.changed),
            "state": self.state,
        }
        if self.key:
            shown["externalIdFieldName"] = self.key
        shown |= {"concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(self.version)}
        if self.assignment_rule:
            shown["assignmentRuleId"] = self.assignment_rule
        if short and (ingest and self.state != "Open"):
            return shown
        if not short:
            shown["jobType"] = self.kind
        if ingest and self.state == "Open":
            shown["contentUrl"] = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
        shown |= {"lineEnding": self.line_ending, "columnDelimiter": self.delimiter}
        if short:
            return shown
        if self.uploaded or not ingest:
            shown["numberRecordsProcessed"] = self.processed
            if ingest:
                shown["numberRecordsFailed"] = self.failed
        shown |= {"retries": self.retries, "totalProcessingTime": int(self.milliseconds)}
        if ingest:
            shown |= {"apiActiveProcessingTime": int(self.milliseconds), "apexProcessingTime": 0}
        else:
            shown["isPkChunkingSupported"] = False
        if self.error and ingest:
            shown["errorMessage"] = self.error
        return shown


class Jobs:
    """The jobs of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        with org.database.schema_change() as connection:
            connection.executescript(TABLES)
            if "retries" not in {row[1] for row in connection.execute("PRAGMA table_info(job)")}:
                connection.execute("ALTER TABLE job ADD COLUMN retries INTEGER NOT NULL DEFAULT 0")
        self.allocations, self.locks = Allocations(org), Locks()

    def path(self, job: Job) -> Path:
        """The file of a job: its upload, or the result of its query."""
        return self._org.uploads / f"{job.id}.csv"

    def create(self, **given: Any) -> Job:
        """A new job, durable when this returns."""
        instant = clock.now()
        with self._org.database.transaction() as connection:
            number = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM job").fetchone()[0]
            row = {"number": number, "id": ids.make(PREFIX, number), "created": instant, "changed": instant, **given}
            names = ", ".join(row)
            connection.execute(f"INSERT INTO job ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608
            return self._one(connection, number)

    @staticmethod
    def _one(connection: sqlite3.Connection, number: int) -> Job:
        row = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM job WHERE number = ?", (number,)).fetchone()  # noqa: S608
        if row is None:
            raise not_found(code_first=True)
        return Job(*row)

    def get(self, identity: str, kind: str) -> Job:
        """A job by its id; raises ApiError when there is none of this kind."""
        row = (
            self._org.database.reader()
            .execute(
                f"SELECT {', '.join(COLUMNS)} FROM job WHERE id = ? AND kind = ?",  # noqa: S608
                (ids.long(identity), kind),
            )
            .fetchone()
        )
        if row is None:
            raise not_found(code_first=True)
        return Job(*row)

    def listing(self, kind: str, after: int, most: int) -> list[Job]:
        """Jobs of a kind with a number above `after`, at most so many."""
        rows = self._org.database.reader().execute(
            f"SELECT {', '.join(COLUMNS)} FROM job WHERE kind = ? AND number > ? ORDER BY number LIMIT ?",  # noqa: S608
            (kind, after, most),
        )
        return [Job(*row) for row in rows]

    def unfinished(self) -> list[Job]:
        """Jobs that a worker has to take up: closed by the client, not ended."""
        rows = self._org.database.reader().execute(
            f"SELECT {', '.join(COLUMNS)} FROM job WHERE state IN ('UploadComplete', 'InProgress') ORDER BY number"  # noqa: S608
        )
        return [Job(*row) for row in rows]

    def move(self, job: Job, state: str, allowed: frozenset[str], **changes: Any) -> Job:
        """Moves a job to a state if it is in an allowed one, else raises ApiError INVALIDJOBSTATE."""
        with self._org.database.transaction() as connection:
            now = self._one(connection, job.number)
            if now.state not in allowed:
                text = (
                    "Aborting already Completed Job not allowed"
                    if state == "Aborted"
                    else f"Job state must be {' or '.join(sorted(allowed))}, it is {now.state}"
                )
                raise ApiError(400, "INVALIDJOBSTATE", text, code_first=True)
            self.note(connection, job, state=state, **changes)
            return self._one(connection, job.number)

    @staticmethod
    def note(connection: sqlite3.Connection, job: Job, **changes: Any) -> None:
        """Changes columns of a job inside the caller's transaction."""
        changes["changed"] = clock.now()
        assignments = ", ".join(f"{name} = ?" for name in changes)
        connection.execute(f"UPDATE job SET {assignments} WHERE number = ?", (*changes.values(), job.number))  # noqa: S608

    def state(self, connection: sqlite3.Connection, job: Job) -> str:
        """The state as the transaction sees it; `Deleted` when the job is gone."""
        row = connection.execute("SELECT state FROM job WHERE number = ?", (job.number,)).fetchone()
        return str(row[0]) if row else "Deleted"

    def delete(self, job: Job) -> None:
        """Removes a finished job with all it holds; raises ApiError while it is not finished."""
        if job.state not in (TERMINAL | {"UploadComplete"} if job.kind == "V2Ingest" else TERMINAL):
            text = "Error encountered when deleting the job because the job is not terminated"
            raise ApiError(400, "API_ERROR", text, code_first=True)
        with self._org.database.transaction() as connection:
            self._remove(connection, [(job.number, job.id)])

    def _remove(self, connection: sqlite3.Connection, jobs: Sequence[tuple[int, str]]) -> None:
        for number, identity in jobs:
            connection.execute("DELETE FROM job WHERE number = ?", (number,))
            connection.execute("DELETE FROM job_outcome WHERE job = ?", (number,))
            for path in self._org.uploads.glob(f"{identity}.*"):
                path.unlink(missing_ok=True)

    def expire(self) -> None:
        """Aborts jobs that were open for a day, and removes what is older than 7 days and not being worked on."""
        now = clock.now()
        with self._org.database.transaction() as connection:
            connection.execute(
                "UPDATE job SET state = 'Aborted', changed = ? WHERE state = 'Open' AND created < ?",
                (now, now - OPEN_SECONDS),
            )
            old = "SELECT number, id FROM job WHERE state <> 'InProgress' AND created < ?"
            self._remove(connection, connection.execute(old, (now - KEPT_SECONDS,)).fetchall())

    def age(self, seconds: float) -> None:
        """Makes every job, and what was used of the allocations, older, for tests."""
        with self._org.database.transaction() as connection:
            connection.execute("UPDATE job SET created = created - ?, changed = changed - ?", (seconds, seconds))
            self.allocations.age(connection, seconds)
        self.expire()
