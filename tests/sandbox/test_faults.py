from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from sandbox.faults import BadFaultError, Faults
from tests.sandbox.conftest import Org


@pytest.fixture(autouse=True)
def healed(practice: httpx.Client, org: Org) -> Iterator[None]:
    yield
    practice.delete("/__admin/faults")
    org.admin.delete("/faults")


def test_a_counted_fault_strikes_that_often(practice: httpx.Client) -> None:
    practice.post("/__admin/faults", json={"route": "/v1/patients", "kind": "429", "count": 2, "retry_after": 0.5})
    answers = [practice.get("/v1/patients") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "0.5"
    assert practice.get("/__admin/faults").json()["faults"][0]["struck"] == 2


def test_a_fault_strikes_only_its_route(practice: httpx.Client) -> None:
    practice.post("/__admin/faults", json={"route": "GET /v1/users", "kind": "503"})
    assert practice.get("/v1/users").status_code == 503
    assert practice.get("/v1/practices").status_code == 200
    assert practice.post("/__admin/faults", json={"clear": True}).json() == {"removed": 1}
    assert practice.get("/v1/users").status_code == 200


def test_a_dropped_connection_and_a_truncated_answer_are_errors_of_the_transport(practice: httpx.Client) -> None:
    for kind in ("drop", "truncate"):
        practice.post("/__admin/faults", json={"kind": kind, "count": 1})
        with pytest.raises(httpx.TransportError):
            practice.get("/v1/patients")
        assert practice.get("/v1/patients").status_code == 200


def test_slow_hanging_and_unreadable_answers(practice: httpx.Client) -> None:
    practice.post("/__admin/faults", json={"kind": "slow", "seconds": 0.2, "count": 1})
    began = time.monotonic()
    assert practice.get("/v1/users").status_code == 200
    assert time.monotonic() - began >= 0.2
    practice.post("/__admin/faults", json={"kind": "not_json", "count": 1})
    with pytest.raises(ValueError, match=r"."):
        practice.get("/v1/users").json()
    practice.post("/__admin/faults", json={"kind": "hang", "seconds": 30, "count": 1})
    with pytest.raises(httpx.ReadTimeout):
        practice.get("/v1/users", timeout=0.2)


def test_an_answer_may_be_lost_after_the_work_is_done(org: Org) -> None:
    org.admin.post("/faults", json={"route": "PATCH .*/sobjects/Account", "kind": "drop", "after": True, "count": 1})
    with pytest.raises(httpx.TransportError):
        org.http.patch("/sobjects/Account/VP_Id__c/lost", json={"Name": "Lost"})
    assert org.http.patch("/sobjects/Account/VP_Id__c/lost", json={"Name": "Lost"}).status_code == 200


def test_a_session_can_expire_and_a_limit_be_reached(org: Org) -> None:
    org.admin.post("/faults", json={"route": "/limits", "kind": "request_limit", "count": 1})
    assert org.refusal(org.http.get("/limits"))[:2] == (403, "REQUEST_LIMIT_EXCEEDED")
    login = {"grant_type": "client_credentials", **{key: org.card[key] for key in ("client_id", "client_secret")}}
    url = f"{org.card['url']}/services/oauth2/token"
    token = httpx.post(url, data=login).json()["access_token"]
    org.admin.post("/faults", json={"route": "/limits", "kind": "expire_session", "count": 1})
    headers = {"Authorization": f"Bearer {token}"}
    assert org.refusal(org.http.get("/limits", headers=headers))[:2] == (401, "INVALID_SESSION_ID")
    assert org.http.get("/limits", headers=headers).status_code == 401
    assert org.http.get("/limits").status_code == 200


def test_locks_refuse_rows_not_requests(org: Org) -> None:
    org.admin.post("/faults", json={"route": "Account upsert", "kind": "lock", "count": 1})
    outcomes = org.upsert("Account", *({"VP_Id__c": f"locked:{n}", "Name": "N"} for n in range(3)))
    assert [outcome["success"] for outcome in outcomes] == [False, True, True]
    assert outcomes[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"


def test_an_injected_job_failure_keeps_what_was_committed(org: Org) -> None:
    org.admin.post(
        "/faults",
        json={"route": "Contact insert", "kind": "job_failed", "count": 1, "message": "TooManyLockFailure : x"},
    )
    lines = "\n".join(f"half {n}" for n in range(1000))
    identity = org.job(f"LastName\n{lines}\n", operation="insert", externalIdFieldName=None)
    job = org.finished(identity)
    assert (job["state"], job["numberRecordsProcessed"], job["errorMessage"]) == (
        "Failed",
        400,
        "TooManyLockFailure : x",
    )
    assert org.results(identity, "unprocessedrecords").splitlines() == [
        "LastName",
        *(f'"half {n}"' for n in range(400, 1000)),
    ]
    assert len(org.query("SELECT Id FROM Contact WHERE LastName LIKE 'half %'")) == 400


def test_decisions_by_probability_repeat_with_the_seed() -> None:
    def decisions() -> list[bool]:
        faults = Faults(seed=3)
        faults.add({"kind": "500", "probability": 0.3})
        return [faults.strike("GET /") is not None for _ in range(200)]

    assert decisions() == decisions()
    assert 30 < sum(decisions()) < 90


@pytest.mark.parametrize("given", [{"kind": "fire"}, {"kind": "500", "route": "("}, {"kind": "500", "cuont": 1}])
def test_a_fault_that_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(BadFaultError):
        Faults().add(given)
