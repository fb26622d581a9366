"""From a record as Visual Practice's JSON has it to fields as text.

Owns the reading of one record, without loss: what isn't text becomes its JSON text, what isn't known goes to the
custom fields. Pure; called for each record that is read.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from connectors.visual_practice.source_time import SourceTime, Span

__all__ = ["Change", "ChangeReader", "RecordUnreadable"]

_CUSTOM: Final = "custom_fields"
_ID: Final = "id"
_MODIFIED: Final = "updated_at"
_DELETED: Final = "deleted_at"
_ARCHIVED: Final = "archived_at"
_CREATED: Final = "created_at"
_WITH_OFFSET: Final = SourceTime()
_Z_LENGTH: Final = len("2026-01-02T03:04:05Z")


class RecordUnreadable(Exception):
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
        modified: When it was last modified, or archived after that, in UTC; Visual Practice ticks in whole seconds.
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
        flat: Custom fields never come in sections: one that is called "sections" is one.
    """

    def __init__(self, known: Iterable[str], *, flat: bool = False) -> None:
        self._known = tuple(known)
        self._expected = frozenset((*self._known, _ID, _CUSTOM))
        self._flat = flat

    def read(
        self,
        record: Mapping[str, Any],
        time: SourceTime = _WITH_OFFSET,
        seen: Span | None = None,
        *,
        archived: bool = False,
    ) -> Change:
        """Read one record.

        A whole number too big for 64 bits, or a fraction of more than 17 digits, has already lost digits when JSON
        was read; as an id it is refused, elsewhere it passes as it is. The record's own stamps (`created_at`, `updated_at`,
        `archived_at`) come out in UTC with an offset, however the installation writes them.

        Args:
            record: As the API's JSON has it.
            time: How the installation writes times.
            seen: When it was read.
            archived: It is of the archive: putting it there counts as a modification.

        Raises:
            RecordUnreadable: It is no record, or its id or time of modification is missing or can't be read.
            Undecided: Its time exists twice, and which one it is can't be said yet.
        """
        vp_id, modified = _identity(record, _MODIFIED, time, seen)
        get = record.get
        fields: dict[str, str | None] = {}
        for name in self._known:
            value = get(name)
            fields[name] = value if value is None or value.__class__ is str else _text(value)
        custom: dict[str, str] = {}
        given = get(_CUSTOM)
        if given:
            if not self._flat and isinstance(given, dict) and (flat := _flattened(given)) is not None:
                given = flat
            if isinstance(given, dict):
                custom = {key: _text(value) for key, value in given.items() if value is not None}
            else:
                custom[_CUSTOM] = _text(given)
        if not record.keys() <= self._expected:
            for key in record.keys() - self._expected:
                value = record[key]
                if value is not None:
                    custom[key if key not in custom else f"~{key}"] = _text(value)
        if archived:
            at = _identity(record, _ARCHIVED, time, seen)[1]
            if _ARCHIVED in fields:
                fields[_ARCHIVED] = _utc_text(at)
            else:
                custom[_ARCHIVED] = _utc_text(at)
            modified = max(modified, at)
        if time.zone is not None:
            _set_right(fields, time, seen)
        return Change(vp_id, modified, fields, custom)

    @staticmethod
    def read_deleted(
        record: Mapping[str, Any], time: SourceTime = _WITH_OFFSET, seen: Span | None = None
    ) -> tuple[str, datetime]:
        """Read one entry of a feed of deletes.

        Returns:
            The record's id, and when it was deleted.

        Raises:
            RecordUnreadable: It is no entry, or its id or time is missing or can't be read.
            Undecided: As in `read`.
        """
        return _identity(record, _DELETED, time, seen)


def _set_right(fields: dict[str, str | None], time: SourceTime, seen: Span | None) -> None:
    """The stamps of a record with their offset; one that can't be read stays as it is."""
    for name in (_CREATED, _MODIFIED):
        text = fields.get(name)
        if not text or (len(text) == _Z_LENGTH and text[-1] == "Z"):
            continue
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                # When a record was created doesn't change with the hour at which it is read: the earlier one.
                fields[name] = _utc_text(time.instant(text, seen if name == _MODIFIED else None))
        except (ValueError, OverflowError):
            continue


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _flattened(custom: Mapping[str, Any]) -> dict[str, Any] | None:
    """Custom fields in sections as values by token; None when they are not of that shape."""
    sections = custom.get("sections")
    if not isinstance(sections, list) or len(custom) > 1:
        return None
    found: dict[str, Any] = {}
    for section in sections:
        fields = section.get("fields") if isinstance(section, dict) else None
        if not isinstance(fields, list):
            return None
        for field in fields:
            token = (field.get("token") or field.get("name")) if isinstance(field, dict) else None
            if not isinstance(token, str):
                return None
            if token in found:
                token = f"{section.get('token') or section.get('name')}.{token}"
            found[token] = _chosen(field)
    return found


def _chosen(field: Mapping[str, Any]) -> Any:
    """A custom field's value; of one that only marks its options, the marked one or a list of them."""
    value, options = field.get("value"), field.get("options")
    if value is not None or not isinstance(options, list):
        return value
    marked = [
        option.get("name", option.get("token"))
        for option in options
        if isinstance(option, dict) and option.get("selected")
    ]
    return marked[0] if len(marked) == 1 else marked or None


def _identity(record: Mapping[str, Any], stamp: str, time: SourceTime, seen: Span | None) -> tuple[str, datetime]:
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
        return key, time.instant(at, seen)
    except (ValueError, TypeError, OverflowError):
        raise RecordUnreadable("MODIFIED_UNREADABLE", stamp) from None


def _text(value: Any) -> str:
    return value if value.__class__ is str else orjson.dumps(value).decode()
