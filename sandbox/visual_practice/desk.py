"""Works in the practice the way a reception desk does: books, cancels, bills, corrects, merges, deletes, takes back.

Owns how much of each kind is done and the list of changes made, which a test compares with what arrived elsewhere; what
a single change looks like is in `shift`. One call is one transaction. Called by the admin API.
"""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from sandbox import clock
from sandbox.visual_practice.shift import Done, Shift
from sandbox.visual_practice.storage import Storage


class Work(NamedTuple):
    """How many changes of each kind one call makes.

    `edits`, `creates`, `deletes` and `undeletes` are of patients, a few of the edits of practices. A merge is two or
    more changes: the patient that stays, the records that move to it, and the delete of the one that goes. A rebill is of
    a bill and its payments; memberships are entered, ended, moved to another practice, and deleted.
    """

    edits: int = 0
    creates: int = 0
    deletes: int = 0
    undeletes: int = 0
    bookings: int = 0
    cancellations: int = 0
    visits: int = 0
    payments: int = 0
    merges: int = 0
    archives: int = 0
    documents: int = 0
    rebills: int = 0
    memberships: int = 0


class Desk:
    """The desk of one practice; its dice go on from call to call unless a call brings a seed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._dice = random.Random()

    def work(self, work: Work, seed: int | None = None) -> list[dict[str, Any]]:
        """Makes the changes and tells them; fewer than asked when the practice runs out of records to change."""
        dice = self._dice if seed is None else random.Random(seed)
        changes: list[dict[str, Any]] = []
        with self._storage.writing() as connection:
            at_ms = int(clock.practice_now() * 1000)
            shift = Shift(self._storage, connection, dice, at_ms // 1000)
            acts: dict[str, Callable[[], list[Done]]] = {
                "edits": shift.edit,
                "creates": shift.create,
                "deletes": shift.delete,
                "undeletes": shift.undelete,
                "bookings": shift.book,
                "cancellations": shift.cancel,
                "visits": shift.visit,
                "payments": shift.pay,
                "merges": shift.merge,
                "archives": shift.archive,
                "documents": shift.scan,
                "rebills": shift.rebill,
                "memberships": shift.relate,
            }
            jobs = [acts[kind] for kind, amount in work._asdict().items() for _ in range(amount)]
            dice.shuffle(jobs)
            for job in jobs:
                changes += [
                    {"object": resource.name, "id": identity, "op": operation, "at_ms": at_ms}
                    for resource, identity, operation in job()
                ]
        return changes
