"""Objects, fields and permission sets that an administrator's tools make while the org runs."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org

SPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
FIELD = (
    "<fields><fullName>{name}</fullName><label>A field</label><type>Text</type><length>64</length>"
    "<externalId>true</externalId><unique>true</unique></fields>"
)
VISIT = (
    f"<CustomObject {SPACE}><label>Visit</label><pluralLabel>Visits</pluralLabel><deploymentStatus>Deployed</deploymentStatus>"
    "<nameField><label>Visit Number</label><type>AutoNumber</type><displayFormat>V-{0000}</displayFormat></nameField>"
    "<sharingModel>ReadWrite</sharingModel>"
    "<fields><fullName>Kind__c</fullName><label>Kind</label><type>Picklist</type><valueSet><restricted>true</restricted>"
    "<valueSetDefinition><sorted>false</sorted><value><fullName>Check</fullName><default>false</default><label>Check</label>"
    "</value></valueSetDefinition></valueSet></fields>"
    "<fields><fullName>Contact__c</fullName><label>Contact</label><type>Lookup</type><referenceTo>Contact</referenceTo>"
    "<relationshipName>Visits</relationshipName></fields></CustomObject>"
)


@pytest.fixture(scope="module")
def alone() -> Iterator[SandboxProcess]:
    """An org of its own: what is deployed changes describes for everyone."""
    with SandboxProcess.start(only="salesforce") as process:
        yield process


@pytest.fixture
def org(alone: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> Org:
    return connect(alone)


def package(files: dict[str, str], **members: list[str]) -> bytes:
    types = "".join(
        f"<types>{''.join(f'<members>{each}</members>' for each in names)}<name>{kind}</name></types>"
        for kind, names in members.items()
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("package.xml", f"<Package {SPACE}>{types}<version>62.0</version></Package>")
        for path, text in files.items():
            archive.writestr(path, text)
    return data.getvalue()


def on(sobject: str, *fields: str) -> dict[str, str]:
    inner = "".join(FIELD.format(name=name) for name in fields)
    return {f"objects/{sobject}.object": f"<CustomObject {SPACE}>{inner}</CustomObject>"}


def deployed(org: Org, archive: bytes, **options: Any) -> dict[str, Any]:
    parts = {
        "file": ("package.zip", archive, "application/zip"),
        "entity_content": (None, json.dumps({"deployOptions": {"singlePackage": True, **options}}), "application/json"),
    }
    begun = org.http.post("/metadata/deployRequest", files=parts)
    assert begun.status_code == 201
    return finished(org, begun.json()["id"])


def finished(org: Org, identity: str) -> dict[str, Any]:
    for _ in range(500):
        told = org.http.get(f"/metadata/deployRequest/{identity}?includeDetails=true").raise_for_status().json()
        result: dict[str, Any] = told["deployResult"]
        if result["done"]:
            return result
        time.sleep(0.01)
    raise AssertionError("not done")


def problems(result: dict[str, Any]) -> list[str]:
    return [each["problem"] for each in result["details"]["componentFailures"]]


def fields_of(org: Org, sobject: str) -> dict[str, dict[str, Any]]:
    described = org.http.get(f"/sobjects/{sobject}/describe").raise_for_status().json()
    return {field["name"]: field for field in described["fields"]}


def stored_fields(org: Org, sobject: str) -> set[str]:
    soql = f"SELECT DeveloperName FROM CustomField WHERE TableEnumOrId = '{sobject}'"
    return {record["DeveloperName"] for record in org.query(soql, "tooling/query")}


def test_a_deploy_makes_fields_and_tells_of_each(org: Org) -> None:
    result = deployed(org, package(on("Account", "Deployed__c"), CustomField=["Account.Deployed__c"]))
    assert (result["status"], result["success"], result["numberComponentsDeployed"]) == ("Succeeded", True, 1)
    message = result["details"]["componentSuccesses"][0]
    assert (message["fullName"], message["componentType"], message["created"]) == (
        "Account.Deployed__c",
        "CustomField",
        True,
    )
    assert message["id"].startswith("00N")
    assert "Deployed" in stored_fields(org, "Account")
    again = deployed(org, package(on("Account", "Deployed__c"), CustomField=["Account.Deployed__c"]))
    message = again["details"]["componentSuccesses"][0]
    assert (message["created"], message["changed"]) == (False, True)


def test_a_custom_object_comes_with_its_fields(org: Org) -> None:
    assert deployed(org, package({"objects/Visit__c.object": VISIT}, CustomObject=["Visit__c"]))["success"]
    found = org.http.get("/sobjects/Visit__c/describe").json()
    assert (found["label"], found["labelPlural"], found["custom"]) == ("Visit", "Visits", True)
    assert "Kind" in stored_fields(
        org, org.query("SELECT Id FROM CustomObject WHERE DeveloperName = 'Visit'", "tooling/query")[0]["Id"][:15]
    )


def test_fields_of_events_are_made_on_activity(org: Org) -> None:
    wrong = deployed(org, package(on("Event", "Status__c"), CustomField=["Event.Status__c"]))
    assert problems(wrong) == ["bad value for restricted picklist field: Event"]
    assert (wrong["status"], wrong["success"]) == ("Failed", False)
    right = deployed(org, package(on("Activity", "Status__c"), CustomField=["Activity.Status__c"]))
    assert right["success"]
    assert "Status" in stored_fields(org, "Activity")


def test_one_bad_component_rolls_all_back(org: Org) -> None:
    files = on("Account", "Good__c") | on("Nowhere__c", "Bad__c")
    members = ["Account.Good__c", "Nowhere__c.Bad__c"]
    result = deployed(org, package(files, CustomField=members))
    assert problems(result) == ["no CustomObject named Nowhere__c found"]
    assert "Good" not in stored_fields(org, "Account")
    partial = deployed(org, package(files, CustomField=members), rollbackOnError=False)
    assert (partial["status"], partial["numberComponentErrors"], partial["numberComponentsTotal"]) == (
        "SucceededPartial",
        1,
        2,
    )
    assert "Good" in stored_fields(org, "Account")


def test_a_validated_deploy_changes_nothing_until_it_is_deployed(org: Org) -> None:
    archive = package(on("Account", "Validated__c"), CustomField=["Account.Validated__c"])
    checked = deployed(org, archive, checkOnly=True)
    assert (checked["status"], checked["checkOnly"]) == ("Succeeded", True)
    assert "Validated" not in stored_fields(org, "Account")
    quick = org.http.post("/metadata/deployRequest", json={"validatedDeployRequestId": checked["id"]})
    assert finished(org, quick.json()["id"])["success"]
    assert "Validated" in stored_fields(org, "Account")
    wrong = org.http.post("/metadata/deployRequest", json={"validatedDeployRequestId": "0Af000000000000"})
    assert org.refusal(wrong)[:2] == (400, "INVALID_ID_FIELD")


def test_a_member_without_a_file_fails(org: Org) -> None:
    archive = package({}, CustomField=["Account.Absent__c"])
    assert "was named in package.xml, but was not found" in problems(deployed(org, archive))[0]
    assert deployed(org, archive, allowMissingFiles=True)["success"]


@pytest.mark.parametrize("archive", [b"no zip", package({})[:40]], ids=["other bytes", "half a zip"])
def test_what_is_no_package_fails_the_deploy(org: Org, archive: bytes) -> None:
    result = deployed(org, archive)
    assert (result["status"], result["errorStatusCode"]) == ("Failed", "INVALID_INPUT")


def test_a_permission_set_opens_fields(org: Org) -> None:
    opened = (
        f"<PermissionSet {SPACE}><label>Loader</label><hasActivationRequired>false</hasActivationRequired>"
        "<fieldPermissions><editable>true</editable><field>Account.{field}</field><readable>true</readable></fieldPermissions>"
        "<objectPermissions><allowCreate>true</allowCreate><allowDelete>false</allowDelete><allowEdit>true</allowEdit>"
        "<allowRead>true</allowRead><modifyAllRecords>false</modifyAllRecords><object>Account</object>"
        "<viewAllRecords>false</viewAllRecords></objectPermissions></PermissionSet>"
    )

    def with_field(field: str, **files: str) -> bytes:
        listed = {"permissionsets/Loader.permissionset": opened.replace("{field}", field), **files}
        return package(listed, PermissionSet=["Loader"], CustomField=["Account.Opened__c"] if files else [])

    assert problems(deployed(org, with_field("Nope__c"))) == [
        "In field: field - no CustomField named Account.Nope__c found"
    ]
    assert problems(deployed(org, with_field("Name"))) == ["You cannot deploy to a required field: Account.Name"]
    assert deployed(org, with_field("Opened__c", **on("Account", "Opened__c")))["success"]
    made = org.query("SELECT Id, Label FROM PermissionSet WHERE Name = 'Loader'")[0]
    fields = org.query(f"SELECT Field, PermissionsEdit FROM FieldPermissions WHERE ParentId = '{made['Id']}'")
    assert [(each["Field"], each["PermissionsEdit"]) for each in fields] == [("Account.Opened__c", True)]


def test_destructive_changes_take_away(org: Org) -> None:
    assert deployed(org, package(on("Account", "Doomed__c"), CustomField=["Account.Doomed__c"]))["success"]
    types = "<types><members>Account.Doomed__c</members><name>CustomField</name></types>"
    gone = deployed(org, package({"destructiveChanges.xml": f"<Package {SPACE}>{types}</Package>"}))
    assert [each["deleted"] for each in gone["details"]["componentSuccesses"]] == [True]
    assert "Doomed" not in stored_fields(org, "Account")


def test_a_waiting_deploy_can_be_cancelled(org: Org) -> None:
    org.admin.post("/speed", json={"deploy_seconds": 3_600})
    parts = {"file": ("p.zip", package({}), "application/zip"), "entity_content": (None, '{"deployOptions": {}}')}
    identity = org.http.post("/metadata/deployRequest", files=parts).json()["id"]
    assert org.http.get(f"/metadata/deployRequest/{identity}").json()["deployResult"]["status"] == "Pending"
    cancelled = org.http.patch(f"/metadata/deployRequest/{identity}", json={"deployResult": {"status": "Canceling"}})
    assert (cancelled.status_code, cancelled.json()["deployResult"]["status"]) == (202, "Canceled")
    org.admin.post("/speed", json={"deploy_seconds": 0})


# -- Tooling ------------------------------------------------------------------------------------------------------


def custom_field(name: str, **metadata: Any) -> dict[str, Any]:
    return {"FullName": name, "Metadata": {"label": "By Tooling", "type": "Text", "length": 40, **metadata}}


def test_tooling_makes_changes_and_deletes_a_field(org: Org) -> None:
    made = org.http.post("/tooling/sobjects/CustomField", json=custom_field("Contact.Tooling__c"))
    assert made.status_code == 201
    assert list(made.json()) == ["id", "success", "errors", "warnings", "infos"]
    path = f"/tooling/sobjects/CustomField/{made.json()['id']}"
    assert org.http.get(path).json()["FullName"] == "Contact.Tooling__c"
    again = org.http.post("/tooling/sobjects/CustomField", json=custom_field("Contact.Tooling__c"))
    assert org.refusal(again)[:2] == (400, "DUPLICATE_DEVELOPER_NAME")
    changed = custom_field("Contact.Tooling__c", length=80)
    assert org.http.patch(path, json=changed).status_code == 204
    soql = "SELECT DataType FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Contact' AND QualifiedApiName = 'Tooling__c'"
    assert org.query(soql, "tooling/query")[0]["DataType"] == "Text(80)"
    assert org.http.delete(path).status_code == 204
    assert "Tooling" not in stored_fields(org, "Contact")


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"type": "Checkbox", "length": None}, "Must specify 'defaultValue' for a CustomField of type Checkbox"),
        ({"length": None}, "Must specify 'length' for a CustomField of type Text"),
        ({"label": ""}, "Required field is missing: label"),
        ({"type": "Nonsense"}, "'Nonsense' is not a valid value for the enum 'FieldType'"),
        ({"type": "Picklist"}, "Must specify either valueSetName or valueSetDefinition"),
    ],
)
def test_a_field_that_cannot_be_is_refused(org: Org, metadata: dict[str, Any], text: str) -> None:
    refused = org.http.post("/tooling/sobjects/CustomField", json=custom_field("Contact.Wrong__c", **metadata))
    assert (refused.status_code, refused.json()[0]["message"]) == (400, text)


def test_tooling_has_objects_that_can_only_be_asked_for(org: Org) -> None:
    listed = {each["name"] for each in org.http.get("/tooling/sobjects").json()["sobjects"]}
    assert listed >= {"CustomField", "CustomObject", "EntityDefinition", "FieldDefinition"}
    assert org.http.get("/tooling/sobjects/CustomField/describe").json()["keyPrefix"] == "00N"
    assert org.http.post("/tooling/sobjects/CustomObject", json={}).status_code == 400
    assert org.http.get("/tooling/sobjects/Nothing/describe").status_code == 404
    soql = "SELECT QualifiedApiName, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'Contact'"
    assert org.query(soql, "tooling/query")[0]["KeyPrefix"] == "003"


# -- SOAP ---------------------------------------------------------------------------------------------------------


def soap(org: Org, body: str, session: str | None = None) -> httpx.Response:
    envelope = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:met="http://soap.sforce.com/2006/04/metadata">'
        f"<soapenv:Header><met:SessionHeader><met:sessionId>{session or org.card['access_token']}</met:sessionId>"
        f"</met:SessionHeader></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
    headers = {"Content-Type": "text/xml", "SOAPAction": '""'}
    return httpx.post(f"{org.card['url']}/services/Soap/m/62.0", content=envelope.encode(), headers=headers)


def found(answer: httpx.Response, name: str) -> list[str | None]:
    return [each.text for each in ET.fromstring(answer.content).iter() if each.tag.rpartition("}")[2] == name]


def test_soap_deploys_and_tells_the_status(org: Org) -> None:
    archive = base64.b64encode(package(on("Account", "Soap__c"), CustomField=["Account.Soap__c"])).decode()
    options = "<met:DeployOptions><met:rollbackOnError>true</met:rollbackOnError></met:DeployOptions>"
    begun = soap(org, f"<met:deploy><met:ZipFile>{archive}</met:ZipFile>{options}</met:deploy>")
    identity = str(found(begun, "id")[0])
    assert finished(org, identity)["success"]
    asked = f"<met:asyncProcessId>{identity}</met:asyncProcessId><met:includeDetails>true</met:includeDetails>"
    status = soap(org, f"<met:checkDeployStatus>{asked}</met:checkDeployStatus>")
    assert (found(status, "done"), found(status, "status")) == (["true"], ["Succeeded"])
    assert found(status, "fullName") == ["Account.Soap__c"]


def test_soap_makes_and_deletes_components_one_by_one(org: Org) -> None:
    field = (
        '<met:metadata xsi:type="met:CustomField"><met:fullName>Account.One__c</met:fullName><met:label>One</met:label>'
        "<met:type>{kind}</met:type><met:length>20</met:length></met:metadata>"
    )
    made = soap(org, f"<met:upsertMetadata>{field.format(kind='Text')}</met:upsertMetadata>")
    assert (found(made, "created"), found(made, "success"), found(made, "fullName")) == (
        ["true"],
        ["true"],
        ["Account.One__c"],
    )
    refused = soap(org, f"<met:createMetadata>{field.format(kind='Nope')}</met:createMetadata>")
    assert (found(refused, "success"), found(refused, "statusCode")) == (["false"], ["INVALID_TYPE"])
    deleted = "<met:deleteMetadata><met:type>CustomField</met:type><met:fullNames>Account.One__c</met:fullNames></met:deleteMetadata>"
    assert found(soap(org, deleted), "success") == ["true"]
    assert found(soap(org, deleted), "success") == ["false"]


def test_soap_tells_what_can_be_deployed_and_what_there_is(org: Org) -> None:
    described = soap(org, "<met:describeMetadata><met:asOfVersion>62.0</met:asOfVersion></met:describeMetadata>")
    assert {"CustomObject", "PermissionSet"} <= set(found(described, "xmlName"))
    listed = soap(
        org, "<met:listMetadata><met:queries><met:type>CustomField</met:type></met:queries></met:listMetadata>"
    )
    assert "Account.VP_Id__c" in found(listed, "fullName")
    assert set(found(listed, "type")) == {"CustomField"}


def test_soap_refuses_in_its_own_form(org: Org) -> None:
    refused = soap(org, "<met:describeMetadata/>", session="00D!wrong")
    assert (refused.status_code, found(refused, "faultcode")) == (500, ["sf:INVALID_SESSION_ID"])
    unknown = soap(org, "<met:retrieve/>")
    assert found(unknown, "faultstring") == ["UNKNOWN_EXCEPTION: No operation available for request retrieve"]
    broken = httpx.post(
        f"{org.card['url']}/services/Soap/m/62.0", content=b"<not xml", headers={"Content-Type": "text/xml"}
    )
    assert (broken.status_code, found(broken, "faultcode")) == (500, ["sf:UNKNOWN_EXCEPTION"])


# -- picklists ----------------------------------------------------------------------------------------------------


def values_of(org: Org, sobject: str, field: str) -> list[str]:
    return [each["value"] for each in fields_of(org, sobject)[field]["picklistValues"]]


def test_values_are_added_to_a_standard_picklist(org: Org) -> None:
    value = "<standardValue><fullName>Treatment Planned</fullName><default>false</default><label>Treatment Planned</label></standardValue>"
    files = {
        "standardValueSets/OpportunityStage.standardValueSet": f"<StandardValueSet {SPACE}>{value}</StandardValueSet>"
    }
    assert deployed(org, package(files, StandardValueSet=["OpportunityStage"]))["success"]
    assert {"Treatment Planned", "Closed Won"} <= set(values_of(org, "Opportunity", "StageName"))
    wrong = {"standardValueSets/Nothing.standardValueSet": f"<StandardValueSet {SPACE}>{value}</StandardValueSet>"}
    text = "'Nothing' is not a valid value for the enum 'StandardValueSetName'"
    assert problems(deployed(org, package(wrong, StandardValueSet=["Nothing"]))) == [text]


def test_a_custom_picklist_gets_another_value_when_it_is_deployed_again(org: Org) -> None:
    def picklist(*values: str) -> dict[str, str]:
        listed = "".join(f"<value><fullName>{each}</fullName><label>{each}</label></value>" for each in values)
        field = (
            "<fields><fullName>Choice__c</fullName><label>Choice</label><type>Picklist</type><valueSet><restricted>true"
            f"</restricted><valueSetDefinition>{listed}</valueSetDefinition></valueSet></fields>"
        )
        return {"objects/Account.object": f"<CustomObject {SPACE}>{field}</CustomObject>"}

    for values in (("A", "B"), ("A", "B", "C")):
        assert deployed(org, package(picklist(*values), CustomField=["Account.Choice__c"]))["success"]
        assert values_of(org, "Account", "Choice__c") == list(values)
    refused = org.http.post("/sobjects/Account", json={"Name": "X", "Choice__c": "D"})
    assert org.refusal(refused)[:2] == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
