"""What the refusal of a single row means, said without the row's values.

Owns the classes of row errors and the cleaning of Salesforce's messages, which quote values ("invalid email address:
…"). Used by collections and Bulk results alike.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple

__all__ = ["DUPLICATE", "Handling", "RowError", "handling", "parse_bulk_error", "row_error"]


class Handling(StrEnum):
    """What to do with a refused row."""

    RETRY_LOCK = "retry_lock"
    """Another transaction held a row it needs: again, in a smaller batch."""
    RETRY_LATER = "retry_later"
    """Nothing is wrong with the row: again, as it is."""
    REJECT = "reject"
    """The row will be refused again: an operator has to look at it."""
    DUPLICATE_OWN_ID = "duplicate_own_id"
    """A row with our external id appeared meanwhile, or twice in one call: look it up, then again."""
    GONE = "gone"
    """The row to update or delete isn't there any more; or, when the row has lookups, possibly the target of one:
    Salesforce doesn't always name the column. Look the row up to know."""
    PARENT_GONE = "parent_gone"
    """A row it refers to isn't there any more; `fields` says through which column, if Salesforce does."""
    QUOTA = "quota"
    """The org's allowance is used up: pause."""
    STORAGE = "storage"
    """The org is full: pause."""


class RowError(NamedTuple):
    """Why a row was refused.

    Attributes:
        code: Salesforce's status code, e.g. `REQUIRED_FIELD_MISSING`.
        fields: API names of the columns it is about, possibly none.
        message: Salesforce's reason without any value.
    """

    code: str
    fields: tuple[str, ...]
    message: str


_BY_CODE: Final = {
    "UNABLE_TO_LOCK_ROW": Handling.RETRY_LOCK,
    "TOOMANYLOCKFAILURE": Handling.RETRY_LOCK,
    "SERVER_UNAVAILABLE": Handling.RETRY_LATER,
    "REQUEST_RUNNING_TOO_LONG": Handling.RETRY_LATER,
    "QUERY_TIMEOUT": Handling.RETRY_LATER,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Handling.RETRY_LATER,
    "PROCESSING_HALTED": Handling.RETRY_LATER,
    "REQUEST_LIMIT_EXCEEDED": Handling.QUOTA,
    "EXCEEDED_QUOTA": Handling.QUOTA,
    "EXCEEDEDQUOTA": Handling.QUOTA,
    "STORAGE_LIMIT_EXCEEDED": Handling.STORAGE,
    "DUPLICATES_DETECTED": Handling.REJECT,
}
DUPLICATE: Final = "DUPLICATE_VALUE"
_LOST: Final = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})
_TEMPLATES: Final = {
    "REQUIRED_FIELD_MISSING": "Required fields are missing",
    "INVALID_EMAIL_ADDRESS": "invalid email address",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "bad value for restricted picklist field",
    "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record",
    "ENTITY_IS_DELETED": "entity is deleted",
    "INVALID_CROSS_REFERENCE_KEY": "invalid cross reference id",
    "MALFORMED_ID": "id value of incorrect type",
    "DUPLICATES_DETECTED": "a duplicate rule of the org blocks this record",
    "DUPLICATE_EXTERNAL_ID": "more than one record found for external id field",
    "NUMBER_OUTSIDE_VALID_RANGE": "number outside of valid range",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "value of incorrect type",
    "JSON_PARSER_ERROR": "value can't be parsed",
    "INACTIVE_OWNER_OR_USER": "operation performed with inactive user",
    "STORAGE_LIMIT_EXCEEDED": "storage limit exceeded",
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": "rolled back because another record failed",
}
_MAX_LENGTH: Final = re.compile(r"max length=(\d+)")
_RECORD: Final = re.compile(r"record with id: ([A-Za-z0-9]{15,18})\b")
_FIELD_LIST: Final = re.compile(r"[A-Za-z0-9_., ]*")
_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,80}")
_WORD: Final = re.compile(r"\w+")
_MASKED: Final = "…"
_TELLING: Final = re.compile(r"\S+@\S+|\S*\d\S*")
_LONGEST: Final = 300
_SHORT_VALUE: Final = 255


def handling(error: RowError, external_id: str, *, by_id: bool = True) -> Handling:
    """What to do with a row that was refused for this reason.

    Args:
        error: The first of the row's errors.
        external_id: The column that holds our own id.
        by_id: Whether the row was addressed by its Salesforce id (update, delete). One that was not (insert, upsert)
            can't itself be gone.
    """
    known = _BY_CODE.get(error.code.upper())
    if known is not None:
        return known
    if error.code == DUPLICATE:
        own = external_id.casefold() in {field.casefold() for field in error.fields}
        return Handling.DUPLICATE_OWN_ID if own or "external id" in error.message else Handling.REJECT
    if error.code in _LOST:
        return Handling.PARENT_GONE if not by_id or set(error.fields) - {"Id"} else Handling.GONE
    return Handling.REJECT


def row_error(code: str, fields: Iterable[str], message: str, values: Iterable[Any]) -> RowError:
    """Make a `RowError` whose message holds no value.

    For codes whose text is known, a fixed text stands for Salesforce's. Otherwise (validation rules, triggers) each
    word that occurs in the row, each number and each address is masked; a trigger that quotes what is written in
    *another* row of the org in plain words can't be recognised.

    Args:
        code: Salesforce's status code.
        fields: API names it gives.
        message: Its text.
        values: What was sent in the row.
    """
    names = tuple(fields)
    code = code if _CODE.fullmatch(code) else "UNKNOWN"
    if code in _TEMPLATES:
        return RowError(code, names, _TEMPLATES[code])
    if code == "STRING_TOO_LONG":
        longest = _MAX_LENGTH.search(message)
        suffix = f" (max length={longest[1]})" if longest else ""
        return RowError(code, names, f"data value too large{suffix}")
    if code == DUPLICATE:
        return RowError(code, *_duplicate(names, message))
    return RowError(code, names, _masked(message, values))


def _duplicate(names: tuple[str, ...], message: str) -> tuple[tuple[str, ...], str]:
    """Salesforce names the column of a unique violation in the text only."""
    if message.startswith("Duplicate external id specified"):
        return names, "the same external id twice in one call"
    named = re.match(r"duplicate value found: ([A-Za-z0-9_]+) duplicates value", message)
    if named is not None and named[1] not in names:
        names = (*names, named[1])
    other = _RECORD.search(message)
    return names, "duplicate value found" + (f" on record with id {other[1]}" if other else "")


def _masked(message: str, values: Iterable[Any]) -> str:
    text = message[: 4 * _LONGEST]
    words: set[str] = set()
    for value in values:
        if isinstance(value, str) and value:
            if len(value) <= _SHORT_VALUE:
                words.update(_WORD.findall(value.casefold()))
            text = text.replace(value, _MASKED)
    text = _TELLING.sub(_MASKED, text)
    text = _WORD.sub(lambda word: _MASKED if word[0].casefold() in words else word[0], text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + _MASKED


def parse_bulk_error(text: str, values: Iterable[Any]) -> RowError:
    """Read a Bulk result's `sf__Error`: `CODE:message:Field1,Field2 --`.

    Args:
        text: The cell.
        values: What was sent in the row.
    """
    code, _, rest = text.partition(":")
    rest = rest.rstrip().removesuffix("--").rstrip()
    message, colon, listed = rest.rpartition(":")
    if not colon or _FIELD_LIST.fullmatch(listed) is None or (" " in listed.strip() and "," not in listed):
        message, listed = rest, ""
    fields = [field.strip() for field in listed.split(",") if field.strip()]
    return row_error(code.strip(), fields, message, values)
