"""What the records of an object look like: which fields they have, of which JSON type. Pure; stored under ``D|<object>`` in the extract's state table.

The first sight is the snapshot; what differs later from what was seen until then is a drift of the source's schema.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import orjson

What = Literal["new", "gone", "type", "back"]
NOTHING: Final = "nothing"
_KINDS: Final = {str: "text", int: "number", float: "number", bool: "yes/no", list: "list", dict: "object"}
_ODD: Final = 0.01
"""A page on which something is missing is looked into when chance alone would bring about fewer than one in a hundred such pages."""
_ODD_NULL: Final = 0.1
_MANY, _EACH = 2000, 20
_ALWAYS: Final = frozenset({"id"})


class Finding(NamedTuple):
    """A field that is not what it was.

    Attributes:
        field: its name.
        what: ``new``, ``gone``, of another ``type``; ``back``: as it was.
        was: the types it had, "" for none.
        now: the types it has, "" for none.
    """

    field: str
    what: What
    was: str
    now: str


@dataclass
class Field:
    """What is known of one field.

    Attributes:
        present: records that had it.
        filled: records in which it held something.
        types: of what it held.
        since: records there had been before the first that had it.
    """

    present: int = 0
    filled: int = 0
    types: set[str] = field(default_factory=set)
    since: int = 0


Rows = Sequence[Mapping[str, Any]]


def _rows(records: Sequence[Any]) -> Rows:
    return [record for record in records if isinstance(record, dict)]


def _types(name: str, rows: Rows) -> set[str]:
    return {_KINDS.get(value.__class__, NOTHING) for row in rows if (value := row.get(name)) is not None}


class Shape:
    """Learns, and finds what differs.

    Arguments:
        declared: fields that a record is known to have; one of them that turns up is no news.
        needed: fields that must not get lost: what the map reads.
    """

    def __init__(self, declared: Collection[str], needed: Collection[str]) -> None:
        self._declared = frozenset(declared) | _ALWAYS
        self.needed = frozenset(needed)
        self.records = 0
        self.fields: dict[str, Field] = {}
        """By name."""
        self.open: dict[str, Finding] = {}

    def odd(self, records: Sequence[Any]) -> list[Finding]:
        """Fields that ``records`` lack, or hold in another type, where chance does not explain it; a look at others has to confirm it."""
        rows = _rows(records)
        if not rows or not self.records:
            return []
        found = []
        for name, known in self.fields.items():
            types = known.types
            for row in rows:  # most often the first one will do
                if (value := row.get(name)) is not None and _KINDS.get(value.__class__) in types:
                    break
            else:
                if finding := self._compare(name, known, rows):
                    found.append(finding)
        return found

    def confirmed(self, findings: Iterable[Finding], others: Sequence[Any]) -> list[Finding]:
        """Those of ``findings`` that other records show as well."""
        rows = _rows(others)
        return [one for one in findings if rows and self._is_so(one, rows)]

    def strange(self, records: Sequence[Any]) -> list[Finding]:
        """Fields that nobody has heard of."""
        rows, known = _rows(records), self.fields.keys() | self._declared
        names = {name for row in rows if not row.keys() <= known for name in row.keys() - known}
        return [Finding(name, "new", "", _named(_types(name, rows))) for name in sorted(names)]

    def learn(self, records: Sequence[Any], *, first_sight: bool) -> list[Finding]:
        """Takes ``records`` in, none of which is odd; returns what is new or back as it was."""
        rows = _rows(records)
        strange = self.strange(rows)
        for one in strange if first_sight else ():
            self.fields[one.field] = Field(since=self.records)
        news = [] if first_sight else self.note(strange)
        for name, open_ in list(self.open.items()):
            if open_.what in {"gone", "type"} and _types(name, rows) & self.fields[name].types:
                del self.open[name]
                news.append(Finding(name, "back", open_.now, open_.was))
        # A few tell as much as all, once there have been many.
        for row in rows if self.records < _MANY else rows[::_EACH]:
            for name, value in row.items():
                known = self.fields.get(name)
                if known is None:
                    known = self.fields[name] = Field(since=self.records)
                if name in self.open and self.open[name].what != "new":
                    continue
                known.present += 1
                if value is not None:
                    known.filled += 1
                    known.types.add(_KINDS.get(value.__class__, NOTHING))
            self.records += 1
        return news

    def note(self, findings: Iterable[Finding]) -> list[Finding]:
        """Takes in confirmed findings; returns those that were not known."""
        news = []
        for one in findings:
            before = self.open.get(one.field)
            if before == one:
                continue
            if before is not None and before.what == "new" and one.what == "gone":  # it came and went: as it was
                del self.open[one.field], self.fields[one.field]
                news.append(one._replace(what="back"))
            else:
                self.open[one.field] = one
                self.fields.setdefault(one.field, Field(since=self.records))
                news.append(one)
        return news

    def encode(self) -> bytes:
        fields = {name: [one.present, one.filled, sorted(one.types), one.since] for name, one in self.fields.items()}
        return orjson.dumps(
            {"records": self.records, "fields": fields, "open": {k: list(v) for k, v in self.open.items()}}
        )

    def restore(self, data: bytes) -> None:
        """Takes over what `encode` wrote."""
        found = orjson.loads(data)
        self.records = found["records"]
        self.fields = {name: Field(one[0], one[1], set(one[2]), one[3]) for name, one in found["fields"].items()}
        self.open = {name: Finding(*one) for name, one in found["open"].items()}

    def _compare(self, name: str, known: Field, rows: Rows) -> Finding | None:
        was = _named(known.types)
        if not any(name in row for row in rows):
            before = self.records - known.since
            share = min(1.0, known.present / before) if before else float(name in self.open)
            if name in self.needed or (1 - share) ** len(rows) <= _ODD:
                return Finding(name, "gone", was, "")
            return None
        types = _types(name, rows)
        if types and known.types:
            return Finding(name, "type", was, _named(types))
        if not types and known.filled and (1 - min(1.0, known.filled / self.records)) ** len(rows) <= _ODD_NULL:
            return Finding(name, "type", was, NOTHING)
        return None

    def _is_so(self, finding: Finding, rows: Rows) -> bool:
        if finding.what == "gone":
            return not any(finding.field in row for row in rows)
        return not _types(finding.field, rows) & self.fields[finding.field].types


def _named(types: Iterable[str]) -> str:
    return " or ".join(sorted(types))


def key_of(object_: str) -> bytes:
    """The state table's key of an object's shape."""
    return b"D|" + object_.encode()
