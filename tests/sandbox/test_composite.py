"""Composite, graph, batch and tree: answers as documented, references, and what is taken back together."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org

ROOT = "/services/data/v62.0"


def sub(method: str, url: str, reference: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return {"method": method, "url": f"{ROOT}{url}", "referenceId": reference, "body": body, **more}


def composite(org: Org, *items: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    answer = org.http.post("/composite", json={"compositeRequest": list(items), **options})
    shown: list[dict[str, Any]] = answer.raise_for_status().json()["compositeResponse"]
    return shown


def test_a_subrequest_uses_what_an_earlier_one_answered(org: Org) -> None:
    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "account", {"Name": "Composite"}),
        sub("POST", "/sobjects/Contact", "contact", {"LastName": "Within", "AccountId": "@{account.id}"}),
        sub("GET", "/sobjects/Contact/@{contact.id}?fields=LastName,AccountId", "read"),
        sub("GET", "/query?q=SELECT Id FROM Contact WHERE AccountId = '@{account.id}'", "found"),
        sub("PATCH", "/sobjects/Account/@{found.records[0].Id}", "wrong", {"Name": "x"}),
    )
    assert [(each["referenceId"], each["httpStatusCode"]) for each in answers] == [
        ("account", 201),
        ("contact", 201),
        ("read", 200),
        ("found", 200),
        ("wrong", 400),
    ]
    assert all(each.keys() == {"body", "httpHeaders", "httpStatusCode", "referenceId"} for each in answers)
    assert answers[0]["httpHeaders"]["Location"] == f"{ROOT}/sobjects/Account/{answers[0]['body']['id']}"
    assert answers[2]["body"]["AccountId"] == answers[0]["body"]["id"]
    assert answers[3]["body"]["totalSize"] == 1
    assert answers[4]["body"][0]["errorCode"] == "MALFORMED_ID"


def test_without_all_or_none_the_others_stand_and_a_reference_to_a_failure_halts(org: Org) -> None:
    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "good", {"Name": "Stands"}),
        sub("POST", "/sobjects/Account", "bad", {"Site": "no name"}),
        sub("POST", "/sobjects/Contact", "child", {"LastName": "x", "AccountId": "@{bad.id}"}),
    )
    assert [each["httpStatusCode"] for each in answers] == [201, 400, 400]
    assert answers[2]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert answers[2]["body"][0]["message"] == "Invalid reference specified. No value for bad.id found in bad"
    assert org.http.get(f"/sobjects/Account/{answers[0]['body']['id']}").status_code == 200


def test_all_or_none_takes_everything_back(org: Org) -> None:
    answers = composite(
        org,
        sub("POST", "/sobjects/Account", "good", {"Name": "Goes", "VP_Id__c": "composite:goes"}),
        sub("POST", "/sobjects/Account", "bad", {"Site": "no name"}),
        allOrNone=True,
    )
    assert [each["body"][0]["errorCode"] for each in answers] == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert answers[0]["body"][0]["message"].startswith("The transaction was rolled back since another operation")
    assert org.http.get("/sobjects/Account/VP_Id__c/composite:goes").status_code == 404
    rows = [
        {"attributes": {"type": "Account"}, "Name": "A", "VP_Id__c": "composite:row"},
        {"attributes": {"type": "Account"}},
    ]
    answers = composite(org, sub("POST", "/composite/sobjects", "rows", {"records": rows}), allOrNone=True)
    assert [each["success"] for each in answers[0]["body"]] == [True, False]
    assert org.http.get("/sobjects/Account/VP_Id__c/composite:row").status_code == 404


def test_too_many_or_nameless_subrequests_are_refused(org: Org) -> None:
    many = [sub("GET", "/limits", f"r{number}") for number in range(26)]
    assert org.http.post("/composite", json={"compositeRequest": many}).status_code == 400
    heavy = [sub("GET", "/query?q=SELECT Id FROM Account", f"r{number}") for number in range(6)]
    assert org.http.post("/composite", json={"compositeRequest": heavy}).status_code == 400
    twice = [sub("GET", "/limits", "same")] * 2
    assert org.http.post("/composite", json={"compositeRequest": twice}).status_code == 400
    assert org.http.post("/composite", json={}).status_code == 400


def test_a_composite_counts_as_one_call(org: Org) -> None:
    def used(answer: httpx.Response) -> int:
        return int(answer.headers["Sforce-Limit-Info"].split("=")[1].split("/")[0])

    before = used(org.http.get("/limits"))
    answer = org.http.post("/composite", json={"compositeRequest": [sub("GET", "/limits", f"r{n}") for n in range(5)]})
    assert used(answer) == before + 1


def test_each_graph_stands_or_falls_alone(org: Org) -> None:
    def graph(name: str, **values: Any) -> dict[str, Any]:
        return {
            "graphId": name,
            "compositeRequest": [
                sub("POST", "/sobjects/Account", "a", {"Name": name, "VP_Id__c": f"graph:{name}"}),
                sub("POST", "/sobjects/Contact", "c", {"AccountId": "@{a.id}", **values}),
            ],
        }

    answer = org.http.post("/composite/graph", json={"graphs": [graph("one", LastName="x"), graph("two")]}).json()
    assert [(each["graphId"], each["isSuccessful"]) for each in answer["graphs"]] == [("one", True), ("two", False)]
    replies = answer["graphs"][1]["graphResponse"]["compositeResponse"]
    assert [each["body"][0]["errorCode"] for each in replies] == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert org.http.get("/sobjects/Account/VP_Id__c/graph:one").status_code == 200
    assert org.http.get("/sobjects/Account/VP_Id__c/graph:two").status_code == 404


def test_after_fourteen_failed_graphs_the_rest_is_not_tried(org: Org) -> None:
    bad = [
        {"graphId": str(number), "compositeRequest": [sub("POST", "/sobjects/Account", "a", {})]}
        for number in range(14)
    ]
    good = {"graphId": "g", "compositeRequest": [sub("POST", "/sobjects/Account", "a", {"Name": "never"})]}
    answer = org.http.post("/composite/graph", json={"graphs": [*bad, good]}).json()["graphs"]
    assert answer[-1]["isSuccessful"] is False
    assert answer[-1]["graphResponse"]["compositeResponse"][0]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_a_batch_answers_each_request_and_halts_when_told_to(org: Org) -> None:
    items = [
        {"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {"Name": "Batched"}},
        {"method": "GET", "url": "v62.0/sobjects/Account/nonsense"},
        {"method": "GET", "url": "v62.0/limits/recordCount?sObjects=Account"},
    ]
    answer = org.http.post("/composite/batch", json={"batchRequests": items}).json()
    assert (answer["hasErrors"], [each["statusCode"] for each in answer["results"]]) == (True, [201, 404, 200])
    assert answer["results"][2]["result"]["sObjects"][0]["name"] == "Account"
    halted = org.http.post("/composite/batch", json={"batchRequests": items, "haltOnError": True}).json()
    assert halted["results"][2]["statusCode"] == 412
    assert halted["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"


def planted(reference: str, kind: str = "Account", **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind, "referenceId": reference}, **values}


def test_a_tree_makes_records_with_their_children(org: Org) -> None:
    people = {"records": [planted("c1", "Contact", LastName="First"), planted("c2", "Contact", LastName="Second")]}
    answer = org.http.post("/composite/tree/Account", json={"records": [planted("a", Name="Tree", Contacts=people)]})
    assert answer.status_code == 201
    results = answer.json()["results"]
    assert [each["referenceId"] for each in results] == ["a", "c1", "c2"]
    assert len(org.query(f"SELECT Id FROM Contact WHERE AccountId = '{results[0]['id']}'")) == 2


def test_a_tree_with_one_bad_record_leaves_nothing(org: Org) -> None:
    people = {"records": [planted("c1", "Contact", LastName="Fine"), planted("c2", "Contact", Email="n/a")]}
    records = [planted("a", Name="Tree", VP_Id__c="tree:none", Contacts=people)]
    answer = org.http.post("/composite/tree/Account", json={"records": records})
    assert answer.status_code == 400
    assert answer.json()["hasErrors"] is True
    assert [each["referenceId"] for each in answer.json()["results"]] == ["c2"]
    assert answer.json()["results"][0]["errors"][0].keys() == {"statusCode", "message", "fields"}
    assert org.http.get("/sobjects/Account/VP_Id__c/tree:none").status_code == 404


# -- together, or not at all -----------------------------------------------------------------------------------------------


def rows(stem: str, total: int = 200) -> dict[str, Any]:
    listed = [{"attributes": {"type": "Account"}, "Name": stem, "VP_Id__c": f"{stem}:{n}"} for n in range(total)]
    return {"records": listed}


def test_others_see_nothing_of_a_transaction_before_it_ends_and_wait_to_write(org: Org) -> None:
    items = [sub("POST", "/composite/sobjects", f"r{n}", rows(f"together{n}")) for n in range(5)]
    seen: set[int] = set()
    with ThreadPoolExecutor(2) as threads:
        whole = threads.submit(composite, org, *items, allOrNone=True)
        other = threads.submit(org.upsert, "Account", {"VP_Id__c": "together:other", "Name": "Other"})
        while not whole.done():
            seen.add(len(org.query("SELECT Id FROM Account WHERE VP_Id__c LIKE 'together%:%' AND Name != 'Other'")))
    assert seen <= {0, 1000}
    assert all(each["httpStatusCode"] == 200 for each in whole.result())
    assert other.result()[0]["success"] is True
    assert len(org.query("SELECT Id FROM Account WHERE VP_Id__c LIKE 'together%:%'")) == 1001


def test_a_server_killed_within_a_transaction_has_all_of_it_or_nothing(
    connect: Callable[[SandboxProcess], Org],
) -> None:
    with SandboxProcess.start(only="salesforce") as process:
        for attempt, delay in enumerate((0.01, 0.06, 0.12)):
            org = connect(process)
            items = [sub("POST", "/composite/sobjects", f"r{n}", rows(f"killed{attempt}{n}")) for n in range(5)]
            with ThreadPoolExecutor(1) as thread:
                asked = thread.submit(composite, org, *items, allOrNone=True)
                time.sleep(delay)
                process.kill()
                with contextlib.suppress(httpx.TransportError):
                    asked.result()
            process.restart()
            kept = connect(process).query(f"SELECT Id FROM Account WHERE VP_Id__c LIKE 'killed{attempt}%'")
            assert len(kept) in {0, 1000}
