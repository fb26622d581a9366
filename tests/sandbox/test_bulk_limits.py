"""What Bulk 2.0 allows, how long it keeps jobs, and what jobs do to each other."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org

DAY, WEEK = 24, 7 * 24


@pytest.fixture(scope="module")
def alone() -> Iterator[SandboxProcess]:
    """An org of its own: these tests turn what holds for all jobs."""
    with SandboxProcess.start(only="salesforce") as process:
        yield process


@pytest.fixture
def org(alone: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> Iterator[Org]:
    client = connect(alone)
    yield client
    client.admin.post("/speed", json={"like": "fast", "bulk_lock_seconds": 10, "bulk_columns_sorted": 0})
    client.admin.post("/bulk", json={"DailyBulkApiBatches": 15_000, "DailyBulkV2QueryJobs": 10_000})


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def opened(org: Org, **given: Any) -> dict[str, Any]:
    body = {"object": "Contact", "operation": "insert", **given}
    job: dict[str, Any] = org.http.post("/jobs/ingest", json=body).raise_for_status().json()
    return job


def inserted(org: Org, content: str, **given: Any) -> str:
    return org.job(content, operation="insert", externalIdFieldName=None, **given)


def until(org: Org, job: str, **wanted: Any) -> None:
    """Waits until the job's info says so."""
    for _ in range(2_000):
        if wanted.items() <= org.http.get(f"/jobs/ingest/{job}").json().items():
            return
        time.sleep(0.01)
    raise AssertionError(wanted)


def test_two_jobs_on_one_parent_lock_each_other_out(org: Org) -> None:
    parent = org.upsert("Account", {"VP_Id__c": "lock:1", "Name": "Both want it"})[0]["id"]
    org.admin.post("/speed", json={"bulk_chunk_seconds": 3_600, "bulk_lock_seconds": 0.1})
    first = inserted(org, "LastName,AccountId\n" + f"Locked a,{parent}\n" * 200)
    until(org, first, numberRecordsProcessed=200)
    second = inserted(org, "LastName,AccountId\n" + f"Locked b,{parent}\n" * 2)
    until(org, second, numberRecordsFailed=2)
    org.admin.post("/speed", json={"like": "fast"})
    done = [org.finished(job) for job in (first, second)]
    assert [(job["numberRecordsFailed"], job["retries"]) for job in done] == [(0, 0), (2, 1)]
    errors = {row["sf__Error"] for row in table(org.results(second, "failedResults"))}
    text = "unable to obtain exclusive access to this record or 200 records"
    assert errors == {f"UNABLE_TO_LOCK_ROW:{text}: {parent}:--"}


def test_a_job_waits_for_a_lock_that_is_given_free_in_time(org: Org) -> None:
    parent = org.upsert("Account", {"VP_Id__c": "lock:2", "Name": "Both get it"})[0]["id"]
    org.admin.post("/speed", json={"bulk_chunk_seconds": 3_600, "bulk_lock_seconds": 3_600})
    first = inserted(org, f"LastName,AccountId\nWaited,{parent}\n")
    until(org, first, numberRecordsProcessed=1)
    second = inserted(org, f"LastName,AccountId\nWaited,{parent}\n")
    until(org, second, state="InProgress", numberRecordsProcessed=0)
    org.admin.post("/speed", json={"like": "fast"})
    assert [org.finished(job)["numberRecordsFailed"] for job in (first, second)] == [0, 0]


def test_jobs_on_different_parents_do_not_meet(org: Org) -> None:
    org.upsert("Account", *({"VP_Id__c": f"lock:{number}", "Name": "Own"} for number in (3, 4)))
    org.admin.post("/speed", json={"bulk_chunk_seconds": 3_600, "bulk_lock_seconds": 0})
    jobs = [inserted(org, f"LastName,Account.VP_Id__c\nApart,lock:{number}\n") for number in (3, 4)]
    for job in jobs:
        until(org, job, state="InProgress", numberRecordsProcessed=1, numberRecordsFailed=0)
    org.admin.post("/speed", json={"like": "fast"})
    assert [org.finished(job)["numberRecordsFailed"] for job in jobs] == [0, 0]


def test_a_closed_job_waits_its_turn(org: Org) -> None:
    told = org.admin.post("/speed", json={"like": "real", "bulk_queue_seconds": 3_600, "latency_seconds": 0}).json()
    assert told["bulk_chunk_seconds"] > 0
    job = inserted(org, "LastName\nQueued\n")
    assert org.http.get(f"/jobs/ingest/{job}").json()["state"] == "UploadComplete"
    org.admin.post("/speed", json={"like": "fast"})
    assert org.finished(job)["state"] == "JobComplete"


def test_batches_of_a_day_run_out(org: Org) -> None:
    left = org.http.get("/limits").json()["DailyBulkApiBatches"]["Remaining"]
    org.finished(inserted(org, "LastName\nOne batch and the parent\n"))
    limits = org.http.get("/limits").json()["DailyBulkApiBatches"]
    assert left - limits["Remaining"] == 2
    waiting = opened(org)["id"]
    org.admin.post("/bulk", json={"DailyBulkApiBatches": limits["Max"] - limits["Remaining"] + 1})
    org.http.put(f"/jobs/ingest/{waiting}/batches", content="LastName\nX\n", headers={"Content-Type": "text/csv"})
    org.http.patch(f"/jobs/ingest/{waiting}", json={"state": "UploadComplete"})
    failed = org.finished(waiting)
    assert (failed["state"], failed["errorMessage"]) == ("Failed", "ExceededQuota : ApiBatchItems Limit exceeded.")
    assert table(org.results(waiting, "unprocessedrecords")) == [{"LastName": "X"}]
    org.admin.post("/bulk", json={"DailyBulkApiBatches": 1})
    refused = org.http.post("/jobs/ingest", json={"object": "Contact", "operation": "insert"})
    assert org.refusal(refused) == (400, "EXCEEDEDQUOTA", "ApiBatchItems Limit exceeded.")
    org.admin.post("/bulk", json={"older_by_hours": DAY})
    assert org.http.post("/jobs/ingest", json={"object": "Contact", "operation": "insert"}).status_code == 200


def test_query_jobs_of_a_day_run_out(org: Org) -> None:
    org.admin.post("/bulk", json={"DailyBulkV2QueryJobs": 0})
    refused = org.http.post("/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Contact"})
    assert org.refusal(refused)[:2] == (400, "EXCEEDEDQUOTA")


def test_an_open_job_is_aborted_after_a_day_and_gone_after_a_week(org: Org) -> None:
    identity = opened(org)["id"]
    org.admin.post("/bulk", json={"older_by_hours": DAY + 1})
    assert org.http.get(f"/jobs/ingest/{identity}").json()["state"] == "Aborted"
    org.admin.post("/bulk", json={"older_by_hours": WEEK - DAY})
    assert org.refusal(org.http.get(f"/jobs/ingest/{identity}"))[:2] == (404, "NOT_FOUND")


def test_results_are_kept_for_a_week(org: Org) -> None:
    identity = inserted(org, "LastName\nKept\n")
    org.finished(identity)
    org.admin.post("/bulk", json={"older_by_hours": WEEK - 1})
    assert len(table(org.results(identity, "successfulResults"))) == 1
    org.admin.post("/bulk", json={"older_by_hours": 2})
    assert org.http.get(f"/jobs/ingest/{identity}/successfulResults").status_code == 404


def test_a_job_without_an_upload_has_no_results(org: Org) -> None:
    identity = opened(org)["id"]
    for which in ("successfulResults", "failedResults", "unprocessedrecords"):
        answer = org.http.get(f"/jobs/ingest/{identity}/{which}")
        assert org.refusal(answer) == (404, "NOT_FOUND", "The requested resource does not exist")


def test_columns_of_results_can_be_in_the_order_of_the_alphabet(org: Org) -> None:
    org.admin.post("/speed", json={"bulk_columns_sorted": 1})
    identity = inserted(org, "Title,LastName,FirstName\nDr,Sorted,Ann\nDr,,Bob\n")
    org.finished(identity)
    successful, failed = org.results(identity, "successfulResults"), org.results(identity, "failedResults")
    assert successful.splitlines()[0] == '"sf__Id","sf__Created",FirstName,LastName,Title'
    assert [(row["FirstName"], row["LastName"]) for row in table(successful)] == [("Ann", "Sorted")]
    assert failed.splitlines()[1].endswith('"Bob","","Dr"')


def test_jobs_are_listed_a_thousand_at_a_time(org: Org) -> None:
    made = {opened(org)["id"] for _ in range(1_001)}
    first = org.http.get("/jobs/ingest", params={"jobType": "V2Ingest"}).json()
    assert (first["done"], len(first["records"])) == (False, 1_000)
    rest = org.http.get(f"{org.card['url']}{first['nextRecordsUrl']}").json()
    assert (rest["done"], rest["nextRecordsUrl"]) == (True, None)
    assert made <= {job["id"] for job in [*first["records"], *rest["records"]]}


def test_a_list_of_jobs_can_be_of_one_type(org: Org) -> None:
    assert org.http.get("/jobs/ingest", params={"jobType": "Classic"}).json()["records"] == []
    assert org.http.get("/jobs/ingest", params={"isPkChunkingEnabled": "true"}).json()["records"] == []
    query = org.http.post("/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Contact"}).json()["id"]
    listed = org.http.get("/jobs/query", params={"jobType": "V2Query"}).json()
    assert (listed["done"], listed["nextRecordsUrl"]) == (True, None)
    assert query in {job["id"] for job in listed["records"]}
    wrong = org.http.get("/jobs/ingest", params={"queryLocator": "not one"})
    assert org.refusal(wrong)[:2] == (400, "INVALIDLOCATOR")


def test_a_deleted_job_gives_nothing_of_its_allocation_back(org: Org) -> None:
    identity = inserted(org, "LastName\nDeleted\n")
    org.finished(identity)
    before = org.admin.post("/bulk", json={}).json()
    assert org.http.delete(f"/jobs/ingest/{identity}").status_code == 204
    assert org.admin.post("/bulk", json={}).json() == before


def test_a_slow_job_can_be_watched_in_progress(org: Org) -> None:
    org.admin.post("/speed", json={"bulk_chunk_seconds": 3_600})
    identity = inserted(org, "LastName\n" + "Watched\n" * 600)
    until(org, identity, state="InProgress", numberRecordsProcessed=200)
    org.admin.post("/speed", json={"like": "fast"})
    assert org.finished(identity)["numberRecordsProcessed"] == 600
