"""The resolve agent: gives waiting rows the Salesforce ids of their parents, and keeps the others until they can have them.

Parked is state, not a withheld ack. What a message means is in `agents.parents`; here its effects are carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from agents import counting
from agents.counting import Alone, Count, Countings, Emit, End
from agents.outputs import NO_VERSION, Outputs, check_of, now_ms, row_of
from agents.parent_effects import (
    Check,
    Continue,
    Create,
    Effect,
    Forward,
    Hold,
    Hop,
    Later,
    Lookup,
    Refuse,
    Relate,
    Without,
)
from agents.parents import Parents
from agents.picturing import NOT_MOVED, fill, is_named
from mapping.parts import Counting
from mapping.plan import NAMED, placeholder_row
from mapping.rules import RELATION, RELATION_ACCOUNT, RELATION_CONTACT, MapDocument
from state.table import Partition, StateTable
from topics import reference
from topics.codec import Undecodable
from topics.messages import Base, Member, Need, Ready, Waiting
from topics.version import STEP, Version, renumbered, with_resolution
from transport.assignment import StaleAssignment
from transport.chunk import Chunk

STAGE: Final = "resolve"
_POISON: Final = "these bytes are no message of Carryover; find out who wrote them to this topic"
_TICK_SECONDS: Final = 1.0
_RELATING: Final = {RELATION: (RELATION_CONTACT, RELATION_ACCOUNT)}
DIRECT: Final = "the patient's own practice: Salesforce relates the two by itself"
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _View:
    """A partition's state as `Parents` sees it: writes go to the chunk at hand."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.chunk: Chunk | None = None
        self.get = partition.get

    def put(self, key: bytes, value: bytes | None) -> None:
        assert self.chunk is not None, "state is written while a chunk is handled"
        self.partition.put(self.chunk, key, value)

    def scan(self, group: bytes, *, after: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        return self.partition.scan(group, after=after, limit=limit)


class _Known(NamedTuple):
    """What is known of one partition."""

    view: _View
    parents: Parents
    countings: Countings

    def counted(self, message: Member, record: Any) -> Iterator[Effect | counting.Effect]:
        now = record.timestamp
        for effect in self.countings.member(message, record.value, record.offset, now):
            if isinstance(effect, Alone):
                yield from self.parents.expect(effect.target, effect.row, now)
            else:
                yield effect


class Resolve:
    """Resolves parents.

    Arguments:
        outputs: where resolved rows go.
        table: the state table bound to ``refs``.
        document: the map, for its placeholders.
        lookup_after: seconds a child waits before its parent is looked up in the source.
        hold_after: seconds before it counts as held.
    """

    def __init__(
        self, outputs: Outputs, table: StateTable, document: MapDocument, *, lookup_after: float, hold_after: float
    ) -> None:
        self._outputs = outputs
        self._table = table
        self._document = document
        self._lookup_after = lookup_after
        self._hold_after = hold_after
        self._countings = {name: Counting(document, name) for name in document.parts}
        self._open: dict[int, _Known] = {}
        self._refs = outputs.catalogue.refs

    def _known(self, number: int) -> _Known:
        partition = self._table.partition(number)
        known = self._open.get(number)
        if known is None or known.view.partition is not partition:
            view = _View(partition)
            counted = Countings(view, self._decode, self._countings)
            parents = Parents(
                view,
                cast("Any", self._decode),
                partition.items(b"W|"),
                owners=self._document.owners,
                relating=_RELATING,
                alone=counted.alone,
            )
            for waited_for in counting.waited_for(partition.items(b"N|")):
                parents.remember(*waited_for)
            known = self._open[number] = _Known(view, parents, counted)
        return known

    def _decode(self, raw: bytes, key: bytes) -> dict[str, Any]:
        return self._outputs.codec.decode(raw, topic=self._refs, key=key)[1]

    async def handle(self, chunk: Chunk) -> None:
        known = self._known(chunk.tp.partition)
        known.view.chunk = chunk
        known.countings.begin()
        for record in chunk.records:
            try:
                name, message = self._outputs.decode(record)
            except Undecodable as exc:
                await self._outputs.poison(STAGE, record, f"UNDECODABLE_{exc.code.upper()}", _POISON)
                continue
            # State is read and written here without an await; only then are the effects sent.
            for effect in list(self._effects(known, name, message, record)):
                await self._carry_out(effect, record.offset)
            chunk.assignment.check()
        for emit in list(known.countings.flush()):
            await self._carry_out(emit)
        chunk.assignment.check()
        chunk.done()

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        self._known(chunk.tp.partition).parents.forget()
        await self._outputs.poison(STAGE, chunk.records[0], f"QUARANTINED_{type(exc).__name__.upper()}", _POISON)

    @staticmethod
    def _effects(known: _Known, name: str, message: dict[str, Any], record: Any) -> Iterable[Effect | counting.Effect]:
        now, parent, parents = record.timestamp, message["parent"], known.parents
        match name:
            case "base":
                if known.countings.base(cast("Base", message), record.value, record.offset):
                    parents.met(parent)
                return ()
            case "member":
                return known.counted(cast("Member", message), record)
            case "waiting":
                return parents.waiting(cast("Waiting", message), record.value, now)
            case "landed":
                told = message["account"], message["version"], message["document"]
                return parents.landed(parent, message["sf_id"], message["epoch"], now, *told)
            case "rejected":
                return parents.rejected(parent, message["code"], now)
            case "gone":
                return parents.gone(parent, message["epoch"], now)
            case "doubted":
                return parents.doubted(parent, message["sf_id"], message["run"])
            case "absent":
                return parents.absent(parent, now)
            case "unlink":
                return parents.unlink(parent, message["child"])
            case "release":
                return parents.release(parent, message["cursor"], now)
            case _:
                raise TypeError(f"refs carries no message {name}")

    async def _carry_out(self, effect: Effect | counting.Effect, offset: int = -1) -> None:
        """Carries out what the message at ``offset`` has led to, or (-1) the time."""
        match effect:
            case Emit(row, needs):
                await self._pass_on(row, needs)
            case Count(message):
                await self._outputs.member(message)
            case End(row):
                await self._outputs.audit("delete", row, "deleted")
            case Relate(waiting, sf_id, direct):
                await self._relate(waiting, sf_id, offset, direct=direct)
            case Forward() | Later() | Hop() | Without():
                await self._go_on(effect)
            case Hold(row, parent, code):
                await self._outputs.audit("hold", row, "held", code=code, detail=parent)
            case Refuse(row, parent):
                await self._outputs.audit("reject", row, "rejected", code="PARENT_ABSENT", detail=parent)
                await self._outputs.fate("rejected", row["reference"], version=row["version"], code="PARENT_ABSENT")
            case Create(parent, run):
                await self._create_placeholder(parent, run)
            case Continue(parent, cursor):
                await self._outputs.fate("release", parent, cursor=cursor)
            case Check(parent, run):
                object_, _ = reference.split(parent)
                sobject = self._document.objects[object_].target
                await self._outputs.ready(check_of(row_of(object_, sobject, parent, NO_VERSION, run, None)))
            case Lookup(parent, run):
                object_, vp_id = reference.split(parent)
                await self._outputs.extract("lookup", self._outputs.catalogue.extracted(object_), run, vp_id)

    async def _go_on(self, effect: Forward | Later | Hop | Without) -> None:
        match effect:
            case Forward(waiting, sf_id, told):
                await self._forward(waiting, sf_id, told)
            case Without(waiting):
                columns = [waiting["column"]]
                await self._outputs.audit(
                    "unlink", waiting["row"], None, code=NOT_MOVED, detail=waiting["parent"], columns=columns
                )
                fill(waiting["row"], waiting, None)
                await self._pass_on(waiting["row"], waiting["left"])
            case Later(waiting):
                waiting["row"]["columns"][waiting["column"]] = None
                await self._pass_on(waiting["row"], waiting["left"])
            case Hop(waiting):
                stand_in = self._document.placeholder(reference.split(waiting["parent"])[0])
                assert stand_in is not None, "the map was checked"
                need: Need = {"column": waiting["column"], "parent": stand_in.reference, "on_absent": "hold"}
                await self._outputs.waiting(waiting["row"], [need, *waiting["left"]])

    async def _forward(self, waiting: Waiting, sf_id: str | None, told: int) -> None:
        row = waiting["row"]
        if is_named(waiting):
            fill(row, waiting, sf_id)
        else:
            row["columns"][waiting["column"]] = sf_id
        if sf_id is None and not is_named(waiting):
            columns = [waiting["column"]]
            await self._outputs.audit(
                "unlink", row, None, code="PARENT_CYCLE", detail=waiting["parent"], columns=columns
            )
        row["version"] = renumbered(row["version"], told, len(waiting["left"]))
        await self._pass_on(row, waiting["left"])

    async def _relate(self, waiting: Waiting, sf_id: str, offset: int, *, direct: bool) -> None:
        """What the message at ``offset`` makes of a relation; numbered by it, as rows that others count in are (`agents.counting`)."""
        row = waiting["row"]
        row["version"] = with_resolution(row["version"], offset * STEP)
        if direct:  # what an earlier version has brought to Salesforce has to go
            row["op"], row["columns"] = "skip", {"because": DIRECT}
        else:
            row["columns"][waiting["column"]] = sf_id
        await self._outputs.ready(row)

    async def _pass_on(self, row: Ready, needs: list[Need]) -> None:
        """To the parents that are still needed, but for those that this worker knows to have landed.

        One that a row may be linked to later, and an image, is asked in any case: it tells the row when its id is another one.
        """
        left = list(needs)
        kept = _RELATING.get(row["sobject"], ("", ""))[0]  # a relation is known where its contact is
        while (
            left
            and left[0]["on_absent"] not in {"later", NAMED}
            and left[0]["column"] != kept
            and (sf_id := await self._id_of(left[0]["parent"])) is not None
        ):
            row["columns"][left.pop(0)["column"]] = sf_id
        await (self._outputs.waiting(row, left) if left else self._outputs.ready(row))

    async def _id_of(self, parent: str) -> str | None:
        """The parent's id if its partition is this worker's and it has landed: what that partition would answer now.

        Its state may not be durable yet; but what it says has been read from ``refs``, and will be again.
        """
        number = await self._outputs.publisher.partition_of(self._refs, parent.encode())
        try:
            return self._known(number).parents.id_of(parent)
        except StaleAssignment:
            return None

    async def _create_placeholder(self, parent: str, run: str) -> None:
        object_, _ = reference.split(parent)
        sobject = self._document.objects[object_].target
        columns = placeholder_row(self._document, object_, run)
        # No source record made it, so no version of one can be newer than the next: a fixed one keeps it as it is.
        version = Version(_BEGINNING).encode()
        await self._outputs.ready(row_of(object_, sobject, parent, version, run, None, columns=columns))

    async def tick(self) -> None:
        """Looks up parents that are waited for, holds what waits too long, and goes on with releases; runs until cancelled."""
        more = False
        while True:
            await asyncio.sleep(0 if more else _TICK_SECONDS)
            more = False
            for partition in self._table.partitions():
                try:
                    parents = self._known(partition.number).parents
                    due: list[Effect] = [
                        *parents.unreleased,
                        *parents.overdue(now_ms(), self._lookup_after, self._hold_after),
                    ]
                    parents.unreleased.clear()
                    for effect in due:
                        await self._carry_out(effect)
                    more |= parents.holding
                except StaleAssignment:
                    continue
