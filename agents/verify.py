"""The verify agent: every landed row is read back and compared with its source record, by the map's declared rules.

It shares no code with what mapped the row (`mapping.comparators`), takes the source's values from ``vp.*`` and the stored ones from the org. A row that
differs is read again before it is called a mismatch: it may have changed meanwhile, and then its next version is verified. That version may lie beyond all
that may be handed out at once, so what waits for it gives way when the window is full (`agents.doubts`).

Not caught: a record that never reached ``vp.*`` (the census finds that), and what Salesforce shows to others than the integration user.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, cast

from aiokafka.errors import KafkaError

from agents.doubts import Doubts
from agents.item import Ticket
from agents.landing import Landing
from agents.outputs import DOUBT, Outputs, check_of, row_of
from agents.patience import insist
from agents.readback import PATIENCE, ripe
from agents.source_records import Place, SourceRecord, SourceRecords, change_at
from connectors.salesforce.collections import MOST_IDS, Collections
from connectors.salesforce.session import Salesforce
from mapping.comparators import Comparison
from mapping.compared_texts import ADDRESS_OF_FILE
from mapping.owner_comparison import OwnerComparison
from topics import reference
from topics.codec import Undecodable
from topics.messages import Change, Operation
from transport.assignment import Assignment, StaleAssignment, TopicPartition
from transport.chunk import Chunk
from transport.publisher import PublishFailed

log = logging.getLogger(__name__)

STAGE: Final = "verify"
_AGAIN_SECONDS: Final = (0.5, 1.5, 3.0, 5.0)
_TICK_SECONDS: Final = 0.2
_OVERTAKES: Final = frozenset({"loaded", "deleted"})
_CACHE: Final = 50_000


@dataclass(eq=False, slots=True)
class Check:
    """A landing that is to be verified. It doesn't keep the chunk that waits for it: the records would stay in memory with it."""

    landing: Landing
    assignment: Assignment
    tp: TopicPartition
    ticket: Ticket
    tries: int = 0
    due: float = 0.0
    put_off: bool = False
    overtaken: bool = False
    settled: bool = False

    def settle(self) -> None:
        """Nothing more is to be done for it."""
        self.settled = True
        self.ticket.settle()


class Lookup(NamedTuple):
    """A column that holds the id of another row."""

    column: str
    sobject: str
    external_id: str


class Verify:
    """Verifies landed rows.

    Arguments:
        outputs: where verifications go.
        salesforce: an open connection.
        source: reads records of ``vp.*``.
        comparisons: by object.
        lookups: by object, its lookup columns with the Salesforce object and the external id that each leads to.
        owners: by object, for those that own records.
        owner_of: the Salesforce id that was decided for an owner's reference.
        values: by object, how many values of a record that counts in another's row are compared.
        rows: reads rows back; as they are when None.
        window: how many records of a partition may be unfinished; see `transport.app.App`.
        idle_seconds: see `agents.readback`.
        files: gives the references of documents' newest versions, by the documents' ids; None when no text has addresses of files.
    """

    def __init__(
        self,
        outputs: Outputs,
        salesforce: Salesforce,
        source: SourceRecords,
        comparisons: Mapping[str, Comparison],
        lookups: Mapping[str, Sequence[Lookup]],
        owners: Mapping[str, OwnerComparison] | None = None,
        owner_of: Callable[[str], str | None] = lambda _: None,
        values: Mapping[str, int] | None = None,
        rows: Collections | None = None,
        *,
        window: int,
        idle_seconds: float,
        files: Callable[[Sequence[str]], Awaitable[dict[str, str]]] | None = None,
    ) -> None:
        self._outputs = outputs
        self._salesforce = salesforce
        self._collections = rows or Collections(salesforce)
        self._files = files
        self._source = source
        self._comparisons = comparisons
        self._lookups = lookups
        self._owners = owners or {}
        self._owner_of = owner_of
        self._values = values or {}
        self._references: dict[str, str] = {}
        self._window = window
        self._idle_seconds = idle_seconds
        self._doubts = Doubts()
        self._again: dict[str, Check] = {}
        self._read_again: dict[str, Check] = {}
        self._came = 0.0
        self._referred_to = {lookup.sobject for found in lookups.values() for lookup in found}

    async def handle(self, chunk: Chunk) -> None:
        """Takes in the newest landing of each row in the chunk; it is verified together with those of other chunks."""
        landed: dict[str, Check] = {}
        ticket = Ticket(chunk)
        for record in chunk.records:
            try:
                _, decoded = self._outputs.decode(record)
            except Undecodable:
                continue  # the ledger reads the same topic and reports it
            operation = cast("Operation", decoded)
            own = operation["reference"]
            if operation["outcome"] in _OVERTAKES:
                self._overtaken(own, landed)
            if not self._knows(operation["object"]) or (landing := Landing.of(operation)) is None:
                continue
            check = Check(landing, chunk.assignment, chunk.tp, ticket)
            if operation["outcome"] == "loaded":
                landed[own] = check
                self._believe(landing)
            elif operation["what"] == DOUBT and self._is_open(landing) and own not in landed:
                check.tries = int(operation["detail"] or 0)
                landed[own] = check
        for check in landed.values():
            ticket.take()
            self._gather(check)
        ticket.settle()

    def _knows(self, object_: str) -> bool:
        return object_ in self._comparisons or object_ in self._owners

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        """Leaves the one landing unverified: it stays visible as such."""
        _leave(exc)

    def _overtaken(self, own: str, landed: dict[str, Check]) -> None:
        """A newer landing, or the end, of a row makes a check of what it was before meaningless."""
        landed.pop(own, None)
        self._doubts.answer(own)
        waiting = self._again.pop(own, None)
        if waiting is not None:
            waiting.settle()
        reading = self._read_again.pop(own, None)
        if reading is not None:
            reading.overtaken = True

    def _is_open(self, doubted: Landing) -> bool:
        """Whether a row that differed is to be looked at again: nothing newer of it has been read."""
        own = doubted.reference
        return self._doubts.open(own, doubted.version) and own not in self._again and own not in self._read_again

    def _gather(self, check: Check) -> None:
        """Lets a landing wait for others: one call reads many rows."""
        now = time.monotonic()
        check.due = now + PATIENCE * self._idle_seconds
        self._again[check.landing.reference] = check
        self._came = now

    def _due(self, now: float) -> list[Check]:
        """Checks whose time has come."""
        due: list[Check] = []
        new: dict[str, list[Check]] = defaultdict(list)
        for check in self._again.values():
            if not check.put_off:
                new[check.landing.sobject].append(check)
            elif check.due <= now:
                due.append(check)
        crowded = self._crowded()
        full = bool(crowded) and any(check.tp in crowded for check in self._again.values())
        # Into a full window no company comes, however long one waits.
        return [*due, *ripe(new, silence=now - self._came, idle=self._idle_seconds, now=now, full=full)]

    def _crowded(self) -> set[TopicPartition]:
        """The partitions of which nothing more is handed out before something is finished; all that waits is of one assignment (`tick`)."""
        waiting = next(iter(self._again.values()), None)
        marks = {} if waiting is None else waiting.assignment.watermarks
        return {tp for tp, mark in marks.items() if mark.unfinished_records >= self._window}

    async def _give_way(self) -> None:
        """Lets go of what differs where it keeps from being read what may explain it."""
        crowded = self._crowded()
        for own, check in list(self._again.items()) if crowded else ():
            overtaken = self._again.get(own) is not check  # while another doubt was published
            if check.put_off and check.tp in crowded and not overtaken:
                del self._again[own]
                landing = check.landing
                self._doubts.raise_(own, landing.version, check.assignment)
                await self._outputs.audit(
                    DOUBT, landing.row(), None, row_id=landing.row_id, code=landing.code, detail=str(check.tries)
                )
                check.settle()

    async def tick(self) -> None:
        """Reads landings when there are enough of them, and rows that differed again when their time has come; runs until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            for own, check in list(self._again.items()):
                if not check.assignment.live:
                    del self._again[own]
            self._doubts.forget_stale()
            await self._give_way()
            due = self._due(now)
            if due:
                self._read_again = {check.landing.reference: check for check in due}
                for check in due:
                    del self._again[check.landing.reference]
                    check.assignment.touch(check.tp)
                await self._verify_some(due)
                self._read_again = {}
                self._came = time.monotonic()  # what came meanwhile has not been looked at: it is no silence

    async def _verify_some(self, checks: list[Check]) -> None:
        """Verifies; a landing that raises is found by halves and stays unverified, the others don't."""
        put_off = set(map(id, self._again.values()))
        checks = [check for check in checks if check.assignment.live and not check.settled and id(check) not in put_off]
        try:
            await self._verify(checks)
        except StaleAssignment:
            return
        except (PublishFailed, KafkaError):
            raise
        except Exception as exc:  # noqa: BLE001 - unknown: as if the record had come alone
            if len(checks) == 1:
                _leave(exc)
                checks[0].settle()
                return
            for half in (checks[: len(checks) // 2], checks[len(checks) // 2 :]):
                await self._verify_some(half)

    async def _verify(self, checks: list[Check]) -> None:
        by_sobject: dict[str, list[Check]] = defaultdict(list)
        for check in checks:
            by_sobject[check.landing.sobject].append(check)
        for sobject, members in by_sobject.items():
            for start in range(0, len(members), MOST_IDS):
                await self._compare(sobject, members[start : start + MOST_IDS])

    async def _compare(self, sobject: str, checks: list[Check]) -> None:
        """Compares rows of one Salesforce object: one call reads them, whatever the objects are that their records are of."""
        waits = checks[0]
        landings = [check.landing for check in checks]
        places = [landing.place for landing in landings]
        places += [part.place for landing in landings for part in landing.parts]
        records = await self._source.read(places)
        ids = list(dict.fromkeys(landing.row_id for landing in landings))  # a user may stand for several
        comparisons = {landing.object: self._comparison(landing.object) for landing in landings}
        asked = list(dict.fromkeys(column for one in comparisons.values() for column in one.columns))
        ask = partial(self._collections.retrieve, sobject, ids, asked)
        rows = dict(zip(ids, await insist(waits, "verification is", ask), strict=True))
        for object_, comparison in comparisons.items():
            theirs = {one.row_id: rows[one.row_id] for one in landings if one.object == object_}
            self._remember(comparison.columns[0], sobject, theirs)
            there = [row for row in theirs.values() if row is not None]
            for lookup in self._lookups.get(object_, ()):
                await self._learn(waits, lookup, {row[lookup.column] for row in there if row.get(lookup.column)})
            await self._learn_files(waits, comparison, there)
        for check in checks:
            row = rows[check.landing.row_id]
            if check.overtaken:  # while it was read; what is newer is checked by itself
                check.settle()
                continue
            change = self._change(check.landing.place, records)
            columns: list[str] = []
            if row is None:
                columns = ["Id"]
            elif change is not None:
                columns = self._differing(check.landing, change, row, records)
            if columns and check.tries < len(_AGAIN_SECONDS):
                self._put_off(check)
                continue
            if row is None and check.landing.object in self._comparisons:
                await self._outputs.ready(check_of(check.landing.row()))
            if change is not None:
                await self._note(check.landing, comparisons[check.landing.object].count, columns)
            check.settle()

    def _comparison(self, object_: str) -> Comparison | OwnerComparison:
        return self._comparisons.get(object_) or self._owners[object_]

    def _differing(
        self,
        landing: Landing,
        change: Change,
        row: Mapping[str, Any],
        records: Mapping[Place, SourceRecord],
    ) -> list[str]:
        """The columns of a row that aren't what the source says."""
        object_, vp_id = reference.split(landing.reference)
        fields, custom = change["fields"] or {}, change["custom"]
        if object_ in self._owners:
            how = landing.code or ""
            found = self._owners[object_].compare(fields, row, how, self._owner_of)
        else:
            counted = [
                (part.object, record["fields"] or {}, record["custom"], part.reference)
                for part in landing.parts
                if (record := self._change(part.place, records)) is not None
            ]
            compare = self._comparisons[object_].compare
            found = compare(vp_id, fields, custom, row, self._references.get, self._owner_of, counted)
        return list(dict.fromkeys(one.column for one in found))

    def _put_off(self, check: Check) -> None:
        """The row may have changed since: its next version then comes by and overtakes this check; else it is read again."""
        own = check.landing.reference
        waiting = self._again.get(own)
        if waiting is not None and waiting.landing.version > check.landing.version:
            check.settle()
            return
        if waiting is not None:
            waiting.settle()
        check.due = time.monotonic() + _AGAIN_SECONDS[check.tries]
        check.tries += 1
        check.put_off = True
        self._again[own] = check

    def _change(self, at: Place, records: Mapping[Place, SourceRecord]) -> Change | None:
        return change_at(records, at, self._outputs.codec)

    async def _note(self, landing: Landing, count: int, columns: list[str]) -> None:
        what = "mismatch" if columns else "verify"
        note = partial(self._outputs.audit, what, outcome=None, row_id=landing.row_id, columns=columns)
        await note(landing.row(members=False), detail=str(count))  # each of them is noted by itself
        for part in landing.parts:
            row = row_of(part.object, landing.sobject, part.reference, part.version, landing.run, part.place.position)
            await note(row, detail=str(self._values.get(part.object, 0)), row_version=landing.version)

    def _believe(self, landing: Landing) -> None:
        """Takes the audit's word for which row is whose. Whether that row carries the reference its own verification finds out."""
        if landing.sobject in self._referred_to and landing.row_id and len(self._references) < _CACHE:
            self._references[landing.row_id] = landing.reference

    def _remember(self, column: str, sobject: str, rows: Mapping[str, Mapping[str, Any] | None]) -> None:
        """A row that was just read tells its own reference, which rows that refer to it need: nobody has to ask for it again."""
        if sobject in self._referred_to:
            found = {one: row[column] for one, row in rows.items() if row is not None and row.get(column)}
            if len(self._references) + len(found) > _CACHE:
                self._references.clear()
            self._references |= found

    async def _learn(self, waits: Check, lookup: Lookup, ids: set[str]) -> None:
        """Asks the org which of our references the given rows carry."""
        if len(self._references) > _CACHE:
            self._references.clear()
        unknown = sorted(ids - self._references.keys())
        for start in range(0, len(unknown), MOST_IDS):
            part = unknown[start : start + MOST_IDS]
            ask = partial(self._collections.retrieve, lookup.sobject, part, [lookup.external_id])
            for one, row in zip(part, await insist(waits, "verification is", ask), strict=True):
                if row is not None and row.get(lookup.external_id):
                    self._references[one] = row[lookup.external_id]

    async def _learn_files(
        self, waits: Check, comparison: Comparison | OwnerComparison, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Asks the org which of our references the files carry whose addresses stand in texts."""
        columns = comparison.pictured if isinstance(comparison, Comparison) else ()
        texts = (str(row.get(column) or "") for row in rows for column in columns)
        ids = sorted({one for text in texts for one in ADDRESS_OF_FILE.findall(text)})
        if ids and self._files is not None:
            found = await insist(waits, "verification is", partial(self._files, ids))
            self._references = {one: own for one, own in self._references.items() if one not in ids} | found


def _leave(exc: BaseException) -> None:
    log.error("a landing can't be verified (%s); it stays unverified", type(exc).__name__)
