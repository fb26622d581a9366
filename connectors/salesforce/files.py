"""Contents of files: streamed up as multipart, streamed down, and small ones as base64.

Owns the shape of these calls; which file is uploaded when is its caller's business, and nothing that writes is tried again here. Source of fact: REST API
Developer Guide v66, "Insert or Update Blob Data" and "Get Blob Data" (part 1 `application/json`, part 2 named as the blob field and with a file name; 2 GB
for ContentVersion; base64 in JSON up to 50 MB of text).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, NamedTuple

import httpx
import orjson

from connectors.errors import BadAnswer, LengthDiffers
from connectors.exchange import json_of
from connectors.salesforce import soql
from connectors.salesforce.session import Salesforce

__all__ = ["ATTACHMENT", "DOCUMENT", "LINK", "MOST_BYTES", "MOST_ENCODED", "VERSION", "Files", "Stored"]

VERSION: Final = "ContentVersion"
DOCUMENT: Final = "ContentDocument"
LINK: Final = "ContentDocumentLink"
ATTACHMENT: Final = "Attachment"
MOST_BYTES: Final = 2 * 1024**3
"""Largest ContentVersion."""
MOST_ENCODED: Final = 25 * 1024**2
"""Largest content that goes as base64: the classic limit of Attachments. Such a one is in memory about four times."""

_SERVICE: Final = "Salesforce"
_CONTENT: Final = {VERSION: "VersionData", ATTACHMENT: "Body"}
_BLOCK: Final = 64 * 1024


class Stored(NamedTuple):
    """A content as Salesforce gives it back.

    Attributes:
        size: Bytes.
        sha256: Hex.
        md5: Hex.
    """

    size: int
    sha256: str
    md5: str


class Files:
    """Files of one org.

    Args:
        salesforce: The open connection.
    """

    def __init__(self, salesforce: Salesforce) -> None:
        self._salesforce = salesforce

    async def upload(
        self, sobject: str, record: Mapping[str, Any], blocks: AsyncIterator[bytes], size: int | None
    ) -> str:
        """Make a row with a content, which is sent as it comes: memory doesn't depend on its size.

        Args:
            sobject: `ContentVersion` or `Attachment`.
            record: The other columns.
            blocks: The content. What it raises ends the request, and Salesforce makes nothing of half a one.
            size: Bytes that it will have, so that the request can say its length; None: it goes in chunks.

        Returns:
            The new row's Salesforce id.

        Raises:
            LengthDiffers: The blocks are not ``size`` bytes together; nothing was made.
            ConnectorError: The call failed. After an `Unreachable` that may have arrived the row may be there. An expired session is an error here, as
                the blocks can't be had twice; the next call has a fresh one.
        """
        path, what = f"/sobjects/{soql.name(sobject)}", f"upload of a {sobject}"
        answer = await self._multipart("POST", path, what, sobject, record, blocks, size)
        return _made(json_of(answer, _SERVICE))

    async def replace(
        self, sobject: str, row_id: str, record: Mapping[str, Any], blocks: AsyncIterator[bytes], size: int | None
    ) -> None:
        """Give a row that is there another content, and other columns. As for `upload` otherwise; made twice it comes to the same.

        Args:
            sobject: `Attachment`; the content of a `ContentVersion` can't be replaced.
            row_id: Its Salesforce id.
            record: The other columns.
            blocks: The content.
            size: Bytes that it will have.

        Raises:
            LengthDiffers: The blocks are not ``size`` bytes together; nothing was changed.
            NotFound: There is no such row.
            ConnectorError: See `upload`.
        """
        path, what = f"/sobjects/{soql.name(sobject)}/{row_id}", f"replacement of a {sobject}"
        await self._multipart("PATCH", path, what, sobject, record, blocks, size)

    async def _multipart(
        self,
        method: str,
        path: str,
        what: str,
        sobject: str,
        record: Mapping[str, Any],
        blocks: AsyncIterator[bytes],
        size: int | None,
    ) -> httpx.Response:
        boundary = secrets.token_hex(16)
        head = _part(boundary, "entity_content", "application/json") + orjson.dumps(dict(record)) + b"\r\n"
        # The name is not the document's: it would be a header.
        head += _part(boundary, f'{_CONTENT[sobject]}"; filename="content', "application/octet-stream")
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if size is not None:
            headers["Content-Length"] = str(len(head) + size + len(tail))
        content = _body(head, blocks, tail, size)
        return await self._salesforce.request(method, path, what=what, content=content, headers=headers)

    async def attach(self, sobject: str, record: Mapping[str, Any], content: bytes) -> str:
        """Make a row with a small content in one JSON text. As for `upload` otherwise.

        Raises:
            ValueError: The content is larger than `MOST_ENCODED`.
        """
        if len(content) > MOST_ENCODED:
            message = f"{len(content)} bytes as base64, at most {MOST_ENCODED} are possible"
            raise ValueError(message)
        body = {**record, _CONTENT[sobject]: base64.b64encode(content).decode()}
        path = f"/sobjects/{soql.name(sobject)}"
        return _made(await self._salesforce.json("POST", path, what=f"insert of a {sobject}", json=body))

    async def stored(self, sobject: str, row_id: str, touch: Callable[[], None] = lambda: None) -> Stored:
        """Read a content back and hash it; it is never held.

        Args:
            sobject: `ContentVersion` or `Attachment`.
            row_id: Its Salesforce id.
            touch: Called for each block.

        Raises:
            Unreachable: It broke off: ask again.
            NotFound: There is no such row.
            ConnectorError: See `connectors.errors`.
        """
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        path = f"/sobjects/{soql.name(sobject)}/{row_id}/{_CONTENT[sobject]}"
        async with self._salesforce.stream(path, what=f"content of a {sobject}") as response:
            async for block in response.aiter_bytes(_BLOCK):
                touch()
                sha256.update(block)
                md5.update(block)
                size += len(block)
        return Stored(size, sha256.hexdigest(), md5.hexdigest())


def _part(boundary: str, name: str, kind: str) -> bytes:
    lines = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    return lines.encode()


async def _body(head: bytes, blocks: AsyncIterator[bytes], tail: bytes, size: int | None) -> AsyncIterator[bytes]:
    sent = 0
    yield head
    async for block in blocks:
        sent += len(block)
        if size is not None and sent > size:
            break
        yield block
    if size not in {None, sent}:  # the request has said its length and stays a half one
        raise LengthDiffers(_SERVICE, f"a content of {'more' if sent > (size or 0) else 'less'} than {size} bytes")
    yield tail


def _made(answer: Any) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str) or answer.get("success") is not True:
        raise BadAnswer(_SERVICE, "the answer doesn't name the new row")
    return str(answer["id"])
