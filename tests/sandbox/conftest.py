"""Sandboxes in processes of their own, and clients that speak to them over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import requests
from simple_salesforce import Salesforce

from sandbox.process import SandboxProcess

PATIENTS = 700


class Org:
    """A logged-in client of the Salesforce sandbox, with the steps that most tests need."""

    def __init__(self, card: dict[str, Any], version: str = "62.0") -> None:
        self.card = card
        self.admin = httpx.Client(base_url=f"{card['url']}/__admin", timeout=30)
        headers = {"Authorization": f"Bearer {card['access_token']}"}
        self.http = httpx.Client(base_url=f"{card['url']}/services/data/v{version}", headers=headers, timeout=30)

    def query(self, soql: str, resource: str = "query") -> list[dict[str, Any]]:
        found = self.http.get(f"/{resource}", params={"q": soql}).raise_for_status().json()
        records: list[dict[str, Any]] = found["records"]
        while not found["done"]:
            found = self.http.get(f"{self.card['url']}{found['nextRecordsUrl']}").raise_for_status().json()
            records += found["records"]
        return records

    def refusal(self, response: httpx.Response) -> tuple[int, str, str]:
        return response.status_code, response.json()[0]["errorCode"], response.json()[0]["message"]

    def upsert(self, sobject: str, *records: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        body = {"records": [{"attributes": {"type": sobject}, **each} for each in records], **options}
        answer = self.http.patch(f"/composite/sobjects/{sobject}/VP_Id__c", json=body)
        result: list[dict[str, Any]] = answer.raise_for_status().json()
        return result

    def job(self, content: str | bytes, **given: Any) -> str:
        body = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "VP_Id__c", **given}
        identity: str = self.http.post("/jobs/ingest", json=body).raise_for_status().json()["id"]
        data = content.encode() if isinstance(content, str) else content
        put = self.http.put(f"/jobs/ingest/{identity}/batches", content=data, headers={"Content-Type": "text/csv"})
        assert put.status_code == 201
        self.http.patch(f"/jobs/ingest/{identity}", json={"state": "UploadComplete"}).raise_for_status()
        return identity

    def finished(self, identity: str, kind: str = "ingest") -> dict[str, Any]:
        for _ in range(1000):
            job: dict[str, Any] = self.http.get(f"/jobs/{kind}/{identity}").raise_for_status().json()
            if job["state"] in {"JobComplete", "Failed", "Aborted"}:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{job['state']} for ever")

    def results(self, identity: str, which: str) -> str:
        return self.http.get(f"/jobs/ingest/{identity}/{which}").raise_for_status().text

    def close(self) -> None:
        self.admin.close()
        self.http.close()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    """One sandbox for every test that only adds records of its own."""
    with SandboxProcess.start(patients=PATIENTS, practices=30, org_rows=40, practice="both") as process:
        yield process


def practice_of(process: SandboxProcess) -> httpx.Client:
    """A client of the process's Visual Practice, with the printed key."""
    card = process.visual_practice
    return httpx.Client(base_url=card["url"], auth=(card["api_key"], ""), timeout=30)


@contextmanager
def simple_salesforce(process: SandboxProcess, version: str) -> Iterator[Any]:
    """An unmodified simple-salesforce over https, logged in by token."""
    session = requests.Session()
    session.trust_env = False  # a CA bundle in the environment would win over `verify`
    session.verify = process.salesforce["ca_file"]
    yield Salesforce(
        instance_url=process.salesforce["https_url"],
        session_id=process.salesforce["access_token"],
        session=session,
        version=version,
    )
    session.close()


@pytest.fixture(scope="session")
def practice(sandbox: SandboxProcess) -> Iterator[httpx.Client]:
    with practice_of(sandbox) as client:
        yield client


@pytest.fixture
def org(sandbox: SandboxProcess) -> Iterator[Org]:
    client = Org(sandbox.salesforce)
    yield client
    client.close()


@pytest.fixture
def connect() -> Iterator[Callable[[SandboxProcess], Org]]:
    """Makes a client of a sandbox that the test started itself."""
    opened: list[Org] = []

    def made(process: SandboxProcess) -> Org:
        opened.append(Org(process.salesforce))
        return opened[-1]

    yield made
    for each in opened:
        each.close()
