from __future__ import annotations

from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org


@pytest.fixture
def client(sandbox: SandboxProcess) -> Any:
    session = requests.Session()
    session.trust_env = False  # a CA bundle in the environment would win over `verify`
    session.verify = sandbox.salesforce["ca_file"]
    yield Salesforce(
        instance_url=sandbox.salesforce["https_url"],
        session_id=sandbox.salesforce["access_token"],
        session=session,
        version="62.0",
    )
    session.close()


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
