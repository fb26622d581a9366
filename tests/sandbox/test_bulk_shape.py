"""Job infos, result files and refusals of Bulk 2.0 against what real orgs were recorded to answer: key by key, type by type."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from tests.sandbox.conftest import Org
from tests.sandbox.test_bulk import table

ID: Final = re.compile(r"[a-zA-Z0-9]{18}")
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000")
URL: Final = re.compile(r"services/data/v\d\d\.0/jobs/ingest/[a-zA-Z0-9]{18}/batches")  # no slash in front

FIRST: Final[dict[str, Any]] = {
    "id": ID,
    "operation": str,
    "object": str,
    "createdById": ID,
    "createdDate": INSTANT,
    "systemModstamp": INSTANT,
    "state": str,
}
KEY: Final = {"externalIdFieldName": str}
FORMAT: Final = {"concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float}
ENDINGS: Final = {"lineEnding": "LF", "columnDelimiter": "COMMA"}
COUNTS: Final = {"numberRecordsProcessed": int, "numberRecordsFailed": int}
TIMES: Final = {"retries": int, "totalProcessingTime": int, "apiActiveProcessingTime": int, "apexProcessingTime": int}

CREATED: Final = FIRST | KEY | FORMAT | {"contentUrl": URL} | ENDINGS
CLOSED: Final = FIRST | KEY | FORMAT
OPEN: Final = FIRST | KEY | FORMAT | {"jobType": "V2Ingest", "contentUrl": URL} | ENDINGS | TIMES
COMPLETE: Final = FIRST | KEY | FORMAT | {"jobType": "V2Ingest"} | ENDINGS | COUNTS | TIMES
FAILED: Final = COMPLETE | {"errorMessage": str}
QUERY_CREATED: Final = FIRST | FORMAT | ENDINGS
QUERY: Final = (
    FIRST
    | FORMAT
    | {"jobType": "V2Query"}
    | ENDINGS
    | {"numberRecordsProcessed": int, "retries": int, "totalProcessingTime": int, "isPkChunkingSupported": bool}
)
UPSERT: Final = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "VP_Id__c"}


def check(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """The keys in their order, and each value: a pattern, a type or the value itself."""
    assert list(given) == list(expected)
    for key, wanted in expected.items():
        value = given[key]
        if isinstance(wanted, re.Pattern):
            assert wanted.fullmatch(value), key
        elif isinstance(wanted, type):
            assert type(value) is wanted, key
        else:
            assert value == wanted, key


def test_an_ingest_job_has_the_recorded_keys_in_each_state(org: Org) -> None:
    created = org.http.post("/jobs/ingest", json=UPSERT).json()
    check(created, CREATED)
    path = f"/jobs/ingest/{created['id']}"
    check(org.http.get(path).json(), OPEN)
    put = org.http.put(f"{path}/batches", content="VP_Id__c,LastName\nsh:1,A\n", headers={"Content-Type": "text/csv"})
    assert (put.status_code, put.content) == (201, b"")
    uploaded = org.http.get(path).json()
    assert (uploaded["numberRecordsProcessed"], uploaded["numberRecordsFailed"]) == (0, 0)
    check(org.http.patch(path, json={"state": "UploadComplete"}).json(), CLOSED)
    check(org.finished(created["id"]), COMPLETE)


def test_an_insert_names_no_external_id(org: Org) -> None:
    created = org.http.post("/jobs/ingest", json={"object": "Contact", "operation": "insert"}).json()
    check(created, {key: value for key, value in CREATED.items() if key not in KEY})


def test_a_failed_job_says_why(org: Org) -> None:
    failed = org.finished(org.job("VP_Id__c,Nope__c\nx,y\n"))
    check(failed, FAILED)
    assert (failed["numberRecordsProcessed"], failed["numberRecordsFailed"]) == (0, 0)


def test_an_aborted_job_is_told_in_short(org: Org) -> None:
    created = org.http.post("/jobs/ingest", json=UPSERT).json()
    check(org.http.patch(f"/jobs/ingest/{created['id']}", json={"state": "Aborted"}).json(), CLOSED)


def test_a_query_job_has_the_recorded_keys(org: Org) -> None:
    created = org.http.post("/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Organization"}).json()
    check(created, QUERY_CREATED)
    check(org.finished(created["id"], "query"), QUERY)
    results = org.http.get(f"/jobs/query/{created['id']}/results")
    assert (results.headers["Sforce-Locator"], results.headers["Sforce-NumberOfRecords"]) == ("null", "1")
    assert results.headers["Content-Type"] == "text/csv; charset=UTF-8"
    pages = org.http.get(f"/jobs/query/{created['id']}/resultPages").json()
    assert list(pages) == ["resultPages", "nextRecordsUrl", "done"]
    assert [list(page) for page in pages["resultPages"]] == [["resultUrl"]]
    older = org.http.get(f"{org.card['url']}/services/data/v57.0/jobs/query/{created['id']}/resultPages")
    assert older.status_code in {404, 409}


def test_lists_have_the_recorded_envelope(org: Org) -> None:
    for kind in ("ingest", "query"):
        listed = org.http.get(f"/jobs/{kind}").json()
        assert list(listed) == ["done", "records", "nextRecordsUrl"]


def test_result_files_quote_as_recorded(org: Org) -> None:
    content = 'VP_Id__c,LastName,Title\nsh:2,"O""Neil",a\nsh:3,,b\n'
    identity = org.job(content)
    org.finished(identity)
    successful = org.http.get(f"/jobs/ingest/{identity}/successfulResults")
    assert successful.headers["Content-Type"] == "text/csv; charset=UTF-8"
    lines = successful.text.splitlines()
    assert lines[0] == '"sf__Id","sf__Created",VP_Id__c,LastName,Title'
    assert re.fullmatch(r'"003[a-zA-Z0-9]{15}","true","sh:2","O""Neil","a"', lines[1])
    failed = org.results(identity, "failedResults").splitlines()
    assert failed[0] == '"sf__Id","sf__Error",VP_Id__c,LastName,Title'
    assert failed[1].startswith(
        '"","REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --","sh:3"'
    )
    assert org.results(identity, "unprocessedrecords") == "VP_Id__c,LastName,Title\n"


def test_a_refused_update_is_named_by_its_id(org: Org) -> None:
    made = org.http.post("/sobjects/Contact", json={"LastName": "Refused"}).json()["id"]
    identity = org.job(f"Id,LastName\n{made},#N/A\n", operation="update", externalIdFieldName=None)
    org.finished(identity)
    assert [row["sf__Id"] for row in table(org.results(identity, "failedResults"))] == [made]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "text"),
    [
        ("GET", "/jobs/ingest/7505f0000099999AAA", None, 404, "NOT_FOUND", "The requested resource does not exist"),
        ("GET", "/jobs/query/7505f0000099999AAA", None, 404, "NOT_FOUND", "The requested resource does not exist"),
        (
            "POST",
            "/jobs/query",
            {"operation": "query", "query": "SELECT COUNT(Id) FROM Contact"},
            400,
            "API_ERROR",
            None,
        ),
        ("POST", "/jobs/ingest", {"object": "Contact", "operation": "hardDelete"}, 400, "FEATURENOTENABLED", None),
    ],
)
def test_refusals_name_the_code_first(
    org: Org, method: str, path: str, body: dict[str, str] | None, status: int, code: str, text: str | None
) -> None:
    answer = org.http.request(method, path, json=body)
    error = answer.json()[0]
    assert (answer.status_code, list(error), error["errorCode"]) == (status, ["errorCode", "message"], code)
    assert text is None or error["message"] == text


def test_a_query_job_cannot_be_aborted_when_done_nor_deleted_before(org: Org) -> None:
    body = {"operation": "query", "query": "SELECT Id FROM Organization"}
    identity = org.http.post("/jobs/query", json=body).json()["id"]
    org.finished(identity, "query")
    aborted = org.http.patch(f"/jobs/query/{identity}", json={"state": "Aborted"})
    assert org.refusal(aborted) == (400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
    org.admin.post("/speed", json={"bulk_queue_seconds": 3_600})
    waiting = org.http.post("/jobs/query", json=body).json()["id"]
    text = "Error encountered when deleting the job because the job is not terminated"
    assert org.refusal(org.http.delete(f"/jobs/query/{waiting}")) == (400, "API_ERROR", text)
    org.admin.post("/speed", json={"bulk_queue_seconds": 0})
