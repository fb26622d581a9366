"""The content of a document, streamed: never more than a block of it is held.

Owns reading it to its end: one that breaks off is taken up where it did (`Range` with `If-Range`, RFC 9110 section 13.1.5), and what arrives is hashed on
its way. Source of fact: the contract in `docs/sandbox.md`. The address is always made from the document's id: a link in a record could lead anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

import httpx

from connectors.errors import BadAnswer, ContentChanged, LengthDiffers, NotFound, Unreachable
from connectors.exchange import translated
from connectors.visual_practice.client import VisualPractice

__all__ = ["BLOCK", "Download", "open_content"]

BLOCK: Final = 64 * 1024
"""Bytes handed on at a time, at most."""

_SERVICE: Final = "Visual Practice"
_MOST_BREAKS: Final = 5
_PLAIN: Final = {"Accept": "*/*", "Accept-Encoding": "identity"}
"""Not compressed: the length that is announced is the content's own."""


class Download:
    """A content on its way; `open_content` makes it. It is read once.

    Attributes:
        length: Bytes announced, None when the server doesn't say.
        received: Bytes so far.
    """

    def __init__(self, source: VisualPractice, path: str, response: httpx.Response) -> None:
        self._source = source
        self._path = path
        self._response = response
        self._tag = response.headers.get("ETag", "")
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.length = _length(response)
        self.received = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of what was received, hex."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """MD5 of what was received, hex; what Salesforce calls `Checksum`. Never for security."""
        return self._md5.hexdigest()

    async def blocks(self) -> AsyncIterator[bytes]:
        """The whole content, at most `BLOCK` bytes at a time.

        A connection that breaks is replaced by one that goes on where it did, as long as each brings something.

        Raises:
            ContentChanged: It broke off and can't be taken up: begin again.
            Unreachable: It broke off again and again.
        """
        breaks = 0
        while True:
            before = self.received
            try:
                async for block in self._rest():
                    yield block
            except Unreachable:
                breaks = 1 if self.received > before else breaks + 1
                if breaks > _MOST_BREAKS:
                    raise
                await self._take_up()
            else:
                return

    async def _rest(self) -> AsyncIterator[bytes]:
        with translated(_SERVICE):
            async for block in self._response.aiter_raw(BLOCK):
                self._sha256.update(block)
                self._md5.update(block)
                self.received += len(block)
                yield block

    async def _take_up(self) -> None:
        await self.close()
        if not self._tag or self._tag.startswith("W/"):  # nothing says that it still is the same content
            raise ContentChanged(_SERVICE, "the content broke off, and nothing tells whether it is still the same")
        headers = {**_PLAIN, "Range": f"bytes={self.received}-", "If-Range": self._tag}
        self._response = await self._source.retried(lambda: self._source.stream(self._path, headers))
        begins = self._response.headers.get("Content-Range", "").startswith(f"bytes {self.received}-")
        if self._response.status_code != httpx.codes.PARTIAL_CONTENT or not begins:
            raise ContentChanged(_SERVICE, "the content broke off and is another one now")

    async def close(self) -> None:
        """Closes the connection."""
        await self._response.aclose()


@asynccontextmanager
async def open_content(source: VisualPractice, vp_id: str, size: int | None = None) -> AsyncIterator[Download]:
    """Opens the content of a document.

    Args:
        source: An open connection.
        vp_id: The document's id.
        size: Bytes that its record says, None when it doesn't.

    Yields:
        The content; leaving the block closes it, read or not.

    Raises:
        NotFound: The document has no content.
        LengthDiffers: The server announces another length than the record says.
        ConnectorError: See `connectors.errors`; a transient one only after the retries are used up.
    """
    path = f"documents/{quote(vp_id, safe='')}/content"
    response = await source.retried(lambda: source.stream(path, _PLAIN))
    download = Download(source, path, response)
    try:
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(_SERVICE, "the document has no content", code="404")
        if response.status_code != httpx.codes.OK:
            raise BadAnswer(_SERVICE, "the whole content was asked for", code=str(response.status_code))
        if size is not None and download.length not in {None, size}:
            raise LengthDiffers(_SERVICE, f"a content of {download.length} bytes, where its record says {size}")
        yield download
    finally:
        await download.close()


def _length(response: httpx.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None
