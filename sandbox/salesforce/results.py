"""What became of each row of an ingest job, and the result files made of it.

Owns the form of outcomes (`jobs` has their table). A result file is made when it is asked for, from the upload and the outcomes: most are never
asked for. Called by `ingest`, which keeps the outcomes of a chunk, and by the routes.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice

import orjson

from sandbox.salesforce import columns, uploads
from sandbox.salesforce.errors import JobError
from sandbox.salesforce.jobs import Job, Jobs
from sandbox.salesforce.lines import NUMBERS, Lines, alphabetically
from sandbox.salesforce.org import Org
from sandbox.salesforce.rows import Write

ID_LENGTH = 18
NO_ID = " " * ID_LENGTH
CREATED, FAILED = 1, 2  # the kind of a row; 0 is updated
CHUNKS = 50  # whose outcomes are read at once
UNPROCESSED = 2_000  # rows sent at once


def keep(connection: sqlite3.Connection, job: Job, last: int, write: Write) -> None:
    """Stores what became of the rows of a chunk, the last of which has number `last`, inside the caller's transaction."""
    kinds = bytearray(write.total)
    for row in write.new:
        kinds[row] = CREATED
    for row in write.errors:
        kinds[row] = FAILED
    named = "".join([identity or NO_ID for identity in write.ids])
    errors = {row: error.as_text() for row, error in write.errors.items()}
    told = orjson.dumps(errors, option=orjson.OPT_NON_STR_KEYS).decode() if errors else None
    connection.execute("INSERT INTO job_outcome VALUES (?, ?, ?, ?, ?)", (job.number, last, kinds, named, told))


class Results:
    """The result files of one org's ingest jobs. A job must have an upload."""

    def __init__(self, org: Org, jobs: Jobs) -> None:
        self._org, self._jobs = org, jobs

    def recorded(self, job: Job, which: str, *, alphabetical: bool = False) -> Iterator[bytes]:
        """The file of the successful or failed rows (`which`) in pieces; `alphabetical` orders the columns."""
        names, rows = self._upload(job)
        delimiter, ending = uploads.DELIMITERS[job.delimiter], uploads.LINE_ENDINGS[job.line_ending]
        order = alphabetically(names) if alphabetical else None
        shown = [names[place] for place in order] if order else names
        first = ['"sf__Id"', '"sf__Created"' if which == "successful" else '"sf__Error"']
        yield (delimiter.join([*first, *_bare(shown, delimiter)]) + ending).encode()
        lines = Lines(self._numbers(job, names), delimiter, ending, order)
        after = 0
        while stored := self._stored(job, after):
            piece = ""
            for last, kinds, named, told in stored:
                some, after = list(islice(rows, last - after)), last
                errors = orjson.loads(told) if told else {}
                if which == "successful":
                    piece += lines.successful(_fitted(some, len(names)), kinds, named)
                elif errors:
                    piece += lines.failed(_fitted(some, len(names)), named, errors)
            if piece:
                yield piece.encode()

    def unprocessed(self, job: Job) -> Iterator[bytes]:
        """The rows of a job that ended early and were never looked at, in pieces, as they were uploaded."""
        names, rows = self._upload(job)
        delimiter, ending = uploads.DELIMITERS[job.delimiter], uploads.LINE_ENDINGS[job.line_ending]
        yield (delimiter.join(_bare(names, delimiter)) + ending).encode()
        if job.state in {"Aborted", "Failed"}:
            lines, rest = Lines([], delimiter, ending, None), islice(rows, job.processed, None)
            while some := list(islice(rest, UNPROCESSED)):
                yield lines.plain(some).encode()

    def _upload(self, job: Job) -> tuple[list[str], Iterator[list[str]]]:
        """The names in the first row and the rows below; nothing when the file is no CSV."""
        rows = uploads.rows(self._jobs.path(job), job.delimiter)
        try:
            return next(rows, []), _readable(rows)
        except JobError:
            return [], iter(())

    def _stored(self, job: Job, after: int) -> list[tuple[int, bytes, str, str | None]]:
        reader = self._org.database.reader()
        sql = "SELECT last, kinds, ids, errors FROM job_outcome WHERE job = ? AND last > ? ORDER BY last LIMIT ?"
        return reader.execute(sql, (job.number, after, CHUNKS)).fetchall()

    def _numbers(self, job: Job, names: list[str]) -> list[int]:
        """The places of the columns whose numbers are echoed in another form."""
        sobject = self._org.schema.get(job.object)
        if sobject is None:
            return []
        try:
            found = columns.from_headers(self._org.schema, sobject, names)
        except JobError:  # a field that was there is gone
            return []
        return [place for place, column in enumerate(found) if column.field.type in NUMBERS]


def _readable(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except JobError:
        return


def _fitted(rows: list[list[str]], width: int) -> list[list[str]]:
    return [row if len(row) == width else (row + [""] * width)[:width] for row in rows]


def _bare(names: Sequence[str], delimiter: str) -> list[str]:
    special = re.compile(rf'["\n{re.escape(delimiter)}]')
    return [f'"{name}"' if special.search(name) else name for name in names]
