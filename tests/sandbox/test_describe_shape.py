"""Describes have the keys, types and flags of recorded real ones (reference: keys and properties of sections 2.1, 3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Org

FIELD_KEYS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("aggregatable", "aiPredictionField", "autoNumber", "calculated", "cascadeDelete"), bool),
    **dict.fromkeys(("caseSensitive", "createable", "custom", "defaultedOnCreate", "dependentPicklist"), bool),
    **dict.fromkeys(("deprecatedAndHidden", "displayLocationInDecimal", "encrypted", "externalId", "filterable"), bool),
    **dict.fromkeys(
        ("formulaTreatNullNumberAsZero", "groupable", "highScaleNumber", "htmlFormatted", "idLookup"), bool
    ),
    **dict.fromkeys(("nameField", "namePointing", "nillable", "permissionable", "polymorphicForeignKey"), bool),
    **dict.fromkeys(("queryByDistance", "restrictedDelete", "restrictedPicklist", "searchPrefilterable"), bool),
    **dict.fromkeys(("sortable", "unique", "updateable", "writeRequiresMasterRead"), bool),
    **dict.fromkeys(("byteLength", "digits", "length", "precision", "scale"), int),
    **dict.fromkeys(("label", "name", "soapType", "type"), str),
    **dict.fromkeys(("picklistValues", "referenceTo"), list),
    **dict.fromkeys(("calculatedFormula", "compoundFieldName", "controllerName", "extraTypeInfo"), (str, type(None))),
    **dict.fromkeys(("inlineHelpText", "mask", "maskType", "relationshipName"), (str, type(None))),
    **dict.fromkeys(("defaultValue", "defaultValueFormula", "referenceTargetField"), (str, bool, type(None))),
    "filteredLookupInfo": (dict, type(None)),
    "relationshipOrder": (int, type(None)),
}
CHILD_KEYS = {
    *("cascadeDelete", "childSObject", "deprecatedAndHidden", "field", "junctionIdListNames"),
    *("junctionReferenceTo", "relationshipName", "restrictedDelete"),
}
OBJECTS = (
    *("Account", "Contact", "Event", "Opportunity", "OpportunityContactRole", "User", "ContentVersion"),
    *("ContentDocument", "ContentDocumentLink", "Attachment", "Pricebook2", "Product2", "PricebookEntry"),
    *("OpportunityLineItem", "Task", "Note", "Lead", "Case", "Campaign", "PermissionSet", "RecordType"),
)


def described(org: Org, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = org.http.get(f"/sobjects/{name}/describe").raise_for_status().json()
    return answer


def fields(org: Org, name: str) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in described(org, name)["fields"]}


@pytest.mark.parametrize("name", OBJECTS)
def test_every_field_has_the_57_keys_with_values_of_their_types(org: Org, name: str) -> None:
    assert len(FIELD_KEYS) == 57
    whole = described(org, name)
    assert 44 <= len(whole) <= 46
    for field in whole["fields"]:
        assert field.keys() == FIELD_KEYS.keys()
        wrong = {key for key, kind in FIELD_KEYS.items() if not isinstance(field[key], kind)}
        assert not wrong, (field["name"], wrong)
    assert all(child.keys() == CHILD_KEYS for child in whole["childRelationships"])
    assert whole["sobjectDescribeOption"] == "FULL"
    master = whole["recordTypeInfos"][-1]
    assert (master["recordTypeId"], master["master"], master["name"]) == ("012000000000000AAA", True, "Master")


def test_the_list_of_objects_has_27_flags_and_urls(org: Org) -> None:
    listed = org.http.get("/sobjects").json()
    assert (listed["encoding"], listed["maxBatchSize"]) == ("UTF-8", 200)
    assert {len(each) for each in listed["sobjects"]} == {28}
    assert all(each["urls"].keys() == {"rowTemplate", "describe", "sobject"} for each in listed["sobjects"])
    assert {each["name"] for each in listed["sobjects"]} >= set(OBJECTS)


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("Contact", "LastName", {"nillable": False, "length": 80, "createable": True, "compoundFieldName": "Name"}),
        ("Contact", "Name", {"length": 121, "createable": False, "updateable": False, "nameField": True}),
        ("Contact", "Email", {"idLookup": True, "type": "email"}),
        ("Contact", "MailingCity", {"createable": True, "updateable": True, "compoundFieldName": "MailingAddress"}),
        ("Contact", "MailingAddress", {"createable": False, "type": "address", "soapType": "urn:address"}),
        ("Contact", "OwnerId", {"referenceTo": ["User"], "defaultedOnCreate": True, "nillable": False}),
        ("Contact", "CreatedDate", {"createable": False, "updateable": False, "defaultedOnCreate": True}),
        ("Account", "Name", {"nillable": False, "length": 255, "nameField": True}),
        ("Opportunity", "Name", {"nillable": False, "length": 120, "idLookup": False}),
        ("Opportunity", "ContactId", {"createable": True, "updateable": False}),
        ("OpportunityContactRole", "ContactId", {"createable": True, "updateable": True}),
        ("OpportunityContactRole", "OpportunityId", {"createable": True, "updateable": False}),
        ("OpportunityContactRole", "IsPrimary", {"createable": True, "updateable": True, "defaultedOnCreate": True}),
        ("Opportunity", "StageName", {"nillable": False, "type": "picklist"}),
        ("Opportunity", "CloseDate", {"nillable": False, "type": "date", "soapType": "xsd:date"}),
        ("Event", "OwnerId", {"referenceTo": ["Calendar", "User"]}),
        ("Event", "WhoId", {"referenceTo": ["Contact", "Lead"], "namePointing": True}),
        ("Event", "AccountId", {"createable": False, "updateable": False}),
        ("Event", "IsChild", {"createable": False, "updateable": False}),
        ("Event", "EndDate", {"createable": False, "updateable": False}),
        ("Event", "EventSubtype", {"createable": True, "updateable": False}),
        ("Event", "IsRecurrence", {"createable": True, "updateable": False}),
        ("Event", "Subject", {"type": "combobox", "length": 255, "nillable": True}),
        ("Event", "Description", {"type": "textarea", "length": 32000}),
        ("Case", "OwnerId", {"referenceTo": ["Group", "User"]}),
        ("Case", "CaseNumber", {"autoNumber": True, "idLookup": True, "createable": False}),
        ("Attachment", "Body", {"type": "base64", "soapType": "xsd:base64Binary", "nillable": False}),
    ],
)
def test_a_field_is_what_real_describes_say(org: Org, name: str, field: str, expected: dict[str, Any]) -> None:
    shown = fields(org, name)[field]
    assert {key: shown[key] for key in expected} == expected


def test_an_event_has_48_fields_none_of_them_required_and_no_status(org: Org) -> None:
    listed = fields(org, "Event")
    assert len([name for name in listed if not name.endswith("__c")]) == 48
    assert "Status" not in listed
    asked = [name for name, each in listed.items() if each["createable"] and not each["nillable"]]
    assert [name for name in asked if not listed[name]["defaultedOnCreate"]] == []


def test_what_goes_with_a_parent_and_what_holds_it_back_is_told(org: Org) -> None:
    children = {(each["childSObject"], each["field"]): each for each in described(org, "Account")["childRelationships"]}
    for child in (("Contact", "AccountId"), ("Opportunity", "AccountId"), ("Event", "WhatId"), ("Task", "WhatId")):
        assert children[child]["cascadeDelete"] is True
    assert children["ContentDocumentLink", "LinkedEntityId"]["cascadeDelete"] is True
    assert children["Attachment", "ParentId"]["cascadeDelete"] is True
    assert children["Case", "AccountId"]["restrictedDelete"] is True
    assert children["Contact", "AccountId"]["relationshipName"] == "Contacts"


def test_a_field_of_activity_is_one_of_events_and_tasks(org: Org) -> None:
    given = {"name": "Shape_Status__c", "type": "Picklist", "picklist": ["Booked", "No show"], "restricted": True}
    assert org.admin.post("/fields", json={"object": "Event", **given}).status_code == 400
    assert org.admin.post("/fields", json={"object": "Activity", **given}).status_code == 201
    for name in ("Event", "Task"):
        shown = fields(org, name)["Shape_Status__c"]
        assert [each["value"] for each in shown["picklistValues"]] == ["Booked", "No show"]
        assert shown["restrictedPicklist"] is True


def test_a_custom_object_can_be_made_described_and_filled(org: Org) -> None:
    made = org.admin.post("/objects", json={"name": "Shape_Visit__c", "label": "Visit", "activities": True}).json()
    org.admin.post(
        "/fields",
        json={
            "object": "Shape_Visit__c",
            "name": "Patient__c",
            "type": "MasterDetail",
            "references": ["Contact"],
            "child": "Visits",
        },
    ).raise_for_status()
    whole = described(org, "Shape_Visit__c")
    assert (whole["custom"], whole["keyPrefix"], whole["labelPlural"]) == (True, made["prefix"], "Visits")
    assert "OwnerId" not in {field["name"] for field in whole["fields"]}
    assert "Shape_Visit__c" in fields(org, "Event")["WhatId"]["referenceTo"]
    child = [each for each in described(org, "Contact")["childRelationships"] if each["field"] == "Patient__c"]
    assert (child[0]["relationshipName"], child[0]["cascadeDelete"]) == ("Visits__r", True)
    patient = org.http.post("/sobjects/Contact", json={"LastName": "Visited"}).json()["id"]
    visit = org.http.post("/sobjects/Shape_Visit__c", json={"Name": "First", "Patient__c": patient}).json()["id"]
    assert visit.startswith(made["prefix"])
    assert org.query(f"SELECT Patient__r.LastName FROM Shape_Visit__c WHERE Id = '{visit}'")[0]["Patient__r"][
        "LastName"
    ] == ("Visited")
    org.http.delete(f"/sobjects/Contact/{patient}")
    assert org.query(f"SELECT Id FROM Shape_Visit__c WHERE Id = '{visit}'") == []
