"""Turns what a client sent into what is stored, a column at a time, or says why not.

Owns types, lengths, ranges and texts of value errors. A converted value is the stored form, `None` for "leave as it is"
or CLEAR for "make it null". Called by `columns`, for chunks of at most 200 values.

Assumptions, not found in any source: characters that XML 1.0 forbids (NUL and the other control characters) are refused
as an error of the row; length is counted in code points; a DateTime loses its fraction of a second.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sandbox.salesforce import ids
from sandbox.salesforce.errors import RowError
from sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field

CLEAR = "\x00\x00"  # compared by identity; cannot be stored, as control characters are refused
NULL_MARK = "#N/A"
BLANKS = " \t\n\r\v\f"  # what is cut off the ends of a text; other Unicode blanks stay

Errors = dict[int, RowError]
Converter = Callable[[Field, Sequence[Any], Errors], list[Any]]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ALLOWED = bytes(each for each in range(128) if not _CONTROL.match(chr(each)))
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]++@(?!-)[A-Za-z0-9\-]++(?<!-)\.(?:[A-Za-z0-9\-]++\.)*+[A-Za-z]{2,}+"
)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)")
TRUE, FALSE = frozenset({"true", "1", "yes", "y", "on", "t"}), frozenset({"false", "0", "no", "n", "off", "f"})
FIRST_YEAR, LAST_YEAR = 1700, 4000


def _wrong_type(field: Field, value: str) -> RowError:
    return RowError(
        "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.label}: value not of required type: {value}", (field.name,)
    )


class Filled(list[str]):
    """A column in which every row says something."""


def _fits(field: Field, raw: Filled) -> bool:
    """Whether nothing is to be done about a column, as is usual; looks at all of it at once where it can."""
    if list(map(str.strip, raw)) != raw or max(map(len, raw), default=0) > field.length:
        return False
    whole = "".join(raw)
    return not (whole.encode().translate(None, _ALLOWED) if whole.isascii() else _CONTROL.search(whole))


def texts(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """Text: trimmed, blank is null, checked for length and forbidden characters."""
    if isinstance(raw, Filled) and _fits(field, raw):
        return raw
    values = [value if value is None or value is CLEAR else value.strip(BLANKS) or CLEAR for value in raw]
    present = [value for value in values if value is not None and value is not CLEAR]
    if max(map(len, present), default=0) > field.length:
        for position, value in enumerate(values):
            if value is not None and len(value) > field.length:
                text = f"{field.label}: data value too large: {value} (max length={field.length})"
                errors.setdefault(position, RowError("STRING_TOO_LONG", text, (field.name,)))
    if _CONTROL.search("".join(present)):
        for position, value in enumerate(values):
            if value is not None and value is not CLEAR and (found := _CONTROL.search(value)):
                text = f"{field.label}: value contains a character that is not allowed: U+{ord(found[0]):04X}"
                errors.setdefault(position, RowError("INVALID_FIELD", text, (field.name,)))
    return values


def emails(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """E-mail addresses, checked for their shape."""
    values = texts(field, raw, errors)
    if isinstance(values, Filled) and all(map(_EMAIL.fullmatch, values)):
        return values
    for position, value in enumerate(values):
        if value is not None and value is not CLEAR and not _EMAIL.fullmatch(value):
            text = f"{field.label}: invalid email address: {value}"
            errors.setdefault(position, RowError("INVALID_EMAIL_ADDRESS", text, (field.name,)))
    return values


def picks(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """Picklist values; a restricted picklist takes only its own."""
    values = texts(field, raw, errors)
    if field.restricted:
        for position, value in enumerate(values):
            if value is not None and value is not CLEAR and value not in field.picklist:
                text = f"{field.label}: bad value for restricted picklist field: {value}"
                errors.setdefault(position, RowError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, (field.name,)))
    return values


def dates(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """Dates from 1700 to 4000."""
    return _each(field, raw, errors, _date)


def _date(field: Field, value: str) -> str | RowError:
    text = value.strip()
    try:
        if len(text) != 10:
            return _wrong_type(field, value)
        made = date.fromisoformat(text)
    except ValueError:
        return _wrong_type(field, value)
    if not FIRST_YEAR <= made.year <= LAST_YEAR:
        shown = f"{made:%a %b %d} 00:00:00 GMT {made.year}"
        return RowError("FIELD_INTEGRITY_EXCEPTION", f"{field.label}: invalid date: {shown}", (field.name,))
    return text


def instants(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """Instants with a zone; a bare date is midnight UTC."""
    return _each(field, raw, errors, _instant)


def stored_instant(text: str) -> str | None:
    """The stored form of an instant with a zone, or None when it is no such thing."""
    if not _DATETIME.fullmatch(text):
        return None
    if text[19:] in {"Z", ".000Z", ".000+0000"} and text[10] == "T" and len(text) >= 20:
        try:
            datetime.fromisoformat(text[:19])
        except ValueError:
            return None
        return f"{text[:19]}.000+0000"
    try:
        made = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return f"{made:%Y-%m-%dT%H:%M:%S}.000+0000".zfill(28)


def _instant(field: Field, value: str) -> str | RowError:
    text = value.strip()
    made = stored_instant(f"{text}T00:00:00Z" if len(text) == 10 else text)
    if made is None:
        return _wrong_type(field, value)
    if not FIRST_YEAR <= int(made[:4]) <= LAST_YEAR:
        return RowError("FIELD_INTEGRITY_EXCEPTION", f"{field.label}: invalid date: {value}", (field.name,))
    return made


def booleans(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """True and false in the words that Bulk takes, or as JSON booleans; null is false."""
    return [0 if value is CLEAR else value for value in _each(field, raw, errors, _boolean)]


def _boolean(field: Field, value: Any) -> int | RowError:
    if isinstance(value, bool):
        return int(value)
    word = value.strip().lower()
    if word in TRUE or word in FALSE:
        return int(word in TRUE)
    return _wrong_type(field, value)


def numbers(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """Numbers within the field's digits, rounded to its scale."""
    return _each(field, raw, errors, _number)


def _number(field: Field, value: Any) -> float | RowError:
    try:
        made = float(value)
    except ValueError:
        return _wrong_type(field, str(value))
    whole = (field.precision or 18) - field.scale
    if not abs(made) < 10**whole:
        text = f"{field.label}: value outside of valid range on numeric field: {value}"
        return RowError("NUMBER_OUTSIDE_VALID_RANGE", text, (field.name,))
    rounded = round(made, field.scale)
    return int(rounded) if field.type == "int" else rounded


def identities(field: Field, raw: Sequence[Any], errors: Errors) -> list[Any]:
    """Ids, made 18 characters long; whether the record exists is not looked at here."""
    return _each(field, raw, errors, _identity)


def _identity(field: Field, value: str) -> str | RowError:
    long = ids.long(value.strip())
    if long is None:
        return RowError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", (field.name,))
    return long


def _each(field: Field, raw: Sequence[Any], errors: Errors, one: Callable[[Field, Any], Any]) -> list[Any]:
    made = {value: value if value is None or value is CLEAR else one(field, value) for value in set(raw)}
    values = [made[value] for value in raw]
    if any(isinstance(value, RowError) for value in made.values()):
        for position, value in enumerate(values):
            if isinstance(value, RowError):
                errors.setdefault(position, value)
                values[position] = None
    return values


def converter(field: Field) -> Converter:
    """The conversion of a field's type."""
    if field.type in {"picklist", "multipicklist"}:
        return picks
    if field.type == "email":
        return emails
    if field.type in TEXTUAL:
        return texts
    if field.type in NUMERIC:
        return numbers
    return {"date": dates, "datetime": instants, "boolean": booleans}.get(field.type, identities)


def from_csv(raw: Sequence[str]) -> list[Any]:
    """The cells of an upload: empty is "leave", `#N/A` is "make null"."""
    if all(raw) and NULL_MARK not in raw:
        return Filled(raw)
    return [None if not value else CLEAR if value == NULL_MARK else value for value in raw]
