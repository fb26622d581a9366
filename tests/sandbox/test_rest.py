from __future__ import annotations

import gzip
from typing import Any

import httpx
import orjson
import pytest

from tests.sandbox.conftest import Org

FIELD_KEYS = 57
OBJECT_KEYS = 45


def contact(org: Org, **values: Any) -> httpx.Response:
    return org.http.post("/sobjects/Contact", json={"LastName": "Test", **values})


def test_login_gives_a_token_that_works(org: Org) -> None:
    url = f"{org.card['url']}/services/oauth2/token"
    grant = {"grant_type": "client_credentials"}
    answer = httpx.post(url, data=grant, auth=(org.card["client_id"], org.card["client_secret"])).json()
    assert answer["access_token"].startswith("00D")
    assert answer["instance_url"] == org.card["url"]
    assert answer["token_type"] == "Bearer"
    assert answer["issued_at"].isdigit()
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    assert org.http.get("/limits", headers=bearer).status_code == 200
    refused = httpx.post(url, data=grant, auth=("x", "y"))
    assert refused.status_code == 400
    assert refused.json() == {"error": "invalid_client", "error_description": "invalid client credentials"}


def test_no_token_no_answer(org: Org) -> None:
    answer = org.http.get("/limits", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_every_answer_counts_and_tells_the_limit(org: Org) -> None:
    used = [int(org.http.get("/limits").headers["Sforce-Limit-Info"].split("=")[1].split("/")[0]) for _ in range(2)]
    assert used[1] == used[0] + 1


def test_a_describe_has_the_shape_of_the_real_one(org: Org) -> None:
    for name in ("Account", "Contact", "User", "Event", "Opportunity"):
        described = org.http.get(f"/sobjects/{name}/describe").json()
        assert len(described) == OBJECT_KEYS
        assert {len(field) for field in described["fields"]} == {FIELD_KEYS}
    fields = {field["name"]: field for field in org.http.get("/sobjects/Contact/describe").json()["fields"]}
    assert (fields["LastName"]["nillable"], fields["LastName"]["length"]) == (False, 80)
    assert (fields["VP_Id__c"]["externalId"], fields["VP_Id__c"]["unique"], fields["VP_Id__c"]["caseSensitive"]) == (
        True,
    ) * 3
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert not fields["Name"]["createable"]
    assert {each["name"] for each in org.http.get("/sobjects").json()["sobjects"]} >= {"Account", "Contact", "User"}


def test_a_record_lives_from_create_to_delete(org: Org) -> None:
    made = contact(org, FirstName="Ada", Email="ada@mail.example", MailingCity="Leeds")
    assert made.status_code == 201
    identity = made.json()["id"]
    assert made.headers["Location"].endswith(identity)
    record = org.http.get(f"/sobjects/Contact/{identity}").json()
    assert (record["Name"], record["MailingAddress"]["city"], record["IsDeleted"]) == ("Ada Test", "Leeds", False)
    assert org.http.patch(f"/sobjects/Contact/{identity[:15]}", json={"FirstName": None}).status_code == 204
    assert org.http.get(f"/sobjects/Contact/{identity}", params={"fields": "Name"}).json()["Name"] == "Test"
    assert org.http.delete(f"/sobjects/Contact/{identity}").status_code == 204
    assert org.http.get(f"/sobjects/Contact/{identity}").status_code == 404
    assert org.query(f"SELECT IsDeleted FROM Contact WHERE Id = '{identity}'", "queryAll")[0]["IsDeleted"] is True


def test_upsert_by_external_id_creates_then_updates(org: Org) -> None:
    answers = [org.http.patch("/sobjects/Account/VP_Id__c/once", json={"Name": name}) for name in ("A", "B")]
    assert [(answer.status_code, answer.json()["created"]) for answer in answers] == [(201, True), (200, False)]
    assert org.http.get("/sobjects/Account/VP_Id__c/once").json()["Name"] == "B"
    missing = org.http.patch("/sobjects/Account/Nothing__c/once", json={"Name": "A"})
    assert org.refusal(missing)[:2] == (404, "NOT_FOUND")


def test_an_ambiguous_key_answers_300_with_the_choices(org: Org) -> None:
    for _ in range(2):
        contact(org, Email="twice@mail.example")
    answer = org.http.get("/sobjects/Contact/Email/twice@mail.example")
    assert answer.status_code == 300
    assert len(answer.json()) == 2


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"LastName": None}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]"),
        ({"LastName": "  "}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]"),
        ({"Foo__c": "x"}, "INVALID_FIELD", "No such column 'Foo__c' on sobject of type Contact"),
        ({"FirstName": "x" * 41}, "STRING_TOO_LONG", f"First Name: data value too large: {'x' * 41} (max length=40)"),
        ({"Email": "n/a"}, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: n/a"),
        ({"Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: Name."),
        ({"AccountId": "nonsense"}, "MALFORMED_ID", "Account ID: id value of incorrect type: nonsense"),
        ({"AccountId": "0035f0000000000AAA"}, "MALFORMED_ID", "Account ID: id value of incorrect type"),
        ({"AccountId": "0015fzzzzzzzzzz"}, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
        ({"Birthdate": "1990-13-01"}, "JSON_PARSER_ERROR", "Cannot deserialize instance of date from VALUE_STRING"),
        (
            {"Birthdate": "0001-01-01"},
            "FIELD_INTEGRITY_EXCEPTION",
            "Birthdate: invalid date: Mon Jan 01 00:00:00 GMT 1",
        ),
        ({"LastName": 5}, "JSON_PARSER_ERROR", "Cannot deserialize instance of string from VALUE_NUMBER_INT value 5"),
        ({"Description": "a\x00b"}, "INVALID_FIELD", "Contact Description: value contains a character"),
        (
            {"Account": {"VP_Id__c": "nobody"}},
            "INVALID_FIELD",
            "Foreign key external ID: nobody not found for field VP_Id__c",
        ),
    ],
)
def test_a_bad_value_is_refused_in_salesforces_words(org: Org, values: dict[str, Any], code: str, text: str) -> None:
    answer = contact(org, **values)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == code
    assert answer.json()[0]["message"].startswith(text)


def test_values_are_stored_as_salesforce_stores_them(org: Org) -> None:
    made = contact(
        org,
        FirstName="  Zoë ",
        MiddleName="",
        VP_Modified_At__c="2026-01-02T03:04:05.678+02:00",
        Description="kept\ninside",
        DoNotCall=True,
    ).json()
    record = org.http.get(f"/sobjects/Contact/{made['id']}").json()
    assert (record["FirstName"], record["MiddleName"], record["Description"]) == ("Zoë", None, "kept\ninside")
    assert (record["VP_Modified_At__c"], record["DoNotCall"]) == ("2026-01-02T01:04:05.000+0000", True)


def test_a_unique_value_is_taken_once_whatever_its_case(org: Org) -> None:
    first = contact(org, VP_Id__c="unique:a").json()["id"]
    second = contact(org, VP_Id__c="unique:a")
    text = f"duplicate value found: VP_Id__c duplicates value on record with id: {first}"
    assert org.refusal(second) == (400, "DUPLICATE_VALUE", text)
    assert contact(org, VP_Id__c="unique:A").status_code == 201
    org.http.delete(f"/sobjects/Contact/{first}")
    assert contact(org, VP_Id__c="unique:a").status_code == 201


def test_an_inactive_owner_is_refused(org: Org) -> None:
    inactive = org.query("SELECT Id FROM User WHERE IsActive = false LIMIT 1")[0]["Id"]
    assert org.refusal(contact(org, OwnerId=inactive))[1] == "INACTIVE_OWNER_OR_USER"


def test_deleting_an_account_takes_its_contacts_along_and_leaves_its_children_without_parent(org: Org) -> None:
    parent, child = (
        each["id"] for each in org.upsert("Account", {"VP_Id__c": "c:1", "Name": "P"}, {"VP_Id__c": "c:2", "Name": "C"})
    )
    org.http.patch(f"/sobjects/Account/{child}", json={"ParentId": parent})
    person = contact(org, AccountId=parent).json()["id"]
    assert org.http.delete("/composite/sobjects", params={"ids": parent}).json()[0]["success"] is True
    assert org.query(f"SELECT Id FROM Contact WHERE Id = '{person}'") == []
    assert org.http.get(f"/sobjects/Account/{child}").json()["ParentId"] is None
    again = org.http.delete("/composite/sobjects", params={"ids": parent}).json()[0]["errors"][0]
    assert again["statusCode"] == "ENTITY_IS_DELETED"
    assert org.refusal(contact(org, AccountId=parent))[1] == "ENTITY_IS_DELETED"


def test_a_collection_answers_in_order_with_an_error_per_row(org: Org) -> None:
    outcomes = org.upsert(
        "Account", {"VP_Id__c": "k:1", "Name": "A"}, {"VP_Id__c": "k:2"}, {"VP_Id__c": "k:3", "Name": "C"}
    )
    assert [(each["success"], each.get("created")) for each in outcomes] == [(True, True), (False, False), (True, True)]
    missing = {
        "statusCode": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [Name]",
        "fields": ["Name"],
    }
    assert outcomes[1]["errors"] == [missing]
    doubled = org.upsert("Account", *({"VP_Id__c": "k:9", "Name": name} for name in "AB"))
    assert {each["errors"][0]["message"] for each in doubled} == {"Duplicate external id specified: k:9"}


def test_all_or_none_rolls_the_others_back(org: Org) -> None:
    outcomes = org.upsert("Account", {"VP_Id__c": "n:1", "Name": "A"}, {"VP_Id__c": "n:2"}, allOrNone=True)
    assert [each["errors"][0]["statusCode"] for each in outcomes] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert org.query("SELECT Id FROM Account WHERE VP_Id__c = 'n:1'") == []


def test_a_collection_is_read_back_in_the_order_of_the_ids(org: Org) -> None:
    ids = [each["id"] for each in org.upsert("Account", *({"VP_Id__c": f"r:{n}", "Name": str(n)} for n in range(3)))]
    wanted = {"ids": [ids[2], "0015fzzzzzzzzzz", ids[0]], "fields": ["Name", "VP_Id__c"]}
    found = org.http.post("/composite/sobjects/Account", json=wanted).json()
    assert [each and each["Name"] for each in found] == ["2", None, "0"]
    assert org.http.post("/composite/sobjects/Account", json={"ids": ids * 700, "fields": ["Id"]}).status_code == 400


def test_more_than_200_records_are_refused(org: Org) -> None:
    body = {"records": [{"attributes": {"type": "Account"}, "Name": "x"}] * 201}
    assert org.http.post("/composite/sobjects", json=body).status_code == 400


def test_a_custom_field_can_be_added_and_used(org: Org) -> None:
    given = {"object": "Contact", "name": "Shoe_Size__c", "type": "Number", "precision": 4, "scale": 1}
    assert org.admin.post("/fields", json=given).status_code == 201
    identity = contact(org, Shoe_Size__c=42.5).json()["id"]
    assert org.http.get(f"/sobjects/Contact/{identity}").json()["Shoe_Size__c"] == 42.5


def test_versions_that_salesforce_no_longer_serves_are_not_found(org: Org) -> None:
    assert org.http.get(f"{org.card['url']}/services/data/v20.0/limits").status_code == 404
    assert {each["version"] for each in httpx.get(f"{org.card['url']}/services/data").json()} >= {"58.0", "66.0"}


def test_the_dump_and_the_counts_agree(org: Org) -> None:
    dump = org.admin.get("/dump", params={"sObjects": "Contact"}).json()["Contact"]
    live = [record for record in dump if not record["IsDeleted"]]
    counted = org.http.get("/limits/recordCount", params={"sObjects": "Contact,Nothing"}).json()["sObjects"]
    assert counted == [{"count": len(live), "name": "Contact"}]
    assert "Contact insert" in org.admin.get("/stats").json()["rows_written"]


# -- what the protocol has around the records ---------------------------------------------------------------------------


def test_the_limits_have_the_43_names_of_a_real_answer(org: Org) -> None:
    limits = org.http.get("/limits").json()
    assert len(limits) == 43
    assert limits.keys() >= {
        *("DailyApiRequests", "DailyBulkApiBatches", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"),
        *("DataStorageMB", "FileStorageMB", "HourlyPublishedPlatformEvents", "PermissionSets", "SingleEmail"),
    }
    for name, limit in limits.items():
        assert {"Max", "Remaining"} <= limit.keys(), name
        assert type(limit["Max"]) is type(limit["Remaining"]) is int, name
    assert limits["PermissionSets"]["CreateCustom"].keys() == {"Max", "Remaining"}


def test_each_version_tells_its_resources(org: Org) -> None:
    listed = httpx.get(f"{org.card['url']}/services/data").json()
    assert {"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"} in listed
    for version in range(58, 67):
        resources = org.http.get(f"{org.card['url']}/services/data/v{version}.0").json()
        assert resources["sobjects"] == f"/services/data/v{version}.0/sobjects"
        assert resources["identity"].startswith(f"{org.card['url']}/id/00D")


def test_pretty_printing_puts_blanks_before_colons(org: Org) -> None:
    plain = org.http.get("/limits/recordCount", params={"sObjects": "Organization"})
    assert plain.text == '{"sObjects":[{"count":1,"name":"Organization"}]}'
    pretty = org.http.get("/limits/recordCount", params={"sObjects": "Organization"}, headers={"X-PrettyPrint": "1"})
    assert pretty.text == '{\n  "sObjects" : [ {\n    "count" : 1,\n    "name" : "Organization"\n  } ]\n}'


def test_bodies_are_compressed_both_ways(org: Org) -> None:
    body = gzip.compress(orjson.dumps({"LastName": "Squeezed"}))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert org.http.post("/sobjects/Contact", content=body, headers=headers).status_code == 201
    assert org.http.get("/sobjects/Contact/describe").headers["Content-Encoding"] == "gzip"
    plain = org.http.get("/sobjects/Contact/describe", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers


def test_an_account_is_read_again_only_when_it_changed(org: Org) -> None:
    identity = org.http.post("/sobjects/Account", json={"Name": "Tagged"}).json()["id"]
    first = org.http.get(f"/sobjects/Account/{identity}")
    known = {"If-None-Match": first.headers["ETag"]}
    again = org.http.get(f"/sobjects/Account/{identity}", headers=known)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert org.http.get(f"/sobjects/Account/{identity}", headers=since).status_code == 304
    stale = org.http.patch(f"/sobjects/Account/{identity}", json={"Site": "x"}, headers={"If-Match": '"other"'})
    assert (stale.status_code, stale.json()[0]["errorCode"]) == (412, "PRECONDITION_FAILED")
    own = {"If-Match": first.headers["ETag"]}
    assert org.http.patch(f"/sobjects/Account/{identity}", json={"Site": "x"}, headers=own).status_code == 204
    early = {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}
    assert org.http.delete(f"/sobjects/Account/{identity}", headers=early).status_code == 412


def test_describes_are_sent_again_only_when_they_changed(org: Org) -> None:
    for path in ("/sobjects", "/sobjects/Contact/describe"):
        first = org.http.get(path)
        since = {"If-Modified-Since": first.headers["Last-Modified"]}
        assert org.http.get(path, headers=since).status_code == 304
        assert org.http.get(path, headers={"If-Modified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/sobjects/Nothing", {}, 404, "NOT_FOUND"),
        ("GET", "/nowhere", {}, 404, "NOT_FOUND"),
        ("PUT", "/sobjects/Contact", {}, 405, "METHOD_NOT_ALLOWED"),
        (
            "POST",
            "/sobjects/Contact",
            {"content": b"x", "headers": {"Content-Type": "text/plain"}},
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        ("POST", "/sobjects/Contact", {"content": b"{"}, 400, "JSON_PARSER_ERROR"),
        ("GET", "/limits", {"headers": {"X-Long": "x" * 17_000}}, 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
        ("GET", "/query?q=" + "x" * 17_000, {}, 414, "URI_TOO_LONG"),
        ("GET", "/query", {}, 400, "MALFORMED_QUERY"),
    ],
)
def test_a_request_that_cannot_be_is_refused_as_an_array_of_errors(
    org: Org, method: str, path: str, more: dict[str, Any], status: int, code: str
) -> None:
    answer = org.http.request(method, path, **more)
    assert (answer.status_code, list(answer.json()[0])) == (status, ["message", "errorCode"])
    assert answer.json()[0]["errorCode"] == code
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


def test_when_the_calls_of_a_day_are_used_up_nothing_goes(org: Org) -> None:
    org.admin.post("/settings", json={"api_calls": 1}).raise_for_status()
    try:
        refused = org.http.get("/limits")
        text = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        assert (refused.status_code, refused.json()) == (403, text)
    finally:
        org.admin.post("/settings", json={"api_calls": 15_000_000}).raise_for_status()


def test_an_upsert_of_an_old_version_says_less(org: Org) -> None:
    old = f"{org.card['url']}/services/data/v45.0/sobjects/Account/VP_Id__c/old:version"
    answers = [httpx.patch(old, json={"Name": name}, headers=dict(org.http.headers)) for name in "AB"]
    assert [answer.status_code for answer in answers] == [201, 204]
    assert "created" not in answers[0].json()
    assert answers[1].content == b""


def test_relationships_are_followed_by_their_names(org: Org) -> None:
    account = org.http.post("/sobjects/Account", json={"Name": "Followed"}).json()["id"]
    person = contact(org, AccountId=account).json()["id"]
    assert org.http.get(f"/sobjects/Contact/{person}/Account", params={"fields": "Name"}).json()["Name"] == "Followed"
    children = org.http.get(f"/sobjects/Account/{account}/Contacts").json()
    assert (children["totalSize"], children["records"][0]["Id"]) == (1, person)
    assert org.http.get(f"/sobjects/Contact/{person}/ReportsTo").status_code == 404


def test_what_changed_and_what_went_can_be_asked_for(org: Org) -> None:
    kept, gone = (contact(org).json()["id"] for _ in range(2))
    org.http.delete(f"/sobjects/Contact/{gone}").raise_for_status()
    between = {"start": "2020-01-01T00:00:00+00:00", "end": "2999-01-01T00:00:00+00:00"}
    assert kept in org.http.get("/sobjects/Contact/updated", params=between).json()["ids"]
    deleted = org.http.get("/sobjects/Contact/deleted", params=between).json()
    assert gone in [each["id"] for each in deleted["deletedRecords"]]
    assert {"earliestDateAvailable", "latestDateCovered"} <= deleted.keys()
    backwards = {"start": between["end"], "end": between["start"]}
    assert org.refusal(org.http.get("/sobjects/Contact/updated", params=backwards))[0] == 400


def test_record_types_show_in_the_describe_and_bind_their_object(org: Org) -> None:
    assert "RecordTypeId" not in {field["name"] for field in org.http.get("/sobjects/Case/describe").json()["fields"]}
    given = {"Name": "Claim", "DeveloperName": "Claim", "SobjectType": "Case", "IsActive": True}
    made = org.http.post("/sobjects/RecordType", json=given).json()["id"]
    described = org.http.get("/sobjects/Case/describe").json()
    infos = {each["developerName"]: each for each in described["recordTypeInfos"]}
    assert (infos["Claim"]["recordTypeId"], infos["Claim"]["master"], infos["Master"]["master"]) == (made, False, True)
    assert org.http.post("/sobjects/Case", json={"Subject": "x", "RecordTypeId": made}).status_code == 201
    by_name = {"Subject": "x", "RecordType": {"Name": "Claim"}}
    assert org.http.post("/sobjects/Case", json=by_name).status_code == 201
    foreign = org.http.post("/sobjects/RecordType", json=given | {"SobjectType": "Campaign"}).json()["id"]
    refused = org.http.post("/sobjects/Case", json={"Subject": "x", "RecordTypeId": foreign})
    text = f"Record Type ID: this ID value isn't valid for the user: {foreign}"
    assert org.refusal(refused)[1:] == ("INVALID_CROSS_REFERENCE_KEY", text)
