"""Where the contents of files come from: documents of the source, and images that stand in the text of its notes.

An image is read from its note again when it is sent: what was extracted before is only that it is there. It is in memory as long as it is on its way, as the
note is in which it came; a document is streamed.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from agents import papers
from agents.archive import Archive
from agents.papers import Paper
from connectors.visual_practice.client import VisualPractice
from connectors.visual_practice.content import BLOCK, open_content
from mapping.note_images import NoteImage, place_of, take_out

__all__ = ["IMAGE_GONE", "Content", "Contents", "Documents", "Found", "Inline", "NoteImages"]

IMAGE_GONE: Final = "IMAGE_GONE"
_DOCUMENTS: Final = "documents"


class Content(Protocol):
    """A content that is read once, as `connectors.visual_practice.content.Download`."""

    length: int | None
    received: int

    @property
    def sha256(self) -> str: ...

    @property
    def md5(self) -> str: ...

    def blocks(self) -> AsyncIterator[bytes]: ...


class Found(NamedTuple):
    """A file that the source has.

    Attributes:
        paper: What is known of it before its content is fetched.
        open: Opens the content; each call anew. It raises `connectors.errors.NotFound` when there is none, and other connector errors.
    """

    paper: Paper
    open: Callable[[], AbstractAsyncContextManager[Content]]


class Contents(Protocol):
    """Finds the files of one object.

    Attributes:
        gone: Code and text of a row whose file the source has no more.
    """

    gone: tuple[str, str]

    async def find(self, vp_id: str) -> Found | None:
        """The file of a record as the source has it now, None for none.

        Raises:
            connectors.errors.ConnectorError: The source can't be asked now.
        """


class Documents:
    """The documents of the source."""

    gone = (papers.GONE, "the source has no such document any more")

    def __init__(self, source: VisualPractice) -> None:
        self._source = source

    async def find(self, vp_id: str) -> Found | None:
        record = (await self._source.get(_DOCUMENTS, vp_id)).record
        if record is None:
            return None
        paper = Paper.of(record)
        return Found(paper, lambda: open_content(self._source, vp_id, paper.size))


class NoteImages:
    """The images in the text of the source's notes.

    Arguments:
        source: an open connection.
        resource: of the notes.
        field: of the text.
        most: the largest image in bytes, as for the extract: an image that it has left out is none here either.
        overlap: how far back the source's archive is looked at, see `agents.archive.Archive`.
    """

    gone = (IMAGE_GONE, "the note has no such image any more")

    def __init__(self, source: VisualPractice, resource: str, field: str, most: int, overlap: timedelta) -> None:
        self._source, self._resource, self._field, self._most = source, resource, field, most
        self._archive = Archive(source, resource, overlap)

    async def find(self, vp_id: str) -> Found | None:
        named = place_of(vp_id)
        if named is None:
            return None
        note, place = named
        record = (await self._source.get(self._resource, note)).record
        if record is None:
            kept = await self._archive.find(note)
            record = None if kept is None else kept[0]
        body = "" if record is None else record.get(self._field)
        taken = take_out(str(body or ""), note, images="", documents=None, home=self._source.home, most=self._most)
        image = next((one for one in taken.images if one.place == place), None)
        return None if image is None else Found(Paper(len(image.data), processed=True), lambda: _inline(image))


class Inline:
    """A content that is in memory. Attributes as of `Content`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length: int | None = len(data)
        self.received = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self._data).hexdigest()

    @property
    def md5(self) -> str:
        return hashlib.md5(self._data, usedforsecurity=False).hexdigest()

    async def blocks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), BLOCK):
            block = self._data[start : start + BLOCK]
            self.received += len(block)
            yield block


@asynccontextmanager
async def _inline(image: NoteImage) -> AsyncIterator[Content]:
    yield Inline(image.data)
