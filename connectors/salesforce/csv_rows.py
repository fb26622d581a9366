"""CSV as Bulk API 2.0 wants it, and back.

Owns the cells' text form, the limits of one upload, and reading results by column name while they arrive. Source of
fact: Bulk API 2.0 and Bulk API Developer Guide v66: LF line ends, UTF-8 without BOM, an empty cell leaves a field as
it is, `#N/A` empties it, at most 150 MB after base64 (100 MB of CSV), 400,000 characters a record.
"""

import codecs
import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Final

__all__ = ["MOST_BYTES", "NULL", "CellRefused", "CsvRows", "read_rows"]

Cell = None | bool | int | float | str

NULL: Final = "#N/A"
MOST_BYTES: Final = 100_000_000
_MOST_CHARACTERS: Final = 400_000
_MOST_FIELD: Final = 131_072

csv.field_size_limit(1 << 26)  # a result's cell can be longer than csv's own limit of 131,072 characters


class CellRefused(Exception):
    """A value that a CSV upload can't carry; sending the row by collections may work.

    Attributes:
        column: Salesforce column, "" when it is about the whole row.
        code: `LITERAL_NULL_MARK` (the text is `#N/A` itself, which would empty the field), `NOT_FINITE`, `NOT_UNICODE` (half of a surrogate
            pair), `TOO_LONG`.
    """

    def __init__(self, column: str, code: str) -> None:
        self.column = column
        self.code = code
        super().__init__(f"{column or 'the row'} can't travel in a CSV upload: {code}. Send the row by collections.")


class _Sink:
    """What csv writes to: the pieces, already encoded."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.characters = 0

    def write(self, text: str) -> int:
        self.pieces.append(text.encode())
        self.characters = len(text)
        return len(text)


class CsvRows:
    """The rows of one upload.

    Args:
        columns: The header; every row has these columns, in this order.
        clears: Whether None empties the field (update, upsert) or there is nothing to empty (insert, delete).
        most_rows: Room for so many rows.
        most_bytes: Room for so many bytes, header included.

    Attributes:
        rows: How many rows are in it.
        size: How many bytes.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        clears: bool = True,
        most_rows: int = 10_000,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.columns = tuple(columns)
        self.rows = 0
        self._null = NULL if clears else ""
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._sink = _Sink()
        self._writer = csv.writer(self._sink, lineterminator="\n")
        self._writer.writerow(self.columns)
        self.size = len(self._sink.pieces[0])

    def add(self, row: Mapping[str, Cell]) -> bool:
        """Put a row in.

        Args:
            row: A column that isn't in it is left as it is in Salesforce; None and "" empty it. Columns beyond the
                header's are not written.

        Returns:
            False when there is no room: the row isn't in, the upload is full.

        Raises:
            CellRefused: A value can't travel this way; the row isn't in.
        """
        if self.rows >= self._most_rows:
            return False
        null = self._null
        cells = []
        for column in self.columns:
            if column not in row:
                cells.append("")
                continue
            value = row[column]
            if value is None or value == "":
                cells.append(null)
            elif value.__class__ is str:
                cells.append(_text(column, value))
            else:
                cells.append(_plain(column, value))
        try:
            self._writer.writerow(cells)
        except UnicodeEncodeError:
            raise CellRefused("", "NOT_UNICODE") from None
        piece = self._sink.pieces[-1]
        if self._sink.characters > _MOST_CHARACTERS:
            self._sink.pieces.pop()
            raise CellRefused("", "TOO_LONG")
        if self.size + len(piece) > self._most_bytes:
            self._sink.pieces.pop()
            return False
        self.rows += 1
        self.size += len(piece)
        return True

    def data(self) -> bytes:
        """The upload, header first, each line ended by LF."""
        return b"".join(self._sink.pieces)


def _text(column: str, value: str) -> str:
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if len(value) > _MOST_FIELD:
        raise CellRefused(column, "TOO_LONG")
    if value == NULL:
        raise CellRefused(column, "LITERAL_NULL_MARK")
    return value


def _plain(column: str, value: Cell) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        if not isfinite(value):
            raise CellRefused(column, "NOT_FINITE")
        text = repr(value)
        return text if "e" not in text else format(Decimal(text), "f")
    return str(value)


async def read_rows(pieces: AsyncIterable[bytes]) -> AsyncIterator[dict[str, str]]:
    """Read CSV that arrives in pieces.

    Args:
        pieces: UTF-8, cut anywhere.

    Yields:
        Each row by column name; line ends inside a cell are kept as they came.

    Raises:
        UnicodeDecodeError: It is no UTF-8.
        ValueError: A row has another number of cells than the header, or the text ends inside a row.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    header: list[str] | None = None
    pending = ""
    async for piece in pieces:
        pending += decoder.decode(piece)
        cut = _end_of_last_row(pending)
        if cut:
            header, rows = _parse(pending[:cut], header)
            pending = pending[cut:]
            for row in rows:
                yield row
    pending += decoder.decode(b"", final=True)
    if pending:
        if pending.count('"') % 2:
            message = "the text ends inside a row"
            raise ValueError(message)
        header, rows = _parse(pending, header)
        for row in rows:
            yield row


def _end_of_last_row(text: str) -> int:
    """Index after the last line end that isn't inside quotes; 0 when there is none."""
    end = text.rfind("\n") + 1
    while end and text.count('"', 0, end) % 2:
        end = text.rfind("\n", 0, end - 1) + 1
    return end


def _parse(text: str, header: list[str] | None) -> tuple[list[str] | None, list[dict[str, str]]]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, str]] = []
    try:
        for cells in lines:
            if header is None:
                header = cells
            elif cells:
                rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error:
        message = "the text is no CSV"
        raise ValueError(message) from None
    return header, rows
