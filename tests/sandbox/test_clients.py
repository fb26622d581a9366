from __future__ import annotations

import base64
import csv
import io
from pathlib import Path
from typing import Any

import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org, simple_salesforce
from tests.sandbox.test_metadata import on, package


@pytest.fixture
def client(sandbox: SandboxProcess) -> Any:
    with simple_salesforce(sandbox, "62.0") as made:
        yield made


def test_simple_salesforce_writes_and_reads_over_https(client: Any) -> None:
    made = client.Contact.create({"LastName": "Simple", "Email": "simple@mail.example"})
    assert made["success"]
    assert client.Contact.get(made["id"])["LastName"] == "Simple"
    assert client.Contact.upsert("VP_Id__c/simple:1", {"LastName": "Simpler"}) == 201
    assert client.Contact.get_by_custom_id("VP_Id__c", "simple:1")["LastName"] == "Simpler"
    assert client.query("SELECT Id FROM Contact WHERE LastName = 'Simple'")["totalSize"] == 1
    assert len(client.query_all("SELECT Id FROM Contact")["records"]) > 1
    assert {field["name"] for field in client.Contact.describe()["fields"]} >= {"VP_Id__c", "LastName"}
    assert client.Contact.delete(made["id"]) == 204


def test_simple_salesforce_upserts_in_bulk(client: Any, org: Org) -> None:
    records = [{"VP_Id__c": f"ss:{number}", "LastName": f"Name {number}", "FirstName": "É"} for number in range(450)]
    records[7]["LastName"] = ""
    outcome = client.bulk2.Contact.upsert(records=records, external_id_field="VP_Id__c", wait=0.1)
    assert (outcome[0]["numberRecordsProcessed"], outcome[0]["numberRecordsFailed"]) == (450, 1)
    results = client.bulk2.Contact.get_all_ingest_records(outcome[0]["job_id"])
    assert len(results["successfulRecords"]) == 449
    assert results["failedRecords"][0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING")
    assert len(org.query("SELECT Id FROM Contact WHERE VP_Id__c LIKE 'ss:%'")) == 449


def test_simple_salesforce_queries_in_bulk(client: Any) -> None:
    pages = list(client.bulk2.Account.query("SELECT Id, Name FROM Account", max_records=5, wait=0.1))
    assert len(pages) > 1
    assert pages[0].startswith('"Id","Name"\n')


def test_simple_salesforce_sends_and_fetches_a_file(client: Any) -> None:
    content = base64.b64encode(b"a scanned page").decode()
    made = client.ContentVersion.create({"PathOnClient": "page.png", "Title": "Page", "VersionData": content})
    stored = client.ContentVersion.get(made["id"])
    assert (stored["Title"], stored["FileType"], stored["ContentSize"]) == ("Page", "PNG", 14)
    path = stored["VersionData"].partition("/sobjects/")[2]
    answer = client._call_salesforce("GET", f"{client.base_url}sobjects/{path}")
    assert answer.content == b"a scanned page"
    assert client.ContentDocument.delete(stored["ContentDocumentId"]) == 204


def test_simple_salesforce_deploys_metadata(client: Any, tmp_path: Path) -> None:
    archive = tmp_path / "package.zip"
    archive.write_bytes(package(on("Account", "Simple__c"), CustomField=["Account.Simple__c"]))
    begun = client.deploy(str(archive), sandbox=False)
    assert begun["state"] == "Queued"
    for _ in range(200):
        told = client.checkDeployStatus(begun["asyncId"])
        if told["state"] not in {"Pending", "InProgress"}:
            break
    assert (told["state"], told["deployment_detail"]["deployed_count"]) == ("Succeeded", "1")


def test_simple_salesforce_makes_and_deletes_fields(
    client: Any, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sandbox.salesforce["ca_file"])  # the SOAP library makes its own session
    field = client.mdapi.CustomField(
        fullName="Account.By_Zeep__c",
        label="By zeep",
        type=client.mdapi.FieldType("Number"),
        precision=8,
        scale=0,
        externalId=True,
    )
    client.mdapi.CustomField.create(field)
    assert client.Account.describe()
    with pytest.raises(Exception, match="There is already a field named By_Zeep on Account"):
        client.mdapi.CustomField.create(field)
    listed = client.mdapi.list_metadata([client.mdapi.ListMetadataQuery(type="CustomField")])
    assert "Account.By_Zeep__c" in {each.fullName for each in listed}
    assert client.mdapi.describe_metadata().partialSaveAllowed
    client.mdapi.CustomField.delete(["Account.By_Zeep__c"])


def test_simple_salesforce_uses_tooling(client: Any) -> None:
    body = {"FullName": "Account.By_Toolingexecute__c", "Metadata": {"label": "T", "type": "Date"}}
    made = client.toolingexecute("sobjects/CustomField", method="POST", json=body)
    assert made["success"]
    assert (
        client.toolingexecute("query/?q=SELECT+Id+FROM+CustomField+WHERE+DeveloperName='By_Toolingexecute'")[
            "totalSize"
        ]
        == 1
    )


def test_simple_salesforce_inserts_updates_and_deletes_in_bulk(client: Any) -> None:
    bulk = client.bulk2.Contact
    inserted = bulk.insert(records=[{"LastName": f"In bulk {number}"} for number in range(3)], wait=0.1)[0]
    rows = list(csv.DictReader(io.StringIO(bulk.get_successful_records(inserted["job_id"]))))
    updated = bulk.update(records=[{"Id": row["sf__Id"], "Title": "Changed"} for row in rows], wait=0.1)[0]
    assert (updated["numberRecordsProcessed"], updated["numberRecordsFailed"]) == (3, 0)
    deleted = bulk.delete(records=[{"Id": row["sf__Id"]} for row in rows], wait=0.1)[0]
    assert (deleted["numberRecordsProcessed"], deleted["numberRecordsFailed"]) == (3, 0)
    assert client.query("SELECT Id FROM Contact WHERE LastName LIKE 'In bulk %'")["totalSize"] == 0
