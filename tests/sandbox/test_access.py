"""Keys and their scopes, rate limits, slow listings: a Visual Practice of its own, because they change it for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from sandbox.process import SandboxProcess
from sandbox.visual_practice import allowance as limits
from sandbox.visual_practice.allowance import Allowance
from tests.sandbox.conftest import practice_of


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(only="visual-practice", patients=120, practices=3, clean=True) as process:
        yield process


@pytest.fixture
def client(server: SandboxProcess) -> Iterator[httpx.Client]:
    with practice_of(server) as client:
        yield client
        client.post("/__admin/rate", json={"requests_per_minute": None}).raise_for_status()
        client.post("/__admin/pace", json=dict.fromkeys(("record_seconds", "skipped_seconds"), 0)).raise_for_status()


@pytest.fixture
def keyed(client: httpx.Client) -> Iterator[Callable[..., httpx.Client]]:
    opened: list[httpx.Client] = []

    def made(*scopes: str) -> httpx.Client:
        key = client.post("/__admin/keys", json={"scopes": scopes}).raise_for_status().json()["api_key"]
        opened.append(httpx.Client(base_url=client.base_url, auth=(key, ""), timeout=30))
        return opened[-1]

    yield made
    for each in opened:
        each.close()


def test_the_key_that_is_printed_reads_everything_and_writes_nothing(client: httpx.Client) -> None:
    assert client.get("/v1/invoices").status_code == 200
    for answer in (
        client.post("/v1/patients", json={"last_name": "New"}),
        client.patch("/v1/patients/1001", json={"last_name": "New"}),
        client.delete("/v1/patients/1001"),
        client.post("/v1/patients/1001/archive"),
    ):
        assert (answer.status_code, answer.json()) == (403, {"error": "This API key may not change patients"})


def test_a_key_of_one_resource_reads_no_other(keyed: Callable[..., httpx.Client]) -> None:
    narrow = keyed("patients:read", "documents:read")
    assert narrow.get("/v1/patients").status_code == 200
    for path in ("invoices", "invoices/1", "invoices/deleted", "invoices/schema"):
        assert narrow.get(f"/v1/{path}").status_code == 403
    assert set(narrow.get("/v1/schema").json()["resources"]) == {"patients", "documents"}
    document = narrow.get("/v1/documents").json()["documents"][0]
    assert narrow.head(document["content"]["link"]).status_code == 200
    assert keyed("patients:read").get(document["content"]["link"]).status_code == 403


def test_a_key_may_write_and_what_it_wrote_is_there(keyed: Callable[..., httpx.Client], client: httpx.Client) -> None:
    writer = keyed("read", "patients:write")
    made = writer.post("/v1/patients", json={"last_name": "New", "custom_fields": {"referral_source": "Google"}})
    assert made.status_code == 201
    identity = made.json()["id"]
    assert client.get(f"/v1/patients/{identity}").json() == made.json()
    changed = writer.patch(f"/v1/patients/{identity}", json={"city": "Boston"}).json()
    assert (changed["last_name"], changed["city"]) == ("New", "Boston")
    assert writer.delete(f"/v1/patients/{identity}").status_code == 204
    assert client.get(f"/v1/patients/{identity}").status_code == 404
    assert writer.post(f"/v1/patients/{identity}/undelete").status_code == 200
    assert writer.post(f"/v1/patients/{identity}/archive").status_code == 200
    assert client.get("/v1/patients/archived").json()["total_entries"] == 1
    assert writer.post("/v1/patients", json={"shoe_size": 9}).status_code == 422
    assert writer.post("/v1/patients", content="[").status_code == 400
    assert writer.patch("/v1/patients/31337000", json={}).status_code == 404
    assert writer.post("/v1/invoices", json={}).status_code == 403


def test_a_scope_that_there_is_not_is_refused(keyed: Callable[..., httpx.Client], client: httpx.Client) -> None:
    assert client.post("/__admin/keys", json={"scopes": ["shoes:read"]}).status_code == 400
    assert keyed("users:read").get("/v1/users").status_code == 200


@pytest.mark.parametrize("variant", ["retry_after", "reset", "silent", "hourly"])
def test_a_limit_tells_in_its_own_way_when_it_ends(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    client.post("/__admin/rate", json={"requests_per_minute": 0, "variant": variant}).raise_for_status()
    refused = client.get("/v1/users")
    assert refused.status_code == 429
    told = {name for name in ("retry-after", "x-ratelimit-reset") if name in refused.headers}
    wanted = {"retry_after": {"retry-after"}, "reset": {"x-ratelimit-reset"}}
    assert told == wanted.get(variant, set())
    if variant == "reset":
        reset = int(refused.headers["X-RateLimit-Reset"])
        assert reset % 60 == 0
        assert 0 < reset - time.time() <= 61
    now = [1_700_000_000.0]
    monkeypatch.setattr(limits.clock, "practice_now", lambda: now[0])
    allowance, length = Allowance(2, variant), 3600 if variant == "hourly" else 60
    assert [allowance.refused() is None for _ in range(3)] == [True, True, False]
    now[0] = (now[0] // length + 1) * length - 1
    assert allowance.refused() is not None
    now[0] += 1
    assert allowance.refused() is None


def test_what_is_left_of_the_limit_comes_with_every_answer(client: httpx.Client) -> None:
    client.post("/__admin/rate", json={"requests_per_minute": 1000, "variant": "reset"}).raise_for_status()
    left = [int(client.get("/v1/users").headers["X-RateLimit-Remaining"]) for _ in range(2)]
    assert left[0] - left[1] == 1 or left[1] == 999  # a new minute began
    assert client.post("/__admin/rate", json={"requests_per_minute": 5, "variant": "guess"}).status_code == 400


def test_a_page_that_takes_too_long_is_504_and_a_smaller_one_gets_through(client: httpx.Client) -> None:
    pace = {"record_seconds": 0.002, "gateway_seconds": 0.1}
    client.post("/__admin/pace", json=pace).raise_for_status()
    assert client.get("/v1/patients?per_page=100").status_code == 504
    assert client.get("/v1/patients?per_page=20").status_code == 200
    client.post("/__admin/pace", json={"record_seconds": 0, "skipped_seconds": 0.01}).raise_for_status()
    assert client.get("/v1/patients?per_page=20&page=6").status_code == 504
    assert client.get("/v1/patients?per_page=20&page=1").status_code == 200
    assert client.post("/__admin/pace", json={"colour": 1}).status_code == 400
