from __future__ import annotations

import pytest

from tests.sandbox.clients.conftest import Node

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
