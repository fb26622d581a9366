"""Watches for a source whose schema changes under way: says it, and stops what would blank a column.

A field that the map needs and that no record has any more (or holds in a type it never had) is no reason to empty a column in Salesforce: the walk
waits until the field is back, or the map does without it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents.outputs import Outputs, now_ms
from agents.shape import Finding, Shape, key_of
from connectors.errors import PageTooSlow
from connectors.visual_practice.client import VisualPractice
from state.table import StateTable
from topics.messages import Drift

log = logging.getLogger(__name__)

_PROBED: Final = 100


class Drifted(Exception):
    """Records lack what the map needs of them; the text says which field, and what to do."""

    def __init__(self, resource: str, findings: Sequence[Finding]) -> None:
        said = "; ".join(
            f"{resource}.{one.field} is gone"
            if one.what == "gone"
            else f"{resource}.{one.field} was {one.was} and is {one.now}"
            for one in findings
        )
        super().__init__(
            f"{said}, and the map needs it: restore the field in Visual Practice, or take it out of the map and restart"
        )


class Watch:
    """Watches one object under one assignment.

    Arguments:
        outputs: where reports go.
        table: the extract's state.
        client: an open connection.
        number: the partition that the object's task is in.
        object_: which object.
        resource: its name in the API.
        shape: empty; what is stored is taken over.
    """

    def __init__(
        self,
        outputs: Outputs,
        table: StateTable,
        client: VisualPractice,
        number: int,
        object_: str,
        resource: str,
        shape: Shape,
    ) -> None:
        self._outputs, self._table, self._client = outputs, table, client
        self._number, self._object, self._resource = number, object_, resource
        self._shape = shape
        stored = table.partition(number).get(key_of(object_))
        if stored is not None:
            shape.restore(stored)

    async def check(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether ``records`` look as records of this object do.

        False: they lack something that others have. What they lacked may be back by now: read them once more, and take them as they are then.

        Raises:
            Drifted: they lack what the map needs, and so do all others; it has been reported.
            connectors.errors.ConnectorError: the source can't be read.
        """
        odd = self._shape.odd(records)
        if not odd:
            return True
        confirmed = self._shape.confirmed(odd, await self._probe())
        needed = [one for one in confirmed if one.field in self._shape.needed]
        if confirmed:
            await self._report(self._shape.note([*confirmed, *self._shape.strange(records)]), first_sight=False)
        if needed:
            raise Drifted(self._resource, needed)
        return not [one for one in odd if one not in confirmed and one.field in self._shape.needed]

    async def _probe(self) -> list[Any]:
        """Records that were not chosen for being new: of the first ids, and those that have been as they are for longest.

        Both, as a practice may hold records of two kinds, e.g. of another one that it has taken over: one kind alone would confirm what only it lacks.
        """
        return [*await self._probe_by("id"), *await self._probe_by("updated_at")]

    async def _probe_by(self, sort: str) -> list[Any]:
        """In pages of the size that the source can bear."""
        while True:
            found: list[Any] = []
            try:
                page = await self._client.page(self._resource, sort=sort)
                found += page.records
                while page.next is not None and len(found) < _PROBED:
                    page = await self._client.page(self._resource, sort=sort, after=page.next)
                    found += page.records
            except PageTooSlow:
                continue
            return found

    async def learn(self, records: Sequence[Mapping[str, Any]], *, first_sight: bool) -> None:
        """Takes in records that were published."""
        await self._report(self._shape.learn(records, first_sight=first_sight), first_sight=first_sight)

    def state(self) -> dict[bytes, bytes]:
        """What there is to store."""
        return {key_of(self._object): self._shape.encode()}

    async def _report(self, news: Sequence[Finding], *, first_sight: bool) -> None:
        if not news:
            return
        for one in news:
            message: Drift = {
                "object": self._object,
                "resource": self._resource,
                "field": one.field,
                "what": one.what,
                "was": one.was,
                "now": one.now,
                "paused": one.what in {"gone", "type"} and one.field in self._shape.needed,
                "at": now_ms(),
            }
            log.warning(
                "the source's schema: %s.%s is %s (%s -> %s)",
                self._resource, one.field, one.what, one.was or "-", one.now or "-",
            )  # fmt: skip
            await self._outputs.send(self._outputs.catalogue.control, "drift", message, f"drift:{self._object}")
        if not first_sight:
            await self._outputs.publisher.settle()
            await self._table.write(self._number, self.state())
