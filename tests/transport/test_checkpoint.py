"""Outputs durable, then state durable, then offsets committed; and nothing of it for a stale assignment."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import cast

import pytest

from tests.transport.chunks import assignment, chunk
from transport.assignment import Assignment, TopicPartition
from transport.checkpoint import Checkpoint
from transport.chunk import Chunk
from transport.publisher import Publisher, PublishFailed

Step = tuple[object, ...]


class Outputs:
    """A publisher whose sends become durable with a delay, or not at all."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.failing = False

    async def settle(self) -> None:
        await asyncio.sleep(0)
        if self.failing:
            raise PublishFailed("no")
        self.steps.append(("outputs",))

    async def stop(self) -> None:
        self.steps.append(("publisher stopped",))


class Table:
    """A state table that only notes what is asked of it."""

    def __init__(self, name: str, source: str, steps: list[Step]) -> None:
        self.name = name
        self.source = source
        self.steps = steps
        self.revoke_at_persist: Assignment | None = None

    async def open(self, assignment: Assignment, partition: int) -> None:
        self.steps.append(("open", self.name, partition))

    def drop(self) -> None:
        self.steps.append(("drop", self.name))

    def retain(self, partitions: Collection[int]) -> None:
        self.steps.append(("retain", self.name, sorted(partitions)))

    def abandon(self, chunk: Chunk) -> None:
        self.steps.append(("abandon", self.name, chunk.last))

    async def persist(self, assignment: Assignment, partition: int, upto: int) -> None:
        await asyncio.sleep(0)
        self.steps.append(("state", self.name, partition, upto))
        if self.revoke_at_persist is not None:
            self.revoke_at_persist.close()

    def staged(self, partition: int) -> int:
        return 10 * partition + 1

    async def stop(self) -> None:
        self.steps.append(("stopped", self.name))


@pytest.fixture
def steps() -> list[Step]:
    return []


@pytest.fixture
def outputs(steps: list[Step]) -> Outputs:
    return Outputs(steps)


@pytest.fixture
def tables(steps: list[Step]) -> list[Table]:
    return [Table("a", "in", steps), Table("b", "in", steps), Table("c", "other", steps)]


@pytest.fixture
def checkpoint(outputs: Outputs, tables: list[Table]) -> Checkpoint:
    return Checkpoint(cast("Publisher", outputs), tables)


async def commit(checkpoint: Checkpoint, under: Assignment, steps: list[Step], **offsets: int) -> bool:
    async def commit_offsets(now: Mapping[TopicPartition, int]) -> bool:
        steps.append(("offsets", dict(now)))
        return True

    wanted = {TopicPartition(topic, 0): offset for topic, offset in offsets.items()}
    return await checkpoint.commit(under, wanted, commit_offsets)


async def test_the_order_is_outputs_state_offsets(checkpoint: Checkpoint, steps: list[Step]) -> None:
    assert await commit(checkpoint, assignment(), steps, **{"in": 5, "elsewhere": 7})
    assert steps == [
        ("outputs",),
        ("state", "a", 0, 5),
        ("state", "b", 0, 5),
        ("offsets", {("in", 0): 5, ("elsewhere", 0): 7}),
    ]


async def test_nothing_is_committed_over_an_output_that_failed(
    checkpoint: Checkpoint, outputs: Outputs, steps: list[Step]
) -> None:
    outputs.failing = True
    with pytest.raises(PublishFailed):
        await commit(checkpoint, assignment(), steps, **{"in": 5})
    assert steps == []


async def test_no_state_is_written_for_a_stale_assignment(checkpoint: Checkpoint, steps: list[Step]) -> None:
    stale = assignment()
    stale.close()
    assert not await commit(checkpoint, stale, steps, **{"in": 5})
    assert steps == [("outputs",)]


async def test_a_revocation_while_state_is_written_leaves_the_offsets_uncommitted(
    checkpoint: Checkpoint, tables: list[Table], steps: list[Step]
) -> None:
    under = assignment()
    tables[1].revoke_at_persist = under
    assert not await commit(checkpoint, under, steps, **{"in": 5})
    assert steps == [("outputs",), ("state", "a", 0, 5), ("state", "b", 0, 5)]


async def test_each_table_follows_the_partitions_of_its_own_source(checkpoint: Checkpoint, steps: list[Step]) -> None:
    under = Assignment.at(1, {TopicPartition("in", 1): 0, TopicPartition("in", 3): 0, TopicPartition("other", 2): 0})
    checkpoint.retain(under)
    await checkpoint.open(under, TopicPartition("other", 2))
    checkpoint.abandon(chunk(under, 0, 8, partition=3))
    assert steps == [
        *(("retain", "a", [1, 3]), ("retain", "b", [1, 3]), ("retain", "c", [2])),
        ("open", "c", 2),
        *(("abandon", "a", 8), ("abandon", "b", 8)),
    ]


async def test_a_revocation_drops_the_staged_state_of_every_table(checkpoint: Checkpoint, steps: list[Step]) -> None:
    checkpoint.revoke()
    assert steps == [("drop", "a"), ("drop", "b"), ("drop", "c")]


async def test_tables_are_closed_before_the_publisher(checkpoint: Checkpoint, steps: list[Step]) -> None:
    await checkpoint.stop()
    assert steps == [("stopped", "a"), ("stopped", "b"), ("stopped", "c"), ("publisher stopped",)]
