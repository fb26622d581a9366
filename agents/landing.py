"""A landed row that waits to be verified.

Thousands wait in every partition: what many have in common is kept once, and what nobody asks for not at all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from agents.outputs import row_of
from agents.source_records import Place
from topics.messages import Operation, Ready, RowMember


class Part(NamedTuple):
    """A record that counts in the row as it is."""

    object: str
    reference: str
    version: str
    place: Place


@dataclass(eq=False, slots=True)
class Landing:
    """A row in Salesforce, as an operation tells of it.

    Attributes:
        reference: of its source record.
        object: of that record.
        sobject: of the row.
        facet: which part of the row.
        version: encoded `topics.version.Version`.
        run: that it belongs to.
        row_id: its Salesforce id; empty when the operation names none.
        code: of the operation; says how an owner was decided.
        place: of its source record.
        parts: further records that count in it.
        gone: further records that have counted in it and don't any more.
    """

    reference: str
    object: str
    sobject: str
    facet: str
    version: str
    run: str
    row_id: str
    code: str | None
    place: Place
    parts: tuple[Part, ...]
    gone: tuple[Part, ...]

    @classmethod
    def of(cls, operation: Operation) -> Landing | None:
        """The landing that an operation tells of; None when it has no source record to be compared with."""
        source = operation["source"]
        if source is None or source["offset"] < 0:
            return None
        members = operation["members"]
        return cls(
            operation["reference"],
            sys.intern(operation["object"]),
            sys.intern(operation["sobject"]),
            sys.intern(operation["facet"]),
            operation["version"],
            sys.intern(operation["run"]),
            operation["row_id"] or "",
            operation["code"],
            Place.of(source),
            tuple(_part(member) for member in members if member["op"] == "upsert"),
            tuple(_part(member) for member in members if member["op"] != "upsert"),
        )

    def row(self, *, members: bool = True) -> Ready:
        """The row without its values; without the records that count in it when ``members`` is false."""
        row = row_of(self.object, self.sobject, self.reference, self.version, self.run, self.place.position)
        row["facet"] = self.facet
        if members:
            row["members"] = list(self._members())
        return row

    def _members(self) -> Iterator[RowMember]:
        for op, parts in (("upsert", self.parts), ("delete", self.gone)):
            for part in parts:
                yield {
                    "reference": part.reference,
                    "object": part.object,
                    "version": part.version,
                    "op": op,
                    "source": part.place.position,
                }


def _part(member: RowMember) -> Part:
    return Part(sys.intern(member["object"]), member["reference"], member["version"], Place.of(member["source"]))
