"""Custom objects, custom fields and picklist values, made and unmade while the org runs.

Owns what is remembered about them and what a new one changes elsewhere (lookups that point to everything, fields of
Activity on events and tasks). Knows no HTTP and no permissions. Called by the admin API, and by Tooling and Metadata.

All methods take the writing connection: the change is durable when its transaction is. A field whose owner is
`Activity` belongs to Event and Task, as in Salesforce; one named `Event` or `Task` is refused.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from sandbox.salesforce.catalogue.fields import READ_ONLY, active, first, last, record_type, text
from sandbox.salesforce.custom import components, custom
from sandbox.salesforce.records import Records
from sandbox.salesforce.schema import Field, Schema, SObject

ACTIVITY = "Activity"
ACTIVITIES = ("Event", "Task")
FIRST_PREFIX, DIGITS = "a", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TABLES = """
CREATE TABLE IF NOT EXISTS custom_object (name TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS custom_field (object TEXT, name TEXT, definition TEXT NOT NULL, PRIMARY KEY (object, name));
CREATE TABLE IF NOT EXISTS custom_value (object TEXT, field TEXT, value TEXT, PRIMARY KEY (object, field, value));
"""


class UnknownOwnerError(ValueError):
    """A field of an object that is not there, or that has no fields of its own (Event, Task)."""


class Definitions:
    """What was added to the standard objects of one org."""

    def __init__(self, schema: Schema, records: Records, changed: Callable[[], None] = lambda: None) -> None:
        self._schema, self._records, self._changed = schema, records, changed

    def restore(self, connection: sqlite3.Connection) -> None:
        """Brings back what was made before the last stop; tables are `Records.prepare`'s."""
        for statement in filter(str.strip, TABLES.split(";")):
            connection.execute(statement)
        for name, definition in _all(connection, "SELECT name, definition FROM custom_object ORDER BY rowid"):
            self._include(_object(name, **orjson.loads(definition)))
        for name, field, definition in _all(
            connection, "SELECT object, name, definition FROM custom_field ORDER BY rowid"
        ):
            given = orjson.loads(definition)
            fields = _fields(field, given.pop("kind"), given)
            for owner in self._owners(name):
                owner.add(fields)
        for name, field, value in _all(connection, "SELECT object, field, value FROM custom_value ORDER BY rowid"):
            self._extend(name, field, [value])

    # -- objects ------------------------------------------------------------------------------------------------

    def add_object(
        self,
        connection: sqlite3.Connection,
        name: str,
        *,
        label: str | None = None,
        plural: str | None = None,
        name_label: str | None = None,
        name_format: str | None = None,
        activities: bool = False,
    ) -> SObject:
        """A new custom object (`Visit__c`) with its table; `name_format` (`V-{0000}`) makes its name an auto number."""
        number = len(_all(connection, "SELECT 1 FROM custom_object"))
        while self._schema.by_prefix(prefix := _prefix(number)) is not None:
            number += 1
        given: dict[str, Any] = {
            "label": label or name.removesuffix("__c").replace("_", " "),
            "plural": plural or f"{label or name.removesuffix('__c').replace('_', ' ')}s",
            "prefix": prefix,
            "name_label": name_label,
            "name_format": name_format,
            "activities": activities,
        }
        connection.execute("INSERT INTO custom_object VALUES (?, ?)", (name, orjson.dumps(given).decode()))
        made = _object(name, **given)
        self._records.create(connection, made)
        self._include(made)
        self._changed()
        return made

    def drop_object(self, connection: sqlite3.Connection, sobject: SObject) -> None:
        """Takes a custom object away for good, with its records and the fields that point to it."""
        self._changed()
        for child, lookup in list(self._schema.lookups_to(sobject.name)):
            if lookup.grows:
                child.add(
                    [replace(lookup, references=tuple(each for each in lookup.references if each != sobject.name))]
                )
            elif lookup.custom and child is not sobject:
                self.drop_field(connection, child.name, lookup.name)
        self._schema.drop(sobject.name)
        connection.execute(f'DROP TABLE IF EXISTS "{sobject.name}"')
        connection.execute("DELETE FROM custom_object WHERE name = ?", (sobject.name,))
        for table in ("custom_field", "custom_value"):
            connection.execute(f"DELETE FROM {table} WHERE object = ?", (sobject.name,))  # noqa: S608

    def _include(self, sobject: SObject) -> None:
        self._schema.add(sobject)
        for each in self._schema:
            for lookup in each.fields.values():
                if lookup.grows and (sobject.activities or each.name not in ACTIVITIES):
                    each.add([replace(lookup, references=(*lookup.references, sobject.name))])

    # -- fields -------------------------------------------------------------------------------------------------

    def add_field(self, connection: sqlite3.Connection, owner: str, name: str, kind: str, **given: Any) -> Field:
        """A new custom field of an object or of `Activity`, or another definition of one that is there.

        `kind` and `given` are those of `custom.custom`. Raises UnknownTypeError, UnknownOwnerError, TypeError.
        """
        fields = _fields(name, kind, dict(given))
        owners = self._owners(owner)
        if not owners:
            raise UnknownOwnerError(owner)
        named = ACTIVITY if owner.lower() == ACTIVITY.lower() else owners[0].name
        kept = {key: value for key, value in given.items() if value is not None}
        connection.execute(
            "INSERT INTO custom_field VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition",
            (named, name, orjson.dumps({"kind": kind, **kept}).decode()),
        )
        for each in owners:
            self._records.complete(connection, each, fields)
            each.add(fields)
        if fields[-1].master:
            owners[0].drop("OwnerId")
        self._changed()
        return fields[-1]

    def drop_field(self, connection: sqlite3.Connection, owner: str, name: str) -> None:
        """Takes a custom field away; its column stays in the table, unseen, and is empty if the field comes back."""
        self._changed()
        for each in self._owners(owner):
            field = each.get(name)
            if field is None:
                continue
            for one in (*field.parts, field.name):
                self._records.empty(connection, each, each.fields[one])
                each.drop(one)
        connection.execute("DELETE FROM custom_field WHERE object = ? AND name = ?", (owner, name))
        connection.execute("DELETE FROM custom_value WHERE object = ? AND field = ?", (owner, name))

    def _owners(self, owner: str) -> list[SObject]:
        if owner.lower() == ACTIVITY.lower():
            return [self._schema.of(name) for name in ACTIVITIES]
        found = self._schema.get(owner)
        return [] if found is None or found.name in ACTIVITIES else [found]

    # -- picklist values ----------------------------------------------------------------------------------------

    def add_values(self, connection: sqlite3.Connection, owner: str, field: str, values: Sequence[str]) -> None:
        """More values for a picklist, standard ones too; raises UnknownOwnerError when there is no such field."""
        self._extend(owner, field, values, strict=True)
        self._changed()
        connection.executemany(
            "INSERT OR IGNORE INTO custom_value VALUES (?, ?, ?)", [(owner, field, value) for value in values]
        )

    def _extend(self, owner: str, name: str, values: Sequence[str], *, strict: bool = False) -> None:
        named = [self._schema.get(each) for each in (ACTIVITIES if owner == ACTIVITY else (owner,))]
        found = [(each, field) for each in named if each and (field := each.get(name))]
        if strict and not found:
            raise UnknownOwnerError(f"{owner}.{name}")
        for each, field in found:
            each.add([replace(field, picklist=tuple(dict.fromkeys((*field.picklist, *values))))])


def _all(connection: sqlite3.Connection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def _prefix(number: int) -> str:
    return FIRST_PREFIX + DIGITS[number // len(DIGITS) % len(DIGITS)] + DIGITS[number % len(DIGITS)]


def _fields(name: str, kind: str, given: dict[str, Any]) -> list[Field]:
    """The components, if any, and last the field itself."""
    coordinates = components(name, **given) if kind == "Location" else []
    return [*coordinates, custom(name, kind, **given)]


def _object(
    name: str,
    *,
    label: str,
    plural: str,
    prefix: str,
    name_label: str | None,
    name_format: str | None,
    activities: bool,
) -> SObject:
    made = SObject(name, label, plural, prefix, activities=activities, flags={"feedEnabled": False, "mergeable": False})
    begun = first(label)
    owner, *stamps = last(owner=("Group", "User"), viewed=True)
    fixed: dict[str, Any] = {"format": name_format, **READ_ONLY} if name_format else {}
    title = text("Name", 80, name_label or f"{label} Name", name_field=True, id_lookup=True, indexed=True, **fixed)
    made.add([begun[0], owner, begun[1], title, *stamps, *([active()] if activities else []), record_type()])
    return made
