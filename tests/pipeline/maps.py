"""Maps that tests write: the default one, cut down to practices and patients."""

from __future__ import annotations

import re
from pathlib import Path

from mapping.document import default_map_text

_KEPT = ("practice", "patient")
_ENTRY = re.compile(r"^  (\w+):\n((?:    .*\n|\n)*)", re.MULTILINE)


def write_map(directory: Path, *, match: str | None = None) -> Path:
    """Practices and patients only; `match` are the columns that patients are recognised by, e.g. `Email, LastName`."""

    def kept(entry: re.Match[str]) -> str:
        name, body = entry[1], entry[2]
        if name == "patient" and match is not None:
            body = f"    match: [{match}]\n{body}"
        return f"  {name}:\n{body}" if name in _KEPT else ""

    path = directory / "map.yaml"
    path.write_text(_ENTRY.sub(kept, default_map_text()))
    return path
