"""Rows that link two others, which may be linked once.

Owns that check; what is linked and the text of the refusal are the caller's (`grants`, `relations`).
"""

import sqlite3

from sandbox.salesforce.chunk import Write
from sandbox.salesforce.records import Records


def once(
    records: Records, connection: sqlite3.Connection, write: Write, table: str, columns: tuple[str, str], text: str
) -> None:
    """Refuses new rows of a chunk whose two lookups a live row, or an earlier one of the chunk, has already."""
    first, second = columns
    known = [write.given(first, row) for row in write.lasting(write.new)]
    taken = set(records.select(connection, table, columns, first, known, live=True))
    for row in write.lasting(write.new):
        pair = (write.given(first, row), write.given(second, row))
        if pair in taken:
            write.refuse(row, "DUPLICATE_VALUE", text)
        taken.add(pair)
