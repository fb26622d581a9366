"""The entries of a list that travels as JSON, as one text: the codes of a bill's items, or its lines.

Called by `transforms`; `comparators` reads lists in another way.
"""

import json
from typing import Any

from mapping.rules import Column

__all__ = ["Entries"]


class Entries:
    """Reads one list column.

    Args:
        column: With `each`: the name of one field of every entry (each value once), or several (a line for every entry).
        between: What stands between two entries.
    """

    def __init__(self, column: Column, between: str) -> None:
        each = column.each or ()
        self._names = (each,) if isinstance(each, str) else each
        self._once = isinstance(each, str)
        self._between = between

    def text(self, given: str) -> str | None:
        """The text, "" when no entry has a value; None when ``given`` is no JSON list of objects."""
        try:
            entries = json.loads(given, parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            return None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            return None
        lines = [" ".join(filter(None, (_plain(entry.get(name)) for name in self._names))) for entry in entries]
        found = [line for line in lines if line]
        return self._between.join(dict.fromkeys(found) if self._once else found)


def _plain(value: Any) -> str:
    """A value as a text without line breaks; numbers keep the digits they were written with."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return " ".join(text.split())
