"""The one place that owns the order of effects: outputs durable, then state durable, then offsets committed.

A crash between any two steps redoes work, and never loses it: outputs without state are published again, state without offsets is applied again to records that
the version guards recognise. The reverse order would lose (an offset committed over an output that never became durable is gone with lag 0).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from transport import failpoint
from transport.assignment import Assignment, TopicPartition
from transport.chunk import Chunk
from transport.publisher import Publisher


class Table(Protocol):
    """What the checkpoint needs of a state table (`state.table.StateTable`)."""

    source: str

    async def open(self, assignment: Assignment, partition: int) -> None:
        """Recovers the partition; called before the first chunk of the assignment is delivered."""

    def drop(self) -> None:
        """Forgets every staged write; called when partitions are revoked."""

    def retain(self, partitions: Collection[int]) -> None:
        """Closes the local files of all other partitions."""

    def abandon(self, chunk: Chunk) -> None:
        """Drops what ``chunk`` has staged."""

    async def persist(self, assignment: Assignment, partition: int, upto: int) -> None:
        """Makes the staged writes of chunks that end below ``upto`` durable, in their order."""

    def staged(self, partition: int) -> int:
        """How many writes of the partition wait to be made durable; all of them are in memory."""

    async def stop(self) -> None:
        """Closes the local files."""


class Checkpoint:
    """Commits finished chunks of an assignment.

    Arguments:
        publisher: everything an agent sends goes through it.
        tables: the state tables of this process; each is bound to one source topic.
    """

    def __init__(self, publisher: Publisher, tables: Sequence[Table] = ()) -> None:
        self.publisher = publisher
        self._tables = tuple(tables)

    def retain(self, assignment: Assignment) -> None:
        """Lets go of the local state of partitions that another worker owns now."""
        for table in self._tables:
            table.retain({tp.partition for tp in assignment.positions if tp.topic == table.source})

    async def open(self, assignment: Assignment, tp: TopicPartition) -> None:
        """Recovers the state of one partition before its first chunk."""
        for table in self._tables:
            if table.source == tp.topic:
                await table.open(assignment, tp.partition)

    def revoke(self) -> None:
        """Drops all staged state; synchronous, so that nothing runs between the revocation and this."""
        for table in self._tables:
            table.drop()

    def abandon(self, chunk: Chunk) -> None:
        """Drops the staged state of a chunk that is quarantined instead of applied."""
        for table in self._tables:
            if table.source == chunk.tp.topic:
                table.abandon(chunk)

    def staged(self, tp: TopicPartition) -> int:
        """How many writes of the partition's state wait for the next commit."""
        return sum(table.staged(tp.partition) for table in self._tables if table.source == tp.topic)

    async def commit(
        self,
        assignment: Assignment,
        offsets: Mapping[TopicPartition, int],
        commit_offsets: Callable[[Mapping[TopicPartition, int]], Awaitable[bool]],
    ) -> bool:
        """Runs the three steps for ``offsets`` (the next offset of each partition, as Kafka counts them).

        Returns:
            False when the assignment went stale on the way: nothing was committed, the next owner redoes the work.

        Raises:
            transport.publisher.PublishFailed: an output is not durable; the process has to go down.
        """
        if failpoint.ARMED:
            failpoint.hit("before-outputs")
        await self.publisher.settle()
        if failpoint.ARMED:
            failpoint.hit("outputs-durable")
        for tp, offset in offsets.items():
            for table in self._tables:
                if table.source == tp.topic:
                    if not assignment.live:
                        return False
                    await table.persist(assignment, tp.partition, offset)
        if failpoint.ARMED:
            failpoint.hit("state-durable")
        if not assignment.live:
            return False
        committed = await commit_offsets(offsets)
        if failpoint.ARMED:
            failpoint.hit("offsets-committed")
        return committed

    async def stop(self) -> None:
        """Closes the tables and the publisher."""
        for table in self._tables:
            await table.stop()
        await self.publisher.stop()
