"""Sends the relations of contacts with further accounts.

It is what `agents.sending` is for other rows; everything around it is the loader's own. Two things are different about them (Object Reference,
AccountContactRelation): both links can be set only when the row is made, and Salesforce itself makes, moves and removes the *direct* relation of a contact, the
one with the account in the contact's own row; no two are related twice. So a row of ours may become the direct one, or go as such, while nobody looks, and a
record that names another practice needs another row. What is to be done is decided by what the org holds, never by what we remember: it doesn't matter
where a loader died (docs/design.md, "Further practices").

Not prevented: a person who relates the two in the moment between our look and our write; Salesforce refuses ours then, and it is looked at again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from agents.item import Item
from agents.journal import Journal
from agents.lane import Operation, Recalled
from agents.load import Load
from agents.removal import Removal
from agents.rowstate import Origin, RowState
from agents.sending import Result, Sending
from connectors.errors import NotFound, RequestRefused
from connectors.salesforce import soql
from connectors.salesforce.collections import MOST_ROWS, RowResult
from connectors.salesforce.row_errors import DUPLICATE, RowError
from connectors.salesforce.session import Salesforce
from mapping.rules import RELATION, RELATION_ACCOUNT, RELATION_CONTACT
from transport import failpoint

__all__ = ["DIRECT", "FORMER_STAYS", "TAKEN", "THEIRS", "RelationSending", "RelationsLoad"]

log = logging.getLogger(__name__)

DIRECT: Final = "RELATION_IS_DIRECT"
"""Held: the org has the practice in the contact's own row, although our record of the patient doesn't say so."""
TAKEN: Final = "RELATION_TAKEN"
"""Held: the two are related by another row already, that of another record or one of a person's."""
THEIRS: Final = "RELATION_IS_THEIRS"
"""Rejected: the record names another practice, and the row that it has was made by somebody else."""
FORMER_STAYS: Final = "FORMER_RELATION_STAYS"
"""Rejected: the new relation is there, and the one that it takes the place of can't be deleted."""

_TRIES: Final = 5
_LOOKS: Final = 4
"""So often a row that is in the way is looked at again, in a quarter of a minute altogether: what moves it may be on its way."""
_ROW: Final = (RELATION_CONTACT, RELATION_ACCOUNT, "IsDirect")
_DELETED: Final = RowError("ENTITY_IS_DELETED", (), "entity is deleted")
_GONE: Final = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})

Row: TypeAlias = Mapping[str, Any]
Touch: TypeAlias = Callable[[], None]
Pair: TypeAlias = tuple[str, str]


class RelationsLoad(Load):
    """Loads relations: equal columns don't say that nothing is to be done, Salesforce may have removed the row."""

    @staticmethod
    def _needs_no_call(item: Item, state: RowState, recalled: Recalled | None) -> bool:
        return item.op != "upsert" and Load._needs_no_call(item, state, recalled)  # noqa: SLF001 - its own


@dataclass
class _Held:
    """What the org holds for a call's worth of rows.

    Attributes:
        pairs: the rows of the wanted contacts, by contact and account.
        own: rows that carry an external id of these items, by it.
        known: rows that are known to be theirs, by id.
        went: ids of known rows that Salesforce removed by itself, as direct ones.
    """

    pairs: dict[Pair, Row] = field(default_factory=dict)
    own: dict[str, Row] = field(default_factory=dict)
    known: dict[str, Row] = field(default_factory=dict)
    went: set[str] = field(default_factory=set)


@dataclass
class _Plan:
    """What is to be done for one item: update ``row``, or (without one) make it; then the row ``former`` goes."""

    item: Item
    row: Row | None = None
    former: Row | None = None


class RelationSending(Sending):
    """Sends relations. They go by collections: each is looked at before.

    Arguments:
        salesforce: an open connection.
        external_id: the column that holds our reference.
        create_only: columns that may be sent only with a new row.
        journal: the batch journal.
        removal: looks at rows before they are deleted.
        cleared: what a row of ours that has become Salesforce's own holds afterwards, by column.
    """

    def __init__(
        self,
        salesforce: Salesforce,
        external_id: str,
        create_only: Sequence[str],
        journal: Journal,
        removal: Removal,
        cleared: Mapping[str, Any],
    ) -> None:
        super().__init__(salesforce, RELATION, external_id, create_only, journal)
        self._own = external_id
        self._removal = removal
        self._cleared = {**cleared, external_id: None}
        self._columns = ["Id", external_id, *_ROW]

    async def by_collections(
        self, items: Sequence[tuple[Item, str | None]], operation: Operation, touch: Touch
    ) -> list[Result]:
        """As `Sending.by_collections`."""
        results: list[Result] = []
        for start in range(0, len(items), MOST_ROWS):
            part = items[start : start + MOST_ROWS]
            whole = [one for one in part if one[0].op == "upsert"]
            plain = [one for one in part if one[0].op != "upsert"]
            if operation == "delete":
                results += await self._remove(plain, touch)
            elif plain:
                results += await super().by_collections(plain, operation, touch)
            if whole:
                results += await self._relate(whole, touch)
            if failpoint.ARMED:
                failpoint.hit("relations-sent")
        return results

    # -- what the org holds ------------------------------------------------------------------------------------------------------------

    async def _look(self, items: Sequence[tuple[Item, str | None]], touch: Touch) -> _Held:
        names = dict.fromkeys([*self._columns, *(name for item, _ in items for name in item.names)])
        select = f"SELECT {', '.join(names)} FROM {RELATION}"  # noqa: S608 - names of the confirmed map
        contacts = [_pair(item)[0] for item, _ in items]
        references = [item.reference for item, _ in items]
        held = _Held()
        ask = partial(self._salesforce.query_in, select, RELATION_CONTACT, contacts)
        for row in await self.insist(ask, touch):
            held.pairs[row[RELATION_CONTACT], row[RELATION_ACCOUNT]] = row
        ask = partial(self._salesforce.query_in, select, self._own, references)
        held.own = {row[self._own]: row for row in await self.insist(ask, touch)}
        ids = [sf_id for _, sf_id in items if sf_id is not None]
        found = await self.rows(ids, self._columns, touch)
        held.known = {sf_id: row for sf_id, row in zip(ids, found, strict=True) if row is not None}
        missing = [sf_id for sf_id in ids if sf_id not in held.known]
        for text in soql.in_lists(f"SELECT Id, IsDirect FROM {RELATION}", "Id", missing):  # noqa: S608
            for row in await self.insist(partial(self._every, text), touch):
                if row["IsDirect"]:  # people can't delete a direct relation
                    held.went.add(row["Id"])
        return held

    async def _every(self, text: str) -> list[dict[str, Any]]:
        return [row async for page in self._salesforce.pages(text, every=True) for row in page]

    def _decide(self, item: Item, sf_id: str | None, held: _Held, taken: dict[Pair, str]) -> _Plan | Result:
        """What is to be done for one item; ``taken`` are the pairs of the items before it."""
        pair, own = _pair(item), held.own.get(item.reference)
        known = held.known.get(sf_id or "")
        there = held.pairs.get(pair)
        other = taken.setdefault(pair, item.reference)
        if other != item.reference:
            return _in_the_way(item, TAKEN, other)
        if there is not None:
            mine = there[self._own] == item.reference or there["Id"] == sf_id
            if not mine:
                detail = str(there[self._own] or there["Id"])
                return _in_the_way(item, DIRECT if there["IsDirect"] else TAKEN, detail)
            former = next((one for one in (own, known) if one is not None and one["Id"] != there["Id"]), None)
            return _Plan(item, there, former)
        current = own or known
        if current is None and sf_id is not None and (sf_id not in held.went or item.origin is Origin.FOREIGN):
            return Result(item, error=_DELETED)
        if current is not None and item.origin is Origin.FOREIGN:
            text = (
                "it relates the patient to another practice now, and its row was made by somebody else: Salesforce lets nobody change that;"
                " delete the row in Salesforce, then replay the record"
            )
            return Result(item, error=RowError(THEIRS, (RELATION_ACCOUNT,), text))
        return _Plan(item, None, current)

    # -- writing -----------------------------------------------------------------------------------------------------------------------

    async def _relate(self, items: Sequence[tuple[Item, str | None]], touch: Touch) -> list[Result]:
        held, taken = await self._look(items, touch), dict[Pair, str]()
        results: list[Result] = []
        plans: list[_Plan] = []
        for item, sf_id in items:
            decided = self._decide(item, sf_id, held, taken)
            if isinstance(decided, _Plan):
                plans.append(decided)
            else:
                results.append(decided)
        # One row at a time may carry our external id: the former one loses it before the next one is made.
        marked = [one.former for one in plans if one.former is not None and one.former[self._own]]
        await self._write_rows([{"Id": row["Id"], self._own: None} for row in marked], self._update, touch)
        if marked and failpoint.ARMED:
            failpoint.hit("relation-released")
        results += [Result(one.item, one.row["Id"]) for one in plans if one.row is not None and self._is_right(one)]
        known = [one for one in plans if one.row is not None and not self._is_right(one)]
        rows = [{**self._values(one.item, "update"), "Id": one.row["Id"]} for one in known if one.row is not None]
        written = list(zip(known, await self._write_rows(rows, self._update, touch), strict=True))
        new = [one for one in plans if one.row is None]
        made = await self._write_rows([self._values(one.item, "insert") for one in new], self._insert, touch)
        if new and failpoint.ARMED:
            failpoint.hit("relation-made")
        written += zip(new, made, strict=True)
        results += [self._result(one, answer) for one, answer in written]
        replaced = [(one, one.former, answer.success) for one, answer in written if one.former is not None]
        # Where no new one has come about the former one is still the record's row.
        back = [{"Id": row["Id"], self._own: one.item.reference} for one, row, made in replaced if not made]
        await self._write_rows(back, self._update, touch)
        former = {row["Id"]: one for one, row, made in replaced if made}
        stays = await self._take_away(list(former), touch) if former else {}
        for result in results:
            kept = next((stays[id_] for id_, one in former.items() if one.item is result.item and id_ in stays), None)
            if kept is not None and result.error is None and not result.again and result.held is None:
                self._note_former(result, kept)
        return results

    def _is_right(self, plan: _Plan) -> bool:
        """Whether the org's row is what it should be: written again it would only look edited."""
        row, values = plan.row or {}, self._values(plan.item, "update")
        return plan.former is None and all(_plain(row.get(name)) == _plain(value) for name, value in values.items())

    def _result(self, plan: _Plan, answer: RowResult) -> Result:
        """What became of a row that was written."""
        item = plan.item
        if answer.success:
            return Result(item, answer.id or (plan.row or {}).get("Id"), created=plan.row is None)
        error = answer.errors[0]
        if plan.row is None and error.code == DUPLICATE and item.attempts < _TRIES:
            return Result(item, again=True)  # somebody was there first: it is looked at
        return Result(item, error=error)

    @staticmethod
    def _note_former(result: Result, error: RowError) -> None:
        text = f"the relation that this one takes the place of can't be deleted ({error.code}): delete it in Salesforce, then replay the record"
        result.leave_former(RowError(FORMER_STAYS, (), text), _TRIES)

    async def _insert(self, rows: Sequence[Mapping[str, Any]]) -> list[RowResult]:
        return await self.collections.insert(RELATION, rows)

    async def _update(self, rows: Sequence[Mapping[str, Any]]) -> list[RowResult]:
        return await self.collections.update(RELATION, rows)

    async def _write_rows(
        self,
        rows: Sequence[dict[str, Any]],
        call: Callable[[Sequence[Mapping[str, Any]]], Awaitable[list[RowResult]]],
        touch: Touch,
    ) -> list[RowResult]:
        """Writes rows; a request that is refused as a whole is halved until the one row that spoils it stands alone."""
        if not rows:
            return []
        try:
            return await self.insist(partial(call, rows), touch)
        except (RequestRefused, NotFound) as exc:
            if len(rows) == 1:
                return [RowResult(None, False, None, [RowError(exc.code or "REFUSED", (), exc.what)])]
            half = len(rows) // 2
            first = await self._write_rows(rows[:half], call, touch)
            return first + await self._write_rows(rows[half:], call, touch)

    # -- taking away -------------------------------------------------------------------------------------------------------------------

    async def _remove(self, items: Sequence[tuple[Item, str | None]], touch: Touch) -> list[Result]:
        """Deletes rows that may be; one that has become the direct relation is left to Salesforce, without a trace of ours."""
        ids = [sf_id or "" for _, sf_id in items]
        errors = await self._delete_or_clear(ids, touch)
        return [Result(item, sf_id, error=errors.get(sf_id or "")) for item, sf_id in items]

    async def _take_away(self, ids: Sequence[str], touch: Touch) -> dict[str, RowError]:
        """Takes former rows away; one that a person has edited stays theirs. Says which are still there and should not be."""
        obstacles = await self.insist(partial(self._removal.obstacles, ids), touch)
        errors = await self._delete_or_clear([one for one in ids if one not in obstacles], touch)
        return {id_: error for id_, error in errors.items() if error.code not in _GONE}

    async def _delete_or_clear(self, ids: Sequence[str], touch: Touch) -> dict[str, RowError]:
        rows = [row for row in await self.rows(ids, ["Id", "IsDirect"], touch) if row is not None]
        direct = [row["Id"] for row in rows if row["IsDirect"]]
        plain = [one for one in ids if one not in direct]
        errors: dict[str, RowError] = {}
        cleared = await self._write_rows([{"Id": one, **self._cleared} for one in direct], self._update, touch)
        deleted = await self.insist(partial(self.collections.delete, plain), touch) if plain else []
        for id_, answer in zip([*direct, *plain], [*cleared, *deleted], strict=True):
            if not answer.success:
                errors[id_] = answer.errors[0]
        return errors


def _pair(item: Item) -> Pair:
    columns = item.columns | item.insert_only
    return str(columns.get(RELATION_CONTACT) or ""), str(columns.get(RELATION_ACCOUNT) or "")


def _plain(value: Any) -> Any:
    """A value as it is compared: Salesforce tells times with an offset that we send as `Z`."""
    return value.removesuffix("+0000").removesuffix("Z") if isinstance(value, str) else value


def _in_the_way(item: Item, code: str, detail: str) -> Result:
    return Result(item, again=True) if item.attempts < _LOOKS else Result(item, held=(code, detail))
