from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

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


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "fire"},
        {"kind": "500", "route": "("},
        {"kind": "500", "cuont": 1},
        {"kind": "500", "count": "3"},
        {"kind": "500", "every": 0},
        {"kind": "429", "limit": "soon"},
        {"kind": "drift", "field": "phone"},
        {"kind": "skew"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(BadFaultError):
        Faults().add(given)


def struck(given: dict[str, Any], requests: int) -> list[int]:
    faults = Faults()
    faults.add({"kind": "503", **given})
    return [number for number in range(1, requests + 1) if faults.strike("GET /v1/patients") is not None]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"at": [2, 5]}, [2, 5]),
        ({"every": 3}, [3, 6, 9]),
        ({"skip": 7}, [8, 9, 10]),
        ({"skip": 2, "count": 2}, [3, 4]),
        ({"begin": 3600}, []),
        ({"end": 0}, []),
        ({"route": "POST"}, []),
    ],
)
def test_a_schedule_says_which_requests_are_struck(given: dict[str, Any], expected: list[int]) -> None:
    assert struck(given, 10) == expected


def test_a_rule_with_a_seed_has_dice_of_its_own() -> None:
    alone = struck({"probability": 0.5, "seed": 4}, 50)
    faults = Faults(seed=99)
    faults.add({"kind": "500", "route": "nowhere", "probability": 0.5})
    faults.add({"kind": "503", "probability": 0.5, "seed": 4})
    assert [n for n in range(1, 51) if faults.strike("GET /v1/patients")] == alone


def test_what_struck_can_be_replayed() -> None:
    first = Faults(seed=5)
    first.add({"kind": "500", "route": "/a", "probability": 0.3})
    first.add({"kind": "503", "every": 4})
    requests = [f"GET /{'ab'[number % 2]}" for number in range(60)]

    def run(faults: Faults) -> list[str | None]:
        return [rule.kind if (rule := faults.strike(request)) else None for request in requests]

    once, again = run(first), Faults(seed=1234)
    for rule in first.replay():
        again.add(rule)
    assert run(again) == once
    assert [entry["struck"] for entry in first.log()] == [r for r, kind in zip(requests, once, strict=True) if kind]
    first.reseed(5)
    assert run(first) == once


@pytest.mark.parametrize("server", ["practice", "org"])
def test_a_429_tells_when_to_come_back_in_four_ways(practice: httpx.Client, org: Org, server: str) -> None:
    admin = practice if server == "practice" else org.admin
    path = "/__admin/faults" if server == "practice" else "/faults"

    def answer(limit: str) -> httpx.Headers:
        admin.post(path, json={"kind": "429", "count": 1, "limit": limit, "retry_after": 90})
        refused = practice.get("/v1/users") if server == "practice" else org.http.get("/limits")
        assert refused.status_code == 429
        return refused.headers

    now = time.time()
    assert answer("retry_after")["Retry-After"] == "90"
    assert 80 < parsedate_to_datetime(answer("retry_date")["Retry-After"]).timestamp() - now < 120
    reset = answer("reset")
    assert 80 < int(reset["X-RateLimit-Reset"]) - now < 120
    assert "Retry-After" not in reset
    assert not {"retry-after", "x-ratelimit-reset"} & set(answer("silent"))


def test_half_of_a_page_can_be_missing(practice: httpx.Client) -> None:
    whole = practice.get("/v1/patients").json()
    practice.post("/__admin/faults", json={"kind": "partial", "count": 1})
    partial = practice.get("/v1/patients").json()
    assert partial["patients"] == whole["patients"][:25]
    assert partial["total_entries"] == whole["total_entries"]


def test_a_quota_is_exhausted_at_both(practice: httpx.Client, org: Org) -> None:
    practice.post("/__admin/faults", json={"kind": "quota", "count": 1})
    assert (practice.get("/v1/users").status_code, practice.get("/v1/users").status_code) == (403, 200)
    org.admin.post("/faults", json={"kind": "quota", "count": 1})
    assert org.refusal(org.http.get("/limits"))[:2] == (403, "REQUEST_LIMIT_EXCEEDED")


def test_the_desk_works_between_two_pages(practice: httpx.Client) -> None:
    practice.post("/__admin/faults", json={"route": "page=1", "kind": "mutate", "work": {"deletes": 3}, "seed": 5})
    query = {"per_page": 100, "sort": "id"}
    before = practice.get("/v1/patients", params=query | {"page": 1}).json()
    after = practice.get("/v1/patients", params=query | {"page": 2}).json()
    assert after["total_entries"] == before["total_entries"] - 3


def test_a_field_drifts_at_visual_practice_until_the_rule_goes(practice: httpx.Client) -> None:
    wanted = ("mobile_phone", "city", "last_name")
    before = practice.get("/v1/patients", params={"per_page": 5}).json()["patients"]
    practice.post(
        "/__admin/faults",
        json=[
            {"kind": "drift", "object": "patient", "field": "mobile_phone", "to": "cell_phone"},
            {"kind": "drift", "object": "patient", "field": "city", "remove": True},
            {"kind": "drift", "object": "patient", "field": "last_name", "type": "list"},
        ],
    )
    during = practice.get("/v1/patients", params={"per_page": 5}).json()["patients"]
    for old, new in zip(before, during, strict=True):
        assert new["cell_phone"] == old["mobile_phone"]
        assert not {"mobile_phone", "city"} & new.keys()
        assert new["last_name"] == ([old["last_name"]] if old["last_name"] is not None else [])
    names = {field["name"]: field for field in practice.get("/v1/patients/schema").json()["fields"]}
    assert "cell_phone" in names
    assert not {"mobile_phone", "city"} & names.keys()
    assert practice.get("/v1/patients?fields=id,city").status_code == 400
    practice.delete("/__admin/faults")
    assert practice.get("/v1/patients", params={"per_page": 5}).json()["patients"] == before
    assert set(wanted) <= {field["name"] for field in practice.get("/v1/patients/schema").json()["fields"]}


def test_a_field_drifts_at_salesforce_until_the_rule_goes(org: Org) -> None:
    def described() -> dict[str, str]:
        fields = org.http.get("/sobjects/Contact/describe").json()["fields"]
        return {field["name"]: field["type"] for field in fields}

    before = described()
    org.admin.post(
        "/faults",
        json=[
            {"kind": "drift", "object": "Contact", "field": "MRN__c", "remove": True},
            {"kind": "drift", "object": "Contact", "field": "Gender__c", "type": "number"},
        ],
    )
    assert "MRN__c" not in described()
    assert described()["Gender__c"] == "double"
    outcome = org.http.post("/sobjects/Contact", json={"LastName": "Drifted", "MRN__c": "1"})
    assert outcome.status_code == 400
    job = org.finished(org.job("LastName,MRN__c\nDrifted,1\n", operation="insert", externalIdFieldName=None))
    assert (job["state"], job["numberRecordsProcessed"]) == ("Failed", 0)
    org.admin.delete("/faults")
    assert described() == before


@pytest.mark.parametrize("ahead", [7200, -7200])
def test_a_clock_is_wrong_in_the_date_and_in_stamps(practice: httpx.Client, org: Org, ahead: int) -> None:
    practice.post("/__admin/faults", json={"kind": "skew", "seconds": ahead})
    told = parsedate_to_datetime(practice.get("/v1/users").headers["Date"]).timestamp()
    assert abs(told - time.time() - ahead) < 5
    change = practice.post("/__admin/mutate", json={"creates": 1}).json()["changes"][0]
    assert abs(change["at_ms"] / 1000 - time.time() - ahead) < 5
    assert abs(parsedate_to_datetime(org.http.get("/limits").headers["Date"]).timestamp() - time.time()) < 5
    org.admin.post("/faults", json={"kind": "skew", "seconds": ahead})
    identity = org.http.post("/sobjects/Account", json={"Name": "Elsewhen"}).json()["id"]
    stamp = org.http.get(f"/sobjects/Account/{identity}").json()["CreatedDate"]
    assert abs(time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time() - ahead) < 5


def test_a_full_storage_refuses_rows(org: Org) -> None:
    org.admin.post("/faults", json={"route": "Account upsert", "kind": "storage_full"})
    outcome = org.upsert("Account", {"VP_Id__c": "full", "Name": "Full"})[0]
    assert outcome["errors"][0]["statusCode"] == "STORAGE_LIMIT_EXCEEDED"
    job = org.finished(org.job("VP_Id__c,Name\nfull,Full\n", object="Account"))
    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 1)
    assert "STORAGE_LIMIT_EXCEEDED" in org.results(job["id"], "failedResults")


def test_a_stuck_job_goes_on_when_the_rule_goes(org: Org) -> None:
    org.admin.post("/faults", json={"route": "Contact insert", "kind": "job_stuck", "count": 1})
    identity = org.job("LastName\nStuck\n", operation="insert", externalIdFieldName=None)
    for _ in range(5):
        job = org.http.get(f"/jobs/ingest/{identity}").json()
        assert job["numberRecordsProcessed"] == 0
        assert job["state"] in {"UploadComplete", "InProgress"}
        time.sleep(0.05)
    org.admin.delete("/faults")
    assert org.finished(identity)["numberRecordsProcessed"] == 1


def test_half_of_the_rows_of_a_result_can_be_missing(org: Org) -> None:
    rows = "".join(f"whole {number}\n" for number in range(100))
    identity = org.job(f"LastName\n{rows}", operation="insert", externalIdFieldName=None)
    org.finished(identity)
    whole = org.results(identity, "successfulResults").splitlines()
    org.admin.post("/faults", json={"route": "successfulResults", "kind": "partial", "count": 1})
    partial = org.results(identity, "successfulResults").splitlines()
    assert len(whole) == 101
    assert 1 < len(partial) < 80
    assert partial == whole[: len(partial)]
