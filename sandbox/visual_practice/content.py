"""The content of documents: made up from a document's id, so that any part of any size can be told without keeping it.

Owns the bytes and the parts of a `Range`. Knows no HTTP beyond that header's text. Called by the handlers, and by tests
that compare what arrived elsewhere.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from functools import lru_cache

BLOCK = 65_536
MARK = 16  # bytes at the start of each block that tell which one it is
HEADS = {  # what a file of that kind begins with
    "application/pdf": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n",
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/tiff": b"II*\x00",
    "application/zip": b"PK\x03\x04",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": b"PK\x03\x04",
    "application/dicom": b"\x00" * 128 + b"DICM",
}
SUFFIXES = {"pdf": "application/pdf", "jpg": "image/jpeg", "png": "image/png", "tiff": "image/tiff"}
SUFFIXES |= {"zip": "application/zip", "dcm": "application/dicom", "docx": "application/zip", "txt": "text/plain"}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class UnsatisfiableError(ValueError):
    """The range lies outside the content."""


def kind_of(filename: str) -> str:
    """The content type that the content really is of, by the name's ending."""
    return SUFFIXES.get(filename.rpartition(".")[2].lower(), "application/octet-stream")


@lru_cache(8)
def _noise(identity: str, *, text: bool) -> bytes:
    noise = random.Random(f"content {identity}").randbytes(BLOCK)
    if not text:
        return noise
    return hashlib.sha256(noise).hexdigest().encode().ljust(99, b".").replace(b".", b" .") * (BLOCK // 100) + b"\n"


def _block(identity: str, kind: str, number: int) -> bytes:
    noise = _noise(identity, text=kind == "text/plain")[:BLOCK].ljust(BLOCK, b" ")
    mark = f"{number:015d}\n".encode()
    head = HEADS.get(kind, b"") if number == 0 else b""
    return (head + mark + noise[MARK + len(head) :])[:BLOCK]


def pieces(identity: str, filename: str, start: int, stop: int) -> Iterator[bytes]:
    """Bytes `start` to `stop` (excluded) of a document, at most 64 KiB at a time."""
    kind = kind_of(filename)
    while start < stop:
        number, offset = divmod(start, BLOCK)
        piece = _block(identity, kind, number)[offset : offset + stop - start]
        yield piece
        start += len(piece)


def part(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and end (excluded) of a `Range`; None when there is none that this server follows.

    Raises:
        UnsatisfiableError: It begins behind the end.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        if int(last) == 0 or size == 0:
            raise UnsatisfiableError
        return max(0, size - int(last)), size
    start = int(first)
    if start >= size:
        raise UnsatisfiableError
    if not last:
        return start, size
    return (start, min(int(last) + 1, size)) if int(last) >= start else None
