"""The contents of files, one file each in the data directory.

Owns writing and finding them. A content is whole on disk before a record may name it, so that a kill leaves at most a
content that no record names; those are removed at the next start. Knows no records. Called by `documents` and the routes.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ARRIVING = ".arriving"


class NotBase64Error(ValueError):
    """A text that is no base64."""


@dataclass(frozen=True, slots=True)
class Body:
    """One content: the name of its file, its size in bytes and its MD5 in hexadecimal digits."""

    name: str
    size: int
    checksum: str


class Arriving:
    """A content that is being written, block by block; a context manager that throws it away unless it is done."""

    def __init__(self, folder: Path) -> None:
        self._name = secrets.token_hex(12)
        self._path, self._folder = folder / f"{self._name}{ARRIVING}", folder
        self._file = self._path.open("wb")
        self._hash = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, block: bytes) -> None:
        """Appends a block."""
        self._file.write(block)
        self._hash.update(block)
        self.size += len(block)

    def done(self) -> Body:
        """Closes it; from now on it can be read."""
        self._file.close()
        self._path.rename(self._folder / self._name)
        return Body(self._name, self.size, self._hash.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)  # gone already when it was done


class Bodies:
    """The contents of one org."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def arriving(self) -> Arriving:
        """A new content, to be written."""
        return Arriving(self._folder)

    def keep(self, encoded: str) -> Body:
        """Writes a content given as base64; raises NotBase64Error."""
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotBase64Error(str(error)) from error
        with self.arriving() as made:
            made.write(content)
            return made.done()

    def give(self, body: Body, identity: str) -> None:
        """Makes it the content of the record with this id, whose transaction is not done yet."""
        self.path(body.name).rename(self.path(identity))

    def path(self, name: str) -> Path:
        """The file of a content, by its own name or, once it was given, by the id of its record."""
        return self._folder / name

    def drop(self, body: Body) -> None:
        """Removes a content that no record names."""
        self.path(body.name).unlink(missing_ok=True)

    def sweep(self, named: Iterable[str]) -> None:
        """Removes what a kill left behind: every content that is not one of these."""
        known = set(named)
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink(missing_ok=True)
