"""What became of a batch: each row's outcome made durable, in order, before its chunk may be committed.

Outputs (audit, the parent's fate) → row states → journal entry removed → chunk done. A crash in between is repaired by the next owner from what is durable.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, TypeAlias, cast

from agents.adoption import Adoption
from agents.item import Item
from agents.journal import Journal
from agents.lane import Lane
from agents.loss import ROW_DELETED, Loss, asks
from agents.outputs import FACET, NO_VERSION, Outputs
from agents.rowstate import RowState, key_of
from agents.sending import Result
from connectors.salesforce.row_errors import Handling, RowError, handling
from mapping.rules import RELATION_ACCOUNT
from state.table import StateTable
from topics.messages import Batch, Outcome, Position, Row
from transport import failpoint
from transport.assignment import Assignment, TopicPartition

Member: TypeAlias = tuple[Item, RowState]
Documents: TypeAlias = Callable[[Sequence[str], Callable[[], None]], Awaitable[dict[str, str]]]
"""Of files' ids, and what tells the watchdog: by id, the id of the document."""

STAGE: Final = "load"
_NOT_TO_BE_SET: Final = "INVALID_FIELD_FOR_INSERT_UPDATE"
SKIPPED: Final = "SKIPPED_BY_RULE"
_RETRY_SECONDS: Final = 1.0
_RETRY_MOST: Final = 30.0
_REMEMBERED: Final = 10_000
_AGAIN: Final = frozenset(
    {Handling.RETRY_LOCK, Handling.RETRY_LATER, Handling.DUPLICATE_OWN_ID, Handling.QUOTA, Handling.STORAGE}
)

KEPT: Final = "ADOPTED_ROW_KEPT"
"""Code of a delete of a row that somebody else made: it stays, without our external id."""

_DECIDED_ANEW: Final = 3
_PARENT_DELETED: Final = "the row it refers to is gone in Salesforce; undelete it there, then replay the record"


class Settlement:
    """Settles batches of one Salesforce object.

    Arguments:
        outputs: where operations, fates and rejects go.
        rows: the state table of our rows.
        journal: the batch journal.
        external_id: the column that holds our reference.
        parents: objects of the source that others refer to: only their rows tell `refs` that they have landed.
        adoption: told of rows that were not written after all.
        loss: sends rows back to wait for what is gone.
        create_only: columns that may be sent only with a new row.
        related: objects whose rows are related to further accounts: each landing tells which account is the row's own.
        documents: asks the org for the document of each file, by the file's id; None when nobody wants to know.
    """

    def __init__(
        self,
        outputs: Outputs,
        rows: StateTable,
        journal: Journal,
        external_id: str,
        parents: Collection[str],
        adoption: Adoption,
        loss: Loss,
        create_only: Collection[str] = (),
        related: Collection[str] = (),
        documents: Documents | None = None,
    ) -> None:
        self._outputs = outputs
        self._rows = rows
        self._journal = journal
        self._external_id = external_id
        self._parents = frozenset(parents)
        self._adoption = adoption
        self._loss = loss
        self._create_only = frozenset(create_only)
        self._related = frozenset(related)
        self._documents = documents
        self._document_of: dict[str, str] = {}

    async def settle(
        self, assignment: Assignment, lane: Lane, results: Sequence[tuple[Result, RowState]], batch: Batch | None
    ) -> None:
        """Makes outcomes durable and finishes their chunks; what is to be tried again is queued again.

        Arguments:
            assignment: that the batch was sent under.
            lane: it comes from; its rows leave the air.
            results: what became of each row, and what was known of it before.
            batch: the journal entry, None for rows that needed no call.

        Raises:
            transport.assignment.StaleAssignment: revoked on the way; the next owner settles.
        """
        changes: dict[bytes, bytes | None] = {}
        again: set[Item] = set()
        await self._learn_documents(assignment, lane, results)
        for result, state in results:
            if await self._outcome(lane, result, state, changes, sent=batch is not None):
                again.add(result.item)
        assignment.check()
        if failpoint.ARMED:
            failpoint.hit("audit-sent")
        await self._outputs.publisher.settle()
        if failpoint.ARMED:
            failpoint.hit("audit-durable")
        if changes:
            await self._rows.write(lane.partition, changes)
        if failpoint.ARMED:
            failpoint.hit("rows-durable")
        unsure = [result.item for result, _ in results if result.item in again and self._unsure(result)]
        if batch is not None and batch["rows"] and not lane.remember(batch, unsure):
            await self._journal.finish(lane.partition, batch["id"], batch["rows"])
        settled = [result.item for result, _ in results if result.item not in again]
        await self._forget(lane, settled)
        assignment.check()
        lane.land([result.item for result, _ in results])
        for item in settled:
            item.finish()
        for item in again:
            self._queue_again(lane, item)

    async def _learn_documents(
        self, assignment: Assignment, lane: Lane, results: Sequence[tuple[Result, RowState]]
    ) -> None:
        """Which document each file of ``results`` is of; that never changes."""
        if self._documents is None:
            return
        there = [
            result.sf_id or state.sf_id
            for result, state in results
            if result.error is None and not result.lost and (result.item.op == "upsert" or asks(result.item))
        ]
        unknown = [one for one in dict.fromkeys(there) if one is not None and one not in self._document_of]
        if unknown:
            tp = TopicPartition(self._rows.source, lane.partition)
            self._document_of |= await self._documents(unknown, lambda: assignment.touch(tp))
            for one in list(islice(self._document_of, max(0, len(self._document_of) - _REMEMBERED))):
                del self._document_of[one]

    async def _outcome(
        self, lane: Lane, result: Result, state: RowState, changes: dict[bytes, bytes | None], *, sent: bool
    ) -> bool:
        """Says what became of one row; True when it is to be sent again."""
        if result.held is not None:
            code, detail = result.held
            await self._outputs.audit("hold", result.item.row, "held", code=code, detail=detail)
            if self._documents is not None and state.sf_id is None:  # texts go on without it
                own, version = result.item.reference, result.item.version
                await self._outputs.fate("rejected", own, version=version, code=code)
            return False
        if result.lost:
            if result.item.op == "flag":  # it is gone at both ends
                await self._applied(result, state, changes, sent=True, gone=True)
                return False
            return await self._lost(lane, result, state, changes)
        if asks(result.item):
            if state.sf_id is not None:
                await self._landed(result.item.row, state)
            return False
        if result.error is not None:
            return await self._refused(lane, result, state, changes)
        if result.written:
            await self._half_applied(result, state, changes)
        if result.again or (sent and result.sf_id is None):  # the latter: a job did not look at it
            return True
        former = lane.unheard(result.item) if result.item.op != "upsert" and result.item.found is not None else None
        if former is not None:
            await self._note_unheard(former, result.item, state)
        await self._applied(result, state, changes, sent=sent)
        return False

    def _unsure(self, result: Result) -> bool:
        """Whether a row that is to be sent again may be in the org by an earlier call, whose answer was lost: only the journal still tells that we made it.

        Not one that found no room: it waits for long, and a rollback must be able to begin.
        """
        item, error = result.item, result.error
        waits = error is not None and handling(error, self._external_id) in {Handling.QUOTA, Handling.STORAGE}
        return item.op == "upsert" and item.origin is not None and not waits

    @staticmethod
    def _queue_again(lane: Lane, item: Item) -> None:
        item.attempts += 1
        item.not_before = time.monotonic() + min(_RETRY_SECONDS * 2 ** (item.attempts - 1), _RETRY_MOST)
        for finished in lane.offer(item):
            finished.finish()

    async def _forget(self, lane: Lane, items: Iterable[Item]) -> None:
        """Removes what is recalled of settled rows, and journal entries of a former owner that have no other row."""
        touched = {recalled.batch for item in items if (recalled := lane.recall(item.key)) is not None}
        if touched:
            for batch_id in touched - lane.open_batches():
                await self._journal.finish(lane.partition, batch_id, lane.recalled_rows.pop(batch_id))

    async def _applied(
        self,
        result: Result,
        state: RowState,
        changes: dict[bytes, bytes | None],
        *,
        sent: bool,
        gone: bool = False,
    ) -> None:
        item, row = result.item, result.item.row
        own, outputs = row["reference"], self._outputs
        if state.has(row["facet"], row["version"]):  # said and done before
            if state.contact is None and result.contact is not None:  # by a version that didn't know contact roles
                changes[key_of(own)] = replace(state, contact=result.contact).encode()
                await self._note_contact(result, row)
                await outputs.audit("unchanged", row, "loaded", row_id=state.sf_id, origin=item.origin)
            if state.sf_id is not None:
                # But under a map, perhaps, in which nobody referred to it: then this is the answer to the first child's look-up.
                current = row["version"] == state.versions.get(row["facet"])
                await self._landed(row, state, item if current else None)
            return
        if row["op"] != "upsert":
            stays = row["op"] in {"flag", "keep"} or state.adopted
            left = state.sf_id if stays and not gone else None
            changes[key_of(own)] = state.after(row, left).encode()
            if row["op"] == "delete" and left is not None:
                item.obstacle = KEPT
            await self._note_end(item, row, state)
            if left is None:
                await outputs.fate("gone", own, epoch=state.epoch)
            elif item.found is not None:
                await self._landed(row, state)  # nobody has told its children
            return
        sf_id = result.sf_id
        assert sf_id is not None, "an applied upsert has an id"
        created = state.sf_id is None
        adopted = created and item.target is not None
        after = state.after(row, sf_id, created=created, digest=item.digest, adopted=adopted, contact=result.contact)
        changes[key_of(own)] = after.encode()
        item.target = None
        back = state.lost and item.found is not None  # it was undeleted
        what = "update" if sent or result.created else "unchanged"
        if created and not back:
            what = "adopt" if adopted else "create"
        await self._note_contact(result, row)
        await outputs.audit(what, row, "loaded", row_id=sf_id, columns=item.names, origin=item.origin)
        told_again = sf_id != state.sf_id or row["object"] in self._related
        if back or what != "update" or told_again or row["facet"] not in state.versions:
            await self._landed(row, after, item)

    async def _note_contact(self, result: Result, row: Row) -> None:
        if result.moved is not None:
            await self._outputs.audit("contact", row, None, row_id=result.sf_id, columns=[result.moved])

    async def _half_applied(self, result: Result, state: RowState, changes: dict[bytes, bytes | None]) -> None:
        """The row is written, but its contact is not what it should be: what is in the org is told and known, the version is not done with."""
        item, row, sf_id = result.item, result.item.row, result.sf_id
        assert sf_id is not None, "a row that was written has an id"
        created = state.sf_id is None
        adopted = created and item.target is not None
        if not state.has(row["facet"], row["version"]):
            made = created and not (state.lost and item.found is not None)  # one that was undeleted is an old one
            what = "adopt" if adopted else "create" if made else "update"
            await self._outputs.audit(what, row, "loaded", row_id=sf_id, columns=item.names, origin=item.origin)
        changes[key_of(row["reference"])] = state.half(row, sf_id, created=created, adopted=adopted).encode()
        item.target = None

    async def _note_unheard(self, former: Item, item: Item, state: RowState) -> None:
        """An end meets a row that a call made whose answer nobody has heard: what stands in it is told only now, else nobody could take it back."""
        what = "adopt" if state.adopted else "create"
        names, origin = former.names, item.origin
        await self._outputs.audit(what, former.row, "loaded", row_id=state.sf_id, columns=names, origin=origin)

    async def _note_end(self, item: Item, row: Row, state: RowState) -> None:
        """A row was deleted or flagged, is left out now, or stays because it can't be deleted."""
        what, outcome, code, detail = row["op"], "deleted", item.obstacle, None
        if what == "skip":
            outcome, code, detail = "skipped", SKIPPED, str(item.columns.get("because") or "")
        elif what == "keep":
            outcome = "skipped"
        columns = item.names if what == "flag" else ()
        await self._outputs.audit(
            what,
            row,
            cast("Outcome", outcome),
            row_id=state.sf_id,
            code=code,
            detail=detail,
            columns=columns,
            origin=item.origin,
        )

    def _whole(self, item: Item) -> bytes:
        """The row as it came, in the newest schema."""
        return self._outputs.codec.encode("ready", item.ready, topic=self._rows.source, key=item.reference.encode())

    async def _landed(self, row: Row, state: RowState, item: Item | None = None) -> None:
        """Tells a row's children that they can go on; once is enough, and more does no harm. ``item`` is what the row is now, where that is known."""
        if row["object"] in self._parents:
            told: dict[str, str] = {}
            if item is not None and item.op == "upsert" and row["object"] in self._related:
                told = {"account": str(item.columns.get(RELATION_ACCOUNT) or ""), "version": item.version}
            if (document := self._document_of.get(state.sf_id or "")) is not None:
                told["document"] = document
            await self._outputs.fate("landed", row["reference"], sf_id=state.sf_id, epoch=state.epoch, **told)

    async def _lost(self, lane: Lane, result: Result, state: RowState, changes: dict[bytes, bytes | None]) -> bool:
        """Somebody has deleted the row in Salesforce; True when it is to be sent again, as one that has to be made."""
        item, row = result.item, result.item.row
        after = state.missed()
        changes[key_of(item.reference)] = after.encode()
        if not state.lost:
            await self._outputs.fate("gone", item.reference, epoch=after.epoch)
        if asks(item):
            row["facet"], row["version"] = FACET, state.versions.get(FACET, NO_VERSION)
        elif self._loss.makes_again(state):
            return True
        await self._keep(lane, item, ROW_DELETED)
        await self._outputs.audit("lost", row, "rejected", row_id=state.sf_id, code=ROW_DELETED.code)
        return False

    async def _keep(self, lane: Lane, item: Item, error: RowError) -> None:
        """Keeps a row that Salesforce refuses."""
        message = f"{error.message} ({', '.join(error.fields)})" if error.fields else error.message
        position: Position = {"topic": self._rows.source, "partition": lane.partition, "offset": item.offset}
        await self._outputs.reject(STAGE, item.reference, error.code, message, self._whole(item), position)

    async def _refused(self, lane: Lane, result: Result, state: RowState, changes: dict[bytes, bytes | None]) -> bool:
        """What to do about a refused row; True when it is to be sent again."""
        item, error = result.item, result.error
        assert error is not None
        if result.written:
            await self._half_applied(result, state, changes)
        row, taking = item.row, item.target is not None
        by_id = item.removes or taking or bool(state.sf_id or item.found)
        meaning = Handling.PARENT_GONE if result.orphan else handling(error, self._external_id, by_id=by_id)
        if taking and meaning in {Handling.GONE, Handling.DUPLICATE_OWN_ID} and item.attempts < _DECIDED_ANEW:
            self._adoption.release(item)  # the row to take over is gone, or another one has our external id now
            return True
        # It is there: an earlier call made it, and its answer was lost. Then it is looked for, and updated.
        made = error.code == _NOT_TO_BE_SET and set(error.fields) <= self._create_only and not item.attempts
        if meaning in _AGAIN or made:
            return True
        if meaning is Handling.GONE and item.removes:
            await self._applied(result, state, changes, sent=True, gone=True)
            return False
        if meaning is Handling.GONE:
            error = ROW_DELETED
        elif meaning is Handling.PARENT_GONE:
            if await self._loss.send_back(item, error.fields):
                self._adoption.release(item)
                return False
            error = RowError("PARENT_ROW_DELETED", error.fields, _PARENT_DELETED)
        self._adoption.release(item)
        await self._keep(lane, item, error)
        await self._outputs.audit("reject", row, "rejected", code=error.code, columns=list(error.fields))
        await self._outputs.fate("rejected", row["reference"], version=row["version"], code=error.code)
        return False
