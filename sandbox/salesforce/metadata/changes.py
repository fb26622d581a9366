"""Makes, changes and unmakes one component in the org, or says why it cannot be.

Owns the rules of custom objects and fields and the texts of their refusals; permission sets are in `permissions`.
Source of fact: the project's Salesforce reference (§4); texts that it does not have are unverified. Called by
`deployments`, by the CRUD calls of the Metadata API and by Tooling, in the writing thread.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sandbox.salesforce import catalogue, ids
from sandbox.salesforce.custom import KINDS
from sandbox.salesforce.definitions import ACTIVITIES, ACTIVITY
from sandbox.salesforce.metadata import xml
from sandbox.salesforce.metadata.components import FIELD, OBJECT, PERMISSION_SET, VALUES, Component
from sandbox.salesforce.metadata.permissions import Permissions
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import SObject

FIELD_PREFIX, OBJECT_PREFIX = "00N", "01I"
FIRST_GIVEN = 10**6  # the number of the first custom field that the org began with
LENGTHS = frozenset({"Text", "EncryptedText", "LongTextArea", "Html"})
PICKLISTS = frozenset({"Picklist", "MultiselectPicklist"})
NUMBERS = frozenset({"Number", "Currency", "Percent"})
VALUE_SETS = {  # which picklists a standard value set is of
    "AccountType": (("Account", "Type"),),
    "ContactRole": (("OpportunityContactRole", "Role"),),
    "EventSubject": (("Event", "Subject"),),
    "Industry": (("Account", "Industry"), ("Lead", "Industry")),
    "LeadSource": tuple((each, "LeadSource") for each in ("Contact", "Lead", "Opportunity")),
    "OpportunityStage": (("Opportunity", "StageName"),),
    "OpportunityType": (("Opportunity", "Type"),),
    "Salutation": (("Contact", "Salutation"), ("Lead", "Salutation")),
    "TaskPriority": (("Task", "Priority"),),
    "TaskStatus": (("Task", "Status"),),
    "TaskSubject": (("Task", "Subject"),),
}
MOST_TEXT = 255


class RefusedError(Exception):
    """A component that cannot be; `code` is a status code of the API."""

    def __init__(self, text: str, code: str = "INVALID_FIELD") -> None:
        super().__init__(text)
        self.code = code


class Change(NamedTuple):
    """What became of a component."""

    id: str
    created: bool
    deleted: bool = False


@dataclass(slots=True)
class Changes:
    """The changes of one org. `user` is who makes them."""

    org: Org
    user: str

    def check(self, component: Component, planned: set[tuple[str, str]]) -> None:
        """Raises RefusedError for what cannot be; `planned` are components that the same deploy makes before."""
        if component.problem:
            raise RefusedError(component.problem)
        checks: dict[str, Callable[[Component, set[tuple[str, str]]], None]] = {
            OBJECT: self._check_object,
            FIELD: self._check_field,
            PERMISSION_SET: self._check_permission_set,
            VALUES: self._check_values,
        }
        if component.type not in checks:
            text = f"Entity type {component.type} is not one that this sandbox has"
            raise RefusedError(text, "UNSUPPORTED_API_VERSION")
        if component.properties is None:
            self._check_there(component)
        else:
            checks[component.type](component, planned)

    def check_new(self, component: Component) -> None:
        """Raises RefusedError when there is such a component already."""
        owner, _, name = component.name.partition(".")
        known = self._owner(owner)
        if component.type == FIELD and known is not None and known.get(name) is not None:
            text = f"There is already a field named {name.removesuffix('__c')} on {known.label}."
            raise RefusedError(text, "DUPLICATE_DEVELOPER_NAME")
        if component.type == OBJECT and known is not None:
            text = f"That object name, '{owner.removesuffix('__c')}' is already in use. Please choose a different name."
            raise RefusedError(text, "DUPLICATE_DEVELOPER_NAME")

    def apply(self, connection: sqlite3.Connection, component: Component) -> Change:
        """Carries a checked component out inside the caller's transaction."""
        if component.type == PERMISSION_SET:
            identity, created = Permissions(self.org, self.user).apply(connection, component)
            return Change(identity, created, component.properties is None)
        if component.type == OBJECT:
            return self._object(connection, component)
        if component.type == VALUES:
            return self._values(connection, component)
        return self._field(connection, component)

    # -- objects ------------------------------------------------------------------------------------------------

    def _check_there(self, component: Component) -> None:
        owner, _, name = component.name.partition(".")
        found = self._owner(owner)
        there = found is not None and found.custom
        if component.type == FIELD:
            field = found.get(name) if found else None
            there = field is not None and field.custom
        elif component.type == PERMISSION_SET:
            there = Permissions(self.org, self.user).find(component.name) is not None
        if not there:
            raise RefusedError(f"No {component.type} named: {component.name} found", "INVALID_CROSS_REFERENCE_KEY")

    def _check_object(self, component: Component, planned: set[tuple[str, str]]) -> None:
        del planned
        given, name = component.properties or {}, component.name
        if not name.endswith("__c"):
            if self._owner(name) is None:
                raise RefusedError(f"no CustomObject named {name} found", "INVALID_CROSS_REFERENCE_KEY")
            return
        for needed in ("label", "pluralLabel", "nameField"):
            if not given.get(needed):
                raise RefusedError(f"Must specify '{needed}' for CustomObject", "REQUIRED_FIELD_MISSING")

    def _object(self, connection: sqlite3.Connection, component: Component) -> Change:
        definitions, found = self.org.definitions, self.org.schema.get(component.name)
        if component.properties is None:
            assert found is not None
            identity = self._object_id(connection, component.name)
            definitions.drop_object(connection, found)
            return Change(identity, created=False, deleted=True)
        given = component.properties
        if found is not None or not component.name.endswith("__c"):
            return Change(self._object_id(connection, component.name), created=False)
        title = given["nameField"] if isinstance(given["nameField"], dict) else {}
        definitions.add_object(
            connection,
            component.name,
            label=str(given["label"]),
            plural=str(given["pluralLabel"]),
            name_label=str(title["label"]) if title.get("label") else None,
            name_format=str(title.get("displayFormat") or "{0}") if title.get("type") == "AutoNumber" else None,
            activities=_true(given.get("enableActivities")),
        )
        return Change(self._object_id(connection, component.name), created=True)

    def _object_id(self, connection: sqlite3.Connection, name: str) -> str:
        row = connection.execute("SELECT rowid FROM custom_object WHERE name = ?", (name,)).fetchone()
        return ids.make(OBJECT_PREFIX, row[0]) if row else ""

    def _check_permission_set(self, component: Component, planned: set[tuple[str, str]]) -> None:
        problem = Permissions(self.org, self.user).problem(component, planned)
        if problem:
            raise RefusedError(problem, "INVALID_CROSS_REFERENCE_KEY")

    # -- values of standard picklists ---------------------------------------------------------------------------

    @staticmethod
    def _check_values(component: Component, planned: set[tuple[str, str]]) -> None:
        del planned
        if component.name not in VALUE_SETS:
            text = f"'{component.name}' is not a valid value for the enum 'StandardValueSetName'"
            raise RefusedError(text, "INVALID_TYPE")
        for each in xml.many((component.properties or {}).get("standardValue")):
            if not isinstance(each, dict) or not each.get("fullName"):
                raise RefusedError("Required field is missing: fullName", "REQUIRED_FIELD_MISSING")

    def _values(self, connection: sqlite3.Connection, component: Component) -> Change:
        """Adds the values that are not there; those that the set leaves out stay (in Salesforce they become inactive)."""
        listed = xml.many((component.properties or {}).get("standardValue"))
        for owner, field in VALUE_SETS[component.name]:
            self.org.definitions.add_values(connection, owner, field, [str(each["fullName"]) for each in listed])
        return Change("", created=False)

    # -- fields -------------------------------------------------------------------------------------------------

    def _owner(self, name: str) -> SObject | None:
        return self.org.schema.get(ACTIVITIES[0] if name == ACTIVITY else name)

    def _check_field(self, component: Component, planned: set[tuple[str, str]]) -> None:
        owner, _, name = component.name.partition(".")
        given = component.properties or {}
        if owner in ACTIVITIES:
            text = f"bad value for restricted picklist field: {owner}"
            raise RefusedError(text, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
        known = self._owner(owner)
        if known is None and (OBJECT, owner) not in planned:
            raise RefusedError(f"no CustomObject named {owner} found", "INVALID_CROSS_REFERENCE_KEY")
        if not name.endswith("__c"):
            if known is not None and known.get(name) is not None and "type" not in given:
                return
            text = f"Cannot alter standard field {name}" if known and known.get(name) else f"Invalid fullName: {name}"
            raise RefusedError(text, "INVALID_FIELD")
        kind = str(given.get("type", ""))
        for needed in ("type", "label"):
            if not given.get(needed):
                raise RefusedError(f"Required field is missing: {needed}", "REQUIRED_FIELD_MISSING")
        if kind not in KINDS:
            raise RefusedError(f"'{kind}' is not a valid value for the enum 'FieldType'", "INVALID_TYPE")
        self._check_properties(name, kind, given)
        before = known.get(name) if known is not None else None
        if before is not None and before.type != KINDS[kind]["type"]:
            raise RefusedError(f"Cannot change type of {owner}.{name} to {kind}", "FIELD_INTEGRITY_EXCEPTION")
        for target in xml.many(given.get("referenceTo")):
            if self.org.schema.get(str(target)) is None and (OBJECT, str(target)) not in planned:
                raise RefusedError(
                    f"referenceTo value of '{target}' does not resolve to a valid sObject type",
                    "FIELD_INTEGRITY_EXCEPTION",
                )

    @staticmethod
    def _check_properties(name: str, kind: str, given: dict[str, Any]) -> None:
        needs = {
            **dict.fromkeys(LENGTHS, ("length",)),
            **dict.fromkeys(NUMBERS, ("precision", "scale")),
            **dict.fromkeys(("LongTextArea", "Html"), ("length", "visibleLines")),
            "Checkbox": ("defaultValue",),
            "Lookup": ("referenceTo", "relationshipName"),
            "MasterDetail": ("referenceTo", "relationshipName"),
            "AutoNumber": ("displayFormat",),
        }
        for needed in needs.get(kind, ()):
            if given.get(needed) in {None, ""}:
                text = f"Must specify '{needed}' for a CustomField of type {kind}"
                raise RefusedError(text, "FIELD_INTEGRITY_EXCEPTION")
        if kind == "Text" and int(given["length"]) > MOST_TEXT:
            text = f"Text field length cannot exceed {MOST_TEXT} characters: {name}"
            raise RefusedError(text, "NUMBER_OUTSIDE_VALID_RANGE")
        if kind in PICKLISTS and not isinstance(given.get("valueSet"), dict):
            raise RefusedError("Must specify either valueSetName or valueSetDefinition", "FIELD_INTEGRITY_EXCEPTION")

    def _field(self, connection: sqlite3.Connection, component: Component) -> Change:
        owner, _, name = component.name.partition(".")
        definitions = self.org.definitions
        known = self._owner(owner)
        assert known is not None
        before = known.get(name)
        if component.properties is None:
            identity = self._field_id(connection, owner, name)
            definitions.drop_field(connection, owner, name)
            return Change(identity, created=False, deleted=True)
        if not name.endswith("__c"):
            return Change("", created=False)
        definitions.add_field(
            connection, owner, name, str(component.properties["type"]), **_given(component.properties)
        )
        return Change(self._field_id(connection, owner, name), created=before is None)

    def _field_id(self, connection: sqlite3.Connection, owner: str, name: str) -> str:
        return custom_fields(self.org, connection).get((owner, name), "")


def custom_fields(org: Org, connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """The ids of all custom fields, by owner and name; the fields of activities belong to `Activity`."""
    sql = "SELECT object, name, rowid FROM custom_field ORDER BY rowid"
    made = {(owner, name): ids.make(FIELD_PREFIX, number) for owner, name, number in connection.execute(sql)}
    begun = [(owner, field.name) for owner, fields in catalogue.custom_fields().items() for field in fields]
    given = {pair: ids.make(FIELD_PREFIX, FIRST_GIVEN + place) for place, pair in enumerate(begun)}
    return {pair: identity for pair, identity in given.items() if org.schema.of(pair[0]).get(pair[1])} | made


def _true(given: Any) -> bool:
    return str(given).lower() == "true"


def _whole(given: Any) -> int | None:
    return int(given) if given not in {None, ""} else None


def _given(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties of a CustomField as `custom.custom` takes them. Who may see it, a permission set must say."""
    kind, required = str(properties["type"]), _true(properties.get("required"))
    given: dict[str, Any] = {
        "label": str(properties["label"]),
        "length": _whole(properties.get("length")),
        "precision": _whole(properties.get("precision")),
        "scale": _whole(properties.get("scale")),
        "external_id": _true(properties.get("externalId")) or None,
        "unique": _true(properties.get("unique")) or None,
        "case_sensitive": _true(properties.get("caseSensitive")) or None,
        "required": required or None,
        "help": properties.get("inlineHelpText"),
        "format": properties.get("displayFormat"),
        "guarded": not required and kind != "MasterDetail",
    }
    if kind == "Checkbox":
        given["default"] = int(_true(properties.get("defaultValue")))
    if kind in PICKLISTS:
        values = properties["valueSet"]
        listed = values.get("valueSetDefinition")
        listed = xml.many(listed.get("value")) if isinstance(listed, dict) else []
        given["picklist"] = [
            str(each.get("fullName") or each.get("label")) for each in listed if isinstance(each, dict)
        ]
        given["restricted"] = _true(values.get("restricted"))
    if "referenceTo" in properties:
        given["references"] = [str(each) for each in xml.many(properties["referenceTo"])]
        given["child"] = properties.get("relationshipName")
        given["restricts"] = properties.get("deleteConstraint") == "Restrict" or None
        given["cascade"] = properties.get("deleteConstraint") == "Cascade" or kind == "MasterDetail" or None
    return given
