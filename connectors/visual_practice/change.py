"""From a record as Visual Practice's JSON has it to fields as text.

Owns the reading of one record, without loss: what isn't text becomes its JSON text, what isn't known goes to the
custom fields. Pure; called for each record that is read.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

__all__ = ["Change", "ChangeReader", "RecordUnreadable"]

_CUSTOM: Final = "custom_fields"
_ID: Final = "id"
_MODIFIED: Final = "updated_at"
_DELETED: Final = "deleted_at"


class RecordUnreadable(Exception):  # noqa: N818
    """A record lacks what makes it one.

    Attributes:
        code: `ID_MISSING`, `ID_UNREADABLE`, `MODIFIED_MISSING`, `MODIFIED_UNREADABLE` or `NOT_A_RECORD`.
        field: The field it is about, "" for the whole record.
    """

    def __init__(self, code: str, field: str) -> None:
        self.code = code
        self.field = field
        advice = "Correct the record in Visual Practice, or ask its vendor."
        super().__init__(f"a record can't be read: {code}{f' ({field})' if field else ''}. {advice}")


class Change(NamedTuple):
    """One record.

    Attributes:
        vp_id: Its id, as text.
        modified: When it was last modified, with its zone; Visual Practice ticks in whole seconds.
        fields: Every known field, in the order they were declared, as text; None when null or absent.
        custom: Every other field, custom ones and unknown ones, as text; null ones are left out.
    """

    vp_id: str
    modified: datetime
    fields: dict[str, str | None]
    custom: dict[str, str]


class ChangeReader:
    """Reads the records of one resource.

    Args:
        known: The resource's standard fields, `id` not among them.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(known)
        self._expected = frozenset((*self._known, _ID, _CUSTOM))

    def read(self, record: Mapping[str, Any]) -> Change:
        """Read one record.

        A whole number too big for 64 bits, or a fraction of more than 17 digits, has already lost digits when JSON
        was read; as an id it is refused, elsewhere it passes as it is.

        Args:
            record: As the API's JSON has it.

        Raises:
            RecordUnreadable: It is no record, or its id or time of modification is missing or can't be read.
        """
        vp_id, modified = _identity(record, _MODIFIED)
        get = record.get
        fields: dict[str, str | None] = {}
        for name in self._known:
            value = get(name)
            fields[name] = value if value is None or value.__class__ is str else _text(value)
        custom: dict[str, str] = {}
        given = get(_CUSTOM)
        if given:
            if isinstance(given, dict):
                custom = {key: _text(value) for key, value in given.items() if value is not None}
            else:
                custom[_CUSTOM] = _text(given)
        if not record.keys() <= self._expected:
            for key in record.keys() - self._expected:
                value = record[key]
                if value is not None:
                    custom[key if key not in custom else f"~{key}"] = _text(value)
        return Change(vp_id, modified, fields, custom)

    @staticmethod
    def read_deleted(record: Mapping[str, Any]) -> tuple[str, datetime]:
        """Read one entry of a feed of deletes.

        Returns:
            The record's id, and when it was deleted.

        Raises:
            RecordUnreadable: It is no entry, or its id or time is missing or can't be read.
        """
        return _identity(record, _DELETED)


def _identity(record: Mapping[str, Any], stamp: str) -> tuple[str, datetime]:
    try:
        key, at = record.get(_ID), record.get(stamp)
    except AttributeError:
        raise RecordUnreadable("NOT_A_RECORD", "") from None
    if key is None or key == "":
        raise RecordUnreadable("ID_MISSING", _ID)
    if key.__class__ is int:
        key = str(key)
    if key.__class__ is not str or key.strip() != key:
        raise RecordUnreadable("ID_UNREADABLE", _ID)
    if at is None or at == "":
        raise RecordUnreadable("MODIFIED_MISSING", stamp)
    try:
        moment = datetime.fromisoformat(at)
    except (ValueError, TypeError):
        raise RecordUnreadable("MODIFIED_UNREADABLE", stamp) from None
    if moment.tzinfo is None:
        raise RecordUnreadable("MODIFIED_UNREADABLE", stamp)
    return key, moment


def _text(value: Any) -> str:
    return value if value.__class__ is str else orjson.dumps(value).decode()
