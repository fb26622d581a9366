"""A lane: the rows of one partition of one Salesforce object on their way, one write in flight per row, newest wins.

Pure bookkeeping: what waits, what flies, which chunk may be committed. `agents.departure` says when, `agents.load` sends and settles.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agents.item import Item, Key
from agents.rowstate import Origin
from topics.messages import Batch

Operation: TypeAlias = Literal["upsert", "insert", "update", "delete"]


@dataclass(frozen=True)
class Recalled:
    """What an unfinished batch of a former owner says of one of its rows.

    Attributes:
        batch: id of the journal entry.
        version: that was in the batch.
        origin: as decided before the first send; it stays true whatever is in the org now.
        sf_id: the row's id if the batch has written it, "" for a delete that was carried out; None when its fate is unknown: send again.
        created: whether it is a new row.
        target: id of somebody else's row that it was to take over.
    """

    batch: str
    version: str
    origin: Origin
    sf_id: str | None = None
    created: bool = False
    target: str | None = None


@dataclass
class Lane:
    """One partition's rows.

    Attributes:
        queued: rows that wait, the newest version of each, oldest first.
        flying: rows in a batch that has not been settled.
        recalled: what unfinished batches of a former owner say, by row; entries leave as their rows come again.
        recalled_rows: how many rows each of those batches had.
        ready: false until the journal has been read; nothing is sent before.
        youngest: the newest version that has come since rows left last, "" for none.
    """

    partition: int
    queued: dict[Key, Item] = field(default_factory=dict)
    flying: dict[str, Item] = field(default_factory=dict)
    recalled: dict[Key, Recalled] = field(default_factory=dict)
    recalled_rows: dict[str, int] = field(default_factory=dict)
    ready: bool = False
    youngest: str = ""

    def offer(self, item: Item) -> list[Item]:
        """Takes ``item`` in.

        Returns:
            The items that are finished by that: older versions that it, or what flies or waits already, makes superfluous.
        """
        version = item.version
        flying = self.flying.get(item.reference)
        if flying is not None and flying.key == item.key and flying.version >= version:
            if flying.version == version:
                flying.tickets += item.tickets
                return []
            return [item]
        waiting = self.queued.get(item.key)
        if waiting is not None:
            if waiting.version == version:
                waiting.tickets += item.tickets
                return []
            if waiting.version > version:
                if waiting.origin is None:
                    waiting.origin, waiting.target = item.origin, item.target
                _succeed(waiting, item)
                return [item]
            del self.queued[item.key]
            item.origin, item.target = waiting.origin, waiting.target
            _succeed(item, waiting)
        self.queued[item.key] = item
        self.youngest = max(self.youngest, version)
        return [waiting] if waiting is not None else []

    def unheard(self, item: Item) -> Item | None:
        """The earlier version whose call made the row of `item`, though nobody has heard of it; None when it isn't known which that was."""
        former, recalled = item.former, self.recalled.get(item.key)
        if former is None or not (former.attempts or (recalled is not None and recalled.version == former.version)):
            return None
        return former

    def candidates(self, now: float) -> Iterable[Item]:
        """Waiting items that may leave: one of each row of which nothing flies, none that is to wait before it is tried again."""
        found: dict[str, Item] = {}
        for item in self.queued.values():
            if item.reference not in self.flying and item.not_before <= now:
                found.setdefault(item.reference, item)
        return found.values()

    def take(self, items: Collection[Item]) -> None:
        """Moves ``items`` from the queue into the air."""
        for item in items:
            del self.queued[item.key]
            self.flying[item.reference] = item
        self.youngest = ""

    def land(self, items: Collection[Item]) -> None:
        """Takes a settled batch out of the air; its items are finished or offered again by the caller."""
        for item in items:
            del self.flying[item.reference]

    def remember(self, batch: Batch, items: Collection[Item]) -> bool:
        """Lets the journal entry of a batch of this owner speak for rows that are to be sent again, as that of a dead one would.

        Returns:
            Whether it has to stay for that; not for a row that an earlier entry speaks for already.
        """
        stays = False
        for item in items:
            if item.key not in self.recalled:
                assert item.origin is not None, "it was decided before the batch was sent"
                self.recalled[item.key] = Recalled(batch["id"], item.version, item.origin, target=item.target)
                stays = True
        if stays:
            self.recalled_rows[batch["id"]] = batch["rows"]
        return stays

    def recall(self, key: Key) -> Recalled | None:
        """Takes what is recalled of a row; its journal entry is done with when no other row of it is left."""
        return self.recalled.pop(key, None)

    def open_batches(self) -> set[str]:
        """Journal entries of a former owner that still have rows to come."""
        return {recalled.batch for recalled in self.recalled.values()}


def _succeed(item: Item, former: Item) -> None:
    """Remembers where rows of the earlier version may hang, and of an end that version itself: it may have been sent."""
    item.earlier |= former.earlier.union(one for one in former.parents if one)
    if item.op != "upsert":
        item.former = former if former.op == "upsert" else former.former
