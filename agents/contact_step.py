"""The loader's step after an update: the row's contact follows its source record, by the contact roles of the row.

It comes before the row counts as landed. So a death between the two repeats it: it looks at what the org has, and finds nothing left to do or the rest of
it. Which contact a row has been given is kept in its state; while that stays the same no call is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agents.contact_roles import HIDDEN, Carried, ContactRoles, Wish
from agents.item import Item
from agents.rowstate import RowState
from agents.sending import Result, Sending
from connectors.errors import NotFound, RequestRefused
from connectors.salesforce.row_errors import RowError

_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a role that is locked is tried again; after that its row is sent again as a whole."""

Touch = Callable[[], None]


class ContactStep:
    """Carries the contacts of the rows of one Salesforce object.

    Arguments:
        roles: of the org.
        sending: the calls to Salesforce.
        columns: by object of the source, the column that Salesforce derives from the roles.
    """

    def __init__(self, roles: ContactRoles, sending: Sending, columns: Mapping[str, str]) -> None:
        self._roles = roles
        self._sending = sending
        self._columns = columns

    def _wanted(self, item: Item) -> str | None:
        """The contact that a row is to have, "" for nobody; None when the row says nothing about it."""
        column = self._columns.get(item.layout.object)
        if column is None or item.op != "upsert" or column not in item.names:
            return None
        return str(item.columns[column] or "")

    def unsure(self, item: Item, state: RowState) -> bool:
        """Whether the contact of a row that needs no call otherwise has to be looked at: of this version, or one that equals it, nobody has done so."""
        if state.contact is not None or state.sf_id is None or self._roles.lacking or self._wanted(item) is None:
            return False
        facet = item.layout.facet
        return not state.has(facet, item.version) or item.version == state.versions[facet]

    async def barred(self, members: Sequence[tuple[Item, RowState]], touch: Touch) -> list[tuple[Result, RowState]]:
        """Rows whose contact has to change in an org whose roles we can't change, refused before anything of them is written.

        New rows are not among them: their contact is sent with them.
        """
        if not self._roles.lacking:
            return []
        refused: list[tuple[Item, RowState]] = []
        unknown: list[tuple[Item, RowState, str]] = []
        for item, state in members:
            wanted, row_id = self._wanted(item), item.target or state.sf_id or item.found
            if wanted is None or row_id is None or wanted == state.contact:
                continue
            if state.contact is not None:
                refused.append((item, state))
            else:
                unknown.append((item, state, row_id))
        columns = sorted(set(self._columns.values()))
        rows = await self._sending.rows([row_id for _, _, row_id in unknown], columns, touch)
        for (item, state, _), row in zip(unknown, rows, strict=True):
            if row is not None and str(row[self._columns[item.layout.object]] or "") != self._wanted(item):
                refused.append((item, state))
        return [(Result(item, error=self._hidden(item)), state) for item, state in refused]

    def _hidden(self, item: Item) -> RowError:
        column = self._columns[item.layout.object]
        return RowError(
            HIDDEN,
            (column,),
            f"its contact has changed, which only a contact role can tell Salesforce, and OpportunityContactRole {self._roles.lacking}: "
            "let the integration user read, create, edit and delete contact roles, start the worker again, then replay the record",
        )

    async def follow(self, results: Sequence[tuple[Result, RowState]], touch: Touch) -> None:
        """Makes the contacts of written rows what their records say, and notes in each result what came of it."""
        wishes: dict[str, tuple[Result, RowState, Wish]] = {}
        for result, state in results:
            item = result.item
            wanted = self._wanted(item)
            if wanted is None or result.sf_id is None or result.error is not None or result.held or result.again:
                continue
            if state.has(item.layout.facet, item.version) and not self.unsure(item, state):
                continue
            if result.created or wanted == state.contact:  # with a new row Salesforce made the role by itself
                result.contact = wanted
            elif not self._roles.lacking:
                taken = state.adopted or item.target is not None
                former = "" if taken and state.contact is None else state.contact
                wish = Wish(result.sf_id, wanted, former, ours=not taken)
                wishes[result.sf_id] = (result, state, wish)
        for pause in (*_PAUSES, None):
            if not wishes:
                return
            done = await self._carry([wish for _, _, wish in wishes.values()], touch)
            for row_id, carried in done.items():
                if carried.again and pause is not None:
                    continue
                result, state, wish = wishes.pop(row_id)
                self._note(result, state, wish, carried)
            if wishes and pause is not None:
                touch()
                await asyncio.sleep(pause)
                touch()

    async def _carry(self, wishes: Sequence[Wish], touch: Touch) -> dict[str, Carried]:
        try:
            return await self._sending.insist(lambda: self._roles.carry(wishes), touch)
        except (RequestRefused, NotFound) as exc:
            if len(wishes) == 1:
                return {wishes[0].row_id: Carried(True, RowError(exc.code or "REFUSED", (), exc.what))}
            half = len(wishes) // 2  # as with rows: one of them may make the whole request unreadable
            return {**await self._carry(wishes[:half], touch), **await self._carry(wishes[half:], touch)}

    def _note(self, result: Result, state: RowState, wish: Wish, carried: Carried) -> None:
        if carried.error is None:
            result.contact = wish.wanted
            # After a death nothing may be left to do; what changed is told all the same.
            if carried.changed or state.contact not in {None, wish.wanted}:
                result.moved = self._columns[result.item.layout.object]
            return
        result.written = True
        if carried.again:
            result.again = True
        else:
            result.error = carried.error
