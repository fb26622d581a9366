"""Which field a column of a write goes to: plain fields, and lookups by a key of the parent.

Owns the three-stage reading of a Bulk relationship header (split, find the relationship, check the policy) and its
error texts. The number of objects in a lookup's `references` decides whether a type is needed. Called by `ingest` and,
for nested JSON, by `payload`.
"""

from typing import NamedTuple

from sandbox.salesforce.errors import JobError
from sandbox.salesforce.schema import Field, Schema, SObject


class Column(NamedTuple):
    """One column of a write: its name as the client wrote it, the field, and how the parent is named, if it is."""

    header: str
    field: Field
    parent: SObject | None = None
    key: Field | None = None


def _refused(text: str) -> JobError:
    return JobError(f"InvalidBatch : {text}")


def from_headers(schema: Schema, sobject: SObject, headers: list[str]) -> list[Column]:
    """The columns of an upload; raises JobError for the first header that is not understood."""
    columns: list[Column] = []
    seen: set[str] = set()
    for header in headers:
        column = from_header(schema, sobject, header)
        if column.field.name in seen:
            raise _refused(f"Field name not found : {header}")
        seen.add(column.field.name)
        columns.append(column)
    return columns


def from_header(schema: Schema, sobject: SObject, header: str) -> Column:
    """One column of an upload; raises JobError."""
    kind, colon, rest = header.rpartition(":")
    if "." not in rest or ":" in kind:
        field = sobject.get(header)
        if field is None or field.parts:
            raise _refused(f"Field name not found : {header}")
        return Column(header, field)
    relationship, _, key_name = rest.partition(".")
    lookup = sobject.relationship(relationship)
    if lookup is None:
        raise _refused(f"Unable to find relationship: {relationship}" if colon else f"Field name not found : {header}")
    if colon and not lookup.polymorphic:
        raise _refused(f"type is not needed for non polymorphic foreign key references: {relationship}")
    if lookup.polymorphic and not colon:
        raise _refused(f"Field name not found : {header}")
    parent = schema.get(kind or lookup.references[0])
    key = parent.get(key_name) if parent else None
    if parent is None or key is None or not key.key or parent.name not in lookup.references:
        raise _refused(f"Field name not found : {header}")
    return Column(header, lookup, parent, key)
