"""The lines of Bulk results: which column comes where, how values are quoted and numbers echoed.

Owns the text of result files. Called by `results`.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

NUMBERS = frozenset({"double", "currency", "percent"})
FLAGS = ("false", "true")  # of `sf__Created`
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
    """Writes the result lines of one job; `numbers` are the places of numbers, `order` that of the columns."""

    def __init__(self, numbers: Sequence[int], delimiter: str, ending: str, order: Sequence[int] | None) -> None:
        self._numbers, self._delimiter, self._ending, self._order = numbers, delimiter, ending, order

    def successful(self, rows: Sequence[Sequence[str]], kinds: bytes, ids: str) -> str:
        """The lines of the rows whose kind is 0 (updated) or 1 (created); `ids` are 18 characters for each row."""
        return self._text(
            (ids[18 * place : 18 * place + 18], FLAGS[kind], *self._shown(row))
            for place, (row, kind) in enumerate(zip(rows, kinds, strict=True))
            if kind < len(FLAGS)
        )

    def failed(self, rows: Sequence[Sequence[str]], ids: str, errors: Mapping[str, str]) -> str:
        """The lines of the rows that have an error, by their place."""
        return self._text(
            (ids[18 * int(place) : 18 * int(place) + 18].strip(), error, *self._shown(rows[int(place)]))
            for place, error in errors.items()
        )

    def plain(self, rows: Iterable[Sequence[str]]) -> str:
        """Rows as they were uploaded."""
        return self._text(rows)

    def _shown(self, row: Sequence[str]) -> Sequence[str]:
        if self._numbers:
            row = [echoed(value) if place in self._numbers else value for place, value in enumerate(row)]
        return [row[place] for place in self._order] if self._order else row

    def _text(self, rows: Iterable[Sequence[str]]) -> str:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, quoting=csv.QUOTE_ALL, lineterminator=self._ending).writerows(rows)
        return text.getvalue()
