from __future__ import annotations

from typing import Any

import httpx
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
