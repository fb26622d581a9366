from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org


@pytest.fixture(autouse=True)
def thawed(practice: httpx.Client, org: Org) -> Iterator[None]:
    yield
    practice.post("/__admin/thaw").raise_for_status()
    org.admin.post("/thaw").raise_for_status()
    org.admin.post("/speed", json={"bulk_chunk_seconds": 0})


def test_a_frozen_server_refuses_writes_in_its_own_words_and_goes_on_reading(practice: httpx.Client, org: Org) -> None:
    assert practice.post("/__admin/freeze", json={}).json() == {"frozen": True, "mode": "refuse"}
    org.admin.post("/freeze").raise_for_status()
    assert practice.post("/__admin/mutate", json={"edits": 1}).status_code == 503
    assert practice.get("/v1/patients").status_code == 200
    assert org.refusal(org.http.post("/sobjects/Account", json={"Name": "Frozen"}))[:2] == (503, "SERVER_UNAVAILABLE")
    assert org.query("SELECT Id FROM Account WHERE Name = 'Frozen'") == []
    login = {"grant_type": "client_credentials", **{key: org.card[key] for key in ("client_id", "client_secret")}}
    assert httpx.post(f"{org.card['url']}/services/oauth2/token", data=login).status_code == 200
    for server in (practice, org.admin):
        door = "/__admin/thaw" if server is practice else "/thaw"
        assert server.post(door).json() == {"frozen": False, "mode": None}
    assert practice.post("/__admin/mutate", json={"edits": 1}).status_code == 200


def test_held_writes_wait_for_the_thaw(practice: httpx.Client, org: Org) -> None:
    org.admin.post("/freeze", json={"mode": "hold"}).raise_for_status()
    done: list[int] = []
    writing = threading.Thread(
        target=lambda: done.append(org.http.post("/sobjects/Account", json={"Name": "Held"}).status_code)
    )
    writing.start()
    time.sleep(0.3)
    assert done == []
    assert "Held" not in org.admin.get("/dump", params={"sObjects": "Account"}).text
    org.admin.post("/thaw").raise_for_status()
    writing.join(10)
    assert done == [201]


def test_a_job_stands_still_while_frozen_and_two_dumps_are_equal(org: Org) -> None:
    org.admin.post("/speed", json={"bulk_chunk_seconds": 0.02})
    rows = "".join(f"cold {number}\n" for number in range(6000))
    identity = org.job(f"LastName\n{rows}", operation="insert", externalIdFieldName=None)
    while org.http.get(f"/jobs/ingest/{identity}").json()["numberRecordsProcessed"] == 0:
        time.sleep(0.01)
    org.admin.post("/freeze").raise_for_status()
    first = org.admin.get("/dump", params={"sObjects": "Contact"}).content
    time.sleep(0.2)
    assert org.admin.get("/dump", params={"sObjects": "Contact"}).content == first
    assert org.http.get(f"/jobs/ingest/{identity}").json()["state"] == "InProgress"
    org.admin.post("/speed", json={"bulk_chunk_seconds": 0})
    org.admin.post("/thaw").raise_for_status()
    assert org.finished(identity)["numberRecordsProcessed"] == 6000


def test_a_mode_that_there_is_not_is_refused(practice: httpx.Client) -> None:
    assert practice.post("/__admin/freeze", json={"mode": "melt"}).status_code == 400


def test_the_command_freezes_dumps_and_thaws_both(
    sandbox: SandboxProcess, practice: httpx.Client, tmp_path: Path
) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "sandbox", *arguments, "--data-dir", str(sandbox.data_dir)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "visual-practice  refuse" in run("freeze")
    run("dump", "--to", str(tmp_path))
    dumped = json.loads((tmp_path / "visual_practice.json").read_bytes())
    assert len(dumped["patients"]) == practice.get("/__admin/counts").json()["patients"]["live"]
    assert json.loads((tmp_path / "salesforce.json").read_bytes())["User"]
    assert "salesforce       not frozen" in run("thaw")
