"""What an org does with what it is given: dates of events, deletes, permissions, rules of its administrator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org


@pytest.fixture(scope="module")
def own() -> Iterator[SandboxProcess]:
    """An org whose settings these tests may turn."""
    with SandboxProcess.start(only="salesforce", org_rows=10) as process:
        yield process


@pytest.fixture
def org(own: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> Iterator[Org]:
    made = connect(own)
    before = made.admin.get("/settings").json()
    yield made
    made.admin.post("/settings", json=before).raise_for_status()
    made.admin.delete("/rules").raise_for_status()


def create(org: Org, sobject: str, **values: Any) -> httpx.Response:
    return org.http.post(f"/sobjects/{sobject}", json=values)


def made(org: Org, sobject: str, **values: Any) -> str:
    answer = create(org, sobject, **values)
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["id"]
    return identity


def read(org: Org, sobject: str, identity: str) -> dict[str, Any]:
    record: dict[str, Any] = org.http.get(f"/sobjects/{sobject}/{identity}").raise_for_status().json()
    return record


def granted(org: Org, **permissions: bool) -> str:
    """A permission set of the caller with these special permissions."""
    label = "".join(permissions) or "Fields"
    name = f"{label}_{len(org.query('SELECT Id FROM PermissionSet', 'queryAll'))}"
    identity = made(org, "PermissionSet", Name=name, Label=label, **permissions)
    me = httpx.get(f"{org.card['url']}/services/oauth2/userinfo", headers=dict(org.http.headers)).json()["user_id"]
    made(org, "PermissionSetAssignment", PermissionSetId=identity, AssigneeId=me)
    return identity


# -- events -------------------------------------------------------------------------------------------------------------

AT = "2026-03-02T09:00:00.000+0000"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"StartDateTime": AT, "DurationInMinutes": 90},
            {"EndDateTime": "2026-03-02T10:30:00.000+0000", "ActivityDateTime": AT, "ActivityDate": "2026-03-02"},
        ),
        (
            {"ActivityDateTime": AT, "EndDateTime": "2026-03-02T09:15:00Z"},
            {"DurationInMinutes": 15, "StartDateTime": AT},
        ),
        (
            {"StartDateTime": AT, "EndDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 60},
            {"EndDate": "2026-03-02"},
        ),
        (
            {"IsAllDayEvent": True, "ActivityDate": "2026-03-02"},
            {"DurationInMinutes": 1440, "StartDateTime": "2026-03-02T00:00:00.000+0000", "EndDate": "2026-03-02"},
        ),
    ],
)
def test_the_dates_of_an_event_complete_each_other(org: Org, given: dict[str, Any], expected: dict[str, Any]) -> None:
    record = read(org, "Event", made(org, "Event", Subject="Visit", **given))
    assert {name: record[name] for name in expected} == expected
    assert (record["IsChild"], record["ShowAs"], record["EventSubtype"]) == (False, "Busy", "Event")


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"Subject": "x"}, "REQUIRED_FIELD_MISSING", "StartDateTime"),
        ({"StartDateTime": AT}, "REQUIRED_FIELD_MISSING", "EndDateTime"),
        ({"StartDateTime": AT, "EndDateTime": "2026-03-02T08:00:00Z"}, "FIELD_INTEGRITY_EXCEPTION", "EndDateTime"),
        (
            {"StartDateTime": AT, "EndDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 30},
            "FIELD_INTEGRITY_EXCEPTION",
            "EndDateTime",
        ),
        (
            {"StartDateTime": AT, "ActivityDateTime": "2026-03-03T09:00:00Z", "DurationInMinutes": 30},
            "FIELD_INTEGRITY_EXCEPTION",
            "StartDateTime",
        ),
        ({"StartDateTime": AT, "DurationInMinutes": 1441}, "FIELD_INTEGRITY_EXCEPTION", "EndDateTime"),
        ({"IsAllDayEvent": True}, "REQUIRED_FIELD_MISSING", "ActivityDate"),
    ],
)
def test_dates_that_do_not_go_together_are_refused(org: Org, given: dict[str, Any], code: str, field: str) -> None:
    answer = create(org, "Event", **given)
    assert (answer.status_code, answer.json()[0]["errorCode"], answer.json()[0]["fields"]) == (400, code, [field])


def test_longer_events_need_multiday_events(org: Org) -> None:
    org.admin.post("/settings", json={"multiday_events": True})
    identity = made(org, "Event", StartDateTime=AT, DurationInMinutes=2 * 1440)
    assert read(org, "Event", identity)["EndDate"] == "2026-03-04"


def test_moving_an_event_keeps_its_length(org: Org) -> None:
    identity = made(org, "Event", StartDateTime=AT, DurationInMinutes=30)
    org.http.patch(f"/sobjects/Event/{identity}", json={"StartDateTime": "2026-03-05T12:00:00Z"}).raise_for_status()
    assert read(org, "Event", identity)["EndDateTime"] == "2026-03-05T12:30:00.000+0000"
    org.http.patch(f"/sobjects/Event/{identity}", json={"Subject": "this", "EndDateTime": None}).raise_for_status()
    assert read(org, "Event", identity)["EndDateTime"] == "2026-03-05T12:30:00.000+0000"


def test_an_event_knows_the_account_of_whom_it_is_with(org: Org) -> None:
    account = made(org, "Account", Name="Practice")
    contact = made(org, "Contact", LastName="Patient", AccountId=account)
    identity = made(org, "Event", StartDateTime=AT, DurationInMinutes=30, WhoId=contact)
    assert read(org, "Event", identity)["AccountId"] == account
    refused = create(org, "Event", StartDateTime=AT, DurationInMinutes=30, AccountId=account)
    assert org.refusal(refused)[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_archived_events_show_in_query_all_only(org: Org) -> None:
    identity = made(org, "Event", StartDateTime="2019-03-02T09:00:00Z", DurationInMinutes=30)
    assert org.admin.post("/archive", json={"before": "2020-01-01"}).json()["archived"] >= 1
    soql = f"SELECT IsArchived FROM Event WHERE Id = '{identity}'"
    assert org.query(soql) == []
    assert org.query(soql, "queryAll")[0]["IsArchived"] is True


# -- deletes ------------------------------------------------------------------------------------------------------------


def test_a_case_holds_its_account_back(org: Org) -> None:
    account = made(org, "Account", Name="Held")
    case = made(org, "Case", AccountId=account, Subject="Open")
    status, code, text = org.refusal(org.http.delete(f"/sobjects/Account/{account}"))
    assert (status, code) == (400, "DELETE_FAILED")
    assert text.startswith("Your attempt to delete Held could not be completed because it is associated with")
    assert org.http.delete(f"/sobjects/Case/{case}").status_code == 204
    assert org.http.delete(f"/sobjects/Account/{account}").status_code == 204


def test_an_undelete_brings_back_what_went_along_and_the_lookups_that_were_emptied(org: Org) -> None:
    account, other = made(org, "Account", Name="Root"), made(org, "Contact", LastName="Reporter")
    contact = made(org, "Contact", LastName="Along", AccountId=account)
    org.http.patch(f"/sobjects/Contact/{other}", json={"ReportsToId": contact})
    event = made(org, "Event", StartDateTime=AT, DurationInMinutes=30, WhoId=contact)
    opportunity = made(org, "Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-01", AccountId=account)
    role = made(org, "OpportunityContactRole", OpportunityId=opportunity, ContactId=contact)
    org.http.delete(f"/sobjects/Account/{account}").raise_for_status()
    for sobject, identity in (("Contact", contact), ("Event", event), ("Opportunity", opportunity)):
        assert org.http.get(f"/sobjects/{sobject}/{identity}").status_code == 404
    assert read(org, "Contact", other)["ReportsToId"] is None
    assert org.query(f"SELECT Id FROM OpportunityContactRole WHERE Id = '{role}'") == []
    assert org.admin.post("/undelete", json={"ids": [account]}).json()["undeleted"] == 5
    assert read(org, "Event", event)["WhoId"] == contact
    assert read(org, "Contact", other)["ReportsToId"] == contact
    assert org.query(f"SELECT Id FROM OpportunityContactRole WHERE Id = '{role}'")


def test_objects_refuse_what_they_do_not_support(org: Org) -> None:
    person = org.query("SELECT Id FROM User LIMIT 1")[0]["Id"]
    status, code, text = org.refusal(org.http.delete(f"/sobjects/User/{person}"))
    assert (status, code, text) == (400, "INVALID_TYPE_FOR_OPERATION", "entity type User does not support delete")


# -- accounts of contacts ------------------------------------------------------------------------------------------------


def test_saving_a_contact_makes_its_direct_relation_when_contacts_may_have_several_accounts(org: Org) -> None:
    assert org.http.get("/sobjects/AccountContactRelation/describe").status_code == 404
    known = org.query("SELECT Id FROM Contact WHERE AccountId != null")
    org.admin.post("/settings", json={"contacts_to_multiple_accounts": True})
    assert org.http.get("/sobjects/AccountContactRelation/describe").json()["keyPrefix"] == "07k"
    assert len(org.query("SELECT Id FROM AccountContactRelation WHERE IsDirect = true")) == len(known) > 0
    first, second = (made(org, "Account", Name=name) for name in ("First", "Second"))
    contact = made(org, "Contact", LastName="Two places", AccountId=first)
    soql = f"SELECT Id, AccountId, IsDirect FROM AccountContactRelation WHERE ContactId = '{contact}'"
    direct = org.query(soql)
    assert [(each["AccountId"], each["IsDirect"]) for each in direct] == [(first, True)]
    made(org, "AccountContactRelation", AccountId=second, ContactId=contact)
    again = create(org, "AccountContactRelation", AccountId=second, ContactId=contact)
    assert org.refusal(again)[1] == "DUPLICATE_VALUE"
    assert org.refusal(org.http.delete(f"/sobjects/AccountContactRelation/{direct[0]['Id']}"))[0] == 400
    same = {"AccountId": first, "Title": "As before"}
    org.http.patch(f"/sobjects/Contact/{contact}", json=same).raise_for_status()
    assert {each["AccountId"]: each["IsDirect"] for each in org.query(soql)} == {first: True, second: False}
    org.http.patch(f"/sobjects/Contact/{contact}", json={"AccountId": second}).raise_for_status()
    assert [(each["AccountId"], each["IsDirect"]) for each in org.query(soql)] == [(second, True)]


# -- permissions ---------------------------------------------------------------------------------------------------------


def test_audit_fields_need_the_setting_and_the_permission_and_are_for_creation_only(org: Org) -> None:
    old = {"CreatedDate": "2015-01-02T03:04:05Z", "LastModifiedDate": "2016-01-02T03:04:05Z"}
    assert org.refusal(create(org, "Contact", LastName="Early", **old))[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    granted(org, PermissionsCreateAuditFields=True)
    assert org.refusal(create(org, "Contact", LastName="Early", **old))[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    org.admin.post("/settings", json={"audit_fields": True})
    identity = made(org, "Contact", LastName="Early", **old)
    assert read(org, "Contact", identity)["CreatedDate"] == "2015-01-02T03:04:05.000+0000"
    assert read(org, "Contact", identity)["SystemModstamp"] > "2026"
    described = org.http.get("/sobjects/Contact/describe").json()["fields"]
    assert {each["name"]: each["createable"] for each in described}["CreatedDate"] is True
    changed = org.http.patch(f"/sobjects/Contact/{identity}", json={"CreatedDate": "2014-01-01T00:00:00Z"})
    assert org.refusal(changed)[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    future = create(org, "Contact", LastName="Late", CreatedDate="2999-01-01T00:00:00Z")
    assert org.refusal(future)[1] == "FIELD_INTEGRITY_EXCEPTION"
    backwards = {"CreatedDate": old["LastModifiedDate"], "LastModifiedDate": old["CreatedDate"]}
    assert org.refusal(create(org, "Contact", LastName="Back", **backwards))[1] == "FIELD_INTEGRITY_EXCEPTION"


def test_inactive_owners_need_the_setting_and_the_permission(org: Org) -> None:
    inactive = org.query("SELECT Id FROM User WHERE IsActive = false LIMIT 1")[0]["Id"]
    granted(org, PermissionsUpdateWithInactiveOwner=True)
    assert org.refusal(create(org, "Contact", LastName="Owned", OwnerId=inactive))[1] == "INACTIVE_OWNER_OR_USER"
    org.admin.post("/settings", json={"inactive_owners": True})
    made(org, "Contact", LastName="Owned", OwnerId=inactive)


def test_a_user_of_another_kind_owns_nothing(org: Org) -> None:
    other = org.query("SELECT Id FROM User WHERE UserType != 'Standard' AND IsActive = true")[0]["Id"]
    refused = create(org, "Contact", LastName="Owned", OwnerId=other)
    text = "Operation not valid for this user type"
    assert org.refusal(refused)[1:] == ("OP_WITH_INVALID_USER_TYPE_EXCEPTION", text)


def test_a_field_that_was_deployed_is_not_there_until_a_permission_set_opens_it(org: Org) -> None:
    org.admin.post("/settings", json={"field_level_security": True})
    given = {"object": "Contact", "name": "Guarded__c", "type": "Text", "length": 20, "guarded": True}
    org.admin.post("/fields", json=given).raise_for_status()

    def described() -> dict[str, Any]:
        fields = org.http.get("/sobjects/Contact/describe").json()["fields"]
        return {each["name"]: each["updateable"] for each in fields}

    assert "Guarded__c" not in described()
    assert org.refusal(create(org, "Contact", LastName="G", Guarded__c="x"))[1] == "INVALID_FIELD"
    refused = org.http.get("/query", params={"q": "SELECT Guarded__c FROM Contact"})
    assert org.refusal(refused)[1] == "INVALID_FIELD"
    job = org.finished(org.job("LastName,Guarded__c\nG,x\n", operation="insert", externalIdFieldName=None))
    assert (job["state"], job["errorMessage"]) == ("Failed", "InvalidBatch : Field name not found : Guarded__c")
    permission_set = granted(org)
    opened = {"ParentId": permission_set, "SobjectType": "Contact", "Field": "Contact.Guarded__c"}
    grant = made(org, "FieldPermissions", PermissionsRead=True, PermissionsEdit=False, **opened)
    assert described()["Guarded__c"] is False
    assert org.refusal(create(org, "Contact", LastName="G", Guarded__c="x"))[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    org.http.patch(f"/sobjects/FieldPermissions/{grant}", json={"PermissionsEdit": True}).raise_for_status()
    made(org, "Contact", LastName="G", Guarded__c="x")


def test_only_what_can_be_hidden_is_granted_and_a_set_is_assigned_once(org: Org) -> None:
    permission_set = granted(org)
    me = org.query(f"SELECT AssigneeId FROM PermissionSetAssignment WHERE PermissionSetId = '{permission_set}'")[0]
    twice = create(org, "PermissionSetAssignment", PermissionSetId=permission_set, AssigneeId=me["AssigneeId"])
    assert org.refusal(twice)[1] == "DUPLICATE_VALUE"
    for field in ("Contact.LastName", "Contact.Nope__c", "Nothing.Name"):
        opened = {"ParentId": permission_set, "SobjectType": field.partition(".")[0], "Field": field}
        refused = create(org, "FieldPermissions", PermissionsRead=True, **opened)
        text = f"Field Name: bad value for restricted picklist field: {field}"
        assert org.refusal(refused)[1:] == ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text)


# -- what an administrator built -----------------------------------------------------------------------------------------


def test_a_validation_rule_refuses_the_rows_that_fit_and_no_other(org: Org) -> None:
    rule = {"kind": "validation", "object": "Contact", "when": "Email = null", "message": "An e-mail is needed"}
    org.admin.post("/rules", json=rule | {"error_field": "Email"}).raise_for_status()
    outcomes = org.upsert(
        "Contact", {"VP_Id__c": "v:1", "LastName": "A", "Email": "a@mail.example"}, {"VP_Id__c": "v:2", "LastName": "B"}
    )
    assert [each["success"] for each in outcomes] == [True, False]
    assert outcomes[1]["errors"] == [
        {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "An e-mail is needed", "fields": ["Email"]}
    ]
    assert org.query("SELECT Id FROM Contact WHERE VP_Id__c = 'v:2'") == []
    assert org.admin.post("/rules", json=rule | {"when": "Nothing = 1"}).status_code == 400


def test_a_duplicate_rule_that_alerts_is_passed_by_its_header_and_one_that_blocks_is_not(org: Org) -> None:
    made(org, "Contact", LastName="Known", Email="known@mail.example")
    again = {"LastName": "Known", "Email": "known@mail.example"}
    rule = {"kind": "duplicate", "object": "Contact", "match": ["LastName", "Email"]}
    org.admin.post("/rules", json=rule | {"action": "alert"}).raise_for_status()
    assert org.refusal(create(org, "Contact", **again))[1:] == ("DUPLICATES_DETECTED", "Use one of these records?")
    allowing = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true"}
    assert org.http.post("/sobjects/Contact", json=again, headers=allowing).status_code == 201
    org.admin.delete("/rules")
    org.admin.post("/rules", json=rule).raise_for_status()
    blocked = org.http.post("/sobjects/Contact", json=again, headers=allowing)
    assert org.refusal(blocked)[2].startswith("You're creating a duplicate record")


def test_automations_change_other_fields_and_make_rows_nobody_asked_for(org: Org) -> None:
    org.admin.post(
        "/rules",
        json={"kind": "update", "object": "Contact", "when": "Title = 'x'", "set": {"Department": "=LastName"}},
    ).raise_for_status()
    junk = {
        "kind": "create",
        "object": "Contact",
        "when": "AccountId = null",
        "creates": "Account",
        "link": "AccountId",
    }
    org.admin.post("/rules", json=junk | {"record": {"Name": "=LastName"}}).raise_for_status()
    record = read(org, "Contact", made(org, "Contact", LastName="Triggered", Title="x"))
    assert record["Department"] == "Triggered"
    assert read(org, "Account", record["AccountId"])["Name"] == "Triggered"


def test_opportunities_and_their_products_work_out_what_follows(org: Org) -> None:
    standard = org.query("SELECT Id FROM Pricebook2 WHERE IsStandard = true")[0]["Id"]
    own = made(org, "Pricebook2", Name="Own", IsActive=True)
    product = made(org, "Product2", Name="Physiotherapy", ProductCode="PT", IsActive=True)
    early = create(org, "PricebookEntry", Pricebook2Id=own, Product2Id=product, UnitPrice=1)
    assert org.refusal(early)[1] == "STANDARD_PRICE_NOT_DEFINED"
    entry = made(org, "PricebookEntry", Pricebook2Id=standard, Product2Id=product, UnitPrice=80, IsActive=True)
    opportunity = made(org, "Opportunity", Name="O", StageName="Closed Won", CloseDate="2026-05-01", Amount=200)
    shown = read(org, "Opportunity", opportunity)
    assert (shown["Probability"], shown["IsWon"], shown["ForecastCategory"], shown["Fiscal"]) == (
        100,
        True,
        "Closed",
        "2026 2",
    )
    item = made(org, "OpportunityLineItem", OpportunityId=opportunity, PricebookEntryId=entry, Quantity=3)
    shown = read(org, "OpportunityLineItem", item)
    assert (shown["TotalPrice"], shown["Product2Id"], shown["Name"]) == (240, product, "Physiotherapy")


def test_cases_and_custom_objects_are_numbered_and_named(org: Org) -> None:
    numbers = [read(org, "Case", made(org, "Case", Subject="x"))["CaseNumber"] for _ in range(2)]
    assert int(numbers[1]) == int(numbers[0]) + 1
    assert len(numbers[0]) == 8
    org.admin.post("/objects", json={"name": "Ruled_Visit__c", "name_format": "V-{0000}"}).raise_for_status()
    org.admin.post("/objects", json={"name": "Ruled_Plain__c"}).raise_for_status()
    assert read(org, "Ruled_Visit__c", made(org, "Ruled_Visit__c"))["Name"] == "V-0001"
    plain = made(org, "Ruled_Plain__c")
    assert read(org, "Ruled_Plain__c", plain)["Name"] == plain
