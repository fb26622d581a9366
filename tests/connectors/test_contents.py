"""Contents of documents on their way: down from Visual Practice, up to Salesforce and back, never held."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from bench.files import measured
from connectors.errors import ContentChanged, LengthDiffers, NotFound, RequestRefused, StorageExhausted
from connectors.salesforce import Salesforce
from connectors.salesforce.files import ATTACHMENT, MOST_ENCODED, VERSION, Files
from connectors.visual_practice import VisualPractice
from connectors.visual_practice.content import BLOCK, Download, open_content
from sandbox.visual_practice import content
from tests.connectors.conftest import Break
from tests.connectors.test_broken_servers import QUICK
from tests.connectors.test_broken_servers import practice as practice_that

SIZE = 3_000_001
Put = Callable[[dict[str, Any]], None]


def whole(vp_id: str, size: int) -> bytes:
    return b"".join(content.pieces(vp_id, f"{vp_id}.dcm", 0, size))


@pytest.fixture
def document(put_records: Put) -> Callable[..., str]:
    def put(vp_id: str, size: int = SIZE, **more: Any) -> str:
        record = {"id": vp_id, "filename": f"{vp_id}.dcm", "size": size, "processing_completed": True}
        record |= {"content": {"link": f"/v1/documents/{vp_id}/content"}} | more
        put_records({"object": "document", "put": [record]})
        return vp_id

    return put


async def read(download: Download) -> bytes:
    return b"".join([block async for block in download.blocks()])


async def parts(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


# -- down ------------------------------------------------------------------------------------------------------------------------------


async def test_a_content_comes_in_blocks_with_its_sums(practice: VisualPractice, document: Callable[..., str]):
    async with open_content(practice, document("920001"), SIZE) as download:
        blocks = [block async for block in download.blocks()]
    found, wanted = b"".join(blocks), whole("920001", SIZE)
    assert found == wanted
    assert max(map(len, blocks)) <= BLOCK
    assert (download.received, download.length) == (SIZE, SIZE)
    assert download.sha256 == hashlib.sha256(wanted).hexdigest()
    assert download.md5 == hashlib.md5(wanted).hexdigest()


async def test_a_content_that_breaks_off_is_taken_up_where_it_did(
    practice: VisualPractice, document: Callable[..., str], break_practice: Break
):
    vp_id = document("920002")
    break_practice("truncate", route="/content", count=3)
    async with open_content(practice, vp_id, SIZE) as download:
        assert await read(download) == whole(vp_id, SIZE)


async def test_a_document_of_no_bytes_has_a_content_of_none(practice: VisualPractice, document: Callable[..., str]):
    async with open_content(practice, document("920003", 0), 0) as download:
        assert await read(download) == b""


async def test_a_document_without_a_content_is_not_found(practice: VisualPractice, document: Callable[..., str]):
    for vp_id in (document("920004", content={"link": None}), "929999"):
        with pytest.raises(NotFound):
            async with open_content(practice, vp_id):
                pass


async def test_another_length_than_the_record_says_is_told(practice: VisualPractice, document: Callable[..., str]):
    with pytest.raises(LengthDiffers, match=f"{SIZE} bytes, where its record says 5"):
        async with open_content(practice, document("920005"), 5):
            pass


class _Breaking(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"half"
        raise httpx.ReadError("gone")


async def test_a_content_that_is_another_one_by_then_is_begun_again_by_whoever_wants_it():
    def answer(request: httpx.Request) -> httpx.Response:
        if "Range" in request.headers:
            assert request.headers["If-Range"] == '"1"'
            return httpx.Response(200, content=b"other", headers={"ETag": '"2"'})
        return httpx.Response(200, stream=_Breaking(), headers={"ETag": '"1"'})

    async with practice_that(answer, QUICK) as client, open_content(client, "1") as download:
        with pytest.raises(ContentChanged):
            await read(download)


async def test_a_content_that_nothing_identifies_is_not_put_together_from_two():
    async with (
        practice_that(lambda _: httpx.Response(200, stream=_Breaking()), QUICK) as client,
        open_content(client, "1") as download,
    ):
        with pytest.raises(ContentChanged):
            await read(download)


# -- up and back -----------------------------------------------------------------------------------------------------------------------


async def test_a_content_goes_up_as_it_comes_and_back_the_same(
    practice: VisualPractice, org: Salesforce, document: Callable[..., str]
):
    vp_id, files = document("920006"), Files(org)
    async with open_content(practice, vp_id, SIZE) as download:
        record = {"PathOnClient": "Schädel–Aufnahme.dcm", "Title": 'Of "her"'}
        row = await files.upload(VERSION, record, download.blocks(), SIZE)
    stored = await files.stored(VERSION, row)
    assert (stored.size, stored.sha256, stored.md5) == (SIZE, download.sha256, download.md5)
    (found,) = await org.query(f"SELECT Title, PathOnClient, Checksum FROM ContentVersion WHERE Id = '{row}'")
    assert (found["Title"], found["PathOnClient"], found["Checksum"]) == (*reversed(record.values()), download.md5)


async def test_a_content_whose_length_nobody_knows_goes_up_too(org: Salesforce):
    row = await Files(org).upload(VERSION, {"PathOnClient": "a.txt"}, parts(b"one", b"two"), None)
    assert (await Files(org).stored(VERSION, row)).sha256 == hashlib.sha256(b"onetwo").hexdigest()


async def test_an_upload_whose_source_fails_makes_nothing(org: Salesforce):
    async def failing() -> AsyncIterator[bytes]:
        yield bytes(200_000)
        raise ContentChanged("Visual Practice", "it did")

    for size in (400_000, None):
        with pytest.raises(ContentChanged):
            await Files(org).upload(VERSION, {"PathOnClient": "never.bin"}, failing(), size)
    assert await org.query("SELECT Id FROM ContentVersion WHERE Title = 'never'") == []


@pytest.mark.parametrize("blocks", [(b"short",), (b"longer", b" than ten")], ids=["shorter", "longer"])
async def test_an_upload_of_another_length_makes_nothing(org: Salesforce, blocks: tuple[bytes, ...]):
    with pytest.raises(LengthDiffers):
        await Files(org).upload(VERSION, {"PathOnClient": "odd.bin"}, parts(*blocks), 10)
    assert await org.query("SELECT Id FROM ContentVersion WHERE Title = 'odd'") == []


async def test_a_refused_upload_says_why(org: Salesforce):
    with pytest.raises(RequestRefused) as caught:
        await Files(org).upload(VERSION, {"Title": "No path"}, parts(b"x"), 1)
    assert caught.value.code == "REQUIRED_FIELD_MISSING"


async def test_full_file_storage_is_its_own_error(org: Salesforce, sandbox: Any):
    async with httpx.AsyncClient(base_url=f"{sandbox.salesforce['url']}/__admin") as admin:
        await admin.post("/files", json={"FileStorageMB": 0.001})
        try:
            with pytest.raises(StorageExhausted):
                await Files(org).upload(VERSION, {"PathOnClient": "full.bin"}, parts(bytes(2000)), 2000)
        finally:
            await admin.post("/files", json={"FileStorageMB": 10_240})


async def test_a_small_content_goes_as_an_attachment_in_one_text(org: Salesforce):
    account = await org.json("POST", "/sobjects/Account", what="account", json={"Name": "With papers"})
    row = await Files(org).attach(ATTACHMENT, {"Name": "a.txt", "ParentId": account["id"]}, b"small")
    assert (await Files(org).stored(ATTACHMENT, row)).sha256 == hashlib.sha256(b"small").hexdigest()
    with pytest.raises(ValueError, match="at most"):
        await Files(org).attach(ATTACHMENT, {"Name": "large"}, bytes(MOST_ENCODED + 1))
    assert len(base64.b64encode(bytes(MOST_ENCODED))) < 50 * 1024 * 1024


def test_memory_does_not_depend_on_the_size_of_a_document():
    found = measured(120)
    assert found["peak_mb"] - found["idle_mb"] < 16


async def test_the_content_of_an_attachment_is_replaced_as_it_comes(org: Salesforce):
    account = await org.json("POST", "/sobjects/Account", what="insert", json={"Name": "Replaced"})
    files = Files(org)
    row = await files.attach(ATTACHMENT, {"Name": "a.txt", "ParentId": account["id"]}, b"small")

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(70_000)

    with pytest.raises(LengthDiffers):
        await files.replace(ATTACHMENT, row, {}, blocks(), 5)
    assert (await files.stored(ATTACHMENT, row)).size == 5, "half a request changes nothing"
    await files.replace(ATTACHMENT, row, {"Name": "b.txt"}, blocks(), 210_000)
    assert (await files.stored(ATTACHMENT, row)).sha256 == hashlib.sha256(bytes(210_000)).hexdigest()
