from __future__ import annotations

import pytest

from tests.sandbox.clients.conftest import Node
from tests.sandbox.test_metadata import on, package

pytestmark = pytest.mark.timeout(600)  # the first test may install the clients


def test_jsforce_writes_reads_and_describes(node: Node) -> None:
    told = node.script("records.mjs", https=True)
    assert told["one"]["success"]
    assert (told["read"]["Name"], told["read"]["Phone"]) == ("jsforce Clinic", "617")
    assert [each["created"] for each in told["upserts"]] == [True, False]
    assert told["upserts"][0]["id"] == told["upserts"][1]["id"]
    assert [each["success"] for each in told["many"]] == [True, False]
    assert [record["Name"] for record in told["query"]["records"]] == ["Second"]
    assert told["refused"]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert told["refused"]["data"]["fields"] == ["LastName"]
    assert told["destroyed"]["success"]
    assert {"LastName", "VP_Id__c"} <= set(told["fields"])
    assert {"Account", "Contact", "Event"} <= set(told["objects"])
    assert told["identity"].startswith("005")
    made, read = told["composite"]["compositeResponse"]
    assert (made["httpStatusCode"], read["httpStatusCode"], read["body"]["Name"]) == (201, 200, "Composite")
    assert told["usage"]["apiUsage"]["limit"] > told["usage"]["apiUsage"]["used"] > 0


def test_jsforce_loads_and_queries_in_bulk(node: Node) -> None:
    told = node.script("bulk.mjs")
    assert (told["opened"]["state"], told["checked"]["state"], told["gone"]) == ("Open", "JobComplete", "NOT_FOUND")
    assert (told["checked"]["numberRecordsProcessed"], told["checked"]["numberRecordsFailed"]) == (3, 1)
    successful, failed = told["results"]["successful"], told["results"]["failed"]
    assert [(row["VP_Id__c"], row["FirstName"]) for row in successful] == [
        ("jb:1", "Ünal"),
        ("jb:2", 'a "quoted",\nname'),
    ]
    assert failed[0]["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
    assert told["results"]["unprocessed"] == []
    assert [row["sf__Created"] for row in told["inserted"]["successfulResults"]] == ["true", "true"]
    assert sorted(row["Id"] for row in told["found"]) == sorted(
        row["sf__Id"] for row in told["deleted"]["successfulResults"]
    )
    assert told["failed"].endswith("InvalidBatch : Field name not found : Nope__c")


def test_jsforce_deploys_and_uses_tooling(node: Node) -> None:
    path = node.home / "package.zip"
    path.write_bytes(package(on("Account", "Js_Deployed__c"), CustomField=["Account.Js_Deployed__c"]))
    told = node.script("metadata.mjs", PACKAGE=str(path))
    soap, rest = told["soap"], told["rest"]
    assert (soap["status"], soap["success"], soap["numberComponentsDeployed"]) == ("Succeeded", True, 1)
    assert (rest["status"], rest["success"]) == ("Succeeded", True)
    assert rest["details"]["componentSuccesses"][0]["fullName"] == "Account.Js_Deployed__c"
    assert (told["made"]["success"], told["refused"]["success"], told["removed"]["success"]) == (True, False, True)
    assert told["refused"]["errors"][0]["message"] == "Must specify 'length' for a CustomField of type Text"
    assert {"CustomObject", "PermissionSet"} <= set(told["described"])
    assert {"Account", "Contact"} <= set(told["listed"])
    assert (told["tool"]["success"], told["asked"]["totalSize"]) == (True, 1)
