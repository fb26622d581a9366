"""New rows that nobody has to look for: they are inserted, and where one with our external id is there already Salesforce refuses ours and writes nothing.

So the origin of such a row is decided by its insert. Only Bulk jobs go this way: their journal entry names the job before it has a row, and its results
name each row that it has made, so that the next owner knows, too. It takes an external id that the org keeps unique. What is refused as a duplicate is
looked for, and taken over like any row of somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents.adoption import Adoption
from agents.departure import is_old
from agents.item import Item, Key
from agents.rowstate import Origin
from agents.sending import Result
from connectors.salesforce.row_errors import DUPLICATE

_MANY: Final = 10
"""One row in so many that is there already, and it is cheaper to look first."""


class Inserting:
    """Chooses the rows of one Salesforce object that are inserted.

    Arguments:
        adoption: knows how rows of somebody else are recognised.
        least: rows in a Bulk job.
        unique: whether the org refuses a second row with our external id.
    """

    def __init__(self, adoption: Adoption, least: int, *, unique: bool) -> None:
        self._adoption = adoption
        self._least = least
        self._unique = unique
        self._many_there = False

    def choose(self, items: Sequence[Item]) -> set[Key]:
        """Those of ``items`` that are to be inserted; their origin is decided by that.

        Arguments:
            items: rows of an upsert, those known by their row state or a journal with their origin.
        """
        if not self._unique or self._many_there:
            return set()
        new = [item for item in items if self._is_new(item)]
        # A job of half as many takes no more calls than looking for them and writing 200 at a time, and in a snapshot nobody waits for it.
        if len(new) < self._least and not (2 * len(new) >= self._least and is_old(max(item.version for item in new))):
            return set()
        for item in new:
            item.origin = Origin.ABSENT
        return {item.key for item in new}

    def _is_new(self, item: Item) -> bool:
        first = item.origin is None and not item.attempts and not item.by_collections
        return first and self._adoption.only_by_id(item.layout.object)

    def note_inserted(self, results: Sequence[Result]) -> None:
        """Rows that an insert has not made are decided about anew, by looking; if they are many, the next ones are looked for first."""
        there = 0
        for result in results:
            if result.error is not None or result.sf_id is None:
                result.item.origin = None
                there += result.error is not None and result.error.code == DUPLICATE
        self._many_there = there * _MANY > len(results)

    def note_looked(self, items: Sequence[Item]) -> None:
        """What a look has found: when few are there, the next ones are inserted."""
        if len(items) >= self._least:
            self._many_there = sum(item.target is not None for item in items) * _MANY > len(items)
