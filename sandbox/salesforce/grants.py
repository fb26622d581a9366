"""What may be granted: fields that are there and may be hidden, a set to a user once.

Owns the refusals of FieldPermissions and PermissionSetAssignment. Called by `rows` before a chunk of them is written. The
texts are (practice) for unknown fields, unverified for the rest.
"""

import sqlite3

from sandbox.salesforce import describe, pairs
from sandbox.salesforce.chunk import Write
from sandbox.salesforce.records import Records
from sandbox.salesforce.schema import Schema

ASSIGNMENT, FIELDS = "PermissionSetAssignment", "FieldPermissions"
RESTRICTED = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


class Grants:
    """The grants of one org."""

    def __init__(self, schema: Schema, records: Records) -> None:
        self._schema, self._records = schema, records

    def fields(self, connection: sqlite3.Connection, write: Write) -> None:
        """Refuses fields that are not there or that nobody can hide; who may edit may read."""
        del connection
        for row in write.lasting((*write.new, *write.known)):
            named, edits = write.given("Field", row), write.given("PermissionsEdit", row)
            if named is not None:
                owner, _, name = str(named).partition(".")
                sobject = self._schema.get(owner)
                field = sobject.get(name) if sobject else None
                if field is None or not describe.permissionable(field):
                    text = f"Field Name: bad value for restricted picklist field: {named}"
                    write.refuse(row, RESTRICTED, text, "Field")
                elif owner != write.given("SobjectType", row):
                    text = "Sobject Type Name: must be the object of the field"
                    write.refuse(row, "FIELD_INTEGRITY_EXCEPTION", text, "SobjectType")
            if edits and write.given("PermissionsRead", row) == 0:
                text = "Permission Edit depends on permission(s): Read"
                write.refuse(row, "FIELD_INTEGRITY_EXCEPTION", text, "PermissionsEdit")

    def assignments(self, connection: sqlite3.Connection, write: Write) -> None:
        """Refuses a second assignment of a set to a user."""
        text = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
        pairs.once(self._records, connection, write, ASSIGNMENT, ("PermissionSetId", "AssigneeId"), text)
