"""Texts, as a comparison reads them: plain ones, those of HTML, the entries of a list, and what stands for one that is missing.

A second opinion, as `comparators`, which calls it: nothing is shared with `text_steps`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mapping.compared_html import HOLE, html_text
from mapping.compared_values import entries, nothing, tidy
from mapping.rules import Column, DefaultBy

__all__ = [
    "ADDRESS_OF_FILE",
    "NamedTest",
    "PicturedTest",
    "Test",
    "like_entries",
    "like_html",
    "like_named",
    "like_pictured",
    "like_text",
]

Test = Callable[[str | None, Any], bool]
"""Of a source text that is tidy, None without one, and a stored value: whether the value is right."""

NamedTest = Callable[[Mapping[str, str | None], Any], bool]
"""The same of all of a record's fields."""

PicturedTest = Callable[[Mapping[str, str | None], Any, Callable[[str], str | None]], bool]
"""The same, with what gives the reference of the record that a document is of."""


def like_text(column: Column) -> Test:
    """A plain text."""

    def test(source: str | None, stored: Any) -> bool:
        wanted = source or column.default
        if wanted is None:
            return nothing(stored)
        if not isinstance(stored, str):
            return False
        if column.max is not None and len(wanted) > column.max:
            return column.too_long == "truncate" and stored.strip() == wanted[0 : column.max].strip()
        return stored == wanted

    return test


def like_html(column: Column) -> Test:
    """The text of a piece of HTML."""
    as_text = like_text(column)

    def test(source: str | None, stored: Any) -> bool:
        return as_text(tidy(html_text(source)) or None if source else None, stored)

    return test


def like_pictured(column: Column) -> PicturedTest:
    """The text of a piece of HTML with images: each address in it is that of the right file, or the text says that the image was not moved."""
    as_text = like_text(column.model_copy(update={"max": None}))

    def right(fields: Mapping[str, str | None], stored: Any, file_of: Callable[[str], str | None]) -> bool:
        def named(text: str) -> str:
            return ADDRESS_OF_FILE.sub(lambda found: f"(not moved: {file_of(found[1])})", text)

        source = tidy(fields.get(column.from_ or ""))
        words = html_text(source, column.images).split(HOLE)
        wanted = "".join(f"(not moved: {one})" if number % 2 else one for number, one in enumerate(words))
        if not isinstance(stored, str):
            return as_text(named(tidy(wanted)) or None, stored)
        fits = column.max is None or len(stored) <= column.max
        return fits and as_text(named(tidy(wanted)) or None, named(stored))

    return right


def like_entries(column: Column) -> Test:
    """The entries of a list."""
    as_text = like_text(column)

    def test(source: str | None, stored: Any) -> bool:
        if source is None:
            return as_text(None, stored)
        wanted = entries(column, source)
        if wanted is None:
            blank = column.on_invalid == "blank"
            return blank and as_text(None, stored)
        return as_text(tidy(wanted) or None, stored)

    return test


ADDRESS_OF_FILE: Final = re.compile(r"/sfc/servlet\.shepherd/document/download/(069[0-9A-Za-z]{15})(?![0-9A-Za-z])")
"""The address of a file in a text, and in it the id of its document."""

_OWN: Final = {"text": like_text, "html": like_html}


def like_named(column: Column, by: DefaultBy) -> NamedTest:
    """A text, or without one what another field of the record calls for."""
    own = _OWN[column.as_](column.model_copy(update={"default": None}))
    texts = [(key.casefold().split(), text) for key, text in by.values.items()]

    def right(fields: Mapping[str, str | None], stored: Any) -> bool:
        source = tidy(fields.get(column.from_ or "")) or None
        if not own(source, None):  # it says something: an empty column would be wrong
            return own(source, stored)
        words = tidy(fields.get(by.from_)).casefold().split()
        fitting = [text for key, text in texts if key == words]
        wanted = fitting[0] if fitting else column.default
        return nothing(stored) if wanted is None else bool(stored == wanted)

    return right
