"""The lines of Bulk results: which column comes where, how values are quoted and numbers echoed.

Owns the text of result files. Called by `ingest`, which stores the lines of a chunk, and by the routes for the headers.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from sandbox.salesforce.columns import Column
from sandbox.salesforce.rows import Outcome

NUMBERS = frozenset({"double", "currency", "percent"})
PLAIN = 10**7  # Java writes larger doubles in E notation


def echoed(value: str) -> str:
    """A number as a result file shows it, `9.12260031E8`; text that is no number comes back as it is."""
    try:
        number = float(value)
    except ValueError:
        return value
    if number == 0 or 1e-3 <= abs(number) < PLAIN:
        return repr(number)
    mantissa, _, exponent = f"{number:e}".partition("e")
    digits = repr(number / 10 ** int(exponent))
    return f"{digits if len(digits) <= 18 else mantissa.rstrip('0')}E{int(exponent)}"


def alphabetically(names: Sequence[str]) -> list[int]:
    """The places of the columns in the order of the alphabet, as some answers of v49 have them."""
    return sorted(range(len(names)), key=lambda place: names[place].lower())


class Lines:
    """Writes the result lines of one job."""

    def __init__(self, columns: Sequence[Column], delimiter: str, ending: str, *, alphabetical: bool = False) -> None:
        self._numbers = [place for place, column in enumerate(columns) if column.field.type in NUMBERS]
        self._order = alphabetically([column.header for column in columns]) if alphabetical else None
        self._delimiter, self._ending = delimiter, ending

    def of(self, rows: Sequence[Sequence[str]], outcomes: Sequence[Outcome]) -> tuple[str, str]:
        """The lines of the successful and of the failed rows of a chunk."""
        if self._numbers:
            rows = [self._echo(row) for row in rows]
        if self._order:
            rows = [[row[place] for place in self._order] for row in rows]
        successful = [
            (outcome.id, "true" if outcome.created else "false", *row)
            for row, outcome in zip(rows, outcomes, strict=True)
            if outcome.error is None
        ]
        if len(successful) == len(rows):
            return self._text(successful), ""
        failed = [
            (outcome.id or "", outcome.error.as_text(), *row)
            for row, outcome in zip(rows, outcomes, strict=True)
            if outcome.error is not None
        ]
        return self._text(successful), self._text(failed)

    def plain(self, rows: Iterable[Sequence[str]]) -> str:
        """Rows as they were uploaded."""
        return self._text(rows)

    def _echo(self, row: Sequence[str]) -> list[str]:
        return [echoed(value) if place in self._numbers else value for place, value in enumerate(row)]

    def _text(self, rows: Iterable[Sequence[str | None]]) -> str:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, quoting=csv.QUOTE_ALL, lineterminator=self._ending).writerows(rows)
        return text.getvalue()
