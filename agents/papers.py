"""What the source says of a document just before its content is fetched, and whether that can be loaded.

Pure. The record is asked for by id at that moment: whether its content is there yet changes without anybody's doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = [
    "EMPTY",
    "GONE",
    "LENGTH_DIFFERS",
    "MISSING",
    "NOT_PROCESSED",
    "OUTGROWN",
    "TOO_LARGE",
    "UNREADABLE",
    "Paper",
]

EMPTY: Final = "DOCUMENT_EMPTY"
MISSING: Final = "DOCUMENT_MISSING"
TOO_LARGE: Final = "DOCUMENT_TOO_LARGE"
LENGTH_DIFFERS: Final = "DOCUMENT_LENGTH_DIFFERS"
UNREADABLE: Final = "DOCUMENT_CHECKSUM_DIFFERS"
NOT_PROCESSED: Final = "DOCUMENT_NOT_PROCESSED"
GONE: Final = "DOCUMENT_GONE"
OUTGROWN: Final = "DOCUMENT_OUTGROWN"

_NOT: Final = frozenset({"false", "no", "0", "n"})


class Paper(NamedTuple):
    """A document.

    Attributes:
        size: Bytes that its content has, None when the source doesn't say or says something odd.
        processed: Whether the source is done with it.
    """

    size: int | None
    processed: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Paper:
        """The document of a record as the source's JSON has it; an older source that knows no processing is done with all of them."""
        size, processed = record.get("size"), record.get("processing_completed")
        known = not isinstance(size, bool) and str(size).strip().isdecimal()
        return cls(int(str(size)) if known else None, str(processed).strip().casefold() not in _NOT)

    def refused(self, size: int | None, most: int) -> tuple[str, str] | None:
        """Why a content of ``size`` bytes can't be loaded: (code, what to do); None when nothing is against it.

        Args:
            size: Of the content as the server announces it, None while that is not known.
            most: The largest that the map lets through.
        """
        told = self.size if size is None else size
        if told == 0:
            return EMPTY, "the document has no bytes; upload it anew in Visual Practice, or delete it there"
        if told is not None and told > most:
            return (
                TOO_LARGE,
                f"the document has more than {most} bytes, the map's `max_bytes`: split it in Visual Practice",
            )
        return None
