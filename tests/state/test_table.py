"""The state table on a real broker: what is durable when, who is believed, and what the changelog alone gives back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from ops.kafka import LocalKafka
from state.changelog import CLAIM
from state.table import Partition, StateTable
from tests.conftest import CreateTopics, ReadTopic
from tests.transport.chunks import assignment, chunk
from tests.transport.waiting import eventually
from transport.assignment import Assignment, StaleAssignment
from transport.publisher import Publisher

pytestmark = pytest.mark.kafka


class Owner:
    """A worker as far as one state table sees it: partition 0, under an assignment of its own."""

    def __init__(self, topic: str, bootstrap: str, publisher: Publisher, directory: Path) -> None:
        self.table = StateTable(topic, "in", bootstrap=bootstrap, publisher=publisher, directory=directory)
        self.assignment: Assignment = assignment()
        self._offsets = itertools.count()

    async def open(self) -> Partition:
        """Opens partition 0 anew, as after a rebalance."""
        self.table.drop()
        self.assignment.close()
        self.assignment = assignment()
        self._offsets = itertools.count()
        await self.table.open(self.assignment, 0)
        return self.table.partition(0)

    def stage(self, **writes: str | None) -> int:
        """One chunk of one record with these writes; returns its offset."""
        one = chunk(self.assignment, next(self._offsets))
        for key, value in writes.items():
            self.table.partition(0).put(one, key.encode(), None if value is None else value.encode())
        return one.last

    async def persist(self, upto: int) -> None:
        await self.table.persist(self.assignment, 0, upto)

    async def commit(self, **writes: str | None) -> None:
        await self.persist(self.stage(**writes) + 1)

    def all(self) -> dict[str, str]:
        return {key.decode(): value.decode() for key, value in self.table.partition(0).items()}


MakeOwner = Callable[[str], Awaitable[Owner]]


@pytest.fixture
async def topic(topic_prefix: str, create_topics: CreateTopics) -> str:
    # Compacted as ours are, and `delete` too so that a test may cut its head off.
    configs = {"cleanup.policy": "compact,delete"}
    (name,) = await create_topics(f"{topic_prefix}state", partitions=1, configs=configs)
    return name


@pytest.fixture
async def owner(kafka: LocalKafka, topic: str, tmp_path: Path) -> AsyncIterator[MakeOwner]:
    """`await owner("a")`: a worker with a data directory of that name, its partition open; the same name, the same directory."""
    publisher = Publisher(kafka.bootstrap)
    await publisher.start()
    owners: list[Owner] = []

    async def make(name: str) -> Owner:
        made = Owner(topic, kafka.bootstrap, publisher, tmp_path / name)
        owners.append(made)
        await made.open()
        return made

    yield make
    for made in owners:
        await made.table.stop()
    await publisher.stop()


async def test_staged_writes_are_readable_at_once_and_gone_when_dropped(owner: MakeOwner) -> None:
    a = await owner("a")
    await a.commit(k="durable", other="1")
    a.stage(k="staged", other=None)
    partition = a.table.partition(0)
    assert (partition.get(b"k"), partition.get(b"other")) == (b"staged", None)
    partition = await a.open()
    assert (partition.get(b"k"), partition.get(b"other")) == (b"durable", b"1")


async def test_only_chunks_below_the_committed_offset_become_durable(owner: MakeOwner, read_topic: ReadTopic) -> None:
    a = await owner("a")
    a.stage(k="0", first="0")
    second = a.stage(k="1")
    a.stage(k="2", third="2")
    await a.persist(second + 1)
    assert a.table.partition(0).get(b"k") == b"2"
    assert a.all() == {"k": "1", "first": "0"}
    assert {r.key: r.value for r in await read_topic(a.table.topic) if r.key != CLAIM} == {b"k": b"1", b"first": b"0"}
    partition = await a.open()
    assert (partition.get(b"k"), partition.get(b"third")) == (b"1", None)


async def test_the_changelog_alone_gives_everything_back(owner: MakeOwner) -> None:
    a = await owner("a")
    for number in range(30):
        await a.commit(**{f"k{number % 10}": str(number), f"gone{number}": "x"})
        await a.commit(**{f"gone{number}": None})
    await a.table.write(0, {b"timer": b"1", b"k0": None})
    fresh = await owner("fresh")
    assert fresh.all() == a.all() == {**{f"k{n}": str(20 + n) for n in range(1, 10)}, "timer": "1"}


async def test_an_old_file_is_brought_up_to_date_deletes_included(owner: MakeOwner) -> None:
    a = await owner("a")
    await a.commit(kept="1", changed="1", deleted="1")
    await a.table.stop()
    b = await owner("b")
    await b.commit(changed="2", deleted=None, new="2")
    again = await owner("a")
    assert again.all() == b.all() == {"kept": "1", "changed": "2", "new": "2"}


async def test_what_a_zombie_still_writes_is_believed_by_nobody(owner: MakeOwner) -> None:
    # Paused over a rebalance, it knows nothing of its successor; what it sends lies in the changelog after the claim.
    zombie = await owner("zombie")
    await zombie.commit(k="before")
    late = zombie.stage(k="late", only="late")
    successor = await owner("successor")
    await successor.commit(k="new")
    await zombie.persist(late + 1)
    await successor.commit(more="new")
    third = await owner("third")
    assert third.all() == successor.all() == {"k": "new", "more": "new"}


async def test_a_zombie_that_comes_back_forgets_what_it_wrote_too_late(owner: MakeOwner) -> None:
    zombie = await owner("zombie")
    await zombie.commit(k="before")
    late = zombie.stage(k="late", only="late")
    successor = await owner("successor")
    await successor.commit(k="new")
    await zombie.persist(late + 1)
    assert zombie.all() == {"k": "late", "only": "late"}
    await zombie.open()
    assert zombie.all() == {"k": "new"}


async def test_an_owner_whom_a_zombie_interrupts_keeps_all_of_its_own(owner: MakeOwner) -> None:
    zombie = await owner("zombie")
    late = zombie.stage(k="late", only="late")
    successor = await owner("successor")
    await successor.commit(k="new")
    await zombie.persist(late + 1)
    await successor.commit(more="new")
    await successor.commit(even="more")
    await successor.open()
    assert successor.all() == (await owner("fresh")).all() == {"k": "new", "more": "new", "even": "more"}


async def test_of_two_claims_the_later_wins_and_the_earlier_is_outdated(
    owner: MakeOwner, read_topic: ReadTopic
) -> None:
    one, two = await asyncio.gather(owner("one"), owner("two"))
    claims = [int(record.value) for record in await read_topic(one.table.topic) if record.key == CLAIM]
    assert claims == sorted(claims)
    await one.commit(k="one")
    await two.commit(k="two")
    third = await owner("third")
    epochs = {"one": one.table.partition(0)._epoch, "two": two.table.partition(0)._epoch}
    assert epochs["one"] != epochs["two"], "two owners write under one epoch"
    assert third.all() == {"k": max(epochs, key=lambda name: epochs[name])}


async def test_a_changelog_made_anew_replaces_the_file(
    owner: MakeOwner, kafka: LocalKafka, create_topics: CreateTopics
) -> None:
    a = await owner("a")
    for number in range(5):
        await a.commit(**{f"old{number}": "1"})
    await a.table.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([a.table.topic])

        async def deleted() -> bool:
            return a.table.topic not in await admin.list_topics()

        await eventually(deleted)
    finally:
        await admin.close()
    await create_topics(a.table.topic, partitions=1, configs={"cleanup.policy": "compact"})
    again = await owner("a")
    assert again.all() == {}
    await again.commit(new="1")
    assert (await owner("fresh")).all() == {"new": "1"}


async def test_a_file_older_than_the_changelogs_start_is_rebuilt(owner: MakeOwner, kafka: LocalKafka) -> None:
    # Whatever lay between could have been a delete.
    a = await owner("a")
    await a.commit(old="1")
    await a.table.stop()
    b = await owner("b")
    await b.commit(old=None)
    await b.commit(new="1")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(a.table.topic, 0): RecordsToDelete(4)})
    finally:
        await admin.close()
    again = await owner("a")
    assert again.all() == {"new": "1"}


async def test_a_write_without_an_offset_waits_for_an_older_chunk_with_the_same_key(
    owner: MakeOwner, read_topic: ReadTopic
) -> None:
    a = await owner("a")
    older = a.stage(k="chunk")
    writing = asyncio.create_task(a.table.write(0, {b"k": b"written"}))
    free = asyncio.create_task(a.table.write(0, {b"else": b"written"}))
    await free
    assert not writing.done()
    assert a.table.partition(0).get(b"k") == b"written"
    await a.persist(older + 1)
    await writing
    values = [record.value for record in await read_topic(a.table.topic) if record.key == b"k"]
    assert values == [b"chunk", b"written"]
    assert (await owner("fresh")).all() == a.all() == {"k": "written", "else": "written"}


async def test_a_chunk_newer_than_a_waiting_write_stays_the_newest(owner: MakeOwner) -> None:
    a = await owner("a")
    a.stage(k="oldest")
    writing = asyncio.create_task(a.table.write(0, {b"k": b"middle", b"else": b"middle"}))
    await asyncio.sleep(0)
    newest = a.stage(k="newest")
    await a.persist(newest + 1)
    await writing
    partition = a.table.partition(0)
    assert (partition.get(b"k"), partition.get(b"else")) == (b"newest", b"middle")
    assert (await owner("fresh")).all() == a.all() == {"k": "newest", "else": "middle"}


async def test_a_write_is_refused_once_its_assignment_is_stale(owner: MakeOwner, read_topic: ReadTopic) -> None:
    a = await owner("a")
    a.stage(k="chunk")
    stale, old = a.assignment, a.table.partition(0)
    one = chunk(stale, 5)
    writing = asyncio.create_task(a.table.write(0, {b"k": b"written"}))
    await asyncio.sleep(0)
    stale.close()
    with pytest.raises(StaleAssignment):
        old.put(one, b"x", b"late")
    with pytest.raises(StaleAssignment):
        await writing
    with pytest.raises(StaleAssignment):
        await a.persist(100)
    a.table.drop()
    with pytest.raises(StaleAssignment):
        a.table.partition(0)
    with pytest.raises(StaleAssignment):
        await a.table.write(0, {b"k": b"late"})
    assert {record.key for record in await read_topic(a.table.topic)} == {CLAIM}


async def test_a_chunk_of_a_former_assignment_stages_nothing(owner: MakeOwner) -> None:
    a = await owner("a")
    late = chunk(a.assignment, 0)
    partition = await a.open()
    with pytest.raises(StaleAssignment):
        partition.put(late, b"k", b"late")
    assert partition.get(b"k") is None


async def test_an_abandoned_chunk_leaves_what_was_there_before(owner: MakeOwner) -> None:
    a = await owner("a")
    await a.commit(k="durable", d="durable")
    a.stage(k="staged")
    bad = chunk(a.assignment, 9)
    partition = a.table.partition(0)
    partition.put(bad, b"k", b"bad")
    partition.delete(bad, b"d")
    a.table.abandon(bad)
    assert (partition.get(b"k"), partition.get(b"d")) == (b"staged", b"durable")
    await a.persist(10)
    assert a.all() == {"k": "staged", "d": "durable"}


async def test_a_group_is_scanned_in_order_over_stored_and_staged_pairs(owner: MakeOwner) -> None:
    a = await owner("a")
    await a.commit(**{"g\0b": "1", "g\0d": "1", "g\0f": "1", "gg\0x": "1", "h\0a": "1", "g": "1"})
    a.stage(**{"g\0a": "2", "g\0d": None, "g\0f": "2"})
    a.stage(**{"g\0e": "2", "h\0b": "2"})
    partition = a.table.partition(0)
    everything = [(b"g\0a", b"2"), (b"g\0b", b"1"), (b"g\0e", b"2"), (b"g\0f", b"2")]
    assert partition.scan(b"g") == everything
    assert partition.scan(b"g", limit=2) == everything[:2]
    assert partition.scan(b"g", after=b"g\0b") == everything[2:]
    assert partition.scan(b"g", after=b"g\0b", limit=1) == everything[2:3]
    assert partition.scan(b"g", after=b"g\0c", limit=9) == everything[2:]
    assert partition.scan(b"nobody") == []


async def test_partitions_that_went_elsewhere_can_be_opened_there(
    kafka: LocalKafka, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> None:
    (topic,) = await create_topics(f"{topic_prefix}two", partitions=2)
    publisher = Publisher(kafka.bootstrap)
    await publisher.start()
    table = StateTable(topic, "in", bootstrap=kafka.bootstrap, publisher=publisher, directory=tmp_path)
    both = assignment("in", 0, 1)
    await table.open(both, 0)
    await table.open(both, 1)
    both.close()
    table.drop()
    table.retain({1})
    other = StateTable(topic, "in", bootstrap=kafka.bootstrap, publisher=publisher, directory=tmp_path)
    later = assignment("in", 0)
    await other.open(later, 0)  # the same file: the first table has let go of it
    assert [partition.number for partition in other.partitions()] == [0]
    await table.stop()
    await other.stop()
    await publisher.stop()
