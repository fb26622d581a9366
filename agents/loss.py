"""Rows that somebody else has deleted in Salesforce, and what refers to them.

Three ways lead here: an update that is refused because its row is gone, a row that is refused because its parent's row is gone, and a check that
somebody has asked for. Whether a row is there is only ever said by the loader that keeps its state, after it has looked. What waits for it is held by
name then, until it is back.

Not noticed by itself: a row that nobody writes, refers to or verifies any more; `carryover reconcile` finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from agents.item import Item
from agents.outputs import CHECK, Outputs
from agents.rowstate import RowState
from agents.sending import Result, Sending
from agents.source_records import Place, SourceRecords, change_at
from connectors.salesforce.row_errors import Handling, RowError, handling
from mapping.plan import NAMED, MappingRejected, Plan, Reference
from mapping.rules import RELATION, RELATION_CONTACT, MapDocument
from topics import reference
from topics.messages import Need

Touch: TypeAlias = Callable[[], None]

ROW_DELETED: Final = RowError(
    "TARGET_ROW_DELETED",
    (),
    "somebody deleted the row in Salesforce; undelete it there and replay the record, or let it be made again (docs/operations.md)",
)
_MOST_TRIES: Final = 5
_MOST_REMEMBERED: Final = 10_000


class Loss:
    """Looks for lost rows of one Salesforce object.

    Arguments:
        outputs: where doubts and waiting rows go.
        sending: the calls to Salesforce.
        records: reads source records back, for what a refused row refers to.
        document: the map.
        plans: of the objects whose records become such rows.
        external_id: the column that holds our reference.
        create: whether a lost row that we had made is made again.
    """

    def __init__(
        self,
        outputs: Outputs,
        sending: Sending,
        records: SourceRecords,
        document: MapDocument,
        plans: Mapping[str, Plan],
        *,
        external_id: str,
        create: bool,
    ) -> None:
        self._outputs = outputs
        self._sending = sending
        self._records = records
        self._document = document
        self._plans = plans
        self._external_id = external_id
        self._create = create
        self._tries: dict[tuple[str, str], int] = {}

    # -- the row itself ----------------------------------------------------------------------------------------------------------------

    async def look(self, members: Sequence[tuple[Item, RowState]], touch: Touch) -> list[tuple[Result, RowState]]:
        """Whether the rows that checks ask for are there; of one that has none any more nothing is said."""
        there = await self._there([state.sf_id for _, state in members if state.sf_id], touch)
        return [
            (Result(item, state.sf_id, lost=state.sf_id is not None and state.sf_id not in there), state)
            for item, state in members
        ]

    async def sort_out(self, results: Sequence[Result], states: Mapping[Item, RowState], touch: Touch) -> None:
        """Of rows that were refused because something is gone: is it they, or what they refer to?

        Salesforce says the same of both. Only rows addressed by id can be gone; the row that an item is to take over is left to whoever decided that.
        """
        unsure = [
            result
            for result in results
            if result.error is not None
            and not result.item.removes
            and result.item.target is None
            and (sf_id := states[result.item].sf_id or result.item.found)
            and handling(result.error, self._external_id, by_id=bool(sf_id)) is Handling.GONE
        ]
        ids = {result.item: states[result.item].sf_id or result.item.found or "" for result in unsure}
        there = await self._there(list(ids.values()), touch)
        for result in unsure:
            result.lost = ids[result.item] not in there
            result.orphan = not result.lost

    async def find(
        self, members: Sequence[tuple[Item, RowState]], touch: Touch
    ) -> tuple[list[tuple[Item, RowState]], list[tuple[Result, RowState]]]:
        """Looks for lost rows again: one that was undeleted has our external id.

        Returns:
            The members that can be sent, those found with the id in ``found``; and the results of those that stay lost.
        """
        lost = [item for item, state in members if state.lost and item.op == "upsert"]
        present = await self._sending.present(lost, touch) if lost else {}
        sent: list[tuple[Item, RowState]] = []
        left: list[tuple[Result, RowState]] = []
        for item, state in members:
            if state.lost and item.op == "upsert":
                item.found = present.get(item.reference)
                if item.found is None and not self.makes_again(state):
                    left.append((Result(item, lost=True), state))
                    continue
            sent.append((item, state))
        return sent, left

    def makes_again(self, state: RowState) -> bool:
        """Whether a lost row is made again; one that somebody else had made is not ours to make."""
        return self._create and not state.adopted

    async def _there(self, ids: Sequence[str], touch: Touch) -> set[str]:
        return {row["Id"] for row in await self._sending.rows(ids, ["Id"], touch) if row is not None}

    # -- what it refers to -------------------------------------------------------------------------------------------------------------

    async def send_back(self, item: Item, columns: Sequence[str]) -> bool:
        """Sends a row that was refused because something it refers to is gone back to wait for that.

        Arguments:
            item: the row.
            columns: that Salesforce names; without any, all that refer to something are meant.

        Returns:
            False when that can't help: nothing that it refers to is a row of ours, or it was sent back often enough.
        """
        needs = await self._referred_to(item)
        values = item.columns
        named = {column.casefold() for column in columns} & {need.column.casefold() for need in needs}
        meant = [need for need in needs if values.get(need.column) and (not named or need.column.casefold() in named)]
        doubted = list(meant)
        if meant and item.layout.sobject == RELATION:  # with another account it is another relation of its contact
            meant = [need for need in meant if need.column != RELATION_CONTACT]
            meant += [need for need in needs if need.column == RELATION_CONTACT]
        key = (item.reference, item.version)
        tries = self._tries.get(key, 0)
        if not meant or tries >= _MOST_TRIES:
            self._tries.pop(key, None)
            return False
        if len(self._tries) >= _MOST_REMEMBERED:
            self._tries.clear()
        self._tries[key] = tries + 1
        for need in doubted:
            for parent in self._stands_for(need.parent):
                await self._outputs.fate("doubted", parent, sf_id=str(values[need.column]), run=item.layout.run)
        waits: list[Need] = [
            {"column": need.column, "parent": need.parent, "on_absent": need.on_absent} for need in meant
        ]
        await self._outputs.waiting(item.ready, waits)
        return True

    def _stands_for(self, parent: str) -> list[str]:
        """Whose row a child of ``parent`` may refer to: its own, or that of its placeholder."""
        stand_in = self._document.placeholder(reference.split(parent)[0])
        return [parent] if stand_in is None or stand_in.reference == parent else [parent, stand_in.reference]

    async def _referred_to(self, item: Item) -> list[Reference]:
        """The rows of ours that the item's source record refers to; owners are nobody's row, and an image is only named in a text."""
        source, plan = item.row["source"], self._plans.get(item.layout.object)
        if source["offset"] < 0 or plan is None:
            return []
        place = Place.of(source)
        change = change_at(await self._records.read([place]), place, self._outputs.codec)
        if change is None:
            return []
        _, vp_id = reference.split(item.reference)
        try:
            mapped = plan.map(vp_id, change["fields"] or {}, change["custom"], change["run"])
        except MappingRejected:  # the map has changed since
            return []
        owners = self._document.owners
        needs = [need for need in mapped.references if need.on_absent != NAMED]
        return [need for need in needs if reference.split(need.parent)[0] not in owners]


def asks(item: Item) -> bool:
    """Whether an item is a check: nothing is to be written."""
    return item.op == CHECK
