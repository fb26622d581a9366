"""The two ways of speaking, and the switches between them: a Visual Practice of its own, because they change it for all."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from sandbox.process import SandboxProcess
from sandbox.visual_practice.localtime import LocalTime
from sandbox.visual_practice.profile import Profile
from sandbox.visual_practice.schema import BY_NAME, BY_PLURAL, RESOURCES
from sandbox.visual_practice.view import long_id, short_id
from tests.sandbox.conftest import practice_of

LOCAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(only="visual-practice", patients=230, practices=8, clean=True, wide=True) as process:
        yield process


@pytest.fixture
def client(server: SandboxProcess) -> Iterator[httpx.Client]:
    with practice_of(server) as client:
        yield client
        client.post("/__admin/profile", json={"profile": "page"}).raise_for_status()


@pytest.fixture
def speak(client: httpx.Client) -> Callable[..., None]:
    def change(profile: str = "", **switches: str) -> None:
        client.post("/__admin/profile", json={"profile": profile, **switches}).raise_for_status()

    return change


def walk(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.get(path, params=query | ({"cursor": cursor} if cursor else {})).raise_for_status().json()
        records += page["results"]
        assert page["has_next_page"] == (page["next"] is not None)
        if not page["has_next_page"]:
            assert page["total_entires"] == len(records)
            return records
        cursor = page["next"]


def test_the_cursor_profile_says_the_same_in_other_words(client: httpx.Client, speak: Callable[..., None]) -> None:
    zone = LocalTime("America/New_York")
    plain = {}
    for resource in RESOURCES:
        answer = client.get(f"/v1/{resource.plural}", params={"per_page": 7}).json()
        plain[resource.plural] = answer[resource.plural]
        assert plain[resource.plural], resource.plural
    speak("cursor")
    for resource in RESOURCES:
        other = client.get(f"/v1/{resource.plural}", params={"per_page": 7}).json()
        assert "page" not in other
        for before, after in zip(plain[resource.plural], other["results"], strict=True):
            for column in resource.columns:
                old, new = before[column.name], after[column.name]
                if column.kind == "id":
                    assert re.fullmatch(r"\d{18}", new)
                    assert (int(new) > 2**53, short_id(resource, new)) == (True, old)
                elif column.reference and old:
                    assert new == long_id(BY_NAME[column.reference], old)
                elif column.kind == "instant" and old:
                    assert LOCAL.fullmatch(new)
                    assert zone.read(new) == old or new[11:13] == "01"  # the hour that exists twice
                elif column.name not in {"custom_fields", "content"}:
                    assert new == old


def test_a_walk_by_cursor_has_each_record_once_in_either_order(
    client: httpx.Client, speak: Callable[..., None]
) -> None:
    speak("cursor")
    ids = [record["id"] for record in walk(client, "/v1/patients", per_page=33)]
    assert len(ids) == len(set(ids)) == 230
    assert [record["id"] for record in walk(client, "/v1/patients", per_page=41, order="desc")] == ids[::-1]
    by_time = walk(client, "/v1/patients", per_page=50, sort="updated_at", fields="id,updated_at")
    assert {record["id"] for record in by_time} == set(ids)


def test_a_delete_meanwhile_moves_no_record_past_a_cursor(client: httpx.Client, speak: Callable[..., None]) -> None:
    speak("cursor", ids="number")
    first = client.get("/v1/payments", params={"per_page": 10}).json()
    gone = [record["id"] for record in first["results"][:4]]
    client.post("/__admin/records", json={"object": "payment", "delete": gone}).raise_for_status()
    second = client.get("/v1/payments", params={"per_page": 10, "cursor": first["next"]}).json()
    assert [record["id"] for record in second["results"]] == [str(number) for number in range(11, 21)]
    client.post("/__admin/records", json={"object": "payment", "undelete": gone}).raise_for_status()


@pytest.mark.parametrize("change", ["tampered", "elsewhere", "nonsense", "reordered"])
def test_a_cursor_that_is_not_of_this_listing_is_refused(
    client: httpx.Client, speak: Callable[..., None], change: str
) -> None:
    speak("cursor")
    cursor = client.get("/v1/patients", params={"per_page": 5}).json()["next"]
    path, query = "/v1/patients", {"cursor": cursor}
    if change == "tampered":
        raw = bytearray(base64.urlsafe_b64decode(cursor + "=="))
        raw[-2] ^= 1
        query["cursor"] = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    elif change == "nonsense":
        query["cursor"] = "é*"
    elif change == "reordered":
        query["order"] = "desc"
    else:
        path = "/v1/invoices"
    refused = client.get(path, params=query)
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (400, "Invalid cursor")


def test_pages_are_not_known_by_cursor_and_errors_look_different(
    client: httpx.Client, speak: Callable[..., None]
) -> None:
    speak("cursor")
    assert client.get("/v1/patients?page=2").json()["errors"][0]["status"] == 400
    assert client.get("/v1/patients/31337").json() == {"errors": [{"status": 404, "message": "Not found"}]}


def test_a_record_and_a_delta_are_asked_for_in_its_own_words(client: httpx.Client, speak: Callable[..., None]) -> None:
    speak("cursor")
    records = walk(client, "/v1/appointments", per_page=100)
    some = records[len(records) // 2]
    assert client.get(f"/v1/appointments/{some['id']}").json() == some
    since = sorted(record["updated_at"] for record in records)[len(records) // 2]
    found = walk(client, "/v1/appointments", per_page=100, updated_since=since)
    assert {each["id"] for each in found} >= {each["id"] for each in records if each["updated_at"] > since}
    assert min(each["updated_at"] for each in found) == since
    assert client.get("/v1/patients", params={"updated_since": "2024-01-01T00:00:00Z"}).status_code == 400


def test_local_times_follow_the_clock_changes() -> None:
    zone = LocalTime("America/New_York")
    assert zone.show("2024-07-01T12:30:15Z") == "2024-07-01 08:30:15"
    assert zone.show("2024-03-10T06:59:59Z") == "2024-03-10 01:59:59"
    assert zone.show("2024-03-10T07:00:00Z") == "2024-03-10 03:00:00"
    twice = [zone.show(f"2024-11-03T0{hour}:30:00Z") for hour in (5, 6)]
    assert twice == ["2024-11-03 01:30:00"] * 2
    assert zone.read(twice[0]) == "2024-11-03T05:30:00Z"  # the earlier, so that a delta leaves nothing out
    assert zone.read("2024-03-10 02:30:00") == "2024-03-10T07:30:00Z"  # it does not exist: moved on by the gap
    assert LocalTime("Australia/Adelaide").show("2024-07-01T12:30:15Z") == "2024-07-01 22:00:15"
    assert zone.show("about noon") == "about noon"


def test_the_zone_of_local_times_is_told(client: httpx.Client, speak: Callable[..., None]) -> None:
    speak("mixed")
    told = client.get("/v1/schema").json()
    assert (ZoneInfo(told["time_zone"]).key, told["times"]) == ("America/New_York", "local")


def test_the_mixed_profile_has_pages_with_links_and_numbers(client: httpx.Client, speak: Callable[..., None]) -> None:
    speak("mixed")
    first = client.get("/v1/invoices", params={"per_page": 20}).json()
    assert set(first) == {"results", "total_entires", "next", "previous", "has_next_page", "per_page"}
    second = client.get(first["next"]).json()
    assert [record["id"] for record in second["results"]] == [str(number) for number in range(21, 41)]
    assert client.get(second["previous"]).json()["results"] == first["results"]


def test_each_switch_can_be_turned_alone(client: httpx.Client, speak: Callable[..., None]) -> None:
    speak("page", paging="cursor")
    page = client.get("/v1/patients", params={"per_page": 9}).json()
    assert set(page) == {"patients", "total_entries", "links"}
    assert client.get(page["links"]["next"]).json()["patients"][0]["id"] == "1010"
    speak("page", custom="sections")
    section = client.get("/v1/patients").json()["patients"][0]["custom_fields"]["sections"][0]
    assert section["token"] == "further"
    assert client.post("/__admin/profile", json={"paging": "scroll"}).status_code == 400


def test_a_profile_can_be_chosen_at_the_start() -> None:
    options = {"patients": 5, "practices": 2, "profile": "cursor,ids=number"}
    with SandboxProcess.start(only="visual-practice", **options) as process:
        card = process.visual_practice
        page = httpx.get(f"{card['url']}/v1/patients", auth=(card["api_key"], "")).json()
        assert (page["total_entires"], page["results"][0]["id"]) == (5, "1001")


def test_profile_and_keys_survive_a_kill() -> None:
    with SandboxProcess.start(only="visual-practice", patients=5, practices=2) as process:
        card = process.visual_practice
        admin = f"{card['url']}/__admin"
        httpx.post(f"{admin}/profile", json={"profile": "page", "ids": "long"}).raise_for_status()
        key = httpx.post(f"{admin}/keys", json={"scopes": ["patients:read"]}).json()["api_key"]
        before = httpx.get(f"{card['url']}/v1/patients", auth=(key, "")).json()
        assert len(before["patients"][0]["id"]) == 18
        process.kill()
        process.restart()
        assert httpx.get(f"{card['url']}/v1/patients", auth=(key, "")).json() == before
        assert httpx.get(f"{card['url']}/v1/users", auth=(key, "")).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        *("per_page=-1", "per_page=1e3", "page=99999999999999999999", "page=%00", "fields=,", "fields=id,id;drop"),
        *("updated_since=0001-01-01%2000:00:00", "updated_since=9999-12-31%2023:59:59", "updated_since=2024-13-01"),
        *("updated_since=0001-01-01T00:00:00Z", "sort=", "order=DESC", "cursor=%F0%9F%98%80", "cursor=AAAA", "x=y"),
    ],
)
@pytest.mark.parametrize("profile", ["page", "cursor", "mixed"])
def test_an_odd_query_is_answered_or_refused_in_json(
    client: httpx.Client, speak: Callable[..., None], profile: str, query: str
) -> None:
    speak(profile)
    for path in ("/v1/patients", "/v1/patients/deleted", "/v1/documents/archived"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code in {200, 400}
        assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("text", ["pages", "page,ids=uuid", "colour=blue"])
def test_a_profile_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="profile"):
        Profile.parse(text)


def test_every_resource_lists_deltas_deletes_and_archives(client: httpx.Client) -> None:
    for plural, resource in BY_PLURAL.items():
        page = client.get(f"/v1/{plural}", params={"per_page": 3}).json()
        identity = page[plural][0]["id"]
        client.post("/__admin/records", json={"object": resource.name, "delete": [identity]}).raise_for_status()
        assert client.get(f"/v1/{plural}/{identity}").status_code == 404
        assert [each["id"] for each in client.get(f"/v1/{plural}/deleted").json()[plural]] == [identity]
        client.post("/__admin/records", json={"object": resource.name, "undelete": [identity]}).raise_for_status()
        back = client.get(f"/v1/{plural}/{identity}").json()
        since = client.get(f"/v1/{plural}", params={"updated_since": back["updated_at"]}).json()[plural]
        assert identity in {each["id"] for each in since}
        client.post("/__admin/records", json={"object": resource.name, "archive": [identity]}).raise_for_status()
        archived = client.get(f"/v1/{plural}/archived").json()[plural]
        assert [each["id"] for each in archived] == [identity]
        assert archived[0]["archived_at"]
        client.post("/__admin/records", json={"object": resource.name, "unarchive": [identity]}).raise_for_status()


def test_the_schema_tells_fields_choices_references_and_forms(client: httpx.Client) -> None:
    told = client.get("/v1/schema").json()
    assert set(told["resources"]) == set(BY_PLURAL)
    for plural, resource in told["resources"].items():
        record = client.get(f"/v1/{plural}", params={"per_page": 1}).json()[plural][0]
        assert [field["name"] for field in resource["fields"]] == list(record), plural
    fields = {field["name"]: field for field in told["resources"]["appointments"]["fields"]}
    assert "no_show" in fields["status"]["options"]
    assert fields["patient_id"]["references"] == "patient"
    assert told["resources"]["patients"]["custom_fields"][0]["token"] == "referral_source"
    questions = [each for form in told["forms"] for section in form["sections"] for each in section["questions"]]
    assert {"text", "radiobuttons", "checkboxes", "date", "signature"} <= {each["type"] for each in questions}
