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


def write_map(directory: Path, most: int) -> Path:
    """The default map, with documents of at most ``most`` bytes as Attachments.

    Arguments:
        directory: where it is written.
        most: bytes, at least 1.
    """
    path = directory / "map.yaml"
    path.write_text(default_map_text().replace(_AFTER, f"\n{_OBJECT.format(most=most)}{_AFTER}"), encoding="utf-8")
    return path
