"""Works through one Bulk query job: the whole result as a CSV file, with the place of every row beside it.

Owns the file, its index and the refusals that only Bulk has. Called by `worker`, in a reading thread; `slice` by the
routes.
"""

import csv
import itertools
import sys
from array import array
from pathlib import Path

from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.org import Org
from sandbox.salesforce.soql import syntax
from sandbox.salesforce.soql.results import as_csv
from sandbox.salesforce.soql.statement import Statement, translate

BATCH = 2_000  # rows read from the database at once
PLACE = 8  # bytes of a row's place in the index
PER_PAGE = 50_000  # records of a result page unless the client says otherwise
Row = tuple[str | None, ...]


class _Sink:
    """Takes the lines of a csv.writer one by one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.write = self.lines.append


def statement(org: Org, soql: str, user: str, *, deleted: bool) -> Statement:
    """The SQL of a Bulk query; raises ApiError for what REST refuses and for what only Bulk does."""
    query = syntax.parse(soql)
    if query.aggregate or query.offset:
        text = (
            "Aggregate Relationships not supported in Bulk Query"
            if query.aggregate
            else "OFFSET is not supported in Bulk Query"
        )
        raise ApiError(400, "API_ERROR", text, code_first=True)
    made = translate(org.seen_by(user), soql, query, deleted=deleted)
    if made.children:
        text = "Aggregate Relationships not supported in Bulk Query"
        raise ApiError(400, "API_ERROR", text, code_first=True)
    if any(output.field.parts for output in made.outputs):
        raise ApiError(400, "API_ERROR", "Compound data not supported in Bulk Query", code_first=True)
    return made


def index(path: Path) -> Path:
    """The file with the places of the rows of a result."""
    return path.with_suffix(".index")


def write(org: Org, soql: str, path: Path, user: str, *, deleted: bool) -> int:
    """Writes the result and its index, replacing what an interrupted run left; returns the number of records."""
    made = statement(org, soql, user, deleted=deleted)
    reader = org.database.reader()
    found = reader.execute(made.sql(*(as_csv(output) for output in made.outputs)), made.values)
    sink = _Sink()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([".".join(output.path) for output in made.outputs])
    total = -1
    at = 0
    with path.open("wb") as file, index(path).open("wb") as places:
        while sink.lines:
            encoded = [line.encode() for line in sink.lines]
            sink.lines.clear()
            ends = list(itertools.accumulate(map(len, encoded), initial=at))
            at = ends.pop()
            array("q", ends).tofile(places)
            file.write(b"".join(encoded))
            total += len(encoded)
            writer.writerows(found.fetchmany(BATCH))
        array("q", [at]).tofile(places)
    return total


def span(path: Path, start: int, most: int) -> tuple[int, int, int, int]:
    """Where records `start` to `start + most` lie: end of the header, first byte, end, and how many they are."""
    with index(path).open("rb") as places:
        rows = places.seek(0, 2) // PLACE - 2  # the header and the end have a place too
        last = min(start + most, rows)

        def place(row: int) -> int:
            places.seek(row * PLACE)
            return int.from_bytes(places.read(PLACE), sys.byteorder)

        return place(1), place(1 + start), place(1 + last), max(0, last - start)
