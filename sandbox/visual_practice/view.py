"""Turns a stored record into what a client of this installation sees.

Owns the long form of ids, local times, custom fields in sections, and drift: fields that were renamed, removed or
changed their type overnight. Knows no HTTP. Called by the handlers; a record that needs nothing is not touched.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from sandbox.visual_practice.localtime import LocalTime
from sandbox.visual_practice.profile import Profile
from sandbox.visual_practice.schema import BY_NAME, DOCUMENT, Record, Resource
from sandbox.visual_practice.storage import Row

LONG_DIGITS, CODE_DIGITS = 18, 3
CODE_OFFSET = 400  # 18 digits that begin with 4: above 2^53, below 2^63


class Drift(NamedTuple):
    """One change of a field: `to` is its new name; `remove` drops it; `type` is `text`, `number`, `list` or `null`."""

    resource: str
    field: str
    to: str | None = None
    remove: bool = False
    type: str | None = None

    def apply(self, record: Record) -> None:
        """Changes a record in place; one that lacks the field stays."""
        if self.field not in record:
            return
        value = record.pop(self.field)
        if self.remove:
            return
        record[self.to or self.field] = _retyped(value, self.type)


def _retyped(value: Any, kind: str | None) -> Any:
    if kind == "text":
        return None if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
    if kind == "number":
        digits = "".join(letter for letter in str(value) if letter.isdigit())
        return int(digits[:15]) if digits else 0
    if kind == "list":
        return [] if value is None else [value]
    return None if kind == "null" else value


def long_id(resource: Resource, identity: str) -> str:
    """An id as 18 digits; ids that are no ordinary numbers, and "0" for none, stay."""
    if not identity.isdigit() or identity == "0" or len(identity) > LONG_DIGITS - CODE_DIGITS:
        return identity
    return f"{CODE_OFFSET + resource.code}{int(identity):0{LONG_DIGITS - CODE_DIGITS}d}"


def short_id(resource: Resource, identity: str) -> str:
    """The stored form of an id as `long_id` writes it; any other stays."""
    prefix = str(CODE_OFFSET + resource.code)
    if len(identity) == LONG_DIGITS and identity.isdigit() and identity.startswith(prefix):
        return str(int(identity[CODE_DIGITS:]))
    return identity


Render = Callable[[Row], bytes]
Change = Callable[[Record], None]


class View:
    """What one profile makes of records. Immutable: another profile or another drift is another view."""

    def __init__(self, profile: Profile, zone: LocalTime, drifts: Sequence[Drift] = ()) -> None:
        self.profile, self.zone = profile, zone
        self.drifts = tuple(drifts)
        self._changes: dict[str, tuple[Change, ...]] = {name: self._of(each) for name, each in BY_NAME.items()}

    def _of(self, resource: Resource) -> tuple[Change, ...]:
        changes: list[Change] = []
        if self.profile.ids == "long":
            changes.append(self._lengthen(resource))
        if self.profile.times == "local":
            changes.append(self._localise(resource))
        if self.profile.custom == "sections" and "custom_fields" in resource.fields:
            changes.append(_section)
        changes += [drift.apply for drift in self.drifts if drift.resource in {resource.name, ""}]
        return tuple(changes)

    def _lengthen(self, resource: Resource) -> Change:
        references = [("id", f"{CODE_OFFSET + resource.code}")] + [
            (column.name, f"{CODE_OFFSET + BY_NAME[column.reference].code}")
            for column in resource.columns
            if column.reference
        ]
        width = LONG_DIGITS - CODE_DIGITS

        def change(record: Record) -> None:
            for name, prefix in references:
                value = record.get(name)
                if value.__class__ is str and value.isdigit() and value != "0" and len(value) <= width:
                    record[name] = prefix + value.zfill(width)

        return _linked(change) if resource is DOCUMENT else change

    def _localise(self, resource: Resource) -> Change:
        names = [column.name for column in resource.columns if column.kind == "instant"] + ["deleted_at"]
        show, hours = self.zone.show, self.zone.hours

        def change(record: Record) -> None:
            for name in names:
                value = record.get(name)
                if value.__class__ is str and value:
                    hour = hours.get(value[:13]) if value[19:] == "Z" else None
                    record[name] = show(value) if hour is None else hour + value[13:19]

        return change

    def show(self, resource: Resource, record: Record) -> Record:
        """Changes a record in place to what a client sees."""
        for change in self._changes[resource.name]:
            change(record)
        return record

    def renderer(self, resource: Resource, fields: Sequence[str] | None) -> Render:
        """Makes the JSON text of a row with those fields, all when None."""
        changes = self._changes[resource.name]
        if fields is None:
            return self._whole(changes) if changes else _raw
        wanted = tuple(fields)

        def part(row: Row) -> bytes:
            body, identity, updated_at, _ = row
            record = orjson.loads(body) if body is not None else {"id": identity, "updated_at": updated_at}
            for change in changes:
                change(record)
            return orjson.dumps({name: record.get(name) for name in wanted})

        return part

    @staticmethod
    def _whole(changes: Sequence[Change]) -> Render:
        def whole(row: Row) -> bytes:
            record = orjson.loads(row[0] or b"{}")
            for change in changes:
                change(record)
            return orjson.dumps(record)

        return whole

    def names(self, resource: Resource, *, wide: bool) -> list[str]:
        """The names that the fields of a resource go by."""
        probe: Record = dict.fromkeys(resource.names(wide=wide))
        for drift in self.drifts:
            if drift.resource in {resource.name, ""}:
                drift.apply(probe)
        return list(probe)

    def identity(self, resource: Resource, shown: str) -> str:
        """The stored id of an id in a path."""
        return short_id(resource, shown) if self.profile.ids == "long" else shown

    def stored_instant(self, text: str) -> str:
        """The stored form of an instant that a client sent; raises ValueError when it is none."""
        return self.zone.read(text) if self.profile.times == "local" else text


def _linked(change: Change) -> Change:
    """Also leads the link of a document to its new id."""

    def linked(record: Record) -> None:
        change(record)
        if (record.get("content") or {}).get("link"):
            record["content"] = {"link": f"/v1/documents/{record['id']}/content"}

    return linked


def _raw(row: Row) -> bytes:
    return row[0] or b""


def _section(record: Record) -> None:
    flat = record.get("custom_fields")
    if not isinstance(flat, dict):
        return
    fields = [
        {"name": name.replace("_", " ").capitalize(), "token": name, "type": "text", "options": [], "value": value}
        for name, value in flat.items()
    ]
    record["custom_fields"] = {"sections": [{"name": "Further details", "token": "further", "fields": fields}]}
