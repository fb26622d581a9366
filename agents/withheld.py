"""Rows of an object that the org does not have until an administrator switches a setting on: each is held by name.

Nothing is known of such rows, and nothing was written. They go on by `carryover replay --held`, once the setting is on and the worker has started again: what
an org has is looked at when a worker starts, as with all that the map writes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, cast

from agents.outputs import CHECK, Outputs
from agents.settlement import SKIPPED
from topics.codec import Undecodable
from topics.messages import Ready
from transport.chunk import Chunk

__all__ = ["Withheld"]

_STAGE: Final = "load"
_POISON: Final = "these bytes are no row of Carryover; find out who wrote them to this topic"


class Withheld:
    """Holds the rows of one Salesforce object.

    Arguments:
        outputs: where operations go.
        code: why, for the audit; says what to switch on.
        pictures: objects whose files stand in texts: those go on without a file that is held, as without one that a loader holds.
    """

    def __init__(self, outputs: Outputs, code: str, pictures: Collection[str] = ()) -> None:
        self._outputs = outputs
        self._code = code
        self._pictures = frozenset(pictures)

    async def handle(self, chunk: Chunk) -> None:
        """Holds what should be written; what should go, or is left out by a rule, is not there."""
        for record in chunk.records:
            try:
                row = cast("Ready", self._outputs.decode(record)[1])
            except Undecodable as exc:
                await self._outputs.poison(_STAGE, record, f"UNDECODABLE_{exc.code.upper()}", _POISON)
                continue
            await self._hold(row)
        chunk.assignment.check()
        chunk.done()

    async def _hold(self, row: Ready) -> None:
        match row["op"]:
            case "upsert":
                await self._outputs.audit("hold", row, "held", code=self._code)
                if row["object"] in self._pictures:
                    own, version = row["reference"], row["version"]
                    await self._outputs.fate("rejected", own, version=version, code=self._code)
            case "skip":
                because = str(row["columns"].get("because") or "")
                await self._outputs.audit("skip", row, "skipped", code=SKIPPED, detail=because)
            case op if op != CHECK:
                await self._outputs.audit(op, row, "deleted")

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        record: Any = chunk.records[0]
        await self._outputs.poison(_STAGE, record, f"QUARANTINED_{type(exc).__name__.upper()}", _POISON)
