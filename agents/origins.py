"""Where each row of a flight comes from, found out before it is sent: ours, nobody's, or somebody else's.

Durable before the first send (`agents.journal`); what is known of a row, by its state or by a journal entry, is never asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from agents.adoption import GONE, Adoption
from agents.flight import Flight
from agents.inserting import Inserting
from agents.item import Item
from agents.lane import Recalled
from agents.rowstate import Origin, RowState
from agents.sending import Result, Sending
from agents.settlement import Member
from transport import failpoint


def believe(item: Item, state: RowState, recalled: Recalled | None) -> None:
    """Takes over what is known of the row's origin: a row that may have been written is never asked for again."""
    if state.sf_id is not None:
        item.origin, item.target = Origin.FOREIGN if state.adopted else Origin.OURS, None
    elif state.epoch:  # it was there, and is gone
        item.origin, item.target = Origin.FOREIGN if state.adopted else Origin.ABSENT, None
    elif recalled is not None:
        item.origin, item.target = recalled.origin, recalled.target


class Origins:
    """Decides for one Salesforce object.

    Arguments:
        adoption: decides about rows that somebody else made.
        inserting: told what a look has found.
        sending: the calls to Salesforce.
    """

    def __init__(self, adoption: Adoption, inserting: Inserting, sending: Sending) -> None:
        self._adoption = adoption
        self._inserting = inserting
        self._sending = sending

    async def decide(
        self, members: Sequence[Member], touch: Callable[[], None]
    ) -> tuple[list[Member], list[tuple[Result, RowState]]]:
        """Decides where each row comes from, before the first send, and keeps the rows of somebody else as they are.

        Returns:
            The members that may be sent, and the results of those that may not.
        """
        unknown = [item for item, _ in members if item.origin is None]
        held = await self._adoption.decide(unknown, touch)
        self._inserting.note_looked(unknown)
        held += await self._adoption.keep([item for item in unknown if item.target is not None], touch)
        if failpoint.ARMED:
            failpoint.hit("images-durable")
        why = {
            one.item.key: Result(one.item, again=True) if one.code == GONE else Result(one.item, held=one[1:])
            for one in held
        }
        return (
            [member for member in members if member[0].key not in why],
            [(why[item.key], state) for item, state in members if item.key in why],
        )

    async def find_ends(
        self, members: Sequence[Member], touch: Callable[[], None]
    ) -> tuple[list[Member], list[Member]]:
        """Finds the row ids of deletes and flags that only an unfinished batch of a former owner may have created.

        Returns:
            The members that can be sent, and those that turn out to have no row.
        """
        lost = [item for item, state in members if item.op != "upsert" and state.sf_id is None]
        present = await self._sending.present(lost, touch) if lost else {}
        sent: list[Member] = []
        nothing: list[Member] = []
        for item, state in members:
            if item.op == "upsert" or state.sf_id is not None:
                sent.append((item, state))
            elif item.reference in present:
                adopted, sf_id = item.target is not None, present[item.reference]
                item.found = sf_id
                item.by_collections = item.by_collections or adopted
                sent.append((item, replace(state, sf_id=sf_id, epoch=state.epoch + 1, adopted=adopted)))
            else:
                item.target = None  # the row that was to be taken over was not
                nothing.append((item, state))
        return sent, nothing

    async def find_made(self, flight: Flight, members: Sequence[Member], touch: Callable[[], None]) -> None:
        """Finds rows that an earlier call may have made, whose answer nobody has heard: what may be set only with a new row would be refused now."""
        unsure = [
            item
            for item, state in members
            if item.op == "upsert" and not state.lost and (item.attempts or item.key in flight.lane(item).recalled)
        ]
        present = await self._sending.present(unsure, touch) if unsure else {}
        for item in unsure:
            item.found = present.get(item.reference)
