"""Is a row in Salesforce what the source says under the map? A second opinion.

Owns the comparison of a stored row with a source record. It is built from the map's declared rules and shares no code
with `transforms`, on purpose: a mistake made there must show here. Called by verification and by the sample's diff.

What it can't catch: a mistake in the map itself, a change that Salesforce made and undid, and a wrong row whose values
happen to be equal.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from mapping.compared_choice import Counted, Rank, counted_value, rank
from mapping.compared_texts import (
    NamedTest,
    PicturedTest,
    Test,
    like_entries,
    like_html,
    like_named,
    like_pictured,
    like_text,
)
from mapping.compared_times import day, day_of, goes_on, instant, named
from mapping.compared_values import GLUE, amount, answer, looks_like_email, nothing, number_of, tidy
from mapping.rules import Column, MapDocument

__all__ = ["Comparison", "Counted", "Mismatch", "compile_comparison"]

ParentOf = Callable[[str], str | None]
"""Salesforce id of a row -> its reference, None when it is no row of ours."""

OwnerOf = Callable[[str], str | None]
"""Reference of a user, or of who stands for one -> the Salesforce id decided for them, None when nobody has decided."""


class Mismatch(NamedTuple):
    """A column that isn't what the source says; never a value.

    Attributes:
        column: Salesforce column.
        rule: The rule that isn't kept, e.g. `text`, `date`, `values`, `parent`, `required`.
    """

    column: str
    rule: str


_YES: Final = ("true", "yes", "y", "1", "x", "on")
_NO: Final = ("false", "no", "n", "0", "off")


class Comparison:
    """Compares the rows of one object. Make it with `compile_comparison`.

    Attributes:
        columns: The columns to read back, external id first. `Id` isn't among them.
        count: How many columns each comparison looks at.
        pictured: Those that are texts with addresses of files.
    """

    def __init__(self, document: MapDocument, object_name: str) -> None:
        rule = document.objects[object_name]
        self._object = object_name
        self._external_id = rule.external_id
        self._deleted_column = rule.deleted_column
        self._fixed: list[tuple[str, str | bool, str]] = []
        self._runs: list[str] = []
        self._tests: list[tuple[str, str, tuple[str, ...], bool, Test, str]] = []
        self._spans: list[tuple[str, Column]] = []
        self._named: list[tuple[str, NamedTest]] = []
        self._ongoing: list[tuple[str, Column]] = []
        self._pictured: list[tuple[str, PicturedTest]] = [
            (name, like_pictured(column)) for name, column in rule.columns.items() if column.images is not None
        ]
        self._parents: list[tuple[str, Column, str | None]] = []
        self._owners: list[tuple[str, Column, str | None]] = []
        self._made: list[tuple[str, Column, Column]] = []
        self._ranks: dict[str, Rank] = {}
        self._zone, self._as_of = document.zone, document.as_of
        columns = {name: column for name, column in rule.columns.items() if not column.where_allowed}
        for name, column in ((name, column) for name, column in columns.items() if column.images is None):
            if column.counted is not None:
                part, field = column.counted
                self._made.append((name, column, document.objects[part].columns[field]))
                if column.first is not None and part not in self._ranks:
                    self._ranks[part] = rank(document, part)
            elif column.parent in document.owners:
                stand_in = document.placeholder(column.parent or "")
                self._owners.append((name, column, None if stand_in is None else stand_in.reference))
            elif column.parent is not None:
                stand_in = document.placeholder(column.parent)
                self._parents.append((name, column, None if stand_in is None else stand_in.reference))
            elif column.run:
                self._runs.append(name)
            elif column.source_tag:
                self._fixed.append((name, document.source_tag, "source_tag"))
            elif column.constant is not None:
                self._fixed.append((name, column.constant, "constant"))
            elif column.plus_minutes is not None:
                self._spans.append((name, column))
            elif column.default_by is not None:
                self._named.append((name, like_named(column, column.default_by)))
            elif column.as_ == "ongoing":
                self._ongoing.append((name, column))
            else:
                self._tests.append(_declared(name, column, self._zone))
        deleted = () if self._deleted_column is None else (self._deleted_column,)
        self.columns = (self._external_id, *columns, *deleted)
        self.count = len(self.columns)
        self.pictured = tuple(name for name, _ in self._pictured)

    def compare(
        self,
        vp_id: str,
        fields: Mapping[str, str | None],
        custom: Mapping[str, str],
        row: Mapping[str, Any],
        parent_of: ParentOf,
        owner_of: OwnerOf = lambda _: None,
        counted: Sequence[Counted] = (),
    ) -> list[Mismatch]:
        """Compare one row.

        Args:
            vp_id: The record's id in Visual Practice.
            fields: Its standard fields as the source has them.
            custom: Its custom fields.
            row: The row as Salesforce's JSON returns it; a column that isn't in it counts as null.
            parent_of: Gives the reference of the row a lookup points to, and of the record that a document in a text is of.
            owner_of: Gives the Salesforce id that was decided for an owner.
            counted: The records that count in the row.

        Returns:
            The columns that differ; none when the row is right. A run's column is only checked for not being empty.
        """
        found: list[Mismatch] = []
        reference = f"{self._object}:{vp_id}"
        if row.get(self._external_id) != reference:
            found.append(Mismatch(self._external_id, "external_id"))
        if self._deleted_column is not None and not nothing(row.get(self._deleted_column)):
            found.append(Mismatch(self._deleted_column, "deleted_column"))
        found.extend(Mismatch(name, kind) for name, text, kind in self._fixed if row.get(name) != text)
        found.extend(Mismatch(name, "run") for name in self._runs if nothing(row.get(name)))
        for name, label, sources, is_custom, test, glue in self._tests:
            bag: Mapping[str, str | None] = custom if is_custom else fields
            tidied = [tidy(bag.get(source)) for source in sources]
            wanted = tidied[0] if len(tidied) == 1 else glue.join(text for text in tidied if text)
            if not test(wanted or None, row.get(name)):
                found.append(Mismatch(name, label))
        for name, column in self._spans:
            start, minutes, other = (tidy(fields.get(each or "")) for each in _span(column))
            if not _ends(column, self._zone, (start, minutes, other), row.get(name)):
                found.append(Mismatch(name, "plus_minutes"))
        found.extend(Mismatch(name, "default_by") for name, right in self._named if not right(fields, row.get(name)))
        pictured = (name for name, right in self._pictured if not right(fields, row.get(name), parent_of))
        found.extend(Mismatch(name, "images") for name in pictured)
        for name, column in self._ongoing:
            if row.get(name) is not goes_on(column, self._zone, self._as_of, fields):
                found.append(Mismatch(name, "ongoing"))
        found.extend(self._miscounted(fields, custom, counted, row))
        for name, column, stand_in in self._owners:
            if not _owns(fields, column, stand_in, row.get(name), owner_of):
                found.append(Mismatch(name, "owner"))
        for name, column, stand_in in self._parents:
            if not self._linked(reference, fields, column, stand_in, row.get(name), parent_of):
                found.append(Mismatch(name, "parent"))
        return found

    def _miscounted(
        self,
        fields: Mapping[str, str | None],
        custom: Mapping[str, str],
        counted: Sequence[Counted],
        row: Mapping[str, Any],
    ) -> Iterator[Mismatch]:
        """Columns that aren't what the records that count in the row make of them."""
        ranked = {part: in_order(counted) for part, in_order in self._ranks.items()}
        for name, column, of_part in self._made:
            if column.first is not None:
                right = _comes_first(column, of_part, self._zone, (fields, custom), ranked, row.get(name))
            else:
                right = _makes(column, of_part, self._zone, fields, counted, row.get(name))
            if not right:
                yield Mismatch(name, column.kind)

    @staticmethod
    def _linked(
        reference: str,
        fields: Mapping[str, str | None],
        column: Column,
        stand_in: str | None,
        stored: Any,
        parent_of: ParentOf,
    ) -> bool:
        actual = None if nothing(stored) else parent_of(str(stored))
        key = tidy(fields.get(column.from_ or ""))
        if key in {"", "0"}:
            if column.on_none == "placeholder":
                return actual == stand_in
            return nothing(stored) and column.on_none == "blank"
        wanted = f"{column.parent}:{key}"
        if wanted == reference:
            return nothing(stored)
        if actual is None:
            return nothing(stored) and column.on_absent == "later"  # to link it is a write of its own
        return actual == wanted or (column.on_absent == "placeholder" and actual == stand_in)


def compile_comparison(document: MapDocument, object_name: str) -> Comparison:
    """Compile the comparison for one object.

    Args:
        document: A loaded map.
        object_name: One of its objects, e.g. `patient`.

    Raises:
        KeyError: The map has no such object.
    """
    return Comparison(document, object_name)


def _owns(
    fields: Mapping[str, str | None], column: Column, stand_in: str | None, stored: Any, owner_of: OwnerOf
) -> bool:
    key = tidy(fields.get(column.from_ or ""))
    owner = stand_in if key in {"", "0"} else f"{column.parent}:{key}"
    decided = None if owner is None else owner_of(owner)
    if decided is None and stand_in is not None and column.on_absent == "placeholder":
        decided = owner_of(stand_in)
    return not nothing(stored) and bool(stored == decided)


def _declared(name: str, column: Column, zone: ZoneInfo | None) -> tuple[str, str, tuple[str, ...], bool, Test, str]:
    """(column, rule, sources, from the custom fields?, test, what is between several sources)."""
    if column.answer is not None:
        _, label, sources, is_custom, test, glue = _declared(name, column.model_copy(update={"answer": None}), zone)
        return name, label, sources, is_custom, _like_answer(column, test), glue
    is_custom = column.custom is not None
    sources = (column.custom or "",) if is_custom else column.source_fields
    if column.values is not None:
        label, test = "values", _like_values(column)
    elif column.each is not None:
        label, test = "each", like_entries(column)
    elif column.as_ == "day":
        label, test = "day", _like_day(column, zone)
    else:
        label = "join" if column.join else column.as_
        test = _like_datetime(column, zone) if column.as_ == "datetime" else _TESTS[column.as_](column)
    glue = GLUE[column.with_] if column.join else ""
    if column.values is not None and all(isinstance(value, bool) for value in column.values.values()):
        test = _checkbox(test)
    if not column.required:
        return name, label, sources, is_custom, test, glue

    def there_and_right(source: str | None, stored: Any) -> bool:
        return not nothing(stored) and test(source, stored)

    return name, label, sources, is_custom, there_and_right, glue


def _like_email(column: Column) -> Test:
    longest = 80 if column.max is None else column.max

    def test(source: str | None, stored: Any) -> bool:
        wanted = source
        if wanted is not None and (len(wanted) > longest or not looks_like_email(wanted)):
            if column.on_invalid == "reject" and not (len(wanted) > longest and column.too_long == "truncate"):
                return False
            wanted = None
        wanted = wanted or column.default
        if wanted is None:
            return nothing(stored)
        return isinstance(stored, str) and stored.casefold() == wanted.casefold()

    return test


def _like_number(column: Column) -> Test:
    whole = column.as_ == "integer"

    def test(source: str | None, stored: Any) -> bool:
        if source is None:
            return nothing(stored)
        wanted = number_of(source)
        digits = source.lstrip("+-")
        signs = len(source) - len(digits)
        before, dot, after = digits.partition(".")
        odd = signs > 1 or len(before) > 18 or len(after) > 18 or "e" in digits.lower() or (whole and dot)
        if wanted is None or odd:
            return column.on_invalid == "blank" and nothing(stored)
        if isinstance(stored, bool) or not isinstance(stored, int | float):
            return False
        return Decimal(str(stored)) == wanted or float(wanted) == float(stored)

    return test


def _like_money(column: Column) -> Test:
    def test(source: str | None, stored: Any) -> bool:
        if source is None:
            return nothing(stored)
        wanted = amount(source, column.whole)
        if wanted is None:
            return column.on_invalid == "blank" and nothing(stored)
        if isinstance(stored, bool) or not isinstance(stored, int | float):
            return False
        return Decimal(str(stored)) == wanted or float(wanted) == float(stored)

    return test


def _like_answer(column: Column, of_text: Test) -> Test:
    def test(source: str | None, stored: Any) -> bool:
        said = answer(column, source) if source is not None else ""
        if said is None and column.on_invalid != "blank":
            return False
        return of_text(tidy(said) or None, stored)

    return test


def _makes(
    column: Column,
    of_part: Column,
    zone: ZoneInfo | None,
    fields: Mapping[str, str | None],
    counted: Sequence[Counted],
    stored: Any,
) -> bool:
    """Whether a column is what the records that count in the row make of it, or what the record itself says when none does."""
    part = (column.counted or ("", ""))[0]
    values = [counted_value(of_part, zone, mine, custom) for object_, mine, custom, _ in counted if object_ == part]
    values = [value for value in values if value is not None]
    if not values:
        _, _, sources, _, test, _ = _declared("", column, zone)
        return test(tidy(fields.get(sources[0])) or None, stored)
    if column.sum is not None:
        total = sum((Decimal(str(value)) for value in values), Decimal())
        return isinstance(stored, int | float) and not isinstance(stored, bool) and float(total) == float(stored)
    newest = max(str(value) for value in values)
    if column.as_ == "datetime":
        return isinstance(stored, str) and instant(stored) == instant(newest)
    return bool(stored == newest)


def _comes_first(
    column: Column,
    of_part: Column,
    zone: ZoneInfo | None,
    own: tuple[Mapping[str, str | None], Mapping[str, str]],
    ranked: Mapping[str, Sequence[Counted]],
    stored: Any,
) -> bool:
    """Whether a column is what the record says that comes first; what the row's own record says when that says nothing."""
    _, _, sources, is_custom, test, _ = _declared("", of_part, zone)
    for _, fields, custom, _ in ranked[(column.counted or ("", ""))[0]]:
        said = tidy((custom if is_custom else fields).get(sources[0])) or None
        if not test(said, None):  # it says something: an empty column would be wrong
            return test(said, stored)
        if not column.filled:
            break
    if column.from_ is None and column.custom is None:
        return nothing(stored)
    _, _, sources, is_custom, test, _ = _declared("", column, zone)
    return test(tidy(own[is_custom].get(sources[0])) or None, stored)


def _like_boolean(column: Column) -> Test:
    def test(source: str | None, stored: Any) -> bool:
        answer = "" if source is None else source.lower()
        if answer in _YES:
            return stored is True
        known = answer in _NO or not answer
        return (known or column.on_invalid == "blank") and stored is False

    return test


def _like_date(column: Column) -> Test:
    def test(source: str | None, stored: Any) -> bool:
        if source is None or source == "0001-01-01":
            return nothing(stored)
        wanted = day(source)
        if wanted is None:
            return column.on_invalid == "blank" and nothing(stored)
        return isinstance(stored, str) and day(stored) == wanted

    return test


def _like_day(column: Column, zone: ZoneInfo | None) -> Test:
    def test(source: str | None, stored: Any) -> bool:
        wanted = None if source is None else day_of(source, zone)
        if source is None or (wanted is None and source.startswith("0001-01-01")) or source == "0001-01-01":
            return nothing(stored)
        if wanted is None:
            return column.on_invalid == "blank" and nothing(stored)
        return bool(stored == wanted)

    return test


def _checkbox(test: Test) -> Test:
    """A checkbox knows no null: false stands for it."""

    def of_checkbox(source: str | None, stored: Any) -> bool:
        return test(source, stored) or (stored is False and test(source, None))

    return of_checkbox


def _span(column: Column) -> tuple[str | None, str | None, str | None]:
    return column.from_, column.plus_minutes, column.else_from


def _lasting(minutes: str) -> timedelta | None:
    """How long a number of minutes, or of signs of five minutes each, is."""
    if minutes and len(minutes) <= 288 and not minutes.strip("/X"):
        return len(minutes) * timedelta(minutes=5)
    if minutes.isdigit() and minutes.isascii() and len(minutes) <= 6:
        return timedelta(seconds=60 * int(minutes))
    return None


def _ends(column: Column, zone: ZoneInfo | None, given: tuple[str, str, str], stored: Any) -> bool:
    """Whether a stored time is so many minutes after the start, or (without minutes) the other time that the record has."""
    start, minutes, other = given
    if nothing(stored) and column.required:
        return False
    begins = named(start, zone)
    if not start or (begins is None and start.startswith("0001-01-01")):
        return nothing(stored)
    if not minutes and other:
        ends = None if begins is None else named(other, zone)
        if ends is None and begins is not None and other.startswith("0001-01-01"):
            return nothing(stored)
    else:
        lasts = _lasting(minutes)
        ends = None if begins is None or lasts is None else begins + lasts
    if ends is not None and ends.year <= 4000:
        return isinstance(stored, str) and instant(stored) == ends
    return column.on_invalid == "blank" and nothing(stored)


def _like_datetime(column: Column, zone: ZoneInfo | None) -> Test:
    def test(source: str | None, stored: Any) -> bool:
        wanted = None if source is None else named(source, zone)
        if source is None or (wanted is None and source.startswith("0001-01-01")):
            return nothing(stored)
        if wanted is None:
            return column.on_invalid == "blank" and nothing(stored)
        return isinstance(stored, str) and instant(stored) == wanted

    return test


def _like_values(column: Column) -> Test:
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
        return nothing(stored) if nothing(wanted) else (stored == wanted and type(stored) is type(wanted))

    return test


_TESTS: Final[dict[str, Callable[[Column], Test]]] = {
    "text": like_text,
    "html": like_html,
    "email": _like_email,
    "date": _like_date,
    "number": _like_number,
    "money": _like_money,
    "integer": _like_number,
    "boolean": _like_boolean,
}
