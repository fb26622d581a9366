"""A row on its way through the loader, and who waits for it.

Owns how a waiting row is kept. Thousands wait in every partition, and they are most of what the process holds: what many of them have in common is kept
once, and their values stay packed without the names of their columns. A patient of 24 columns takes 1.1 kB that way.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, cast

import orjson

from agents.rowstate import Origin, digest_of
from topics.codec import columns_of, compact_json
from topics.messages import Packed, Ready, Row, RowMember, Value
from transport.chunk import Chunk

Key: TypeAlias = tuple[str, str]  # reference, facet

_NOTHING: Final = compact_json([])
_MOST_LAYOUTS: Final = 10_000
_JUST_NOW_SECONDS: Final = 3600.0


class Ticket:
    """A chunk that is done when all its rows are. It doesn't keep the chunk: the records would stay in memory with it."""

    __slots__ = ("_assignment", "_last", "_left", "_tp")

    def __init__(self, chunk: Chunk) -> None:
        self._assignment, self._tp, self._last = chunk.assignment, chunk.tp, chunk.last
        self._left = 1  # held until every row of the chunk has been looked at

    def take(self) -> None:
        self._left += 1

    def settle(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._assignment.done(self._tp, self._last)


class Layout(NamedTuple):
    """What many rows have in common."""

    object: str
    sobject: str
    facet: str
    op: str
    run: str
    topic: str
    partition: int
    names: tuple[str, ...]
    insert_only: tuple[str, ...]


@dataclass(eq=False, slots=True)
class Item:
    """A row under way, and everybody who waits for it; `Items` makes them.

    Attributes:
        reference: of the row.
        version: encoded `topics.version.Version`.
        layout: what it has in common with others.
        values: of its columns, in the order of their names, as a JSON array.
        insert_values: of the columns for a new row only, likewise.
        digest: see `agents.rowstate.digest_of`.
        source_offset: where the source record lies in the layout's partition.
        parents: Salesforce ids of its parents, to sort by.
        offset: of the row itself in its partition.
        tickets: of the chunks that are done when it is.
        members: records that count in it.
        origin: where the row in Salesforce comes from, once that is decided.
        target: id of somebody else's row that it takes over, until it has.
        attempts: how often it was sent in vain.
        not_before: monotonic seconds; it stays until then.
        by_collections: it can't travel as CSV, or is to go in small company.
        obstacle: why it can't be deleted, see `agents.removal`.
        former: of an end, the version that it has taken the place of before anybody heard what became of that one.
        found: the id of its row, which we made without having heard of it: its columns for a new row only can't be sent again.
        earlier: the parents of the versions that it has taken the place of: one of them may have been sent, and its row hangs there.
    """

    reference: str
    version: str
    layout: Layout
    values: bytes
    insert_values: bytes
    digest: str
    source_offset: int
    parents: tuple[str, ...]
    offset: int
    tickets: list[Ticket]
    members: Sequence[RowMember] = ()
    origin: Origin | None = None
    target: str | None = None
    attempts: int = 0
    not_before: float = 0.0
    by_collections: bool = False
    obstacle: str | None = None
    found: str | None = None
    former: Item | None = None
    earlier: frozenset[str] = frozenset()

    def spare(self, obstacle: str, flagging: Collection[str]) -> None:
        """Makes a delete that can't be into a flag, if it brings one of the columns ``flagging``, else into nothing."""
        self.obstacle = obstacle
        flags = self.layout.op == "delete" and not set(self.layout.names).isdisjoint(flagging)
        self.layout = self.layout._replace(op="flag" if flags else "keep")

    @property
    def key(self) -> Key:
        return (self.reference, self.layout.facet)

    @property
    def op(self) -> str:
        return self.layout.op

    @property
    def removes(self) -> bool:
        """Whether it takes the row out of Salesforce: a delete, or a record that a rule of the map skips now."""
        return self.layout.op in {"delete", "skip"}

    @property
    def names(self) -> tuple[str, ...]:
        """Of its columns."""
        return self.layout.names

    @property
    def columns(self) -> dict[str, Value]:
        """A fresh dict of its columns."""
        return dict(zip(self.layout.names, orjson.loads(self.values), strict=True))

    @property
    def insert_only(self) -> dict[str, Value]:
        """A fresh dict of the columns for a new row only."""
        return dict(zip(self.layout.insert_only, orjson.loads(self.insert_values), strict=True))

    @property
    def row(self) -> Row:
        """Which row it is, and which version: a fresh dict."""
        shared = self.layout
        return {
            "reference": self.reference,
            "object": shared.object,
            "sobject": shared.sobject,
            "facet": shared.facet,
            "op": shared.op,
            "version": self.version,
            "run": shared.run,
            "source": {"topic": shared.topic, "partition": shared.partition, "offset": self.source_offset},
            "members": list(self.members),
        }

    @property
    def ready(self) -> Ready:
        """The whole row again, as it came."""
        return cast("Ready", {**self.row, "columns": self.columns, "insert_only": self.insert_only})

    def finish(self) -> None:
        for ticket in self.tickets:
            ticket.settle()
        self.tickets.clear()


class Items:
    """Makes the items of one Salesforce object.

    Arguments:
        sort_by: columns that hold Salesforce ids of parents.
        without: columns that this org does not let us set, by object of the source.
        stamps: columns that Salesforce refuses a time to come in; what was only just made is left to its own clock.
    """

    def __init__(
        self,
        sort_by: Sequence[str] = (),
        without: Mapping[str, Collection[str]] = MappingProxyType({}),
        stamps: Collection[str] = (),
    ) -> None:
        self._sort_by = tuple(sort_by)
        self._without = without
        self._stamps = tuple(stamps)
        self._layouts: dict[Layout, Layout] = {}

    def make(self, row: Packed, offset: int, tickets: list[Ticket]) -> Item:
        """The item of a row that lies at ``offset``.

        Raises:
            ValueError: its columns are no JSON.
            TypeError: they are JSON, but no object.
        """
        columns, insert_only = columns_of(row["columns"]), columns_of(row["insert_only"])
        for name in self._without.get(row["object"], ()):
            columns.pop(name, None)
        for name in self._stamps:
            if name in columns and str(columns[name]) > moment(time.time() - _JUST_NOW_SECONDS):
                del columns[name]
        return Item(
            reference=row["reference"],
            version=row["version"],
            layout=self._layout(row, tuple(columns), tuple(insert_only)),
            values=compact_json(list(columns.values())),
            insert_values=compact_json(list(insert_only.values())) if insert_only else _NOTHING,
            digest=digest_of(row["columns"]),
            source_offset=row["source"]["offset"],
            parents=tuple(str(columns.get(name) or "") for name in self._sort_by),
            offset=offset,
            tickets=tickets,
            members=row["members"] or (),
        )

    def _layout(self, row: Row, names: tuple[str, ...], insert_only: tuple[str, ...]) -> Layout:
        source = row["source"]
        layout = Layout(
            row["object"],
            row["sobject"],
            row["facet"],
            row["op"],
            row["run"],
            source["topic"],
            source["partition"],
            names,
            insert_only,
        )
        known = self._layouts.get(layout)
        if known is None:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()  # they are kept to save memory, and weeks bring ever new runs
            known = self._layouts[layout] = layout
        return known


def moment(at: float) -> str:
    """Seconds since 1970 as versions and mapped times begin with them: such texts sort as their times do."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
