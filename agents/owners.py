"""The owners agent: finds out who owns the records of each user of the source, and tells the records that wait for it.

Nothing is written to Salesforce. Users come as rows of `User` with an e-mail; those who stand for others (providers) come with the id found for these; an
operator's decisions come in the same topic, under the same key. Who is not found is held by name and looked for again: somebody may make the user meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import orjson

from agents.outputs import Outputs, now_ms, row_of
from agents.ownership import FALLBACK, Entry, match
from agents.patience import insist
from connectors.errors import ConnectorError
from connectors.salesforce.session import Salesforce
from mapping.plan import EMAIL, NAME, SAME
from state.table import Partition, StateTable
from topics.catalogue import OWNER
from topics.codec import Undecodable, compact_json
from topics.messages import Decision, Ready
from transport.assignment import StaleAssignment
from transport.chunk import Chunk

log = logging.getLogger(__name__)

STAGE: Final = "owners"
_POISON: Final = "these bytes are no user and no decision; find out who wrote them to this topic"
_SELECT: Final = "SELECT Id, Email, IsActive, UserType FROM User"
_TICK_SECONDS: Final = 1.0
_EPOCH: Final = 1  # an owner is never gone


class Owners:
    """Decides owners.

    Arguments:
        outputs: where answers, holds and fates go.
        table: the state table bound to ``sf.User``.
        salesforce: an open connection.
        again_seconds: how long an owner who was not found waits for the next try.
    """

    def __init__(self, outputs: Outputs, table: StateTable, salesforce: Salesforce, *, again_seconds: float) -> None:
        self._outputs = outputs
        self._table = table
        self._salesforce = salesforce
        self._again_seconds = again_seconds

    async def handle(self, chunk: Chunk) -> None:
        """Takes users and decisions in; asks the org once for all e-mails that are new."""
        state = self._table.partition(chunk.tp.partition)
        told: dict[str, Entry] = {}
        for record in chunk.records:
            try:
                name, message = self._outputs.decode(record)
                if name == "decision":
                    told |= self._decide(chunk, state, cast("Decision", message))
                else:
                    told |= self._take(chunk, state, cast("Ready", message))
            except Undecodable as exc:
                await self._outputs.poison(STAGE, record, f"UNDECODABLE_{exc.code.upper()}", _POISON)
        users = await self._users(chunk, [entry for entry in told.values() if entry.open])
        for owner, entry in told.items():
            found = self._answer(state, owner, entry, users)
            state.put(chunk, _key(owner), found.encode())
            await self._tell(owner, found)
        chunk.done()

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        await self._outputs.poison(STAGE, chunk.records[0], f"QUARANTINED_{type(exc).__name__.upper()}", _POISON)

    @staticmethod
    def _take(chunk: Chunk, state: Partition, row: Ready) -> dict[str, Entry]:
        """A user's record, or one who stands for one; an older version than what is known says nothing."""
        own, source, columns = row["reference"], row["source"], row["columns"]
        entry = Entry(
            row["object"],
            row["version"],
            row["run"],
            source["topic"],
            source["partition"],
            source["offset"],
            cast("str | None", columns.get(EMAIL)),
            cast("str | None", columns.get(NAME)),
        )
        if columns.get(SAME) is not None:
            entry = entry.answered(str(columns[SAME]), "same")
        stored = state.get(_key(own))
        if stored is not None:
            earlier = Entry.decode(stored)
            if row["version"] < earlier.version:
                return {}
            again = row["version"] == earlier.version and entry.how != "same"  # whoever asked waits for the answer
            entry = earlier if again else entry.succeeds(earlier)
        state.put(chunk, _key(own), entry.encode())
        return {own: entry}

    @staticmethod
    def _decide(chunk: Chunk, state: Partition, decision: Decision) -> dict[str, Entry]:
        """An operator's word; kept, because the owner may come later."""
        said = compact_json([decision["sf_id"], decision["by"]])
        if decision["owner"] == FALLBACK:
            state.put(chunk, b"F|", said)
            return {own: entry for own, entry in _entries(state) if entry.open}
        own = decision["owner"]
        state.put(chunk, b"D|" + own.encode(), said)
        stored = state.get(_key(own))
        return {} if stored is None else {own: Entry.decode(stored)}

    @staticmethod
    def _answer(state: Partition, owner: str, entry: Entry, users: Sequence[Mapping[str, Any]]) -> Entry:
        """The best answer there is now."""
        decided = state.get(b"D|" + owner.encode())
        if decided is not None:
            sf_id, by = orjson.loads(decided)
            return entry.answered(sf_id, "decided", by)
        if not entry.open:
            return entry
        found = match(entry, users)
        fallback = state.get(b"F|")
        if found.open and fallback is not None:
            sf_id, by = orjson.loads(fallback)
            return entry.answered(sf_id, "fallback", by)
        return found

    async def _users(self, chunk: Chunk, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """The org's users with the e-mails of ``entries``; waited for as long as it takes."""
        emails = sorted({entry.email.casefold() for entry in entries if entry.email})
        if not emails:
            return []
        return await insist(chunk, "owners are", partial(self._salesforce.query_in, _SELECT, "Email", emails))

    async def _tell(self, owner: str, entry: Entry) -> None:
        row = row_of(
            entry.object,
            OWNER,
            owner,
            entry.told,
            entry.run,
            {"topic": entry.topic, "partition": entry.partition, "offset": entry.offset} if entry.offset >= 0 else None,
        )
        await self._outputs.owner(
            {
                "owner": owner,
                "name": entry.name,
                "email": entry.email,
                "sf_id": entry.sf_id,
                "how": entry.how,
                "code": entry.code,
                "by": entry.by,
                "at": now_ms(),
            }
        )
        if entry.sf_id is None:
            await self._outputs.audit("hold", row, "held", code=entry.code)
            return
        await self._outputs.audit("match", row, "loaded", row_id=entry.sf_id, code=(entry.how or "").upper())
        await self._outputs.fate("landed", owner, sf_id=entry.sf_id, epoch=_EPOCH)

    async def tick(self) -> None:
        """Looks for owners who were not found again; runs until cancelled."""
        waited = 0.0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            waited += _TICK_SECONDS
            if waited < self._again_seconds:
                continue
            waited = 0.0
            for partition in self._table.partitions():
                try:
                    await self._try_again(partition)
                except (StaleAssignment, ConnectorError):
                    continue

    async def _try_again(self, partition: Partition) -> None:
        missing = {own: entry for own, entry in _entries(partition) if entry.open and entry.email}
        emails = sorted({entry.email.casefold() for entry in missing.values() if entry.email})
        if not emails:
            return
        users = await self._salesforce.query_in(_SELECT, "Email", emails)
        changes: dict[bytes, bytes | None] = {}
        for own, entry in missing.items():
            if partition.get(_key(own)) != entry.encode():
                continue  # it has changed meanwhile
            found = match(entry, users)
            if found != entry:
                changes[_key(own)] = found.encode()
                await self._tell(own, found)
        if changes:
            await self._outputs.publisher.settle()
            await self._table.write(partition.number, changes)


def _key(owner: str) -> bytes:
    # in one group, so that they can be listed
    return b"O|\0" + owner.encode()


def _entries(state: Partition) -> list[tuple[str, Entry]]:
    return [(key[3:].decode(), Entry.decode(value)) for key, value in state.scan(b"O|")]
