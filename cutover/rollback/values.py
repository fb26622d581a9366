"""Is a row in the org still what we wrote? Compared by the map's declared rules with the source record that landed last, as the verifier does.

Columns that are made of other records (sums, the latest of several), texts with addresses of files, which are gone by then, and owners are not compared:
whether those were changed, the row's last editor tells.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from agents.source_records import Place, SourceRecords, change_at
from cutover.ledger.delivery import position
from cutover.rollback.verdict import Row
from mapping.comparators import compile_comparison
from mapping.plan import placeholder_row
from mapping.rules import MapDocument
from topics import reference
from topics.codec import Codec, Undecodable
from topics.messages import Change

_BY_EDITOR_ONLY: Final = frozenset({"owner", "sum", "latest", "first", "images"})
ParentOf = Callable[[str], str | None]


class Written:
    """What we wrote.

    Args:
        document: The cutover's map.
        records: Reads the topics by position.
        codec: The wire format.
    """

    def __init__(self, document: MapDocument, records: SourceRecords, codec: Codec) -> None:
        self._document = document
        self._records = records
        self._codec = codec
        written = [name for name, rule in document.objects.items() if rule.kind == "row"]
        self._comparisons = {name: compile_comparison(document, name) for name in written}

    def columns(self, object_: str) -> Sequence[str]:
        """Columns to read, the external id among them."""
        return self._comparisons[object_].columns

    def contact_column(self, object_: str) -> str | None:
        """The column of an object's rows that follows from their contact roles, if one does."""
        return self._document.objects[object_].contact_column

    def knows(self, object_: str) -> bool:
        """Whether the map says how rows of this object are written."""
        return object_ in self._comparisons

    async def sources(self, rows: Sequence[Row]) -> dict[str, Change]:
        """The source record that landed last of each row, by reference; one that has none is missing."""
        places = {row["reference"]: Place.of(position(row["landed_source"])) for row in rows if row["landed_source"]}
        found = await self._records.read(places.values())
        changes: dict[str, Change] = {}
        for own, place in places.items():
            with contextlib.suppress(Undecodable):
                change = change_at(found, place, self._codec)
                if change is not None:
                    changes[own] = change
        return changes

    async def images(self, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
        """What rows of others were before us, by reference; one without an image is missing."""
        places = {
            row["reference"]: Place(row["image_topic"], row["image_partition"], row["image_offset"])
            for row in rows
            if row["image_topic"] is not None
        }
        found = await self._records.read(places.values())
        images = {}
        for own, place in places.items():
            record = found.get(place)
            if record is not None:
                images[own] = self._codec.decode(record.value, topic=record.topic, key=record.key or b"")[1]["columns"]
        return images

    def differs(
        self, row: Row, change: Change | None, stored: Mapping[str, Any], parent_of: ParentOf
    ) -> list[str] | None:
        """Columns that aren't what we wrote; None when that can't be said."""
        object_, vp_id = reference.split(row["reference"])
        placeholder = self._document.placeholders.get(object_)
        if placeholder is not None and placeholder.reference == row["reference"]:
            wanted = placeholder_row(self._document, object_, "")
            return [name for name, value in wanted.items() if value != "" and stored.get(name) != value]
        if change is None or change["fields"] is None:
            return None
        ended = (
            {"external_id"}
            if row["what"] in {"delete", "skip"}
            else {"deleted_column"}
            if row["what"] == "flag"
            else set()
        )
        found = self._comparisons[object_].compare(vp_id, change["fields"], change["custom"], stored, parent_of)
        return list(dict.fromkeys(one.column for one in found if one.rule not in _BY_EDITOR_ONLY | ended))
