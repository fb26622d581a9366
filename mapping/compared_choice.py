"""Records that count in a row, as a comparison reads them: what each adds, and which one comes first.

A second opinion, as `comparators`, which calls it: nothing is shared with `parts` or `choosing`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cmp_to_key
from typing import Any
from zoneinfo import ZoneInfo

from mapping.compared_times import day, day_of, named
from mapping.compared_values import amount, number_of, tidy
from mapping.rules import Column, MapDocument

__all__ = ["Counted", "Rank", "counted_value", "rank"]

Counted = tuple[str, Mapping[str, str | None], Mapping[str, str], str]
"""A record that counts in a row: its object, its standard fields, its custom fields, its reference."""

Rank = Callable[[Sequence[Counted]], list[Counted]]
"""Puts those that count in a row into their order."""


def counted_value(
    column: Column, zone: ZoneInfo | None, fields: Mapping[str, str | None], custom: Mapping[str, str]
) -> Any:
    """What a record that counts adds: an amount, a number, or a text that sorts; None when it has no value."""
    text = tidy(custom.get(column.custom) if column.custom is not None else fields.get(column.from_ or ""))
    if not text:
        return column.default
    if column.as_ == "money":
        return amount(text, column.whole)
    if column.as_ in {"number", "integer"}:
        return number_of(text)
    if column.as_ == "day":
        return day_of(text, zone)
    if column.as_ == "date":
        return None if day(text) is None or text == "0001-01-01" else text
    if column.as_ == "datetime":
        moment = named(text, zone)
        return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
    return text


def rank(document: MapDocument, part: str) -> Rank:
    """Of all that counts in a row, the records of one object that are not over, the one that comes first first."""
    rule, zone, as_of = document.objects[part], document.zone, document.as_of
    of = rule.part_of
    assert of is not None, "the map was checked"

    def value(one: Counted, name: str) -> Any:
        return counted_value(rule.columns[name], zone, one[1], one[2])

    def before(one: Counted, other: Counted) -> int:
        for name in of.order:
            mine, its = value(one, name.lstrip("-")), value(other, name.lstrip("-"))
            if mine != its:
                if mine is None or its is None:
                    return 1 if mine is None else -1
                return (1 if mine > its else -1) * (-1 if name[0] == "-" else 1)
        return -1 if (len(one[3]), one[3]) < (len(other[3]), other[3]) else 1

    def ranked(counted: Sequence[Counted]) -> list[Counted]:
        mine = [one for one in counted if one[0] == part]
        if of.over is not None:
            days = [value(one, of.over.seen) for one in mine]
            newest = max((one for one in (*days, as_of) if one is not None), default=None)
            ends = [value(one, of.over.ends) for one in mine]
            mine = [one for one, end in zip(mine, ends, strict=True) if None in {end, newest} or end > newest]
        return sorted(mine, key=cmp_to_key(before))

    return ranked
