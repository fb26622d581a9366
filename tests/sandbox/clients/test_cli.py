from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.clients.conftest import Node
from tests.sandbox.signing import certified_key, new_key, private_pem

pytestmark = pytest.mark.timeout(600)  # the first test may install the clients


@pytest.fixture(scope="module")
def cli(node: Node) -> Node:
    card = node.salesforce
    login = ("org", "login", "access-token", "--instance-url", card["url"], "--alias", "sandbox", "--no-prompt")
    answer = node.sf(*login, "--set-default", SF_ACCESS_TOKEN=card["access_token"])
    assert answer["result"]["username"] == card["username"]
    return node


def written(node: Node, name: str, text: str) -> Path:
    path = node.home / name
    path.write_text(text)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def result(answer: dict[str, Any]) -> Any:
    return answer["result"]


def test_the_cli_shows_the_org_and_describes_it(cli: Node) -> None:
    shown = result(cli.sf("org", "display"))
    assert (shown["connectedStatus"], shown["username"]) == ("Connected", cli.salesforce["username"])
    described = result(cli.sf("sobject", "describe", "--sobject", "Contact"))
    assert {"LastName", "VP_Id__c"} <= {field["name"] for field in described["fields"]}


def test_the_cli_upserts_imports_exports_and_deletes_in_bulk(cli: Node) -> None:
    upsert = written(cli, "upsert.csv", "VP_Id__c,LastName\ncli:1,One\ncli:2,Two\n")
    rows_to_import = "LastName,Title\n" + "".join(f"Imported,{number}\n" for number in range(450))
    upsert_it = ("data", "upsert", "bulk", "--file", str(upsert), "--external-id", "VP_Id__c")
    import_it = ("data", "import", "bulk", "--file", str(written(cli, "import.csv", rows_to_import)))
    with ThreadPoolExecutor() as both:  # each looks after its job every five seconds
        told = [both.submit(cli.sf, *each, "--sobject", "Contact", "--wait", "2") for each in (upsert_it, import_it)]
        upserted, imported = (result(each.result()) for each in told)
    assert (upserted["jobInfo"]["state"], len(upserted["records"]["successfulResults"])) == ("JobComplete", 2)
    assert (imported["processedRecords"], imported["failedRecords"]) == (450, 0)
    soql = "SELECT Id, Title FROM Contact WHERE LastName = 'Imported'"
    out = cli.home / "export.csv"
    exported = result(cli.sf("data", "export", "bulk", "--query", soql, "--output-file", str(out), "--wait", "2"))
    rows = rows_of(out)
    assert exported["totalSize"] == len(rows) == 450
    asked = "SELECT Title, Owner.Name, Account.Owner.Name FROM Contact WHERE LastName = 'Imported' LIMIT 3"
    assert [row["Owner"]["Name"] for row in result(cli.sf("data", "query", "--query", asked))["records"]] == [
        "Integration User"
    ] * 3
    path = written(cli, "delete.csv", "Id\n" + "".join(f"{row['Id']}\n" for row in rows))
    deleted = result(cli.sf("data", "delete", "bulk", "--sobject", "Contact", "--file", str(path), "--wait", "2"))
    assert (deleted["jobInfo"]["state"], deleted["jobInfo"]["numberRecordsProcessed"]) == ("JobComplete", 450)
    assert result(cli.sf("data", "query", "--query", soql))["totalSize"] == 0


def test_the_cli_tells_which_rows_were_refused(cli: Node) -> None:
    path = written(cli, "refused.csv", "VP_Id__c,LastName\ncli:3,Three\ncli:4,\n")
    into = ("--sobject", "Contact", "--file", str(path), "--wait", "2", "--external-id", "VP_Id__c")
    refused = cli.sf("data", "upsert", "bulk", *into, code=1)
    assert refused["name"] == "FailedRecordDetailsError"
    results = result(cli.sf("data", "bulk", "results", "--job-id", refused["data"]["jobId"]))
    assert (results["status"], results["processedRecords"], results["failedRecords"]) == ("JobComplete", 2, 1)
    failed = rows_of(cli.home / results["failedFilePath"])
    assert failed[0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING")


FIELD = """<?xml version="1.0" encoding="UTF-8"?>
<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>{name}</fullName><label>From a project</label>
<type>Text</type><length>64</length><externalId>true</externalId><unique>true</unique></CustomField>"""
PERMISSIONS = """<?xml version="1.0" encoding="UTF-8"?>
<PermissionSet xmlns="http://soap.sforce.com/2006/04/metadata"><label>From a project</label>
<hasActivationRequired>false</hasActivationRequired><fieldPermissions><editable>true</editable>
<field>Contact.Project_Id__c</field><readable>true</readable></fieldPermissions></PermissionSet>"""


def project(node: Node, name: str, files: dict[str, str]) -> Path:
    """A project folder with these files below its default package."""
    folder = node.home / name
    for path, text in files.items():
        file = folder / "force-app" / "main" / "default" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    described = {"packageDirectories": [{"path": "force-app", "default": True}], "sourceApiVersion": "62.0"}
    (folder / "sfdx-project.json").write_text(json.dumps(described))
    return folder


@pytest.mark.parametrize("rest", ["false", "true"])
def test_the_cli_deploys_a_project_over_soap_and_rest(cli: Node, rest: str) -> None:
    files = {
        "objects/Contact/fields/Project_Id__c.field-meta.xml": FIELD.format(name="Project_Id__c"),
        "permissionsets/Project.permissionset-meta.xml": PERMISSIONS,
    }
    folder = project(cli, "good", files)
    deployed = result(
        cli.sf("project", "deploy", "start", "--source-dir", "force-app", at=folder, SF_ORG_METADATA_REST_DEPLOY=rest)
    )
    assert (deployed["status"], deployed["success"]) == ("Succeeded", True)
    assert {file["fullName"] for file in deployed["files"]} == {"Contact.Project_Id__c", "Project"}


def test_the_cli_tells_why_a_deploy_failed(cli: Node) -> None:
    folder = project(cli, "bad", {"objects/Task/fields/Wrong__c.field-meta.xml": FIELD.format(name="Wrong__c")})
    failed = result(cli.sf("project", "deploy", "start", "--source-dir", "force-app", at=folder, code=1))
    assert failed["status"] == "Failed"
    assert failed["details"]["componentFailures"][0]["problem"] == "bad value for restricted picklist field: Task"


def test_the_cli_logs_in_with_a_key(node: Node) -> None:
    card = node.salesforce
    key = private_pem(certified_key(card))
    who = ("--client-id", card["client_id"], "--username", card["username"], "--instance-url", card["url"])
    login = ("org", "login", "jwt", "--jwt-key-file", str(written(node, "server.key", key)), "--alias", "by-key")
    answer = result(node.sf(*login, *who))
    assert answer["username"] == card["username"]
    assert (
        result(node.sf("data", "query", "--query", "SELECT Id FROM Organization", "--target-org", "by-key"))[
            "totalSize"
        ]
        == 1
    )
    other = written(node, "other.key", private_pem(new_key()))
    refused = node.sf("org", "login", "jwt", "--jwt-key-file", str(other), *who, code=1)
    assert "invalid assertion" in refused["message"]
