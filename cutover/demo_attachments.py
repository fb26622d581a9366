"""Small documents as Attachments in a demo: the map that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mapping.document import default_map_text

_OBJECT: Final = """\
  attachment:
    resource: documents
    records_of: document
    target: Attachment
    external_id: Description
    max_bytes: {most}
    on_delete: delete
    columns:
      Name: {{from: filename, max: 255, too_long: truncate, required: true}}
      ContentType: {{from: content_type, max: 120, too_long: truncate}}
      ParentId: {{parent: patient, from: patient_id, on_absent: hold, on_none: reject}}
      OwnerId: {{parent: user, from: user_id, on_absent: placeholder, on_none: placeholder}}
"""
_AFTER: Final = "\nplaceholders:\n"


def with_attachments(text: str, most: int) -> str:
    """A map whose documents of at most ``most`` bytes are Attachments.

    Arguments:
        text: the default map, or what is like it in its objects' end.
        most: bytes, at least 1.
    """
    return text.replace(_AFTER, f"\n{_OBJECT.format(most=most)}{_AFTER}")


def write_map(directory: Path, most: int) -> Path:
    """Writes the default map, with documents of at most ``most`` bytes as Attachments, into a directory."""
    path = directory / "map.yaml"
    path.write_text(with_attachments(default_map_text(), most), encoding="utf-8")
    return path
