"""From a source text to a column's value: one closure per column.

Owns the forms a column can have (text, email, date, …) and what is noted when a value doesn't fit. Compiled once per
map, called for each record: the usual value takes the shortest way. `comparators` has its own, separate idea of the
same rules; nothing here is shared with it.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mapping.answers import Answers
from mapping.local_time import to_utc
from mapping.money import read_amount
from mapping.rules import Column
from mapping.text_steps import (
    SEPARATORS,
    Note,
    Step,
    Value,
    cleaned,
    defaulted,
    defaulted_by,
    of_html,
    of_list,
    of_several,
    of_text,
    refusing,
    required,
)

__all__ = ["compile_step"]

_Check = Callable[[str, list[Note]], Value]

# Salesforce's documented characters for an e-mail address; it checks no more than this form.
_EMAIL: Final = re.compile(r"[A-Za-z0-9!#$%&'*/=?^_+\-`{|}~]+(?:\.[A-Za-z0-9!#$%&'*/=?^_+\-`{|}~]+)*"
                           r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z]")  # fmt: skip
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})", re.ASCII)
_OFFSET_DATETIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2})", re.ASCII
)
_LOCAL_DATETIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?", re.ASCII)
_PATTERN: Final = re.compile(r"[/X]{1,288}")
_MINUTES: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "y", "1", "x", "on"), True),
    **dict.fromkeys(("false", "no", "n", "0", "off"), False),
}
_FIRST_DAY: Final = date(1700, 1, 1)  # Salesforce stores dates from 1700 to 4000
_LAST_DAY: Final = date(4000, 12, 31)
_NO_DATE: Final = "0001-01-01"


def compile_step(name: str, column: Column, zone: ZoneInfo | None = None) -> Step:
    """Make the closure for one column.

    Args:
        name: Salesforce column.
        column: Its rule; of kind `from`, `custom` or `join`.
        zone: Whose clock times without an offset are of; None: such a time is invalid.

    Returns:
        A function of the record's fields (for `custom`: of its custom fields) and of the list that takes notes. It
        gives the column's value; when it noted a refusal, the value means nothing.
    """
    if column.answer is not None:
        return _answered(name, column, zone)
    if column.kind == "join":
        step = of_several(name, column)
    elif column.values is not None:
        step = _checked(name, column, _value_map(name, column))
    elif column.each is not None:
        step = of_list(name, column)
    elif column.as_ == "text":
        step = of_text(name, column)
    elif column.as_ == "html":
        step = of_html(name, column)
    elif column.as_ == "day":
        step = _checked(name, column, _day(name, column, zone))
    elif column.as_ == "datetime":
        step = (
            _checked(name, column, _datetime(name, column, zone))
            if column.plus_minutes is None
            else _later(name, column, zone)
        )
    else:
        step = _checked(name, column, _CHECKS[column.as_](name, column))
    if column.required:
        return required(name, step)
    if column.default_by is not None:
        return defaulted_by(name, step, column.default_by, column.default)
    if column.default is not None:
        return defaulted(name, step, column.default)
    of_checkbox = (
        column.as_ == "boolean"
        if column.values is None
        else all(value.__class__ is bool for value in column.values.values())
    )
    return _no_is_false(step) if of_checkbox else step


def _answered(name: str, column: Column, zone: ZoneInfo | None) -> Step:
    """What another step makes of the answer to a question."""
    source = column.from_ or ""
    answers = Answers(column.answer or "", SEPARATORS[column.with_])
    refusal = refusing(name, column, "INVALID_FORM")
    of_answer = compile_step(name, column.model_copy(update={"answer": None}), zone)

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        given = fields.get(source)
        text: str | None = answers.text(given) if given and given.strip() else ""
        if text is None:
            notes.append(refusal)
            text = ""
        return of_answer({source: text}, notes)

    return step


def _checked(name: str, column: Column, check: _Check) -> Step:
    source = column.custom or column.from_ or ""

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        text = fields.get(source)
        if not text:
            return None
        if not text.isprintable():
            text = cleaned(text, name, notes)
        text = text.strip()
        return check(text, notes) if text else None

    return step


def _email(name: str, column: Column) -> _Check:
    refusal = refusing(name, column, "INVALID_EMAIL")
    limit = column.max or 80
    blanked = column.on_invalid == "blank" or column.too_long == "truncate"
    too_long = Note(name, "TEXT_TOO_LONG_BLANKED" if blanked else "TEXT_TOO_LONG", refused=not blanked)
    matches = _EMAIL.fullmatch

    def check(text: str, notes: list[Note]) -> Value:
        if len(text) > limit:
            # A cut address would be another address: one that is too long is never cut.
            notes.append(too_long)
            return None
        if matches(text) is None:
            notes.append(refusal)
            return None
        return text

    return check


def _date(name: str, column: Column) -> _Check:
    refusal = refusing(name, column, "INVALID_DATE")

    def check(text: str, notes: list[Note]) -> Value:
        if text == _NO_DATE:
            return None
        # fromisoformat also takes 20260102 and 2026-W01-5
        if len(text) == 10 and text[4] == "-" == text[7] and text.isascii():
            try:
                if _FIRST_DAY <= date.fromisoformat(text) <= _LAST_DAY:
                    return text
            except ValueError:
                pass
        notes.append(refusal)
        return None

    return check


def _moment(name: str, column: Column, zone: ZoneInfo | None) -> Callable[[str, list[Note]], datetime | None]:
    """Reads an instant that Salesforce can store; None when there is none, noted unless it stands for no date at all."""
    refusal = refusing(name, column, "INVALID_DATETIME")

    def read(text: str, notes: list[Note]) -> datetime | None:
        oddity: str | None = None
        moment: datetime | None = None
        try:
            if _OFFSET_DATETIME.fullmatch(text) is not None:
                moment = datetime.fromisoformat(text).astimezone(UTC)
            elif zone is not None and _LOCAL_DATETIME.fullmatch(text) is not None:
                moment, oddity = to_utc(datetime.fromisoformat(text), zone)
        except (ValueError, OverflowError):
            moment = None
        if moment is not None and 1700 <= moment.year <= 4000:
            if oddity is not None:
                notes.append(Note(name, oddity, refused=False))
            return moment
        if not text.startswith(_NO_DATE):
            notes.append(refusal)
        return None

    return read


def _stored(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def _datetime(name: str, column: Column, zone: ZoneInfo | None) -> _Check:
    read = _moment(name, column, zone)

    def check(text: str, notes: list[Note]) -> Value:
        if (
            len(text) == 20 and text[10] == "T" and text[19] == "Z" and text[4] == "-"
        ):  # the usual form is stored as it is
            try:
                if 1700 <= datetime.fromisoformat(text).year <= 4000:
                    return text[:19] + ".000Z"
            except ValueError:
                pass
        moment = read(text, notes)
        return None if moment is None else _stored(moment)

    return check


def _day(name: str, column: Column, zone: ZoneInfo | None) -> _Check:
    """The day of a time by the practice's clock, by UTC's without one; a mere day is itself."""
    read = _moment(name, column, zone)
    of_day = _date(name, column)

    def check(text: str, notes: list[Note]) -> Value:
        if len(text) == 10:
            return of_day(text, notes)
        moment = read(text, notes)
        if moment is None:
            return None
        return f"{moment.astimezone(zone) if zone is not None else moment:%Y-%m-%d}"

    return check


def _minutes(text: str) -> int | None:
    """Minutes from a number, or from a pattern of signs that stand for five minutes each (Open Dental's `//XXXX//`)."""
    if _PATTERN.fullmatch(text) is not None:
        return 5 * len(text)
    return int(text) if _MINUTES.fullmatch(text) is not None else None


def _later(name: str, column: Column, zone: ZoneInfo | None) -> Step:
    """A time and so many minutes: an end from a start and a duration."""
    read = _moment(name, column, zone)
    begins, lasts, other = column.from_ or "", column.plus_minutes or "", column.else_from
    missing = refusing(name, column, "DURATION_MISSING")
    invalid = refusing(name, column, "INVALID_DURATION")

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        text = cleaned(fields.get(begins) or "", name, notes).strip()
        moment = read(text, notes) if text else None
        if moment is None:
            return None
        lasting = cleaned(fields.get(lasts) or "", name, notes).strip()
        if not lasting and other is not None and (ends := cleaned(fields.get(other) or "", name, notes).strip()):
            moment = read(ends, notes)
            return None if moment is None else _stored(moment)
        minutes = _minutes(lasting)
        if minutes is None:
            notes.append(invalid if lasting else missing)
            return None
        end = moment + timedelta(minutes=minutes)
        if end.year > 4000:
            notes.append(invalid)
            return None
        return _stored(end)

    return step


def _integer(name: str, column: Column) -> _Check:
    refusal = refusing(name, column, "INVALID_INTEGER")

    def check(text: str, notes: list[Note]) -> Value:
        if _INTEGER.fullmatch(text) is None:
            notes.append(refusal)
            return None
        return int(text)

    return check


def _number(name: str, column: Column) -> _Check:
    refusal = refusing(name, column, "INVALID_NUMBER")

    def check(text: str, notes: list[Note]) -> Value:
        if _NUMBER.fullmatch(text) is None:
            notes.append(refusal)
            return None
        return float(text)

    return check


def _money(name: str, column: Column) -> _Check:
    refusal = refusing(name, column, "INVALID_AMOUNT")
    doubtful = refusing(name, column, "AMOUNT_WITHOUT_CENTS")
    rounded = Note(name, "AMOUNT_ROUNDED", refused=False)

    def check(text: str, notes: list[Note]) -> Value:
        amount = read_amount(text)
        if amount is None:
            notes.append(refusal)
            return None
        if amount.whole and column.whole == "reject":
            notes.append(doubtful)
            return None
        if amount.rounded:
            notes.append(rounded)
        return float(amount.value / 100 if amount.whole and column.whole == "cents" else amount.value)

    return check


def _boolean(name: str, column: Column) -> _Check:
    refusal = refusing(name, column, "INVALID_BOOLEAN")

    def check(text: str, notes: list[Note]) -> Value:
        value = _BOOLEANS.get(text.casefold())
        if value is None:
            notes.append(refusal)
        return value

    return check


_CHECKS: Final[dict[str, Callable[[str, Column], _Check]]] = {
    "email": _email,
    "date": _date,
    "integer": _integer,
    "number": _number,
    "money": _money,
    "boolean": _boolean,
}
_NOT_THERE: Final = object()


def _value_map(name: str, column: Column) -> _Check:
    table: dict[str, object] = {" ".join(k.split()).casefold(): v for k, v in (column.values or {}).items()}
    otherwise = column.otherwise

    def other(text: str, notes: list[Note]) -> Value:
        match otherwise:
            case "keep":
                return text
            case "reject":
                notes.append(Note(name, "VALUE_NOT_MAPPED", refused=True))
                return None
            case "blank":
                notes.append(Note(name, "VALUE_NOT_MAPPED_BLANKED", refused=False))
                return None
        notes.append(Note(name, "VALUE_NOT_MAPPED_REPLACED", refused=False))
        return otherwise

    def check(text: str, notes: list[Note]) -> Value:
        found = table.get(text.casefold(), _NOT_THERE)
        if found is _NOT_THERE:
            found = table.get(" ".join(text.split()).casefold(), _NOT_THERE)
            if found is _NOT_THERE:
                return other(text, notes)
        return found  # type: ignore[return-value]  # the table's values are values

    return check


def _no_is_false(step: Step) -> Step:
    """A Salesforce checkbox knows no null."""

    def checkbox(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        return bool(step(fields, notes))

    return checkbox
