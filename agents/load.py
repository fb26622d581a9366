"""The load agent: rows in, Salesforce rows out, each at most once in flight and never older over newer.

The order for a batch: origins decided → journal durable → sent → outputs durable → row states durable → journal entry removed → chunks done. After a crash the
next owner reads the journal first (`agents.recall`), and rows that come again find what their batch has already done.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, cast

from agents.adoption import Adoption
from agents.contact_step import ContactStep
from agents.departure import Departure, Staying
from agents.flight import Flight, touch
from agents.inserting import Inserting
from agents.item import Item, Items, Ticket
from agents.journal import Journal
from agents.lane import Lane, Operation, Recalled
from agents.loss import Loss, asks
from agents.origins import Origins, believe
from agents.outputs import Outputs, now_ms
from agents.patience import waiting_for
from agents.recall import recall
from agents.removal import Removal
from agents.room import Room
from agents.rowstate import RowState, key_of
from agents.sending import Result, Sending
from agents.settlement import STAGE, Documents, Member, Settlement
from state.table import StateTable
from topics.codec import Undecodable
from topics.messages import Batch, BatchRow, Packed
from transport import failpoint
from transport.assignment import Assignment, StaleAssignment
from transport.chunk import Chunk

_POISON: Final = "these bytes are no row of Carryover; find out who wrote them to this topic"
_TICK_SECONDS: Final = 0.05
_SMALL_BATCH: Final = 100
_MOST_FLIGHTS: Final = 2
"""Beside each other; the second leaves only when it is full. More would keep more rows in memory: where the org takes minutes for a job, more workers help."""


class Load:
    """Loads one Salesforce object.

    Arguments:
        outputs: where operations, fates and rejects go.
        rows: the state table of our rows, bound to ``sf.<sobject>``.
        journal: the batch journal, bound to the same topic.
        sending: the calls to Salesforce.
        adoption: decides about rows that somebody else made.
        removal: looks at rows before they are deleted.
        loss: looks for rows that somebody else has deleted.
        contacts: lets the contacts of rows follow their records; None for an object that has none.
        flagging: columns that flag a row as deleted.
        external_id: the column that holds our reference.
        parents: objects of the source that others refer to.
        items: makes items of rows.
        batch_rows: most rows in a batch.
        bulk_from_rows: a batch of this many rows or more becomes a Bulk job.
        departure: when rows leave.
        gate: whether writing is allowed.
        unique: whether the org refuses a second row with our external id, so that new rows may be inserted without a look.
        room: whether the org has room for rows; shared by all objects.
        finishing: whether, when it is not, batches of a former owner may still be finished.
        related, documents: see `agents.settlement.Settlement`.
    """

    def __init__(
        self,
        outputs: Outputs,
        rows: StateTable,
        journal: Journal,
        sending: Sending,
        adoption: Adoption,
        removal: Removal,
        loss: Loss,
        contacts: ContactStep | None = None,
        *,
        flagging: Collection[str],
        external_id: str,
        parents: Collection[str],
        items: Items,
        batch_rows: int,
        bulk_from_rows: int,
        departure: Departure,
        gate: Callable[[], bool],
        finishing: Callable[[], bool],
        room: Room | None = None,
        unique: bool = False,
        related: Collection[str] = (),
        documents: Documents | None = None,
    ) -> None:
        self._room = room or Room()
        self._inserting = Inserting(adoption, bulk_from_rows, unique=unique)
        self._origins = Origins(adoption, self._inserting, sending)
        self._outputs = outputs
        self._rows = rows
        self._journal = journal
        self._sending = sending
        self._removal = removal
        self._loss = loss
        self._contacts = contacts
        self._flagging = frozenset(flagging)
        self._settlement = Settlement(
            outputs, rows, journal, external_id, parents, adoption, loss, sending.create_only, related, documents
        )
        self._items = items
        self._batch_rows = batch_rows
        self._bulk_from_rows = bulk_from_rows
        self._departure = departure
        self._staying = Staying(bulk_from_rows)
        self._gate = gate
        self._finishing = finishing
        self._lanes: dict[int, tuple[Assignment, Lane]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._flights: set[Flight] = set()
        self._turn = 0
        self._numbers = itertools.count()

    # -- rows in -----------------------------------------------------------------------------------------------------------------------

    async def handle(self, chunk: Chunk) -> None:
        """Takes the chunk's rows into their lane; the chunk is done when all of them are."""
        lane = self._lane(chunk.assignment, chunk.tp.partition)
        ticket = Ticket(chunk)
        for record in chunk.records:
            try:
                item = self._item(record, ticket)
            except Undecodable as exc:
                await self._outputs.poison(STAGE, record, f"UNDECODABLE_{exc.code.upper()}", _POISON)
                continue
            ticket.take()
            for finished in lane.offer(item):
                finished.finish()
        ticket.settle()

    def _item(self, record: Any, ticket: Ticket) -> Item:
        """The row that ``record`` carries.

        Raises:
            topics.codec.Undecodable: it carries none.
        """
        row = cast("Packed", self._outputs.decode(record, packed=True)[1])
        try:
            return self._items.make(row, record.offset, [ticket])
        except (ValueError, TypeError):  # their texts may hold values
            raise Undecodable("malformed", "The columns of the row are no JSON object.") from None

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        await self._outputs.poison(STAGE, chunk.records[0], f"QUARANTINED_{type(exc).__name__.upper()}", _POISON)

    def _lane(self, assignment: Assignment, number: int) -> Lane:
        known = self._lanes.get(number)
        if known is None or known[0] is not assignment:
            lane = Lane(number)
            self._lanes[number] = known = (assignment, lane)
            alive = partial(self._touch, assignment, lane)
            work = recall(assignment, lane, self._journal, self._rows, self._sending, alive)
            self._spawn(work, assignment, [lane])
        return known[1]

    def _spawn(self, work: Any, assignment: Assignment, lanes: Sequence[Lane]) -> None:
        partitions = [lane.partition for lane in lanes]

        async def run() -> None:
            try:
                with waiting_for(lambda: touch(assignment, self._rows.source, partitions)):
                    await work
            except StaleAssignment:
                return
            except Exception as exc:  # noqa: BLE001 - handed to the tick, which crashes the process
                if assignment.live:
                    self._failure = exc

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    _failure: BaseException | None = None

    async def tick(self) -> None:
        """Lets flights leave when they are due; runs until cancelled.

        Raises:
            Exception: whatever a batch has failed with that nobody expected: the process has to go down.
        """
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self._failure is not None:
                raise self._failure
            closed = not self._gate()
            if closed or self._room.closed:
                for assignment, lane in self._lanes.values():
                    if assignment.live:
                        self._touch(assignment, lane)
                if self._room.closed or not self._finishing():
                    continue
            self._depart(closed=closed)

    def _depart(self, *, closed: bool) -> None:
        """Lets the next flight leave if it is due; ``closed``: only rows that an unfinished batch of a former owner has."""
        for number, (assignment, _) in list(self._lanes.items()):
            if not assignment.live:
                del self._lanes[number]
        if not self._lanes:
            return
        assignment = next(iter(self._lanes.values()))[0]
        lanes = [lane for _, lane in self._lanes.values() if lane.ready and (lane.recalled or not closed)]
        flying = sum(flight.assignment is assignment for flight in self._flights)
        now = time.monotonic()
        # What only has to be finished waits for no company: a rollback waits for it.
        if flying >= _MOST_FLIGHTS or not lanes or not (closed or self._departure.due(now, lanes)):
            return
        self._turn += 1
        first = self._turn % len(lanes)
        self._leave(assignment, lanes[first:] + lanes[:first], only_recalled=closed)
        self._departure.begin(now, lanes)

    def _touch(self, assignment: Assignment, lane: Lane) -> None:
        """Tells the watchdog that the lane's partition is being worked on; raises `StaleAssignment` when it is ours no longer."""
        touch(assignment, self._rows.source, [lane.partition])

    # -- a flight ----------------------------------------------------------------------------------------------------------------------

    def _leave(self, assignment: Assignment, lanes: Sequence[Lane], *, only_recalled: bool) -> None:
        """Picks the next batches: rows of one operation from all lanes, as many as fit."""
        picked: dict[Operation, Flight] = {}
        retried: dict[Operation, Flight] = {}
        for lane in lanes:
            if self._pick(assignment, lane, picked, retried, only_recalled=only_recalled):
                break
        if self._room.since is not None:  # a few rows show whether there is room again
            retried = {operation: retried.get(operation) or picked[operation] for operation in {*retried, *picked}}
            picked = {}
        updates = picked.get("update")
        if updates is not None and self._staying.stay([i.version for i, _ in updates.members], others=len(picked) > 1):
            del picked["update"]
        for operation, flight in (*retried.items(), *picked.items()):
            flight.board()
            self._spawn_flight(operation, flight)

    def _pick(
        self,
        assignment: Assignment,
        lane: Lane,
        picked: dict[Operation, Flight],
        retried: dict[Operation, Flight],
        *,
        only_recalled: bool,
    ) -> bool:
        """Picks rows of one lane; those that need no batch are settled beside. True when a batch is full."""
        partition = self._rows.partition(lane.partition)
        checks: list[Member] = []
        local: list[Member] = []
        unsure: list[Member] = []
        full = False
        few = self._room.since is not None
        for item in lane.candidates(time.monotonic()):
            state = RowState.decode(partition.get(key_of(item.reference)))
            recalled = lane.recalled.get(item.key)
            if only_recalled and recalled is None:
                continue
            if asks(item):
                checks.append((item, state))
                continue
            if state.has(item.layout.facet, item.version) or self._needs_no_call(item, state, recalled):
                doubtful = recalled is None and self._contacts is not None and self._contacts.unsure(item, state)
                (unsure if doubtful else local).append((item, state))
                continue
            if item.removes and state.adopted:
                item.by_collections = (
                    True  # it stays, without our external id: nothing that a Bulk job's results would name
                )
            removes = item.removes and not state.adopted
            operation: Operation = "delete" if removes else "update" if state.sf_id else "upsert"
            alone = item.by_collections or item.attempts > 0
            flights, most = (retried, _SMALL_BATCH) if alone else (picked, _SMALL_BATCH if few else self._batch_rows)
            flight = flights.setdefault(operation, Flight(assignment, self._rows.source))
            if len(flight) < most:
                flight.add(lane, item, state)
            if not alone and len(flight) >= most:
                full = True
                break
        for work, members in ((self._look, checks), (self._settle_locally, local), (self._only_contacts, unsure)):
            if members:
                lane.take([item for item, _ in members])
                self._spawn(work(assignment, lane, members), assignment, [lane])
        return full

    @staticmethod
    def _needs_no_call(item: Item, state: RowState, recalled: Recalled | None) -> bool:
        if recalled is not None and recalled.version == item.version and recalled.sf_id is not None:
            return True
        if item.op != "upsert":
            # A lost row of ours may have been undeleted.
            return state.sf_id is None and (state.adopted or not state.lost) and recalled is None
        # What a dead owner may have sent since is not in the digest.
        return recalled is None and state.sf_id is not None and state.digests.get(item.layout.facet) == item.digest

    async def _look(self, assignment: Assignment, lane: Lane, members: Sequence[Member]) -> None:
        """Answers checks."""
        results = await self._loss.look(members, lambda: self._touch(assignment, lane))
        assignment.check()
        await self._settlement.settle(assignment, lane, results, None)

    async def _settle_locally(self, assignment: Assignment, lane: Lane, members: Sequence[Member]) -> None:
        """Settles rows that need no call: applied before, equal to what is there, written by a recalled batch, or a delete of nothing."""
        results: list[tuple[Result, RowState]] = []
        for item, state in members:
            recalled = lane.recalled.get(item.key)
            believe(item, state, recalled)
            if state.has(item.layout.facet, item.version):
                results.append((Result(item, state.sf_id), state))
            elif recalled is not None and recalled.sf_id is not None and recalled.version == item.version:
                results.append((Result(item, recalled.sf_id, recalled.created), state))
            else:
                results.append((Result(item, state.sf_id), state))
        if self._contacts is not None:  # a dead owner may have come no further than the rows
            await self._contacts.follow(results, lambda: self._touch(assignment, lane))
        await self._settlement.settle(assignment, lane, results, None)

    async def _only_contacts(self, assignment: Assignment, lane: Lane, members: Sequence[Member]) -> None:
        """Looks after the contacts of rows that are to stay as they are otherwise: a version before there were contact roles left them behind."""
        assert self._contacts is not None
        for item, state in members:
            believe(item, state, None)
        batch = self._batch(lane, "update", members, "collections")
        await self._journal.plan(batch, [_journaled(item, state) for item, state in members])
        results = [(Result(item, state.sf_id), state) for item, state in members]
        await self._contacts.follow(results, lambda: self._touch(assignment, lane))
        assignment.check()
        await self._settlement.settle(assignment, lane, results, batch)

    def _spawn_flight(self, operation: Operation, flight: Flight) -> None:
        async def fly() -> None:
            try:
                await self._fly(operation, flight)
            finally:
                self._flights.discard(flight)

        self._flights.add(flight)
        lanes = [lane for lane, _ in flight.by_lane(flight.members)]
        self._spawn(fly(), flight.assignment, lanes)

    async def _fly(self, operation: Operation, flight: Flight) -> None:
        touch, assignment = flight.touch, flight.assignment
        members, lost = await self._loss.find(flight.members, touch)
        for item, state in members:
            believe(item, state, flight.lane(item).recalled.get(item.key))
        fresh = self._inserting.choose([item for item, _ in members]) if operation == "upsert" else set()
        members, held = await self._origins.decide(members, touch)
        members, nothing = await self._origins.find_ends(members, touch)
        # Whatever was to be done to somebody else's row, it is done by its id; and it is never deleted.
        theirs = [member for member in members if member[0].target is not None]
        ours, flagged, kept = await self._spare(operation, [one for one in members if one[0].target is None], touch)
        if operation == "upsert":
            if self._sending.create_only:
                await self._origins.find_made(flight, ours, touch)
            theirs += [member for member in ours if member[0].found is not None]
            ours = [member for member in ours if member[0].found is None]
        if self._contacts is not None and (barred := await self._contacts.barred([*theirs, *ours], touch)):
            held = [*held, *barred]
            without = {result.item.key for result, _ in barred}
            theirs = [member for member in theirs if member[0].key not in without]
            ours = [member for member in ours if member[0].key not in without]
        assignment.check()
        if flagged:
            self._spawn_flight("update", flight.part(flagged))
        await self._settle(flight, lost + held + [(Result(item), state) for item, state in (*nothing, *kept)], {})
        new = [member for member in ours if member[0].key in fresh]
        known = [member for member in ours if member[0].key not in fresh]
        flights: list[tuple[Operation, list[Member]]] = [(operation, known), ("insert", new), ("update", theirs)]
        for kind, some in flights:
            if some:
                await self._send(flight, kind, some)

    async def _send(self, flight: Flight, operation: Operation, members: Sequence[Member]) -> None:
        touch, assignment = flight.touch, flight.assignment
        path = self._path(operation, members)
        batches: dict[int, Batch] = {}
        if failpoint.ARMED:
            failpoint.hit("origins-decided")
        plans = []
        for lane, some in flight.by_lane(members):
            batch = batches[lane.partition] = self._batch(lane, operation, some, path)
            plans.append(self._journal.plan(batch, [_journaled(item, state) for item, state in some]))
        await asyncio.gather(*plans)
        if failpoint.ARMED:
            failpoint.hit("batch-planned")
        rows = [(item, item.target or state.sf_id or item.found) for item, state in members]
        if path == "bulk":
            results = await self._sending.by_bulk([*batches.values()], rows, operation, touch)
        else:
            results = await self._sending.by_collections(rows, operation, touch)
        states = dict(members)
        await self._loss.sort_out(results, states, touch)
        self._room.note(results)
        if operation == "insert":
            self._inserting.note_inserted(results)
        assignment.check()
        if failpoint.ARMED:
            failpoint.hit("batch-sent")
        settled = [(result, states[result.item]) for result in results]
        if self._contacts is not None:
            await self._contacts.follow(settled, touch)
            assignment.check()
        await self._settle(flight, settled, batches)

    async def _settle(
        self, flight: Flight, results: Sequence[tuple[Result, RowState]], batches: Mapping[int, Batch]
    ) -> None:
        """Settles results lane by lane, beside each other."""
        of_item = {result.item: (result, state) for result, state in results}
        work = [
            self._settlement.settle(
                flight.assignment, lane, [of_item[item] for item, _ in some], batches.get(lane.partition)
            )
            for lane, some in flight.by_lane((result.item, state) for result, state in results)
        ]
        ends = await asyncio.gather(*work, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _spare(
        self, operation: Operation, members: Sequence[Member], touch: Callable[[], None]
    ) -> tuple[Sequence[Member], list[Member], list[Member]]:
        """Of rows that are to be deleted, those that can be, those that are flagged instead, and those that stay as they are."""
        if operation != "delete" or not members:
            return members, [], []
        ids = [state.sf_id or "" for _, state in members]
        obstacles = await self._sending.insist(lambda: self._removal.obstacles(ids), touch)
        free: list[Member] = []
        flagged: list[Member] = []
        kept: list[Member] = []
        for item, state in members:
            obstacle = obstacles.get(state.sf_id or "")
            if obstacle is None:
                free.append((item, state))
                continue
            item.spare(obstacle, self._flagging)
            (flagged if item.op == "flag" else kept).append((item, state))
        return free, flagged, kept

    def _path(self, operation: Operation, members: Sequence[Member]) -> Literal["bulk", "collections"]:
        together = not any(item.by_collections or item.attempts for item, _ in members)
        bulk = together and operation != "delete" and len(members) >= self._bulk_from_rows
        # What an insert has done can be read from its job only.
        return "bulk" if bulk or operation == "insert" else "collections"

    def _batch(
        self, lane: Lane, operation: Operation, members: Sequence[Member], path: Literal["bulk", "collections"]
    ) -> Batch:
        return {
            "id": f"{lane.partition:03d}-{time.time_ns():x}-{os.getpid():x}-{next(self._numbers):x}",
            "sobject": self._sending.sobject,
            "operation": operation,
            "facet": "owner",
            "partition": lane.partition,
            "state": "planned",
            "path": path,
            "job_id": None,
            "rows": len(members),
            "run": members[0][0].layout.run,
            "at": now_ms(),
        }


def _journaled(item: Item, state: RowState) -> BatchRow:
    return {
        "reference": item.reference,
        "facet": item.layout.facet,
        "version": item.version,
        "op": item.op,
        "origin": str(item.origin),
        "sf_id": item.target or state.sf_id,
        "topic_offset": item.offset,
    }
