"""Maps that tests write: the default one with a few lines changed."""

from __future__ import annotations

import re
from pathlib import Path

from mapping.document import default_map_text

_ENTRY = re.compile(r"^  (\w+):\n((?:    .*\n|\n)*)", re.MULTILINE)
_FLAGGED = re.compile(r"    on_delete: flag.*\n    deleted_column: .*\n")
_PARTS = re.compile(r"^(      \w+: \{)first: (\w+)\.\w+(, filled: true)?(?:, )?(.*\}\n)", re.MULTILINE)
_EMPTY = re.compile(r"^      \w+: \{\}\n", re.MULTILINE)
_IMAGES = re.compile(r"images: \[(.*?)\], ")
_COMMENTED = re.compile(r"^    # (match|among):", re.MULTILINE)


def _images(named: str, only: tuple[str, ...]) -> str:
    kept = [name for name in named.split(", ") if name in only]
    return f"images: [{', '.join(kept)}], " if kept else ""


def write_map(
    directory: Path,
    *,
    only: tuple[str, ...] = (),
    match: str | None = None,
    deletes_patients: bool = False,
    adopts: tuple[str, ...] = (),
) -> Path:
    """The default map.

    Arguments:
        directory: where it is written.
        only: the objects that are kept; all without it.
        match: columns that patients are recognised by, e.g. `Email, LastName`.
        deletes_patients: rather than flag them.
        adopts: objects whose `match` and `among` are no comment any more.
    """

    def changed(entry: re.Match[str]) -> str:
        name, body = entry[1], entry[2]
        if name == "patient" and deletes_patients:
            body, count = _FLAGGED.subn("    on_delete: delete\n", body)
            assert count == 1
        if name == "patient" and match is not None and "columns:" in body:
            body = f"    match: [{match}]\n{body}"
        if only:
            body = _PARTS.sub(lambda found: found[0] if found[2] in only else found[1] + found[4], body)
            body = _EMPTY.sub("", body)
            body = _IMAGES.sub(lambda found: _images(found[1], only), body)
        if name in adopts and "columns:\n" in body:
            body, count = _COMMENTED.subn(r"    \1:", body)
            assert count
        return f"  {name}:\n{body}" if not only or name in only else ""

    path = directory / "map.yaml"
    path.write_text(_ENTRY.sub(changed, default_map_text()))
    return path
