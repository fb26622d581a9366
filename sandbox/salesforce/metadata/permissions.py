"""Permission sets as components: the record of the set, and one record for each object and field it opens.

Owns the translation and its refusals; what the records mean for who sees what is decided elsewhere. Called by `changes`.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox import clock
from sandbox.salesforce import ids
from sandbox.salesforce.columns import Column
from sandbox.salesforce.metadata import xml
from sandbox.salesforce.metadata.components import FIELD, OBJECT, Component
from sandbox.salesforce.org import Org
from sandbox.salesforce.rows import CHUNK, Write
from sandbox.salesforce.schema import SObject

SET, FIELDS, OBJECTS = "PermissionSet", "FieldPermissions", "ObjectPermissions"
OBJECT_RIGHTS = {
    "allowCreate": "PermissionsCreate",
    "allowDelete": "PermissionsDelete",
    "allowEdit": "PermissionsEdit",
    "allowRead": "PermissionsRead",
    "modifyAllRecords": "PermissionsModifyAllRecords",
    "viewAllRecords": "PermissionsViewAllRecords",
}
USER_RIGHTS = {
    "ApiEnabled": "PermissionsApiEnabled",
    "BulkApiHardDelete": "PermissionsBulkApiHardDelete",
    "CreateAuditFields": "PermissionsCreateAuditFields",
    "UpdateWithInactiveOwner": "PermissionsUpdateWithInactiveOwner",
    "ViewAllData": "PermissionsViewAllData",
    "ModifyAllData": "PermissionsModifyAllData",
}
Record = dict[str, Any]


@dataclass(slots=True)
class Permissions:
    """The permission sets of one org."""

    org: Org
    user: str

    def find(self, name: str) -> str | None:
        """The id of a permission set by its API name, or None."""
        return self._find(self.org.database.reader(), name)

    def _find(self, connection: sqlite3.Connection, name: str) -> str | None:
        found = self.org.records.select(connection, SET, ["Id"], "Name", [name], live=True)
        return next((row[0] for row in found), None)

    def problem(self, component: Component, planned: set[tuple[str, str]]) -> str | None:
        """Why the set cannot be, or None."""
        given = component.properties or {}
        if not given.get("label"):
            return "Required field is missing: label"
        for each in _all(given, "fieldPermissions"):
            owner, _, name = str(each.get("field", "")).partition(".")
            sobject = self.org.schema.get(owner)
            field = sobject.get(name) if sobject else None
            if field is None and not planned & {(FIELD, f"{owner}.{name}"), (FIELD, f"Activity.{name}")}:
                return f"In field: field - no CustomField named {owner}.{name} found"
            if field is not None and (field.required or field.master):
                return f"You cannot deploy to a required field: {owner}.{name}"
        for each in _all(given, "objectPermissions"):
            owner = str(each.get("object", ""))
            if self.org.schema.get(owner) is None and (OBJECT, owner) not in planned:
                return f"In field: field - no CustomObject named {owner} found"
        return None

    def apply(self, connection: sqlite3.Connection, component: Component) -> tuple[str, bool]:
        """Makes, replaces or deletes the set; its id, and whether it is new. What it gave before is taken away."""
        before = self._find(connection, component.name)
        if component.properties is None:
            assert before is not None
            self._write(connection, SET, "delete", [{"Id": before}])
            return before, False
        given = component.properties
        rights = {str(each.get("name")): each.get("enabled") == "true" for each in _all(given, "userPermissions")}
        record: Record = {"Label": str(given["label"]), "Description": given.get("description") or None}
        record |= {column: rights.get(name, False) for name, column in USER_RIGHTS.items()}
        if before is None:
            identity = self._write(connection, SET, "insert", [record | {"Name": component.name}])[0]
        else:
            identity = self._write(connection, SET, "update", [record | {"Id": before}])[0]
            for name in (FIELDS, OBJECTS):
                old = self.org.records.select(connection, name, ["Id"], "ParentId", [identity], live=True)
                self._write(connection, name, "delete", [{"Id": row[0]} for row in list(old)])
        opened = [
            {
                "ParentId": identity,
                "SobjectType": str(each["field"]).partition(".")[0],
                "Field": str(each["field"]),
                "PermissionsRead": each.get("readable") == "true" or each.get("editable") == "true",
                "PermissionsEdit": each.get("editable") == "true",
            }
            for each in _all(given, "fieldPermissions")
        ]
        self._write(connection, FIELDS, "insert", opened)
        allowed = [
            {"ParentId": identity, "SobjectType": str(each["object"])}
            | {column: each.get(name) == "true" for name, column in OBJECT_RIGHTS.items()}
            for each in _all(given, "objectPermissions")
        ]
        self._write(connection, OBJECTS, "insert", allowed)
        return identity, before is None

    def _write(self, connection: sqlite3.Connection, name: str, operation: str, records: list[Record]) -> list[str]:
        sobject: SObject = self.org.schema.of(name)
        made: list[str] = []
        for start in range(0, len(records), CHUNK):
            some = records[start : start + CHUNK]
            names = [each for each in some[0] if each != "Id" or operation != "insert"]
            columns = [Column(each, sobject.fields[each]) for each in names]
            cells = [[record[each] for record in some] for each in names]
            at = clock.salesforce_text(clock.now())
            write = Write(sobject, operation, columns, cells, len(some), self.user, at)
            self.org.rows.apply(connection, write)
            for wrong in write.errors.values():
                raise RuntimeError(wrong.message)  # was looked at before
            made += [ids.long(identity or "") or "" for identity in write.ids]
        return made


def _all(given: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [each for each in xml.many(given.get(key)) if isinstance(each, dict)]
