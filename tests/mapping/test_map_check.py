from functools import cache
from typing import Any

import pytest

from mapping.check import Finding, check_map, insert_only_columns, lacking_for_roles
from mapping.document import default_map
from mapping.rules import MapDocument

TYPES = {
    "Birthdate": "date",
    "CreatedDate": "datetime",
    "VP_Created_At__c": "datetime",
    "VP_Modified_At__c": "datetime",
    "VP_Deleted_At__c": "datetime",
    "Email": "email",
    "Salutation": "picklist",
    "Industry": "picklist",
}
PICKLISTS = {
    "Salutation": ["Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."],
    "Industry": ["Healthcare", "Not For Profit", "Biotechnology", "Retail", "Insurance", "Education"],
}


def field(name: str, **more: Any) -> dict[str, Any]:
    kind = TYPES.get(name, "string")
    return {
        "name": name,
        "type": kind,
        "length": 80 if kind == "email" else 0 if kind in {"date", "datetime"} else 32000,
        "createable": True,
        "updateable": True,
        "nillable": True,
        "defaultedOnCreate": False,
        "externalId": name == "VP_Id__c",
        "unique": name == "VP_Id__c",
        "restrictedPicklist": False,
        "picklistValues": [{"value": value, "active": True} for value in PICKLISTS.get(name, ())],
        "referenceTo": ["Account"] if name in {"ParentId", "AccountId"} else [],
        **({"type": "reference", "length": 18} if name in {"ParentId", "AccountId"} else {}),
        **more,
    }


@cache
def core_map() -> MapDocument:
    """The default map's practices and patients, and what counts in patients."""
    whole = default_map()
    return whole.model_copy(
        update={"objects": {name: whole.objects[name] for name in ("practice", "coverage", "intake_form", "patient")}}
    )


def org() -> dict[str, Any]:
    answer = {}
    for rule in core_map().objects.values():
        names = [*rule.columns, rule.external_id, "VP_Deleted_At__c"]
        answer[rule.target] = {
            "createable": True,
            "updateable": True,
            "deletable": True,
            "fields": [field(n) for n in names],
        }
    return answer


def change(describes: dict[str, Any], sobject: str, which: str, **more: Any) -> dict[str, Any]:
    for entry in describes[sobject]["fields"]:
        if entry["name"] == which:
            entry.update(more)
    return describes


def serious(describes: dict[str, Any], document: MapDocument | None = None) -> list[Finding]:
    return [finding for finding in check_map(document or core_map(), describes) if finding.severity != "info"]


def test_an_org_with_every_column_has_nothing_serious():
    assert serious(org()) == []


def test_source_fields_that_go_nowhere_are_said():
    told = [f.message for f in check_map(core_map(), org()) if f.code == "SOURCE_FIELD_UNUSED"]
    assert told == ["the source field provider_id goes nowhere"]


def test_a_missing_object_is_an_error():
    describes = org()
    del describes["Contact"]
    assert [(f.severity, f.object, f.code) for f in serious(describes)] == [("error", "patient", "OBJECT_MISSING")]


@pytest.mark.parametrize(
    ("sobject", "name", "more", "severity", "code"),
    [
        ("Contact", "MRN__c", {"name": "Other__c"}, "error", "COLUMN_MISSING"),
        ("Contact", "VP_Id__c", {"unique": False}, "error", "NOT_UNIQUE"),
        ("Contact", "VP_Id__c", {"externalId": False}, "error", "NOT_EXTERNAL_ID"),
        ("Contact", "FirstName", {"createable": False, "updateable": False}, "error", "NOT_CREATEABLE"),
        ("Contact", "Birthdate", {"type": "string"}, "error", "TYPE_MISMATCH"),
        ("Contact", "LastName", {"type": "double"}, "error", "TYPE_MISMATCH"),
        ("Contact", "AccountId", {"referenceTo": ["User"]}, "error", "TYPE_MISMATCH"),
        ("Contact", "FirstName", {"length": 39}, "error", "LONGER_THAN_ORG"),
        ("Contact", "VP_Source__c", {"length": 5}, "error", "LONGER_THAN_ORG"),
        ("Account", "VP_Deleted_At__c", {"type": "date"}, "error", "TYPE_MISMATCH"),
        ("Account", "VP_Deleted_At__c", {"name": "Other__c"}, "error", "COLUMN_MISSING"),
        ("Contact", "FirstName", {"nillable": False}, "warning", "REQUIRED_MAY_BE_EMPTY"),
    ],
)
def test_what_does_not_fit_is_found(sobject: str, name: str, more: dict[str, Any], severity: str, code: str):
    assert [(f.severity, f.code) for f in serious(change(org(), sobject, name, **more))] == [(severity, code)]


def test_a_restricted_picklist_must_have_the_values():
    describes = change(org(), "Account", "Industry", restrictedPicklist=True, picklistValues=[{"value": "Healthcare"}])
    (finding,) = serious(describes)
    assert finding.code == "PICKLIST_VALUE_MISSING"
    assert "Not For Profit" in finding.message


def test_a_column_the_org_requires_must_be_mapped():
    describes = org()
    describes["Contact"]["fields"].append(field("Region__c", nillable=False))
    (finding,) = serious(describes)
    assert (finding.column, finding.code) == ("Region__c", "REQUIRED_NOT_MAPPED")


@pytest.mark.parametrize(
    ("has", "asked", "code"),
    [
        (field("Carrier__c", type="boolean"), True, None),
        (field("Carrier__c", type="boolean"), "true", "TYPE_MISMATCH"),
        (field("Carrier__c"), True, "TYPE_MISMATCH"),
        (field("Carrier__c"), "yes", None),
        (field("Other__c", type="boolean"), True, "COLUMN_MISSING"),
    ],
)
def test_the_org_must_have_what_rows_are_told_apart_by(has: dict[str, Any], asked: Any, code: str | None):
    describes, document = org(), core_map()
    describes["Account"]["fields"].append(has)
    rule = document.objects["practice"].model_copy(update={"match": ("Name",), "among": {"Carrier__c": asked}})
    document = document.model_copy(update={"objects": {**document.objects, "practice": rule}})
    assert [finding.code for finding in serious(describes, document)] == ([] if code is None else [code])


def test_insert_only_columns_come_from_the_org():
    describes = change(org(), "Contact", "AccountId", updateable=False)
    assert insert_only_columns(core_map(), describes) == {
        "practice": frozenset(),
        "patient": frozenset({"AccountId"}),
    }
    assert serious(describes) == []


def test_a_column_to_match_by_must_be_one_that_the_org_can_search():
    document = core_map()
    patient = document.objects["patient"].model_copy(update={"match": ("Description",)})
    matching = document.model_copy(update={"objects": {**document.objects, "patient": patient}})
    describes = org()
    assert not serious(describes, matching)
    change(describes, "Contact", "Description", filterable=False)
    assert [(found.column, found.code) for found in serious(describes, matching)] == [("Description", "NOT_FILTERABLE")]


ROLES: dict[str, Any] = {
    "createable": True,
    "updateable": True,
    "deletable": True,
    "fields": [field("OpportunityId", updateable=False), field("ContactId"), field("IsPrimary")],
}


def bills(roles: dict[str, Any] | None) -> list[Finding]:
    """What is found about the contact of bills in an org with these contact roles."""
    whole = default_map()
    column = whole.objects["invoice"].columns["ContactId"]
    bill = whole.objects["invoice"].model_copy(update={"columns": {"ContactId": column}})
    document = whole.model_copy(update={"objects": {**core_map().objects, "invoice": bill}})
    contact = field("ContactId", type="reference", referenceTo=["Contact"], updateable=False)
    describes = org()
    describes["Opportunity"] = {"fields": [field("VP_Id__c"), field("VP_Deleted_At__c"), contact]}
    if roles is not None:
        describes["OpportunityContactRole"] = roles
    return [one for one in check_map(document, describes) if (one.object, one.column) == ("invoice", "ContactId")]


def test_a_contact_that_roles_carry_is_fine_where_we_can_change_them():
    (found,) = bills(ROLES)
    assert (found.severity, found.code) == ("info", "INSERT_ONLY")
    assert "carried by OpportunityContactRole" in found.hint


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (None, "is not there for us"),
        (ROLES | {"deletable": False}, "is not deletable for us"),
        (
            ROLES | {"fields": [field("OpportunityId"), field("ContactId"), field("IsPrimary", updateable=False)]},
            "IsPrimary",
        ),
        (ROLES | {"fields": [field("ContactId"), field("IsPrimary")]}, "OpportunityId createable"),
    ],
)
def test_roles_that_we_cannot_change_are_a_warning_that_says_what_it_costs(roles: dict[str, Any] | None, words: str):
    assert words in lacking_for_roles(roles)
    (found,) = [one for one in bills(roles) if one.severity != "info"]
    assert (found.severity, found.code) == ("warning", "CONTACT_ROLE_HIDDEN")
    assert words in found.message
    assert "rejected" in found.message
    assert "Edit" in found.hint


def test_an_org_without_relations_is_a_warning_that_says_what_to_switch_on():
    document = default_map()
    relations = document.model_copy(
        update={"objects": {"practice_membership": document.objects["practice_membership"]}}
    )
    (found,) = check_map(relations, {})
    assert (found.severity, found.code) == ("warning", "CONTACTS_TO_MULTIPLE_ACCOUNTS_OFF")
    assert "relate a contact to multiple accounts" in found.hint
