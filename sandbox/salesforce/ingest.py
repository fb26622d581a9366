"""Works through one ingest job: chunks of 200 rows, each in one transaction with the job's progress and results.

Owns what happens to an uploaded file. Column names, line endings and the like are looked at here, when the job is
processed, never at upload. Called by `worker`, in the writing thread.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sandbox import clock
from sandbox.salesforce import columns, uploads
from sandbox.salesforce.errors import STORAGE_FULL, JobError, RowError
from sandbox.salesforce.jobs import Job, Jobs
from sandbox.salesforce.lines import Lines
from sandbox.salesforce.org import Org
from sandbox.salesforce.rows import CHUNK, Outcome, Write
from sandbox.salesforce.schema import SObject
from sandbox.salesforce.values import from_csv

MISMATCH = RowError("INVALID_FIELD", "The number of fields in the row is not that of the header")


class Progress(NamedTuple):
    """What one chunk did: rows written and rows refused."""

    written: int
    refused: int


class Ingest:
    """An ingest job being worked on: the open file and what its header says. Raises JobError when that is wrong."""

    def __init__(self, org: Org, jobs: Jobs, job: Job) -> None:
        self._org, self._jobs, self.job = org, jobs, job
        self._sobject = self._object(job.object)
        path = jobs.path(job)
        uploads.check(path, job.line_ending)
        self._rows: Iterator[list[str]] = uploads.rows(path, job.delimiter)
        header = next(self._rows, [])
        if not header or sum(map(len, header)) > uploads.MOST_HEADER:
            raise JobError("InvalidBatch : Failed to parse CSV. The header row is missing or too long")
        self._columns = columns.from_headers(org.schema, self._sobject, header)
        self._key = self._sobject.get(job.key) if job.key else None
        if job.operation == "upsert" and (self._key is None or not self._key.key):
            raise JobError(f"InvalidBatch : Field name not found : {job.key}")
        self._lines = Lines(self._columns, uploads.DELIMITERS[job.delimiter], uploads.LINE_ENDINGS[job.line_ending])
        for _ in islice(self._rows, job.processed):
            pass  # done before a restart

    def _object(self, name: str) -> SObject:
        found = self._org.schema.get(name)
        if found is None:
            raise JobError(f"InvalidEntity : Unable to find object: {name}")
        return found

    def chunk(self) -> Progress | None:
        """Works one chunk off; None when there is none left or the job is no longer in progress."""
        began = time.perf_counter()
        rows = list(islice(self._rows, CHUNK))
        if not rows:
            return None
        job, width = self.job, len(self._columns)
        uneven = {place for place, row in enumerate(rows) if len(row) != width}
        for place in uneven:
            rows[place] = (rows[place] + [""] * width)[:width]
        with self._org.database.transaction() as connection:
            if self._jobs.state(connection, job) != "InProgress":
                return None
            outcomes = self._apply(connection, rows, uneven)
            refused = sum(outcome.error is not None for outcome in outcomes)
            job.processed, job.failed = job.processed + len(rows), job.failed + refused
            self._jobs.keep_results(connection, job, job.processed, *self._lines.of(rows, outcomes))
            job.milliseconds += (time.perf_counter() - began) * 1000
            self._jobs.note(connection, job, processed=job.processed, failed=job.failed, milliseconds=job.milliseconds)
        return Progress(len(rows) - refused, refused)

    def _apply(self, connection: sqlite3.Connection, rows: Sequence[Sequence[str]], uneven: set[int]) -> list[Outcome]:
        job = self.job
        write = Write(
            self._sobject,
            job.operation,
            self._columns,
            [from_csv(column) for column in zip(*rows, strict=True)],
            len(rows),
            job.created_by,
            clock.salesforce_text(clock.now()),
            self._key,
            self._org.faults.rows("lock", f"{job.object} {job.operation}", len(rows)),
            dict.fromkeys(uneven, MISMATCH) | self._full(len(rows)),
        )
        return self._org.rows.apply(connection, write)

    def _full(self, total: int) -> dict[int, RowError]:
        """The rows for which a fault says that there is no room."""
        job = self.job
        return dict.fromkeys(
            self._org.faults.rows("storage_full", f"{job.object} {job.operation}", total), STORAGE_FULL
        )
