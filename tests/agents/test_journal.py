"""The batch journal on a real broker: entries are whole or not there, and go when their rows are settled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.journal import Journal
from ops.kafka import LocalKafka
from state.table import StateTable
from tests.agents.rows import CODEC, version
from tests.conftest import CreateTopics, ReadTopic
from tests.transport.chunks import assignment
from topics.messages import Batch, BatchRow
from transport.assignment import StaleAssignment
from transport.publisher import Publisher

pytestmark = pytest.mark.kafka


def batch(number: int, rows: int, **more: Any) -> Batch:
    return {
        "id": f"000-{number}",
        "sobject": "Contact",
        "operation": "upsert",
        "facet": "owner",
        "partition": 0,
        "state": "planned",
        "path": "bulk",
        "job_id": None,
        "rows": rows,
        "run": "run-1",
        "at": 1,
        **more,
    }


def rows(count: int) -> list[BatchRow]:
    return [
        {
            "reference": f"patient:{number}",
            "facet": "owner",
            "version": version(number),
            "op": "upsert",
            "origin": "absent",
            "sf_id": None,
            "topic_offset": number,
        }
        for number in range(count)
    ]


class Worker:
    """Owner of partition 0 with a journal."""

    def __init__(self, topic: str, bootstrap: str, publisher: Publisher, directory: Path) -> None:
        self.table = StateTable(topic, "sf.Contact", bootstrap=bootstrap, publisher=publisher, directory=directory)
        self.journal = Journal(self.table, CODEC)
        self.assignment = assignment("sf.Contact")

    async def open(self) -> Worker:
        await self.table.open(self.assignment, 0)
        return self

    def unfinished(self) -> dict[str, tuple[Batch, list[BatchRow]]]:
        found = self.journal.unfinished(self.table.partition(0))
        return {entry.batch["id"]: (entry.batch, entry.rows) for entry in found}


@pytest.fixture
async def workers(
    kafka: LocalKafka, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> AsyncIterator[Any]:
    """`await workers("a")`: an owner with a data directory of that name."""
    (topic,) = await create_topics(f"{topic_prefix}bulk", partitions=1, configs={"cleanup.policy": "compact"})
    publisher = Publisher(kafka.bootstrap)
    await publisher.start()
    made: list[Worker] = []

    async def make(name: str) -> Worker:
        made.append(Worker(topic, kafka.bootstrap, publisher, tmp_path / name))
        return await made[-1].open()

    yield make
    for one in made:
        await one.table.stop()
    await publisher.stop()


async def test_the_next_owner_finds_a_planned_batch_whole_with_its_last_state(workers: Any) -> None:
    first = await workers("first")
    await first.journal.plan(batch(1, 1201), rows(1201))
    await first.journal.plan(batch(2, 1, path="collections"), rows(1))
    noted = await first.journal.note(batch(1, 1201), "created", "750A")
    assert (noted["state"], noted["job_id"]) == ("created", "750A")
    found = (await workers("next")).unfinished()
    assert found == {"000-1": (noted, rows(1201)), "000-2": (batch(2, 1, path="collections"), rows(1))}


async def test_a_finished_batch_is_gone_rows_and_all(workers: Any, read_topic: ReadTopic) -> None:
    first = await workers("first")
    for number, size in ((1, 500), (2, 501), (3, 3)):
        await first.journal.plan(batch(number, size), rows(size))
    await first.journal.finish(0, "000-1", 500)
    await first.journal.finish(0, "000-2", 501)
    following = await workers("next")
    assert list(following.unfinished()) == ["000-3"]
    assert [key.partition(b"\0")[0] for key, _ in following.table.partition(0).items()] == [b"000-3"] * 2
    left: dict[bytes, bytes | None] = {}
    for record in await read_topic(first.table.topic):
        left[record.key] = record.value
    assert sorted(key for key, value in left.items() if value is not None and key[:1] != b"\xff") == [
        b"000-3",
        b"000-3\x0000000",
    ]


async def test_the_head_of_an_entry_is_written_last_and_taken_away_first(workers: Any, read_topic: ReadTopic) -> None:
    first = await workers("first")
    await first.journal.plan(batch(1, 600), rows(600))
    await first.journal.finish(0, "000-1", 600)
    keys = [record.key for record in await read_topic(first.table.topic) if record.key[:1] != b"\xff"]
    head, pages = b"000-1", [b"000-1\x0000000", b"000-1\x0000001"]
    assert keys == [*pages, head, head, *pages]


async def test_pages_without_a_head_are_no_entry(workers: Any) -> None:
    first = await workers("first")
    await first.journal.plan(batch(1, 2), rows(2))
    await first.table.write(0, {b"000-1": None})  # as after a crash between the head and the pages
    assert (await workers("next")).unfinished() == {}


async def test_nothing_may_be_sent_for_a_batch_that_could_not_be_planned(workers: Any) -> None:
    first = await workers("first")
    first.assignment.close()
    with pytest.raises(StaleAssignment):
        await first.journal.plan(batch(1, 2), rows(2))
    assert (await workers("next")).unfinished() == {}
