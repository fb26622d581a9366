"""Files: contents that come and go as a stream, their documents, versions and links."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bench.measure import memory
from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org

CONTENT = bytes(range(256)) * 40
LARGE = 96 * 1024 * 1024
BLOCK = 1 << 20


def multipart(
    org: Org, sobject: str, record: dict[str, Any], content: bytes, field: str = "VersionData"
) -> httpx.Response:
    parts = {
        "entity_content": (None, json.dumps(record), "application/json"),
        field: ("scan.pdf", content, "application/octet-stream"),
    }
    return org.http.post(f"/sobjects/{sobject}", files=parts)


def version(org: Org, identity: str) -> dict[str, Any]:
    record: dict[str, Any] = org.http.get(f"/sobjects/ContentVersion/{identity}").raise_for_status().json()
    return record


def account(org: Org, key: str) -> str:
    identity: str = org.upsert("Account", {"VP_Id__c": key, "Name": "With files"})[0]["id"]
    return identity


def test_a_multipart_version_makes_a_document_and_its_links(org: Org) -> None:
    place = account(org, "file:1")
    made = multipart(
        org, "ContentVersion", {"PathOnClient": "scans/Scan 1.PDF", "FirstPublishLocationId": place}, CONTENT
    )
    assert (made.status_code, made.json()["success"], made.json()["id"][:3]) == (201, True, "068")
    stored = version(org, made.json()["id"])
    assert (stored["Title"], stored["FileExtension"], stored["FileType"]) == ("Scan 1", "pdf", "PDF")
    assert (stored["ContentSize"], stored["IsLatest"], stored["VersionNumber"]) == (len(CONTENT), True, "1")
    assert stored["Checksum"] == hashlib.md5(CONTENT).hexdigest()
    document = stored["ContentDocumentId"]
    assert document.startswith("069")
    links = org.query(
        f"SELECT LinkedEntityId, ShareType, Visibility FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
    )
    assert {(link["LinkedEntityId"], link["ShareType"]) for link in links} == {(stored["OwnerId"], "I"), (place, "V")}
    whole = org.query(
        f"SELECT Title, ContentSize, LatestPublishedVersionId FROM ContentDocument WHERE Id = '{document}'"
    )[0]
    assert (whole["Title"], whole["LatestPublishedVersionId"]) == ("Scan 1", stored["Id"])


def test_the_content_comes_back_to_the_byte(org: Org) -> None:
    identity = multipart(org, "ContentVersion", {"PathOnClient": "a.png"}, CONTENT).json()["id"]
    answer = org.http.get(f"/sobjects/ContentVersion/{identity}/VersionData")
    assert (answer.content, answer.headers["Content-Type"]) == (CONTENT, "image/png")
    assert org.http.get(f"{org.card['url']}{version(org, identity)['VersionData']}").content == CONTENT


def test_a_small_content_may_be_base64(org: Org) -> None:
    record = {"PathOnClient": "note.txt", "Title": "A note", "VersionData": base64.b64encode(b"hello").decode()}
    identity = org.http.post("/sobjects/ContentVersion", json=record).raise_for_status().json()["id"]
    assert org.http.get(f"/sobjects/ContentVersion/{identity}/VersionData").content == b"hello"
    assert version(org, identity)["Title"] == "A note"


def test_a_new_version_of_a_document_becomes_the_latest(org: Org) -> None:
    first = multipart(org, "ContentVersion", {"PathOnClient": "v.txt"}, b"one").json()["id"]
    document = version(org, first)["ContentDocumentId"]
    second = multipart(org, "ContentVersion", {"PathOnClient": "v.txt", "ContentDocumentId": document}, b"two").json()[
        "id"
    ]
    found = [version(org, each) for each in (first, second)]
    assert [(each["IsLatest"], each["VersionNumber"]) for each in found] == [(False, "1"), (True, "2")]
    assert {each["ContentDocumentId"] for each in found} == {document}
    latest = org.http.get(f"/sobjects/ContentDocument/{document}").json()
    assert (latest["LatestPublishedVersionId"], latest["ContentSize"]) == (second, 3)
    assert org.http.get(f"/sobjects/ContentVersion/{first}/VersionData").content == b"one"


def test_the_content_of_a_version_cannot_be_changed(org: Org) -> None:
    identity = multipart(org, "ContentVersion", {"PathOnClient": "v.txt"}, b"one").json()["id"]
    changed = org.http.patch(f"/sobjects/ContentVersion/{identity}", json={"VersionData": "dHdv"})
    assert org.refusal(changed)[:2] == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert org.http.patch(f"/sobjects/ContentVersion/{identity}", json={"Title": "Other"}).status_code == 204


@pytest.mark.parametrize(
    ("record", "code", "field"),
    [
        ({"PathOnClient": "a.txt"}, "REQUIRED_FIELD_MISSING", "VersionData"),
        ({"VersionData": "aGk="}, "REQUIRED_FIELD_MISSING", "PathOnClient"),
        ({"PathOnClient": "a.txt", "VersionData": "no base64!"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", "VersionData"),
    ],
)
def test_a_version_that_lacks_something_is_refused(org: Org, record: dict[str, str], code: str, field: str) -> None:
    refused = org.http.post("/sobjects/ContentVersion", json=record)
    assert org.refusal(refused)[:2] == (400, code)
    assert refused.json()[0]["fields"] == [field]


def test_an_attachment_hangs_on_its_parent(org: Org) -> None:
    parent = account(org, "file:2")
    made = multipart(org, "Attachment", {"Name": "old.doc", "ParentId": parent}, b"old", field="Body")
    identity = made.raise_for_status().json()["id"]
    assert org.http.get(f"/sobjects/Attachment/{identity}/Body").content == b"old"
    assert org.query(f"SELECT BodyLength FROM Attachment WHERE ParentId = '{parent}'")[0]["BodyLength"] == 3


def test_the_content_of_an_attachment_can_be_replaced(org: Org) -> None:
    record = {"Name": "old.doc", "ParentId": account(org, "file:3")}
    identity = multipart(org, "Attachment", record, b"old", field="Body").json()["id"]
    parts = {"entity_content": (None, json.dumps({"Name": "new.doc"}), "application/json"), "Body": ("x", b"newer")}
    assert org.http.patch(f"/sobjects/Attachment/{identity}", files=parts).status_code == 204
    assert org.http.get(f"/sobjects/Attachment/{identity}/Body").content == b"newer"
    stored = org.http.get(f"/sobjects/Attachment/{identity}").json()
    assert (stored["Name"], stored["BodyLength"]) == ("new.doc", 5)
    elsewhere = org.http.patch(f"/sobjects/Attachment/{identity}", json={"ParentId": account(org, "file:4")})
    assert org.refusal(elsewhere)[:2] == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    (deleted,) = org.http.delete("/composite/sobjects", params={"ids": identity}).json()
    assert deleted["success"]
    assert org.http.get(f"/sobjects/Attachment/{identity}/Body").status_code == 404


def test_nobody_can_ask_for_attachments_by_their_description(org: Org) -> None:
    query = {"q": "SELECT Id FROM Attachment WHERE Description = 'attachment:1'"}
    refused = org.http.get("/query", params=query)
    assert org.refusal(refused)[:2] == (400, "INVALID_FIELD")
    assert "'Description' can not be filtered in a query call" in refused.text


@pytest.mark.parametrize(("setting", "sobject"), [("attachments", "Attachment"), ("files", "ContentVersion")])
def test_an_org_may_offer_no_files_of_a_kind(org: Org, setting: str, sobject: str) -> None:
    admin = f"{org.card['url']}/__admin/settings"
    try:
        httpx.post(admin, json={setting: False}).raise_for_status()
        assert org.http.get(f"/sobjects/{sobject}/describe").status_code == 404
    finally:
        httpx.post(admin, json={setting: True}).raise_for_status()
    assert org.http.get(f"/sobjects/{sobject}/describe").status_code == 200


def test_a_deleted_document_takes_its_versions_and_links_along(org: Org) -> None:
    identity = multipart(org, "ContentVersion", {"PathOnClient": "gone.txt"}, b"gone").json()["id"]
    document = version(org, identity)["ContentDocumentId"]
    assert org.http.delete(f"/sobjects/ContentDocument/{document}").status_code == 204
    assert org.http.get(f"/sobjects/ContentVersion/{identity}/VersionData").status_code == 404
    for sobject in ("ContentVersion", "ContentDocumentLink"):
        assert org.query(f"SELECT Id FROM {sobject} WHERE ContentDocumentId = '{document}'") == []


def test_a_document_is_linked_to_more_records(org: Org) -> None:
    identity = multipart(org, "ContentVersion", {"PathOnClient": "linked.txt"}, b"x").json()["id"]
    document = version(org, identity)["ContentDocumentId"]
    link = {"ContentDocumentId": document, "LinkedEntityId": account(org, "file:3"), "ShareType": "V"}
    assert org.http.post("/sobjects/ContentDocumentLink", json=link).status_code == 201
    again = org.http.post("/sobjects/ContentDocumentLink", json=link)
    assert org.refusal(again)[:2] == (400, "DUPLICATE_VALUE")


@pytest.fixture(scope="module")
def alone() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(only="salesforce") as process:
        yield process


def test_a_full_storage_refuses_files(alone: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> None:
    org = connect(alone)
    org.admin.post("/files", json={"FileStorageMB": 0.02})
    statuses = [multipart(org, "ContentVersion", {"PathOnClient": "f.bin"}, CONTENT) for _ in range(3)]
    assert [each.status_code for each in statuses] == [201, 201, 400]
    assert org.refusal(statuses[-1])[1] == "STORAGE_LIMIT_EXCEEDED"
    org.admin.post("/files", json={"FileStorageMB": 10_240})


def test_a_large_file_passes_through_without_being_held(
    alone: SandboxProcess, connect: Callable[[SandboxProcess], Org]
) -> None:
    org = connect(alone)
    multipart(org, "ContentVersion", {"PathOnClient": "warm.bin"}, CONTENT)
    before = memory(alone.pid).peak
    boundary, block = "----part", bytes(BLOCK)

    def body() -> Iterator[bytes]:
        record = json.dumps({"PathOnClient": "large.bin"})
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="entity"\r\nContent-Type: application/json\r\n\r\n'.encode()
        yield f"{record}\r\n--{boundary}\r\n".encode()
        yield b'Content-Disposition: form-data; name="VersionData"; filename="large.bin"\r\n\r\n'
        for _ in range(LARGE // BLOCK):
            yield block
        yield f"\r\n--{boundary}--\r\n".encode()

    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    identity = (
        org.http.post("/sobjects/ContentVersion", content=body(), headers=headers).raise_for_status().json()["id"]
    )
    with org.http.stream("GET", f"/sobjects/ContentVersion/{identity}/VersionData") as answer:
        received = sum(map(len, answer.iter_bytes(BLOCK)))
    assert received == LARGE
    assert memory(alone.pid).peak - before < LARGE / 4


def test_base64_has_a_limit_and_so_has_a_request(
    alone: SandboxProcess, connect: Callable[[SandboxProcess], Org]
) -> None:
    org = connect(alone)
    for megabytes, status, code in ((51, 400, "STRING_TOO_LONG"), (64, 413, "REQUEST_BODY_TOO_LARGE")):
        body = b'{"PathOnClient": "a.bin", "VersionData": "' + b"A" * (megabytes << 20) + b'"}'
        refused = org.http.post("/sobjects/ContentVersion", content=body, headers={"Content-Type": "application/json"})
        assert org.refusal(refused)[:2] == (status, code)
