"""Is a row in Salesforce what the source says under the map? A second opinion.

Owns the comparison of a stored row with a source record. It is built from the map's declared rules and shares no code
with `transforms`, on purpose: a mistake made there must show here. Called by verification and by the sample's diff.

What it can't catch: a mistake in the map itself, a change that Salesforce made and undid, and a wrong row whose values
happen to be equal.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from mapping.rules import Column, MapDocument

__all__ = ["Comparison", "Mismatch", "compile_comparison"]

ParentOf = Callable[[str], str | None]
"""Salesforce id of a row -> its reference, None when it is no row of ours."""


class Mismatch(NamedTuple):
    """A column that isn't what the source says; never a value.

    Attributes:
        column: Salesforce column.
        rule: The rule that isn't kept, e.g. `text`, `date`, `values`, `parent`, `required`.
    """

    column: str
    rule: str


_Test = Callable[[str | None, Any], bool]
_GLUE: Final = {"newline": chr(10), "space": chr(32), "comma": ", "}
_LOCAL_MARKS: Final = frozenset("!#$%&'*/=?^_+-`{|}~.")
_YES: Final = ("true", "yes", "y", "1", "x", "on")
_NO: Final = ("false", "no", "n", "0", "off")
_DAY: Final = timedelta(days=1)


class Comparison:
    """Compares the rows of one object. Make it with `compile_comparison`.

    Attributes:
        columns: The columns to read back, external id first. `Id` isn't among them.
        count: How many columns each comparison looks at.
    """

    def __init__(self, document: MapDocument, object_name: str) -> None:
        rule = document.objects[object_name]
        self._object = object_name
        self._external_id = rule.external_id
        self._deleted_column = rule.deleted_column
        self._fixed: list[tuple[str, str, str]] = []
        self._runs: list[str] = []
        self._tests: list[tuple[str, str, tuple[str, ...], bool, _Test, str]] = []
        self._spans: list[tuple[str, Column]] = []
        self._parents: list[tuple[str, Column, str | None]] = []
        self._zone = document.zone
        for name, column in rule.columns.items():
            if column.parent is not None:
                stand_in = document.placeholders.get(column.parent)
                self._parents.append((name, column, None if stand_in is None else stand_in.reference))
            elif column.run:
                self._runs.append(name)
            elif column.source_tag:
                self._fixed.append((name, document.source_tag, "source_tag"))
            elif column.constant is not None:
                self._fixed.append((name, column.constant, "constant"))
            elif column.plus_minutes is not None:
                self._spans.append((name, column))
            else:
                self._tests.append(_declared(name, column, self._zone))
        deleted = () if self._deleted_column is None else (self._deleted_column,)
        self.columns = (self._external_id, *rule.columns, *deleted)
        self.count = len(self.columns)

    def compare(
        self,
        vp_id: str,
        fields: Mapping[str, str | None],
        custom: Mapping[str, str],
        row: Mapping[str, Any],
        parent_of: ParentOf,
    ) -> list[Mismatch]:
        """Compare one row.

        Args:
            vp_id: The record's id in Visual Practice.
            fields: Its standard fields as the source has them.
            custom: Its custom fields.
            row: The row as Salesforce's JSON returns it; a column that isn't in it counts as null.
            parent_of: Gives the reference of the row a lookup points to.

        Returns:
            The columns that differ; none when the row is right. A run's column is only checked for not being empty.
        """
        found: list[Mismatch] = []
        reference = f"{self._object}:{vp_id}"
        if row.get(self._external_id) != reference:
            found.append(Mismatch(self._external_id, "external_id"))
        if self._deleted_column is not None and not _nothing(row.get(self._deleted_column)):
            found.append(Mismatch(self._deleted_column, "deleted_column"))
        found.extend(Mismatch(name, kind) for name, text, kind in self._fixed if row.get(name) != text)
        found.extend(Mismatch(name, "run") for name in self._runs if _nothing(row.get(name)))
        for name, label, sources, is_custom, test, glue in self._tests:
            bag: Mapping[str, str | None] = custom if is_custom else fields
            tidied = [_tidy(bag.get(source)) for source in sources]
            wanted = tidied[0] if len(tidied) == 1 else glue.join(text for text in tidied if text)
            if not test(wanted or None, row.get(name)):
                found.append(Mismatch(name, label))
        for name, column in self._spans:
            start, minutes = _tidy(fields.get(column.from_ or "")), _tidy(fields.get(column.plus_minutes or ""))
            if not _ends(column, self._zone, start, minutes, row.get(name)):
                found.append(Mismatch(name, "plus_minutes"))
        for name, column, stand_in in self._parents:
            if not self._linked(reference, fields, column, stand_in, row.get(name), parent_of):
                found.append(Mismatch(name, "parent"))
        return found

    @staticmethod
    def _linked(
        reference: str,
        fields: Mapping[str, str | None],
        column: Column,
        stand_in: str | None,
        stored: Any,
        parent_of: ParentOf,
    ) -> bool:
        actual = None if _nothing(stored) else parent_of(str(stored))
        key = _tidy(fields.get(column.from_ or ""))
        if key in {"", "0"}:
            if column.on_none == "placeholder":
                return actual == stand_in
            return _nothing(stored) and column.on_none == "blank"
        wanted = f"{column.parent}:{key}"
        if wanted == reference:
            return _nothing(stored)
        return actual is not None and (actual == wanted or (column.on_absent == "placeholder" and actual == stand_in))


def compile_comparison(document: MapDocument, object_name: str) -> Comparison:
    """Compile the comparison for one object.

    Args:
        document: A loaded map.
        object_name: One of its objects, e.g. `patient`.

    Raises:
        KeyError: The map has no such object.
    """
    return Comparison(document, object_name)


def _nothing(stored: Any) -> bool:
    return stored is None or stored == ""


def _storable(character: str) -> bool:
    """Whether XML 1.0, and with it Salesforce, can hold the character."""
    number = ord(character)
    if number < 0x20:
        return character in "\t\n\r"
    return not 0xD800 <= number <= 0xDFFF and number not in {0xFFFE, 0xFFFF}


def _tidy(text: str | None) -> str:
    """What a text is once stored: storable characters, one kind of line end, no blanks around."""
    if text is None:
        return ""
    if not (text.isascii() and text.isprintable()):
        kept: list[str] = []
        before = ""
        for character in text:
            if not (character == "\n" and before == "\r") and _storable(character):
                kept.append("\n" if character == "\r" else character)
            before = character
        text = "".join(kept)
    return text.strip()


def _declared(name: str, column: Column, zone: ZoneInfo | None) -> tuple[str, str, tuple[str, ...], bool, _Test, str]:
    """(column, rule, sources, from the custom fields?, test, what is between several sources)."""
    is_custom = column.custom is not None
    sources = (column.custom or "",) if is_custom else column.source_fields
    if column.values is not None:
        label, test = "values", _like_values(column)
    else:
        label = "join" if column.join else column.as_
        test = _like_datetime(column, zone) if column.as_ == "datetime" else _TESTS[column.as_](column)
    glue = _GLUE[column.with_] if column.join else ""
    if not column.required:
        return name, label, sources, is_custom, test, glue

    def there_and_right(source: str | None, stored: Any) -> bool:
        return not _nothing(stored) and test(source, stored)

    return name, label, sources, is_custom, there_and_right, glue


def _like_text(column: Column) -> _Test:
    def test(source: str | None, stored: Any) -> bool:
        wanted = source or column.default
        if wanted is None:
            return _nothing(stored)
        if not isinstance(stored, str):
            return False
        if column.max is not None and len(wanted) > column.max:
            return column.too_long == "truncate" and stored.strip() == wanted[0 : column.max].strip()
        return stored == wanted

    return test


def _like_email(column: Column) -> _Test:
    longest = 80 if column.max is None else column.max

    def test(source: str | None, stored: Any) -> bool:
        wanted = source
        if wanted is not None and (len(wanted) > longest or not _looks_like_email(wanted)):
            if column.on_invalid == "reject" and not (len(wanted) > longest and column.too_long == "truncate"):
                return False
            wanted = None
        wanted = wanted or column.default
        if wanted is None:
            return _nothing(stored)
        return isinstance(stored, str) and stored.casefold() == wanted.casefold()

    return test


def _looks_like_email(text: str) -> bool:
    local, at, domain = text.partition("@")
    if not at or not text.isascii() or not local or "" in local.split("."):
        return False
    if any(not (mark.isalnum() or mark in _LOCAL_MARKS) for mark in local):
        return False
    labels = domain.split(".")
    if len(labels) < 2 or len(labels[-1]) < 2 or not labels[-1][-1].isalpha():
        return False
    for label in labels:
        plain = label.replace("-", "")
        if not plain.isalnum() or label.startswith("-") or label.endswith("-"):
            return False
    return True


def _number_of(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and "_" not in text and text.isascii() else None


def _like_number(column: Column) -> _Test:
    whole = column.as_ == "integer"

    def test(source: str | None, stored: Any) -> bool:
        if source is None:
            return _nothing(stored)
        wanted = _number_of(source)
        digits = source.lstrip("+-")
        signs = len(source) - len(digits)
        before, dot, after = digits.partition(".")
        odd = signs > 1 or len(before) > 18 or len(after) > 18 or "e" in digits.lower() or (whole and dot)
        if wanted is None or odd:
            return column.on_invalid == "blank" and _nothing(stored)
        if isinstance(stored, bool) or not isinstance(stored, int | float):
            return False
        return Decimal(str(stored)) == wanted or float(wanted) == float(stored)

    return test


def _like_boolean(column: Column) -> _Test:
    def test(source: str | None, stored: Any) -> bool:
        answer = "" if source is None else source.lower()
        if answer in _YES:
            return stored is True
        known = answer in _NO or not answer
        return (known or column.on_invalid == "blank") and stored is False

    return test


def _day(text: str) -> tuple[int, int, int] | None:
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(part.isdigit() and part.isascii() for part in parts):
        return None
    year, month, day = (int(part) for part in parts)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1700 <= year <= 4000 or not 1 <= month <= 12 or not 1 <= day <= days[month - 1]:
        return None
    return year, month, day


def _like_date(column: Column) -> _Test:
    def test(source: str | None, stored: Any) -> bool:
        if source is None or source == "0001-01-01":
            return _nothing(stored)
        wanted = _day(source)
        if wanted is None:
            return column.on_invalid == "blank" and _nothing(stored)
        return isinstance(stored, str) and _day(stored) == wanted

    return test


def _instant(text: str, *, any_year: bool = False) -> datetime | None:
    """The second a text with an offset names; None when it names none, or none that Salesforce can store."""
    zone = timedelta()
    if text.endswith("Z"):
        clock = text[:-1]
    else:
        sign, offset = text[19:].rfind("-"), text[19:].rfind("+")
        cut = 19 + max(sign, offset)
        digits = text[cut + 1 :].replace(":", "", 1)
        if cut < 19 or len(digits) != 4 or not digits.isdigit() or not digits.isascii():
            return None
        if len(text) - cut == 6 and text[cut + 3] != ":":
            return None
        zone = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        zone = -zone if text[cut] == "-" else zone
        clock = text[:cut]
    whole, dot, fraction = clock.partition(".")
    if dot and not (fraction.isdigit() and fraction.isascii() and len(fraction) <= 6):
        return None
    if not whole.isascii() or len(whole) != 19 or whole[10] not in "T " or abs(zone) >= timedelta(hours=24):
        return None
    parts = (whole[0:4], whole[5:7], whole[8:10], whole[11:13], whole[14:16], whole[17:19])
    if not "".join(parts).isdigit() or whole[4] + whole[7] + whole[13] + whole[16] != "--::":
        return None
    try:
        moment = datetime(*map(int, parts), tzinfo=UTC) - zone  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError):
        return None
    return moment if any_year or 1700 <= moment.year <= 4000 else None


def _on_the_clock(text: str, zone: ZoneInfo) -> datetime | None:
    """The second at which a zone's clock shows a time without an offset.

    Tried are the offsets of the day before and of the day after: the first second that shows it counts. If the clock skipped it,
    none does, and the offset before the change counts.
    """
    day, apart, clock = text[:10], text[10:11], text[11:]
    if apart not in {"T", " "} or len(clock) < 5 or not text.isascii():
        return None
    seconds, dot, fraction = clock[5:].partition(".")
    shape = (seconds == "" and not dot) or (len(seconds) == 3 and seconds[0] == ":")
    if not shape or (dot and not (fraction.isdigit() and len(fraction) <= 6)):
        return None
    shown = _instant(f"{day}T{clock[:5]}{seconds or ':00'}Z", any_year=True)
    if shown is None:
        return None
    try:
        offsets = [(shown + days).astimezone(zone).utcoffset() or timedelta() for days in (-_DAY, _DAY)]
        fitting = [shown - offset for offset in offsets if (shown - offset).astimezone(zone).utcoffset() == offset]
        moment = min(fitting) if fitting else shown - offsets[0]
    except OverflowError:
        return None
    return moment if 1700 <= moment.year <= 4000 else None


def _named(text: str, zone: ZoneInfo | None) -> datetime | None:
    return _instant(text) or (None if zone is None else _on_the_clock(text, zone))


def _ends(column: Column, zone: ZoneInfo | None, start: str, minutes: str, stored: Any) -> bool:
    """Whether a stored time is so many minutes after the start."""
    if _nothing(stored) and column.required:
        return False
    begins = _named(start, zone)
    if not start or (begins is None and start.startswith("0001-01-01")):
        return _nothing(stored)
    if begins is not None and minutes.isdigit() and minutes.isascii() and len(minutes) <= 6:
        ends = begins + timedelta(seconds=60 * int(minutes))
        if ends.year <= 4000:
            return isinstance(stored, str) and _instant(stored) == ends
    return column.on_invalid == "blank" and _nothing(stored)


def _like_datetime(column: Column, zone: ZoneInfo | None) -> _Test:
    def test(source: str | None, stored: Any) -> bool:
        wanted = None if source is None else _named(source, zone)
        if source is None or (wanted is None and source.startswith("0001-01-01")):
            return _nothing(stored)
        if wanted is None:
            return column.on_invalid == "blank" and _nothing(stored)
        return isinstance(stored, str) and _instant(stored) == wanted

    return test


def _like_values(column: Column) -> _Test:
    pairs = [(key.casefold().split(), value) for key, value in (column.values or {}).items()]

    def test(source: str | None, stored: Any) -> bool:
        wanted: object = None
        if source is not None:
            words = source.casefold().split()
            hits = [value for key, value in pairs if key == words]
            if hits:
                wanted = hits[0]
            elif column.otherwise == "reject":
                return False
            elif column.otherwise == "keep":
                wanted = source
            elif column.otherwise != "blank":
                wanted = column.otherwise
        wanted = column.default if wanted is None else wanted
        return _nothing(stored) if _nothing(wanted) else (stored == wanted and type(stored) is type(wanted))

    return test


_TESTS: Final[dict[str, Callable[[Column], _Test]]] = {
    "text": _like_text,
    "email": _like_email,
    "date": _like_date,
    "number": _like_number,
    "integer": _like_number,
    "boolean": _like_boolean,
}
