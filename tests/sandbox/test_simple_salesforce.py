"""simple-salesforce, unmodified, over REST: records, queries, describes, collections by its raw calls, limits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import simple_salesforce


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[Any]:
    with simple_salesforce(sandbox, "66.0") as made:
        yield made


def test_a_record_is_made_changed_found_and_deleted(client: Any) -> None:
    identity = client.Account.create({"Name": "Simple REST", "VP_Id__c": "simple-rest:1"})["id"]
    assert client.Account.update(identity, {"Industry": "Healthcare"}) == 204
    assert client.Account.get_by_custom_id("VP_Id__c", "simple-rest:1")["Industry"] == "Healthcare"
    assert client.Account.upsert("VP_Id__c/simple-rest:1", {"Name": "Renamed"}) == 200
    assert client.Account.get(identity)["Name"] == "Renamed"
    assert client.Account.delete(identity) == 204
    with pytest.raises(SalesforceResourceNotFound, match="entity is deleted"):
        client.Account.get(identity)


def test_refusals_arrive_as_its_own_exceptions(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="Required fields are missing: \\[LastName\\]"):
        client.Contact.create({"FirstName": "No name"})
    with pytest.raises(SalesforceMalformedRequest, match="No such column 'Nope' on entity 'Contact'"):
        client.query("SELECT Nope FROM Contact")
    for _ in range(2):
        client.Contact.create({"LastName": "Twin", "Email": "twin@simple.example"})
    with pytest.raises(SalesforceMoreThanOneRecord):
        client.Contact.get_by_custom_id("Email", "twin@simple.example")


def test_an_ended_session_is_told_apart(client: Any, sandbox: SandboxProcess) -> None:
    ended = Salesforce(
        instance_url=sandbox.salesforce["https_url"], session_id="00D000000000001!gone", session=client.session
    )
    with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
        ended.query("SELECT Id FROM Contact")


def test_queries_are_followed_to_their_end(client: Any) -> None:
    names = [{"attributes": {"type": "Account"}, "Name": f"Paged {number}"} for number in range(200)]
    for _ in range(11):
        answers = client.restful("composite/sobjects", method="POST", json={"records": names})
        assert all(each["success"] for each in answers)
    found = client.query_all("SELECT Id FROM Account WHERE Name LIKE 'Paged %'")
    assert (found["totalSize"], len(found["records"]), found["done"]) == (2200, 2200, True)
    assert len(list(client.query_all_iter("SELECT Id FROM Account WHERE Name LIKE 'Paged %'"))) == 2200
    deleted = client.query("SELECT Id FROM Account WHERE IsDeleted = true", include_deleted=True)
    assert deleted["done"]


def test_describes_and_metadata_of_objects(client: Any) -> None:
    assert {each["name"] for each in client.describe()["sobjects"]} >= {"Account", "Contact", "Event", "Product2"}
    assert client.Event.metadata()["objectDescribe"]["keyPrefix"] == "00U"
    assert len(client.Event.describe()["recordTypeInfos"]) == 1
    assert client.is_sandbox() is True


def test_what_changed_and_what_went(client: Any) -> None:
    identity = client.Contact.create({"LastName": "Seen"})["id"]
    day, now = dt.timedelta(days=1), dt.datetime.now(dt.UTC)
    assert identity in client.Contact.updated(now - day, now + day)["ids"]
    client.Contact.delete(identity)
    gone = client.Contact.deleted(now - day, now + day)["deletedRecords"]
    assert identity in [each["id"] for each in gone]


def test_limits_and_the_counter_that_comes_with_every_answer(client: Any) -> None:
    assert client.limits()["DailyApiRequests"]["Remaining"] > 0
    used = client.api_usage["api-usage"]
    client.limits()
    assert client.api_usage["api-usage"].used == used.used + 1


def test_composite_and_trees_through_its_raw_calls(client: Any) -> None:
    root = f"/services/data/v{client.sf_version}"
    items = [
        {"method": "POST", "url": f"{root}/sobjects/Account", "referenceId": "a", "body": {"Name": "Raw"}},
        {"method": "GET", "url": f"{root}/sobjects/Account/@{{a.id}}", "referenceId": "b"},
    ]
    answers = client.restful("composite", method="POST", json={"compositeRequest": items})["compositeResponse"]
    assert [each["httpStatusCode"] for each in answers] == [201, 200]
    tree = {"records": [{"attributes": {"type": "Account", "referenceId": "t"}, "Name": "Raw tree"}]}
    assert client.restful("composite/tree/Account", method="POST", json=tree)["hasErrors"] is False
