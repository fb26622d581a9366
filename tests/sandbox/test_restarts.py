from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

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


def test_a_day_at_the_desk_repeats_itself_with_its_seed() -> None:
    done = []
    for _ in range(2):
        with SandboxProcess.start(only="visual-practice", patients=60, practices=5) as process:
            command = [sys.executable, "-m", "sandbox", "mutate", "--data-dir", str(process.data_dir), "--everything"]
            more = ["--rate", "300", "--seconds", "0.6", "--seed", "3", "--json"]
            said = json.loads(subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout)
            dump = httpx.get(f"{process.visual_practice['url']}/__admin/dump").json()
            notes = [(record["id"], record["notes"], record["last_name"]) for record in dump["patients"]]
            done.append((said["by_kind"], notes))
    assert done[0] == done[1]
    assert {"appointment create", "invoice create", "payment create", "patient update"} <= set(done[0][0])


@pytest.mark.faults
def test_a_kill_in_the_middle_of_changes_leaves_each_request_done_or_not_done() -> None:
    """Each request puts ten patients with one mark, while others read; a kill strikes somewhere in the middle."""
    with SandboxProcess.start(only="visual-practice", patients=200, practices=3) as process:
        card = process.visual_practice
        sure = 0
        for turn in range(4):
            answered: list[int] = []

            def write(turn: int = turn, answered: list[int] = answered) -> None:
                for number in range(100_000):
                    mark = f"mark {turn}-{number}"
                    records = [{"id": str(50_000 + place), "notes": mark} for place in range(10)]
                    dead = [str(60_000 + number % 7)]
                    body = {"object": "patient", "put": [*records, {"id": dead[0], "notes": mark}], "delete": dead}
                    try:
                        httpx.post(f"{card['url']}/__admin/records", json=body).raise_for_status()
                    except httpx.TransportError:
                        return
                    answered.append(number)

            writing = threading.Thread(target=write)
            writing.start()
            while len(answered) < 5 + 3 * turn:
                time.sleep(0.001)
            process.kill()
            writing.join(30)
            process.restart()
            dump = httpx.get(f"{card['url']}/__admin/dump", timeout=30).json()
            live = {record["id"]: record["notes"] for record in dump["patients"]}
            marks = {live[str(50_000 + place)] for place in range(10)}
            assert len(marks) == 1, "a request was done by half"
            last = int(marks.pop().removeprefix(f"mark {turn}-"))
            assert last in {answered[-1], answered[-1] + 1}, "an answered request was lost"
            assert not any(identity in live for identity in map(str, range(60_000, 60_007)))
            counts = httpx.get(f"{card['url']}/__admin/counts").json()["patients"]
            page = httpx.get(f"{card['url']}/v1/patients?per_page=1", auth=(card["api_key"], "")).json()
            assert counts["live"] == page["total_entries"] == len(live)
            sure += 1
        assert sure == 4


@pytest.mark.faults
def test_a_fill_that_was_killed_is_done_again_from_the_beginning(tmp_path: Path) -> None:
    process = SandboxProcess(only="visual-practice", patients=1_000, practices=5, data_dir=tmp_path / "killed")
    starting = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "up", "--json", *process._arguments()],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    )
    try:
        path = tmp_path / "killed" / "visual_practice.sqlite-wal"
        while not path.exists() or path.stat().st_size < 500_000:
            assert starting.poll() is None
            time.sleep(0.005)
    finally:
        starting.kill()
        starting.wait()
        if starting.stdout is not None:
            starting.stdout.close()
    with process, SandboxProcess.start(only="visual-practice", patients=1_000, practices=5) as other:
        dumps = [httpx.get(f"{each.visual_practice['url']}/__admin/dump").content for each in (process, other)]
    assert dumps[0] == dumps[1]


@pytest.mark.faults
def test_a_sandbox_ends_with_the_program_that_started_it() -> None:
    code = (
        "import time; from sandbox.process import SandboxProcess as P; p = P.start(patients=5, practices=2);"
        " print(p.pid, p.visual_practice['url'], p.data_dir, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid, url, folder = starter.stdout.readline().split()
    try:
        httpx.get(f"{url}/__admin/faults").raise_for_status()
        starter.kill()
        starter.wait()
        starter.stdout.close()
        deadline = time.monotonic() + 20
        while _serves(url):
            assert time.monotonic() < deadline, f"process {pid} serves on"
            time.sleep(0.1)
    finally:
        starter.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _serves(url: str) -> bool:
    try:
        httpx.get(f"{url}/__admin/faults")
    except httpx.TransportError:
        return False
    return True
