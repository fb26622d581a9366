"""Safe pieces of SOQL.

Owns quoting, and the cutting of long `IN` lists so that a query's address stays within Salesforce's limit.
Source of fact: SOQL and SOSL Reference, "Quoted String Escape Sequences"; 16,384 bytes for an address and its headers.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

__all__ = ["MOST_BYTES", "encoded", "in_lists", "name", "quoted"]

MOST_BYTES: Final = 12_000
"""Longest encoded query text; the rest of the 16,384 bytes is for the address itself and the headers."""

_PLAIN: Final = " '(),:=*!/"
"""What may stand in an address's query as it is (RFC 3986, section 3.4): escaped, a list of references is half as long again."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_ESCAPES: Final = str.maketrans(
    {"\\": r"\\", "'": r"\'", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
)


def quoted(text: str) -> str:
    """A text as a SOQL literal, quotes included; safe for any text."""
    return f"'{text.translate(_ESCAPES)}'"


def encoded(text: str) -> str:
    """A query text, or another parameter's value, as it stands in an address."""
    return quote(text, safe=_PLAIN).replace(" ", "+")


def name(identifier: str) -> str:
    """An object's, field's or relationship path's name, checked.

    Raises:
        ValueError: It is none; the text isn't repeated in the message.
    """
    if _NAME.fullmatch(identifier) is None:
        message = "not the name of a Salesforce object or field"
        raise ValueError(message)
    return identifier


def in_lists(select: str, field: str, values: Iterable[str], most_bytes: int = MOST_BYTES) -> Iterator[str]:
    """Queries that together ask for all rows whose field is one of the values.

    Args:
        select: `SELECT … FROM …`, without WHERE.
        field: The field's name.
        values: Repeated ones are asked for once.
        most_bytes: Longest query, as it is encoded in an address.

    Yields:
        Queries; none when there are no values. A single value too long for the limit gets a query of its own.
    """
    opening = f"{select} WHERE {name(field)} IN ("
    fixed = len(encoded(opening)) + len(encoded(")"))
    chunk: list[str] = []
    size = fixed
    for value in dict.fromkeys(values):
        literal = quoted(value)
        cost = len(encoded(literal)) + len(",")
        if chunk and size + cost > most_bytes:
            yield f"{opening}{','.join(chunk)})"
            chunk, size = [], fixed
        chunk.append(literal)
        size += cost
    if chunk:
        yield f"{opening}{','.join(chunk)})"
