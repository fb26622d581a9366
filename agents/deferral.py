"""Look-ups that the walk may make needless: what it has published is on its way, and what it may still meet in the snapshot is not asked for one by one.

A child that waits asks for its parent; while a snapshot is loaded nearly every parent is waited for at some moment. A request of the API for each of them would
take longer than the snapshot itself.

Keys of the extract's state, in the partition of the walk: ``K|<object> NUL <id>`` a record that has been published, as what and in which run;
``W|<object> NUL <id>`` one that is to be looked up when the snapshot has not met it, in which run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from state.table import StateTable
from topics.messages import Extract
from transport.assignment import StaleAssignment

_PAGE: Final = 200


class Deferral:
    """Of one object under one assignment.

    Arguments:
        table: the extract's state.
        number: the partition that holds the object's task.
        object_: which object.
        awaited: as what others wait for its records. What was published under a map in which nobody waited so doesn't count: its fate was told to nobody.
    """

    def __init__(self, table: StateTable, number: int, object_: str, awaited: str) -> None:
        self._awaited = awaited
        self._table = table
        self._number = number
        self._known = b"K|" + object_.encode()
        self._waiting = b"W|" + object_.encode()
        self._met: set[str] = set()

    def meet(self, vp_id: str) -> None:
        """Notes a record that the walk has published; durable with what `state` returns."""
        self._met.add(vp_id)

    def state(self, run: str) -> dict[bytes, bytes | None]:
        """What is to be written with the cursor of ``run``, when all that has been met is published for good."""
        met, self._met = self._met, set()
        return {_key(self._known, vp_id): self._mark(run) for vp_id in met}

    def knows(self, vp_id: str, run: str) -> bool:
        """Whether the record has been published in ``run``: its fate comes by itself, and a look-up tells nothing more."""
        return self._table.partition(self._number).get(_key(self._known, vp_id)) == self._mark(run)

    def _mark(self, run: str) -> bytes:
        return f"{self._awaited} {run}".encode()

    def waits(self, request: Extract) -> Mapping[bytes, bytes]:
        """What is to be written for a look-up that waits for the snapshot's end."""
        return {_key(self._waiting, request["vp_id"] or ""): request["run"].encode()}

    async def end(self, ask: Callable[[str, str], Awaitable[None]], settle: Callable[[], Awaitable[None]]) -> None:
        """After the snapshot: looks up what it has not met.

        Arguments:
            ask: looks up the record of an id for a run, and publishes what follows.
            settle: waits until what was published is durable.

        Raises:
            StaleAssignment: the partition was revoked.
        """
        while page := self._next():
            due = [(key, run.decode()) for key, run in page if not self.knows(_id(key), run.decode())]
            ends = await asyncio.gather(*(ask(_id(key), run) for key, run in due), return_exceptions=True)
            failures = [end for end in ends if isinstance(end, BaseException)]
            if failures:
                raise failures[0]
            if due:
                await settle()
            await self._table.write(self._number, dict.fromkeys((key for key, _ in page), None))

    def _next(self) -> list[tuple[bytes, bytes]]:
        partition = self._table.partition(self._number)
        if not partition.assignment.live:
            raise StaleAssignment
        return partition.scan(self._waiting, limit=_PAGE)


def _key(group: bytes, vp_id: str) -> bytes:
    return b"%s\0%s" % (group, vp_id.encode())


def _id(key: bytes) -> str:
    return key.partition(b"\0")[2].decode()
