"""Landings that differ from their source record while many others are still to be read.

One of those may be a newer landing of the same row, and then nothing is wrong. To wait for it would hold the window through which it has to come, so the
landing is let go and published again, as a doubt, behind all that is to be read before it. Owns which doubts are under way, and which of them a newer
landing has answered. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from transport.assignment import Assignment


@dataclass(eq=False, slots=True)
class _Doubt:
    assignment: Assignment
    answered: bool = False


class Doubts:
    """The doubts of this process that it has not read yet.

    It knows nothing of those of its predecessors: one of them may be of a row that has landed anew before this process began. The ledger then has seen that
    landing first, and what a check says of an older one changes nothing there.
    """

    def __init__(self) -> None:
        self._doubts: dict[tuple[str, str], _Doubt] = {}
        self._newest: dict[str, _Doubt] = {}

    def raise_(self, reference: str, version: str, assignment: Assignment) -> None:
        """Notes a doubt that is about to be published."""
        self._doubts[reference, version] = self._newest[reference] = _Doubt(assignment)

    def answer(self, reference: str) -> None:
        """Notes that the row has landed anew, or is no more."""
        newest = self._newest.pop(reference, None)
        if newest is not None:
            newest.answered = True

    def open(self, reference: str, version: str) -> bool:
        """Whether the doubt, which has just been read, is still to be looked into; it is forgotten."""
        doubt = self._doubts.pop((reference, version), None)
        if doubt is None:
            return True
        if self._newest.get(reference) is doubt:
            del self._newest[reference]
        return not doubt.answered

    def forget_stale(self) -> None:
        """Forgets those that another process will read."""
        for key, doubt in list(self._doubts.items()):
            if not doubt.assignment.live:
                del self._doubts[key]
                if self._newest.get(key[0]) is doubt:
                    del self._newest[key[0]]

    def __len__(self) -> int:
        return len(self._doubts)
