from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from sandbox.visual_practice import anchors
from sandbox.visual_practice.storage import number_of
from tests.sandbox.conftest import PATIENTS


def every_page(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    url: str | None = str(client.base_url.join(path).copy_merge_params({"per_page": 100, **query}))
    while url:
        found = client.get(url).raise_for_status().json()
        records += next(value for value in found.values() if isinstance(value, list))
        url = found["links"].get("next")
    assert len(records) == found["total_entries"]
    return records


def order(record: dict[str, Any]) -> tuple[int, str]:
    return number_of(record["id"]), record["id"]


def put(client: httpx.Client, *records: dict[str, Any], **more: Any) -> None:
    client.post("/__admin/records", json={"object": "patient", "put": list(records), **more}).raise_for_status()


def test_wrong_key_is_refused_in_json(practice: httpx.Client) -> None:
    answer = httpx.get(f"{practice.base_url}/v1/patients", auth=("wrong", ""))
    assert (answer.status_code, list(answer.json())) == (401, ["error"])
    assert httpx.get(f"{practice.base_url}/v1/patients").status_code == 401


def test_pages_together_hold_each_patient_once_in_the_order_of_ids(practice: httpx.Client) -> None:
    records = every_page(practice, "/v1/patients")
    assert len({record["id"] for record in records}) == len(records) >= PATIENTS
    assert [order(record) for record in records] == sorted(order(record) for record in records)
    assert [record["id"] for record in reversed(records)] == [
        record["id"] for record in every_page(practice, "/v1/patients", order="desc")
    ]


def test_a_page_has_50_records_and_never_more_than_100(practice: httpx.Client) -> None:
    first = practice.get("/v1/patients").json()
    assert len(first["patients"]) == 50
    assert set(first["links"]) == {"self", "next"}
    assert len(practice.get("/v1/patients", params={"per_page": 5000}).json()["patients"]) == 100
    beyond = practice.get("/v1/patients", params={"page": 10**6}).json()
    assert (beyond["patients"], set(beyond["links"])) == ([], {"self", "previous"})


def test_a_run_of_records_shares_one_second_and_ties_are_ordered_by_id(practice: httpx.Client) -> None:
    records = every_page(practice, "/v1/patients", sort="updated_at")
    keys = [(record["updated_at"], *order(record)) for record in records]
    assert keys == sorted(keys)
    stamps = [record["updated_at"] for record in records]
    assert max(stamps.count(stamp) for stamp in set(stamps)) > 100


@pytest.mark.parametrize("sort", ["id", "updated_at"])
def test_updated_since_includes_its_own_second(practice: httpx.Client, sort: str) -> None:
    records = every_page(practice, "/v1/patients")
    for place in (0, len(records) // 2, len(records) - 1):
        since = sorted(record["updated_at"] for record in records)[place]
        found = every_page(practice, "/v1/patients", updated_since=since, sort=sort)
        assert {each["id"] for each in found} == {each["id"] for each in records if each["updated_at"] >= since}


def test_fields_cut_the_records_down(practice: httpx.Client) -> None:
    narrow = every_page(practice, "/v1/patients", fields="id,updated_at")
    wide = every_page(practice, "/v1/patients", fields="id,updated_at,last_name")
    assert {tuple(record) for record in narrow} == {("id", "updated_at")}
    assert [{key: each[key] for key in ("id", "updated_at")} for each in wide] == narrow


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "updated_since=yesterday", "sort=name", "order=up", "fields=id,shoe_size"]
)
def test_a_parameter_that_makes_no_sense_is_refused(practice: httpx.Client, query: str) -> None:
    assert practice.get(f"/v1/patients?{query}").status_code == 400


def test_pages_are_right_in_any_order_and_after_writes(practice: httpx.Client) -> None:
    for number in (3, 5, 4, 1, 7, 2, 6):
        everything = [record["id"] for record in every_page(practice, "/v1/patients")]
        page = practice.get("/v1/patients", params={"page": number, "per_page": 100}).json()["patients"]
        assert [record["id"] for record in page] == everything[(number - 1) * 100 : number * 100]
        practice.post("/__admin/mutate", json={"edits": 2, "creates": 1, "deletes": 2, "seed": number})
        page = practice.get("/v1/patients", params={"page": number + 1, "per_page": 50}).json()["patients"]
        everything = [record["id"] for record in every_page(practice, "/v1/patients")]
        assert [record["id"] for record in page] == everything[number * 50 : number * 50 + 50]


def test_a_deleted_record_is_gone_and_listed_until_it_is_undeleted(practice: httpx.Client) -> None:
    put(practice, {"id": "900001", "last_name": "Gone"})
    before = practice.get("/v1/patients/900001").json()
    put(practice, delete=["900001"])
    assert practice.get("/v1/patients/900001").status_code == 404
    listed = {each["id"]: each["deleted_at"] for each in every_page(practice, "/v1/patients/deleted")}
    assert listed["900001"] >= before["updated_at"]
    since = every_page(practice, "/v1/patients/deleted", deleted_since=listed["900001"])
    assert "900001" in {each["id"] for each in since}
    put(practice, undelete=["900001"])
    after = practice.get("/v1/patients/900001").json()
    assert after["last_name"] == "Gone"
    assert after["updated_at"] >= listed["900001"]
    assert "900001" not in {each["id"] for each in every_page(practice, "/v1/patients/deleted")}


def test_an_id_that_never_was_is_404(practice: httpx.Client) -> None:
    assert practice.get("/v1/patients/31337000").status_code == 404
    assert practice.get("/v1/doctors").status_code == 404
    assert practice.post("/v1/patients", json={}).status_code == 403


def test_the_date_header_is_the_server_clock(practice: httpx.Client) -> None:
    told = parsedate_to_datetime(practice.get("/v1/practices").headers["Date"]).timestamp()
    assert abs(told - time.time()) < 3


def test_the_rate_limit_refuses_with_retry_after(practice: httpx.Client) -> None:
    practice.post("/__admin/rate", json={"requests_per_minute": 0})
    try:
        answer = practice.get("/v1/users")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 61
    finally:
        practice.post("/__admin/rate", json={"requests_per_minute": None})
    assert practice.get("/v1/users").status_code == 200


def test_the_desk_tells_what_it_did(practice: httpx.Client) -> None:
    before = practice.get("/__admin/counts").json()["patients"]
    asked = {"edits": 5, "creates": 3, "deletes": 2, "undeletes": 1, "seed": 11}
    changes = practice.post("/__admin/mutate", json=asked).json()["changes"]
    after = practice.get("/__admin/counts").json()["patients"]
    kinds = [change["op"] for change in changes]
    assert after["live"] - before["live"] == kinds.count("create") + kinds.count("undelete") - kinds.count("delete")
    last = {(change["object"], change["id"]): change for change in changes}
    for (kind, identity), change in last.items():
        answer = practice.get(f"/v1/{kind}s/{identity}")
        assert answer.status_code == (404 if change["op"] == "delete" else 200)
        if answer.status_code == 200:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(change["at_ms"] / 1000))
            assert answer.json()["updated_at"] == stamp


def test_the_dump_holds_everything(practice: httpx.Client) -> None:
    dump, counts = practice.get("/__admin/dump").json(), practice.get("/__admin/counts").json()
    for plural, count in counts.items():
        assert (len(dump[plural]), len(dump[f"{plural}_deleted"])) == (count["live"], count["deleted"])


def test_an_anchor_from_before_a_write_is_not_used() -> None:
    trails = anchors.Anchors()
    listing = anchors.Listing("patient", None, None, False, False, 10)
    version = trails.version
    trails.remember(listing, 10, 1, (5, "5"), version)
    assert trails.start(listing, 10, 3) == ((5, "5"), 10)
    trails.change()
    assert trails.start(listing, 10, 3) == (None, 20)
    trails.remember(listing, 10, 1, (5, "5"), version)
    assert trails.start(listing, 10, 2) == (None, 10)
