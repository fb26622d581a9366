"""What one user sees and may do: fields by permission set, objects by the org's settings, special permissions.

Owns the answer and its freshness; the records of permission sets are like any others. Called through `Org.seen_by` by
everything that reads or writes on behalf of a user.

A custom field that needs a grant (`guarded`: made by Tooling or Metadata) is not there for a user without one: describe,
queries and Bulk all say so. Required and master-detail fields are always seen. Profiles grant nothing here.
"""

import sqlite3
from dataclasses import replace
from typing import NamedTuple

from sandbox.salesforce.schema import Schema, SObject
from sandbox.salesforce.settings import Settings

GRANTS = frozenset({"RecordType", "PermissionSet", "PermissionSetAssignment", "FieldPermissions", "ObjectPermissions"})
AUDIT = frozenset({"CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"})
AUDITED = frozenset(  # unverified: which objects accept audit fields
    {
        *("Account", "Contact", "Lead", "Opportunity", "Case", "Event", "Task", "Note", "Attachment", "Campaign"),
        *("OpportunityContactRole", "ContentVersion", "Product2"),
    }
)
BY_SETTING = {
    "AccountContactRelation": "contacts_to_multiple_accounts",
    "Attachment": "attachments",
    **dict.fromkeys(("ContentVersion", "ContentDocument", "ContentDocumentLink"), "files"),
}
ASSIGNED = """
SELECT {columns} FROM "{table}" s JOIN PermissionSetAssignment a ON a.PermissionSetId = s.{key}
WHERE a.AssigneeId = ? AND a.IsDeleted = 0 AND s.IsDeleted = 0
"""


class Rights(NamedTuple):
    """The special permissions of a user."""

    audit_fields: bool
    inactive_owners: bool
    hard_delete: bool


class Access:
    """Who sees what in one org; answers are kept until `forget` is called, and from the next `settle` on again."""

    def __init__(self, schema: Schema, settings: Settings) -> None:
        self._schema, self._settings = schema, settings
        self._seen: dict[str, Schema] = {}
        self._rights: dict[str, Rights] = {}
        self._changing = False

    def forget(self) -> None:
        """To be called with a change of permissions, settings or definitions, inside its transaction."""
        self._changing = True

    def settle(self) -> None:
        """To be called when a transaction has ended: what it changed is what everybody sees now."""
        if self._changing:
            self._seen, self._rights, self._changing = {}, {}, False

    def rights(self, connection: sqlite3.Connection, user: str) -> Rights:
        """The special permissions of a user."""
        if self._changing or user not in self._rights:
            made = self._allowed(connection, user)
            if self._changing:
                return made
            self._rights[user] = made
        return self._rights[user]

    def _allowed(self, connection: sqlite3.Connection, user: str) -> Rights:
        columns = "max(PermissionsCreateAuditFields), max(PermissionsUpdateWithInactiveOwner), max(PermissionsBulkApiHardDelete)"
        sql = ASSIGNED.format(columns=columns, table="PermissionSet", key="Id")
        audit, owners, hard = connection.execute(sql, (user,)).fetchone()
        settings = self._settings
        return Rights(bool(audit) and settings.audit_fields, bool(owners) and settings.inactive_owners, bool(hard))

    def seen_by(self, connection: sqlite3.Connection, user: str) -> Schema:
        """The objects and fields that are there for a user."""
        if self._changing or user not in self._seen:
            made = self._made(connection, user)
            if self._changing:
                return made
            self._seen[user] = made
        return self._seen[user]

    def _made(self, connection: sqlite3.Connection, user: str) -> Schema:
        settings = self._settings
        granted = self._granted(connection, user) if settings.field_level_security else {}
        audit = self.rights(connection, user).audit_fields
        typed = {
            row[0] for row in connection.execute("SELECT DISTINCT SobjectType FROM RecordType WHERE IsDeleted = 0")
        }
        objects = []
        for each in self._schema:
            if each.name in BY_SETTING and not getattr(settings, BY_SETTING[each.name]):
                continue
            seen = self._restricted(each, granted) if settings.field_level_security else each
            if "RecordTypeId" in seen.fields and each.name not in typed:
                seen = seen.without({"RecordTypeId"}, ())
            if audit and (each.custom or each.name in AUDITED):
                seen = seen.without((), ())
                seen.add([replace(seen.fields[name], createable=True) for name in AUDIT if name in seen.fields])
            objects.append(seen)
        return Schema(objects)

    @staticmethod
    def _restricted(sobject: SObject, granted: dict[str, bool]) -> SObject:
        guarded = [each for each in sobject.fields.values() if each.guarded and not each.required and not each.master]
        if not guarded:
            return sobject
        names = {each.name: f"{sobject.name}.{each.compound or each.name}".lower() for each in guarded}
        hidden = {name for name, key in names.items() if key not in granted}
        fixed = {name for name, key in names.items() if granted.get(key) is False}
        return sobject.without(hidden, fixed)

    @staticmethod
    def _granted(connection: sqlite3.Connection, user: str) -> dict[str, bool]:
        """Readable fields (`contact.vp_id__c`), and whether each may be edited."""
        sql = ASSIGNED.format(
            columns="lower(s.Field), max(s.PermissionsEdit)", table="FieldPermissions", key="ParentId"
        )
        found = connection.execute(f"{sql} AND s.PermissionsRead = 1 GROUP BY 1", (user,))
        return {name: bool(edit) for name, edit in found}
