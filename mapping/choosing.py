"""Which of the records that count in a row comes first: the primary one of several insurance policies, the newest of several forms.

By the map's order and the records' own values alone, never by today's date: whoever asks again, or later, is told the same. Pure. Called by `parts`;
`compared_choice` has its own idea of the same.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mapping.rules import PartOf
from mapping.text_steps import Value

__all__ = ["Candidate", "Choice"]


class Candidate(NamedTuple):
    """A record that may come first.

    Attributes:
        reference: Its reference.
        values: What the map makes of it.
    """

    reference: str
    values: Mapping[str, Value]


class Choice:
    """Puts the records of one object in order.

    Args:
        part: The rule of an object whose records count in others' rows.
        as_of: A day that has been (`YYYY-MM-DD`), or None.
    """

    def __init__(self, part: PartOf, as_of: str | None) -> None:
        self._order = [(name.removeprefix("-"), name.startswith("-")) for name in part.order]
        self._over = part.over
        self._as_of = as_of or ""

    def ordered(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those that are not over, first of all the one that comes first. Texts are compared by code points, days and times so by time."""
        found = sorted(self._standing(list(candidates)), key=lambda one: (len(one.reference), one.reference))
        for name, highest in reversed(self._order):  # sorting keeps the order of equals: the first rule counts most
            has = [one for one in found if one.values.get(name) is not None]
            has.sort(key=lambda one, name=name: one.values[name], reverse=highest)  # type: ignore[misc]
            found = has + [one for one in found if one.values.get(name) is None]
        return found

    def _standing(self, candidates: list[Candidate]) -> list[Candidate]:
        over = self._over
        if over is None:
            return candidates
        known = max([self._as_of, *(str(day) for one in candidates if (day := one.values.get(over.seen)) is not None)])
        return [one for one in candidates if (end := one.values.get(over.ends)) is None or str(end) > known]
