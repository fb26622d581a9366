from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.process import SandboxProcess
from sandbox.visual_practice import content
from tests.sandbox.conftest import practice_of

GIGABYTE = 10**9


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxProcess]:
    dirt = "huge_documents,empty_documents,wrong_content_types,missing_contents"
    with SandboxProcess.start(only="visual-practice", patients=60, practices=3, dirty=dirt) as process:
        yield process


@pytest.fixture
def client(server: SandboxProcess) -> Iterator[httpx.Client]:
    with practice_of(server) as client:
        yield client
        client.delete("/__admin/faults")


@pytest.fixture
def documents(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/documents", params={"per_page": 100}).json()["documents"]
    return found


def is_ordinary(document: dict[str, Any]) -> bool:
    return bool(document["content"]["link"]) and 0 < document["size"] < 2_000_000


def test_content_is_as_long_as_it_says_and_always_the_same(
    client: httpx.Client, documents: list[dict[str, Any]]
) -> None:
    some = [each for each in documents if is_ordinary(each)][:8]
    assert some
    seen = set()
    for document in some:
        answer = client.get(document["content"]["link"])
        assert len(answer.content) == document["size"] == int(answer.headers["Content-Length"])
        assert answer.headers["Content-Type"] == document["content_type"]
        assert document["filename"] in answer.headers["Content-Disposition"]
        assert client.get(document["content"]["link"]).content == answer.content
        seen.add(answer.content)
    assert len(seen) == len(some)


def test_content_begins_like_a_file_of_its_kind(client: httpx.Client, documents: list[dict[str, Any]]) -> None:
    pdf = next(each for each in documents if is_ordinary(each) and each["content_type"] == "application/pdf")
    assert client.get(pdf["content"]["link"]).content.startswith(b"%PDF-1.4")


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=-7", -7, None), ("bytes=100-", 100, None)],
)
def test_a_range_is_that_part(
    client: httpx.Client, documents: list[dict[str, Any]], header: str, start: int, stop: int | None
) -> None:
    document = max((each for each in documents if is_ordinary(each)), key=lambda each: int(each["size"]))
    whole = client.get(document["content"]["link"]).content
    answer = client.get(document["content"]["link"], headers={"Range": header})
    assert (answer.status_code, answer.content) == (206, whole[start:stop])
    first = start % len(whole)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"


def test_a_range_behind_the_end_is_416_and_one_of_another_version_is_whole(
    client: httpx.Client, documents: list[dict[str, Any]]
) -> None:
    document = next(each for each in documents if is_ordinary(each))
    link, size = document["content"]["link"], document["size"]
    beyond = client.get(link, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert client.get(link, headers={"Range": "bytes=0-9", "If-Range": '"old"'}).status_code == 200
    tag = client.head(link).headers["ETag"]
    assert client.get(link, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206
    assert client.get(link, headers={"If-None-Match": tag}).status_code == 304


def test_a_download_that_breaks_off_can_be_taken_up(client: httpx.Client, documents: list[dict[str, Any]]) -> None:
    document = max((each for each in documents if is_ordinary(each)), key=lambda each: int(each["size"]))
    link = document["content"]["link"]
    whole, got = client.get(link).content, bytearray()
    client.post("/__admin/faults", json={"route": "/content", "kind": "truncate", "count": 2})
    while len(got) < len(whole):
        try:
            with client.stream("GET", link, headers={"Range": f"bytes={len(got)}-"}) as answer:
                for piece in answer.iter_raw():
                    got += piece
        except httpx.TransportError:
            assert len(got) < len(whole)
    assert bytes(got) == whole


def test_any_part_of_more_than_two_gigabytes_is_there_at_once_and_nothing_is_kept(
    client: httpx.Client, server: SandboxProcess, documents: list[dict[str, Any]]
) -> None:
    huge = next(each for each in documents if each["size"] > 2 * GIGABYTE)
    link, size = huge["content"]["link"], huge["size"]
    assert int(client.head(link).headers["Content-Length"]) == size
    tail = client.get(link, headers={"Range": f"bytes={size - 100}-"}).content
    assert tail == b"".join(content.pieces(huge["id"], huge["filename"], size - 100, size))
    read, before = 0, resident(server.pid)
    with client.stream("GET", link) as answer:
        for piece in answer.iter_raw():
            read += len(piece)
            if read > 40_000_000:
                break
    assert resident(server.pid) - before < 20_000_000


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


def test_odd_documents(client: httpx.Client, documents: list[dict[str, Any]]) -> None:
    empty = next(each for each in documents if each["size"] == 0)
    assert client.get(empty["content"]["link"]).content == b""
    assert client.get(empty["content"]["link"], headers={"Range": "bytes=0-"}).status_code == 416
    gone = next(each for each in documents if each["content"]["link"] is None)
    assert client.get(f"/v1/documents/{gone['id']}/content").status_code == 404
    assert client.get("/v1/documents/31337000/content").status_code == 404


def test_parts_put_together_are_the_whole() -> None:
    whole = b"".join(content.pieces("9", "a.bin", 0, 200_001))
    pieces = [(start, min(start + 7_777, 200_001)) for start in range(0, 200_001, 7_777)]
    assert b"".join(b"".join(content.pieces("9", "a.bin", *part)) for part in pieces) == whole
    assert len(whole) == 200_001
