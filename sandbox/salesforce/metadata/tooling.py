"""What the Tooling API shows of objects and fields, as records that SOQL can ask for.

Owns the few Tooling objects (CustomField, CustomObject, EntityDefinition, FieldDefinition) and their tables, which are
filled anew before each query from the org's schema. Which fields the real objects have beyond these is left out. Called by
the Tooling routes.
"""

import copy
import sqlite3
from collections.abc import Iterable
from typing import Any

from sandbox import clock
from sandbox.salesforce import ids
from sandbox.salesforce.metadata.changes import FIELD_PREFIX, OBJECT_PREFIX, custom_fields
from sandbox.salesforce.org import ADMINISTRATOR, Org
from sandbox.salesforce.queries import Answer, Queries
from sandbox.salesforce.records import Records
from sandbox.salesforce.schema import Field, Schema, SObject

READ_ONLY: dict[str, Any] = {"createable": False, "updateable": False}
KINDS = {  # a field's type in FieldDefinition, as Setup writes it
    "boolean": "Checkbox",
    "currency": "Currency",
    "date": "Date",
    "datetime": "Date/Time",
    "double": "Number",
    "email": "Email",
    "int": "Number",
    "multipicklist": "Picklist (Multi-Select)",
    "percent": "Percent",
    "phone": "Phone",
    "picklist": "Picklist",
    "reference": "Lookup",
    "string": "Text",
    "textarea": "Text Area",
    "url": "URL",
}


def _text(name: str, length: int = 255, **more: Any) -> Field:
    return Field(name=name, label=name, length=length, **READ_ONLY, **more)


def _object(name: str, prefix: str, *fields: Field) -> SObject:
    made = SObject(name, name, f"{name}s", prefix, writable=name == "CustomField")
    stamps = [
        Field(name=each, label=each, type="datetime", **READ_ONLY) for each in ("CreatedDate", "LastModifiedDate")
    ]
    people = [_text(each, 18) for each in ("CreatedById", "LastModifiedById")]
    made.add(
        [Field(name="Id", label="Id", type="id", length=18, id_lookup=True, **READ_ONLY), *fields, *stamps, *people]
    )
    return made


def _parent() -> Field:
    return Field(
        name="EntityDefinitionId",
        label="EntityDefinitionId",
        type="reference",
        length=255,
        references=("EntityDefinition",),
        relationship="EntityDefinition",
        **READ_ONLY,
    )


def schema() -> Schema:
    """The Tooling objects that there are."""
    named = [_text("DeveloperName"), _text("NamespacePrefix")]
    return Schema(
        [
            _object("CustomField", FIELD_PREFIX, *named, _text("TableEnumOrId"), _text("FullName"), _parent()),
            _object("CustomObject", OBJECT_PREFIX, *named),
            _object(
                *("EntityDefinition", "4ie", _text("DurableId"), _text("QualifiedApiName"), _text("DeveloperName")),
                *(_text("Label"), _text("PluralLabel"), _text("KeyPrefix")),
            ),
            _object(
                *("FieldDefinition", "4fe", _text("DurableId"), _text("QualifiedApiName"), _text("DeveloperName")),
                *(_text("Label"), _text("DataType"), _parent()),
            ),
        ]
    )


class Tooling:
    """The Tooling API of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.schema = schema()
        self._records = Records(self.schema)
        seen = copy.copy(org)  # the same database, seen through other objects
        seen.schema = self.schema
        self._queries = Queries(seen)

    def query(self, soql: str, version: str) -> Answer:
        """The records that a query asks for, in the writing thread; raises ApiError."""
        with self._org.database.transaction() as connection:
            for each in self.schema:
                self._records.create(connection, each)
                connection.execute(f'DELETE FROM "{each.name}"')  # noqa: S608
            self._fill(connection)
        return self._queries.run(soql, version, deleted=False)

    def _fill(self, connection: sqlite3.Connection) -> None:
        customs = dict(connection.execute("SELECT name, rowid FROM custom_object").fetchall())
        listed = {name: ids.make(OBJECT_PREFIX, number) for name, number in customs.items()}
        self._insert(
            connection,
            "CustomField",
            [
                {
                    "Id": identity,
                    "DeveloperName": name.removesuffix("__c"),
                    "TableEnumOrId": listed.get(owner, owner)[:15] if owner in listed else owner,
                    "FullName": f"{owner}.{name}",
                    "EntityDefinitionId": owner,
                }
                for (owner, name), identity in custom_fields(self._org, connection).items()
            ],
        )
        self._insert(
            connection,
            "CustomObject",
            [{"Id": identity, "DeveloperName": name.removesuffix("__c")} for name, identity in listed.items()],
        )
        self._insert(connection, "EntityDefinition", map(_entity, self._org.schema))
        self._insert(
            connection,
            "FieldDefinition",
            (_field(each, field) for each in self._org.schema for field in each.fields.values()),
        )

    def _insert(self, connection: sqlite3.Connection, name: str, rows: Iterable[dict[str, Any]]) -> None:
        at = clock.salesforce_text(clock.now())
        stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate"), at)
        stamps |= dict.fromkeys(("CreatedById", "LastModifiedById"), ADMINISTRATOR)
        full = [{"seq": number, **row, **stamps} for number, row in enumerate(rows)]
        if full:
            self._records.insert(connection, self.schema.of(name), list(full[0]), [list(row.values()) for row in full])


def _entity(each: SObject) -> dict[str, Any]:
    return {
        "Id": each.name,
        "DurableId": each.name,
        "QualifiedApiName": each.name,
        "DeveloperName": each.name.removesuffix("__c"),
        "Label": each.label,
        "PluralLabel": each.plural,
        "KeyPrefix": each.prefix,
    }


def _field(owner: SObject, each: Field) -> dict[str, Any]:
    kind = KINDS.get(each.type, each.type)
    if each.type in {"string", "textarea"} and each.length:
        kind = f"{kind}({each.length})"
    elif each.references:
        kind = f"{kind}({','.join(each.references)})"
    return {
        "Id": f"{owner.name}.{each.name}",
        "DurableId": f"{owner.name}.{each.name}",
        "QualifiedApiName": each.name,
        "DeveloperName": each.name.removesuffix("__c"),
        "Label": each.label,
        "DataType": kind,
        "EntityDefinitionId": owner.name,
    }
