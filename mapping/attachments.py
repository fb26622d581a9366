"""Which documents are kept as Attachments and which as Files, under a map that wants both.

Owns that choice. A record is two deliveries then, of which one is always left out by rule, never both and never neither (docs/design.md, "Attachments"). Pure:
it follows from the record alone, so that each replay decides the same.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mapping.rules import MapDocument

__all__ = ["AS_ATTACHMENT", "AS_FILE", "READ", "Sharing", "sharing_of"]

AS_ATTACHMENT: Final = "kept as an Attachment"
AS_FILE: Final = "kept as a File"
"""What the delivery is told that is left out, for the report."""

READ: Final = ("size", "content_type")
"""The source fields that it follows from: without them nothing may be decided."""

_IMAGE: Final = "image/"


class Sharing(NamedTuple):
    """How one object shares its records with another one.

    Attributes:
        most: Largest Attachment, in bytes.
        attaches: Whether this object is the one whose rows are Attachments.
    """

    most: int
    attaches: bool

    def skips(self, fields: Mapping[str, str | None]) -> str | None:
        """Why a record is left out here, None when it isn't: the other object leaves it out then.

        Args:
            fields: The record's standard fields, as text.
        """
        small = _is_small(fields, self.most)
        if small == self.attaches:
            return None
        return AS_ATTACHMENT if small else AS_FILE


def sharing_of(document: MapDocument, name: str) -> Sharing | None:
    """How an object shares its records; None when it has them for itself.

    Args:
        document: A loaded map.
        name: One of its objects.
    """
    attached = document.attached
    attachment = attached.get(name) or (name if name in attached.values() else None)
    return None if attachment is None else Sharing(document.objects[attachment].max_bytes or 0, attachment == name)


def _is_small(fields: Mapping[str, str | None], most: int) -> bool:
    """Images never are: notes name them by their File's address. Nor what has no size that can be read."""
    if (fields.get("content_type") or "").strip().casefold().startswith(_IMAGE):
        return False
    size = (fields.get("size") or "").strip()
    return size.isascii() and size.isdecimal() and int(size) <= most
