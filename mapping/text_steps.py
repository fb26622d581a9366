"""Columns that are texts: plain ones, those of HTML, several in one, the entries of a list; and what stands for a value that is missing.

Called by `transforms`, which owns what isn't a text. `comparators` has its own idea of the same rules.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from mapping.entries import Entries
from mapping.html_text import plain_text
from mapping.image_slots import SLOT, length
from mapping.rules import Column, DefaultBy

__all__ = [
    "NO_LIMIT",
    "SEPARATORS",
    "Note",
    "Step",
    "Value",
    "cleaned",
    "defaulted",
    "defaulted_by",
    "of_html",
    "of_list",
    "of_several",
    "of_text",
    "refusing",
    "required",
]

Value = None | bool | int | float | str


class Note(NamedTuple):
    """Something said about one column of one record; never a value.

    Attributes:
        column: Salesforce column.
        code: E.g. `TEXT_TRUNCATED`.
        refused: True when the record can't be loaded because of it, false when it was repaired.
    """

    column: str
    code: str
    refused: bool


Step = Callable[[Mapping[str, str | None], list[Note]], Value]
"""From a record's fields (or its custom fields) to a column's value; what is said about it is added to the list."""

_UNSTORABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SEPARATORS: Final = {"newline": "\n", "space": " ", "comma": ", "}
"""What `with` says -> what stands between two texts."""
NO_LIMIT: Final = 1 << 60
"""Characters of a text whose rule has no `max`."""


def cleaned(text: str, column: str, notes: list[Note]) -> str:
    """Line ends as LF, what Salesforce can't store dropped and noted."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    stripped, count = _UNSTORABLE.subn("", text)
    if count:
        notes.append(Note(column, "CONTROL_CHARACTERS_DROPPED", refused=False))
    return stripped


def refusing(name: str, column: Column, code: str) -> Note:
    """The note for a value that isn't what the rule wants: the record is refused, or the column is left empty."""
    if column.on_invalid == "blank":
        return Note(name, code + "_BLANKED", refused=False)
    return Note(name, code, refused=True)


def of_text(name: str, column: Column) -> Step:
    """A plain text."""
    source = column.custom or column.from_ or ""
    limit = column.max or NO_LIMIT
    cut = column.too_long == "truncate"

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        text = fields.get(source)
        if not text:
            return None
        if not text.isprintable():
            text = cleaned(text, name, notes)
        text = text.strip()
        if len(text) > limit:
            return _shortened(text, limit, name, notes, cut=cut)
        return text or None

    return step


def of_html(name: str, column: Column) -> Step:
    """The text of a piece of HTML."""
    source = column.custom or column.from_ or ""
    limit = column.max or NO_LIMIT
    cut = column.too_long == "truncate"
    images = column.images

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        given = fields.get(source)
        if not given:
            return None
        text, left_out = plain_text(cleaned(given, name, notes).strip(), images)
        notes += [Note(name, code, refused=False) for code in left_out]
        pieces = text.split(SLOT)  # every second one is a slot, and stays
        text = SLOT.join(piece if n % 2 else cleaned(piece, name, notes) for n, piece in enumerate(pieces)).strip()
        return (text or None) if length(text) <= limit else _shortened(text, limit, name, notes, cut=cut)

    return step


def _shortened(text: str, limit: int, name: str, notes: list[Note], *, cut: bool) -> str | None:
    if cut:
        notes.append(Note(name, "TEXT_TRUNCATED", refused=False))
        return text[:limit].rstrip() or None
    notes.append(Note(name, "TEXT_TOO_LONG", refused=True))
    return None


def of_several(name: str, column: Column) -> Step:
    """Several fields as one text; those that are empty are left out."""
    sources = column.join or ()
    separator = SEPARATORS[column.with_]
    limit = column.max or NO_LIMIT
    cut = column.too_long == "truncate"

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        parts = []
        for source in sources:
            text = fields.get(source)
            if text:
                if not text.isprintable():
                    text = cleaned(text, name, notes)
                text = text.strip()
                if text:
                    parts.append(text)
        if not parts:
            return None
        joined = separator.join(parts)
        return joined if len(joined) <= limit else _shortened(joined, limit, name, notes, cut=cut)

    return step


def of_list(name: str, column: Column) -> Step:
    """The entries of a list as one text."""
    source = column.from_ or ""
    entries = Entries(column, SEPARATORS[column.with_])
    refusal = refusing(name, column, "INVALID_LIST")
    limit = column.max or NO_LIMIT
    cut = column.too_long == "truncate"

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        given = fields.get(source)
        if not given or not given.strip():
            return None
        text = entries.text(given)
        if text is None:
            notes.append(refusal)
            return None
        text = cleaned(text, name, notes).strip()
        return (text or None) if len(text) <= limit else _shortened(text, limit, name, notes, cut=cut)

    return step


def required(name: str, step: Step) -> Step:
    """Refuses a record without the value; one that is refused already is not refused twice."""
    missing = Note(name, "REQUIRED_MISSING", refused=True)

    def required(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        value = step(fields, notes)
        if value is None and not any(note.refused and note.column == name for note in notes):
            notes.append(missing)
        return value

    return required


def defaulted(name: str, step: Step, default: str) -> Step:
    """Another text for a value that is missing, noted."""
    used = Note(name, "DEFAULT_USED", refused=False)

    def defaulted(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        value = step(fields, notes)
        if value is None:
            notes.append(used)
            return default
        return value

    return defaulted


def defaulted_by(name: str, step: Step, by: DefaultBy, otherwise: str | None) -> Step:
    """The same, by what another field of the record says."""
    used = Note(name, "DEFAULT_USED", refused=False)
    texts = {" ".join(key.split()).casefold(): text for key, text in by.values.items()}

    def defaulted(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        value = step(fields, notes)
        if value is not None or any(note.refused and note.column == name for note in notes):
            return value
        said = _UNSTORABLE.sub("", fields.get(by.from_) or "")
        text = texts.get(" ".join(said.split()).casefold(), otherwise)
        if text is not None:
            notes.append(used)
        return text

    return defaulted
