"""Works through one ingest job: chunks of 200 rows, each in one transaction with the job's progress and results.

Owns what happens to an uploaded file. Column names, line endings and the like are looked at here, when the job is
processed, never at upload. Called by `worker`, in the writing thread.
"""

import sqlite3
import time
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from sandbox import clock
from sandbox.salesforce import allocations, columns, results, uploads
from sandbox.salesforce.errors import STORAGE_FULL, JobError, RowError
from sandbox.salesforce.jobs import Job, Jobs
from sandbox.salesforce.org import Org
from sandbox.salesforce.rows import CHUNK, Write
from sandbox.salesforce.schema import Schema, SObject
from sandbox.salesforce.switches import Switches
from sandbox.salesforce.values import from_csv

BATCH = 10_000  # rows that count as one batch of the daily allocation
HARD_DELETE = "hardDelete"
SHOWN_LOCKS = 10  # ids that a lock error names
MISMATCH = RowError("INVALID_FIELD", "The number of fields in the row is not that of the header")
TOO_LONG = RowError("INVALID_FIELD", f"A record cannot exceed {uploads.MOST_RECORD} characters")


class BlockedError(Exception):
    """Another job holds records that this chunk needs; nothing of it was written."""


class Progress(NamedTuple):
    """What one chunk did: rows written and rows refused."""

    written: int
    refused: int


class Ingest:
    """An ingest job being worked on: the open file and what its header says. Raises JobError when that is wrong."""

    def __init__(self, org: Org, jobs: Jobs, job: Job, switches: Switches) -> None:
        self._org, self._jobs, self.job = org, jobs, job
        schema = org.seen_by(job.created_by)
        self._sobject = self._object(schema, job.object)
        path = jobs.path(job)
        uploads.check(path, job.line_ending)
        self._rows: Iterator[list[str]] = uploads.rows(path, job.delimiter)
        header = next(self._rows, [])
        if not header or sum(map(len, header)) > uploads.MOST_HEADER:
            raise JobError("InvalidBatch : Failed to parse CSV. The header row is missing or too long")
        self._columns = columns.from_headers(schema, self._sobject, header)
        self._key = self._sobject.get(job.key) if job.key else None
        if job.operation == "upsert" and (self._key is None or not self._key.key):
            raise JobError(f"InvalidBatch : Field name not found : {job.key}")
        self._parents = [column.field.name for column in self._columns if column.field.cascade]
        self._ahead: list[list[list[str]]] = []  # chunks that were read but not written yet
        self._unreadable: JobError | None = None
        self._holds, self._patient = bool(switches.bulk_chunk_seconds), True
        for _ in islice(self._rows, job.processed):
            pass  # done before a restart

    @staticmethod
    def _object(schema: Schema, name: str) -> SObject:
        found = schema.get(name)
        if found is None:
            raise JobError(f"InvalidEntity : Unable to find object: {name}")
        return found

    def work(self, *, most: int = 1, patient: bool = True) -> Progress | None:
        """Works up to `most` chunks off in one transaction; None when nothing is left or the job is not in progress.

        Raises BlockedError while another job holds a parent, unless `patient` is False: then the rows are refused.
        Raises JobError when the daily allocation is used up. In both cases nothing is written; after BlockedError the
        same chunks come again.
        """
        began = time.perf_counter()
        self._read(most)
        some = self._ahead[:most]
        if not some:
            return None
        job, self._patient = self.job, patient
        processed, failed, done = job.processed, job.failed, 0
        with self._org.database.transaction() as connection:
            if self._jobs.state(connection, job) != "InProgress":
                return None
            for rows in some:
                if processed % BATCH == 0 and not self._allocate(connection, processed, first=not done):
                    break
                write = self._apply(connection, rows)
                processed, done = processed + len(rows), done + 1
                failed += len(write.errors)
                results.keep(connection, job, processed, write)
            spent = job.milliseconds + (time.perf_counter() - began) * 1000
            self._jobs.note(
                connection, job, processed=processed, failed=failed, milliseconds=spent, retries=job.retries
            )
        del self._ahead[:done]
        refused, written = failed - job.failed, processed - job.processed - (failed - job.failed)
        job.processed, job.failed, job.milliseconds = processed, failed, spent
        return Progress(written, refused)

    def _read(self, most: int) -> None:
        """Reads until so many chunks are ahead; where the file cannot be read, the rows before still count."""
        try:
            while len(self._ahead) < most and (rows := list(islice(self._rows, CHUNK))):
                self._ahead.append(rows)
        except JobError as error:
            self._unreadable = error
        if self._unreadable is not None and not self._ahead:
            raise self._unreadable

    def _allocate(self, connection: sqlite3.Connection, processed: int, *, first: bool) -> bool:
        """Counts the next 10,000 rows, and the parent batch of the job with its first.

        When they are used up: raises JobError if `first`, else answers False, so that what came before is kept.
        """
        used, batches = self._jobs.allocations, 1 if processed else 2
        for kind, amount in ((allocations.BATCHES, batches), (allocations.RECORDS, BATCH)):
            if used.left(connection, kind) < amount:
                if first:
                    raise JobError(f"ExceededQuota : {allocations.EXHAUSTED[kind]}")
                return False
        used.take(connection, allocations.BATCHES, batches)
        used.take(connection, allocations.RECORDS, BATCH)
        return True

    def _read_columns(self, given: list[list[str]]) -> tuple[list[tuple[str, ...]], dict[int, RowError]]:
        """The columns of some rows, brought to the width of the header, and the rows that cannot be read, by their place."""
        rows, width = list(given), len(self._columns)
        wrong = {place: MISMATCH for place, row in enumerate(rows) if len(row) != width}
        for place in wrong:
            rows[place] = (rows[place] + [""] * width)[:width]
        read = list(zip(*rows, strict=True))
        if sum(map(len, map("".join, read))) > uploads.MOST_RECORD:  # all of them together: one may be too long
            wrong |= {place: TOO_LONG for place, row in enumerate(rows) if len("".join(row)) > uploads.MOST_RECORD}
        return read, wrong

    def _apply(self, connection: sqlite3.Connection, rows: list[list[str]]) -> Write:
        job, what = self.job, f"{self.job.object} {self.job.operation}"
        read, wrong = self._read_columns(rows)
        wrong |= dict.fromkeys(self._org.faults.rows("storage_full", what, len(rows)), STORAGE_FULL)
        write = Write(
            self._sobject,
            "delete" if job.operation == HARD_DELETE else job.operation,
            self._columns,
            [from_csv(column) for column in read],
            len(rows),
            job.created_by,
            clock.salesforce_text(clock.now()),
            self._key,
            self._org.faults.rows("lock", what, len(rows)),
            wrong,
        )
        if self._holds or self._jobs.locks:
            write.guard = self._lock
        self._org.rows.apply(connection, write)
        if job.operation == HARD_DELETE:
            for row in write.lasting(write.known):
                self._org.rows.bin.purge(connection, str(write.ids[row]))
        return write

    def _lock(self, write: Write) -> None:
        """Locks the rows and the parents they belong to; refuses rows whose locks another job holds."""
        locks, number = self._jobs.locks, self.job.number
        parents = [write.stored[name] for name in self._parents if name in write.stored]
        needed: set[str] = set()
        for row, own in enumerate(write.ids):
            wanted = [each for each in (own, *(cells[row] for cells in parents)) if isinstance(each, str)]
            foreign = sorted(locks.foreign(wanted, number))
            if not foreign:
                needed.update(wanted)
                continue
            if self._patient:
                raise BlockedError
            text = "unable to obtain exclusive access to this record or 200 records: "
            write.errors.setdefault(row, RowError("UNABLE_TO_LOCK_ROW", text + ",".join(foreign[:SHOWN_LOCKS])))
        if self._holds:
            locks.hold(needed, number)
