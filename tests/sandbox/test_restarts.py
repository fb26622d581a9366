from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
from collections.abc import Callable

import httpx
import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org

ROWS = 4_000


@pytest.mark.faults
def test_a_killed_job_goes_on_without_losing_or_repeating_a_row(connect: Callable[[SandboxProcess], Org]) -> None:
    with SandboxProcess.start(patients=10, practices=3) as process:
        org = connect(process)
        org.admin.post("/speed", json={"bulk_chunk_seconds": 0.01})
        rows = "".join(f"row {number},M{number}\n" for number in range(ROWS))
        identity = org.job(f"LastName,MRN__c\n{rows}", operation="insert", externalIdFieldName=None)
        for least in (600, 1800, 2600):
            while org.http.get(f"/jobs/ingest/{identity}").json()["numberRecordsProcessed"] < least:
                time.sleep(0.005)
            process.kill()
            process.restart()
            org.admin.post("/speed", json={"bulk_chunk_seconds": 0.01})
        job = org.finished(identity)
        assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", ROWS, 0)
        listed = list(csv.DictReader(io.StringIO(org.results(identity, "successfulResults"))))
        stored = org.query("SELECT Id, MRN__c FROM Contact WHERE MRN__c != null")
        assert sorted((row["sf__Id"], row["MRN__c"]) for row in listed) == sorted(
            (row["Id"], row["MRN__c"]) for row in stored
        )
        assert len({row["MRN__c"] for row in stored}) == ROWS


@pytest.mark.faults
def test_data_ports_and_tokens_survive_a_kill(connect: Callable[[SandboxProcess], Org]) -> None:
    with SandboxProcess.start(patients=40, practices=3) as process:
        org, before = connect(process), (process.salesforce, process.visual_practice)
        url = process.visual_practice["url"]
        httpx.post(f"{url}/__admin/mutate", json={"edits": 5, "deletes": 3}).raise_for_status()
        dump = httpx.get(f"{url}/__admin/dump").content
        org.admin.post("/fields", json={"object": "Account", "name": "Added__c", "type": "Text"}).raise_for_status()
        org.upsert("Account", {"VP_Id__c": "kept", "Name": "Kept", "Added__c": "too"})
        process.kill()
        process.restart()
        assert (process.salesforce, process.visual_practice) == before
        assert httpx.get(f"{url}/__admin/dump").content == dump
        assert org.http.get("/sobjects/Account/VP_Id__c/kept").json()["Added__c"] == "too"


def test_each_server_can_run_alone_and_the_command_works_in_it() -> None:
    with SandboxProcess.start(only="visual-practice", patients=60, practices=5) as process:
        assert process.salesforce == {}
        command = [sys.executable, "-m", "sandbox", "mutate", "--data-dir", str(process.data_dir)]
        ran = subprocess.run([*command, "--rate", "50", "--seconds", "0.5"], capture_output=True, text=True, check=True)
        assert " changes in " in ran.stdout
        faults = [sys.executable, "-m", "sandbox", "faults", "visual-practice", "--url", process.visual_practice["url"]]
        added = subprocess.run([*faults, "--add", '{"kind": "503"}'], capture_output=True, text=True, check=True)
        assert '"kind": "503"' in added.stdout


def test_stopping_is_quick_even_while_a_request_hangs() -> None:
    process = SandboxProcess.start(only="visual-practice", patients=10, practices=2)
    url = process.visual_practice["url"]
    httpx.post(f"{url}/__admin/faults", json={"kind": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}/v1/users", timeout=0.1)
    began = time.monotonic()
    process.stop()
    assert time.monotonic() - began < 5
