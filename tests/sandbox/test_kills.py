"""SIGKILL in the middle of requests and jobs: what was answered is there, what was not is there as a whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org
from tests.sandbox.test_metadata import on, package

ROUNDS = 4
PER_CALL = 200

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def mortal() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(only="salesforce") as process:
        yield process


def killed_soon(process: SandboxProcess, seconds: float) -> threading.Thread:
    thread = threading.Thread(target=lambda: (time.sleep(seconds), process.kill()))
    thread.start()
    return thread


def test_collections_are_written_as_a_whole_or_not_at_all(
    mortal: SandboxProcess, connect: Callable[[SandboxProcess], Org]
) -> None:
    answered: set[str] = set()
    call = 0
    for number in range(ROUNDS):
        org = connect(mortal)
        killer = killed_soon(mortal, 0.15 + 0.05 * number)
        try:
            while True:
                call += 1
                org.upsert(
                    "Account", *({"VP_Id__c": f"kill:{call}:{row}", "Name": f"call {call}"} for row in range(PER_CALL))
                )
                answered.add(f"call {call}")
        except httpx.TransportError:
            killer.join()
        mortal.restart()
    found = connect(mortal).query("SELECT Name, COUNT(Id) rows FROM Account WHERE Name LIKE 'call %' GROUP BY Name")
    counts = {record["Name"]: record["rows"] for record in found}
    assert answered <= set(counts)
    assert set(counts.values()) == {PER_CALL}
    assert len(counts) <= len(answered) + ROUNDS


def test_jobs_of_all_states_survive(mortal: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> None:
    org = connect(mortal)
    org.admin.post("/speed", json={"bulk_chunk_seconds": 0.05})
    working = org.job("LastName,MRN__c\n" + "Working,x\n" * 2_000, operation="insert", externalIdFieldName=None)
    body = {"object": "Contact", "operation": "insert"}
    empty, filled, aborted = (org.http.post("/jobs/ingest", json=body).json()["id"] for _ in range(3))
    content = "LastName\nFilled\n"
    org.http.put(f"/jobs/ingest/{filled}/batches", content=content, headers={"Content-Type": "text/csv"})
    org.http.patch(f"/jobs/ingest/{aborted}", json={"state": "Aborted"})
    while not org.http.get(f"/jobs/ingest/{working}").json().get("numberRecordsProcessed"):
        time.sleep(0.01)
    mortal.kill()
    mortal.restart()
    states = [org.http.get(f"/jobs/ingest/{each}").json()["state"] for each in (empty, filled, aborted)]
    assert states == ["Open", "Open", "Aborted"]
    org.http.patch(f"/jobs/ingest/{filled}", json={"state": "UploadComplete"})
    assert org.finished(filled)["numberRecordsProcessed"] == 1
    done = org.finished(working)
    assert (done["state"], done["numberRecordsProcessed"], done["numberRecordsFailed"]) == ("JobComplete", 2_000, 0)
    rows = list(csv.DictReader(io.StringIO(org.results(working, "successfulResults"))))
    assert len({row["sf__Id"] for row in rows}) == 2_000
    assert len(org.query("SELECT Id FROM Contact WHERE LastName = 'Working'")) == 2_000


def test_an_upload_that_was_cut_off_leaves_the_job_open(
    mortal: SandboxProcess, connect: Callable[[SandboxProcess], Org]
) -> None:
    org = connect(mortal)
    job = org.http.post("/jobs/ingest", json={"object": "Contact", "operation": "insert"}).json()["id"]

    def content() -> Iterator[bytes]:
        yield b"LastName\n"
        for _ in range(20):
            yield b"Cut off\n" * 10_000
        mortal.kill()
        yield b"Cut off\n" * 1_000_000

    headers = {"Content-Type": "text/csv"}
    with pytest.raises(httpx.TransportError):
        org.http.put(f"/jobs/ingest/{job}/batches", content=content(), headers=headers)
    mortal.restart()
    assert "numberRecordsProcessed" not in org.http.get(f"/jobs/ingest/{job}").json()
    again = org.http.put(f"/jobs/ingest/{job}/batches", content="LastName\nWhole\n", headers=headers)
    org.http.patch(f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    assert (again.status_code, org.finished(job)["numberRecordsProcessed"]) == (201, 1)


def test_a_query_job_is_done_again(mortal: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> None:
    org = connect(mortal)
    org.admin.post("/speed", json={"bulk_queue_seconds": 0.3})
    soql = "SELECT Id FROM Organization"
    job = org.http.post("/jobs/query", json={"operation": "query", "query": soql}).json()["id"]
    mortal.kill()
    mortal.restart()
    assert org.finished(job, "query")["state"] == "JobComplete"
    assert len(org.http.get(f"/jobs/query/{job}/results").text.splitlines()) == 2


def test_a_file_that_was_cut_off_leaves_nothing(
    mortal: SandboxProcess, connect: Callable[[SandboxProcess], Org]
) -> None:
    org = connect(mortal)
    kept = org.http.post(
        "/sobjects/ContentVersion", json={"PathOnClient": "kept.txt", "VersionData": "a2VwdA=="}
    ).json()
    before = len(org.query("SELECT Id FROM ContentVersion"))

    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="e"\r\nContent-Type: application/json\r\n\r\n'
        yield json.dumps({"PathOnClient": "cut.bin"}).encode() + b"\r\n--x\r\n"
        yield b'Content-Disposition: form-data; name="VersionData"; filename="cut.bin"\r\n\r\n'
        for _ in range(20):
            yield bytes(1 << 20)
        mortal.kill()
        yield bytes(1 << 20) * 20

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(httpx.TransportError):
        org.http.post("/sobjects/ContentVersion", content=body(), headers=headers)
    mortal.restart()
    assert len(org.query("SELECT Id FROM ContentVersion")) == before
    assert org.http.get(f"/sobjects/ContentVersion/{kept['id']}/VersionData").content == b"kept"
    left = sum(path.stat().st_size for path in (mortal.data_dir / "salesforce" / "files").iterdir())
    assert left < 1 << 20


def test_a_pending_deploy_is_carried_out(mortal: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> None:
    org = connect(mortal)
    org.admin.post("/speed", json={"deploy_seconds": 60})
    archive = package(on("Account", "After_The_Kill__c"), CustomField=["Account.After_The_Kill__c"])
    parts = {"file": ("p.zip", archive, "application/zip"), "entity_content": (None, '{"deployOptions": {}}')}
    deploy = org.http.post("/metadata/deployRequest", files=parts).json()["id"]
    mortal.kill()
    mortal.restart()
    for _ in range(500):
        result = org.http.get(f"/metadata/deployRequest/{deploy}").json()["deployResult"]
        if result["done"]:
            break
        time.sleep(0.01)
    assert result["status"] == "Succeeded"
