"""The consumer in a real worker on a real broker: where it begins, what it leaves out, what it commits, what kills it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import GroupCoordinatorNotAvailableError

from ops.kafka import LocalKafka
from tests.conftest import CreateTopics, ReadTopic, commit_offset
from tests.transport.waiting import eventually
from transport.app import create
from transport.checkpoint import Checkpoint
from transport.consumer import _STAGED_MOST
from transport.publisher import Publisher
from transport.worker import EXIT_CRASHED

pytestmark = pytest.mark.kafka


class _Blind:
    """Assigns as a leader whose broker has just started, and knows no topics yet."""

    def __init__(self, assignor: Any) -> None:
        self._assignor = assignor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._assignor, name)

    def assign(self, cluster: Any, members: Any) -> Any:
        return self._assignor.assign(ClusterMetadata(), members)


class Bench:
    """A probe worker, its input, and what it makes of it."""

    def __init__(self, kafka: LocalKafka, prefix: str, directory: Path, read_topic: ReadTopic) -> None:
        self.bootstrap = kafka.bootstrap
        self.prefix = prefix
        self.directory = directory
        self.read_topic = read_topic
        self.admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        self.producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        settings = {
            "PROBE_BOOTSTRAP": self.bootstrap,
            "PROBE_PREFIX": self.prefix,
            "PROBE_DATA": str(self.directory),
            "PROBE_WORKER": "probe",  # the same over restarts, so that no session has to time out
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.transport.probe"],
                env=os.environ | settings | environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def end(self) -> int:
        process = self.processes[-1]
        process.send_signal(signal.SIGTERM)
        return process.wait(40)

    def ended(self) -> int:
        return self.processes[-1].wait(60)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    async def send(self, partition: int, *values: bytes) -> None:
        """Each value in a fetch of its own is not promised; all in order is."""
        sent = [await self.producer.send(f"{self.prefix}in", value, partition=partition) for value in values]
        for future in sent:
            await future

    async def guest(self, worker: str = "guest", **options: Any) -> AIOKafkaConsumer:
        """One more member of the group, that processes nothing: its coming and going rebalances the group, unless it is a static one."""
        app = create(
            f"{self.prefix}probe", self.bootstrap, Checkpoint(Publisher("")), worker=worker, data_dir=self.directory
        )
        app.finalize()
        guest = AIOKafkaConsumer(
            f"{self.prefix}in",
            bootstrap_servers=self.bootstrap,
            group_id=f"{self.prefix}probe",
            partition_assignment_strategy=[_Blind(app.assignor) if options else app.assignor],
            session_timeout_ms=6000,
            rebalance_timeout_ms=10_000,
            heartbeat_interval_ms=1000,
            enable_auto_commit=False,
            **options,
        )
        await guest.start()
        return guest

    async def delete_below(self, partition: int, offset: int) -> None:
        await self.admin.delete_records({TopicPartition(f"{self.prefix}in", partition): RecordsToDelete(offset)})

    async def seen(self) -> list[tuple[int, int]]:
        """Partition and offset of every record that reached the agent, per partition in the order it saw them."""
        keys = [record.key.split(b":") for record in await self.read_topic(f"{self.prefix}seen")]
        return [(int(partition), int(offset)) for partition, offset in keys]

    async def commit(self, partition: int, offset: int) -> None:
        """As a worker before this one would have."""
        tp = TopicPartition(f"{self.prefix}in", partition)
        await commit_offset(self.bootstrap, f"{self.prefix}probe", tp, offset)

    async def committed(self) -> dict[int, int]:
        try:
            found = await self.admin.list_consumer_group_offsets(f"{self.prefix}probe")
        except GroupCoordinatorNotAvailableError:
            return {}
        return {tp.partition: known.offset for tp, known in found.items() if known.offset >= 0}

    async def wait_for_one_committed(self, partition: int, offset: int) -> None:
        async def reached() -> bool:
            assert (await self.committed()).get(partition) == offset
            return True

        await eventually(reached)

    async def wait_for_committed(self, **offsets: int) -> None:
        async def reached() -> bool:
            found = await self.committed()
            assert {f"p{number}": offset for number, offset in found.items()} == offsets
            return True

        await eventually(reached)

    async def wait_for_seen(self, *wanted: tuple[int, int]) -> None:
        async def reached() -> bool:
            assert set(wanted) <= set(await self.seen())
            return True

        await eventually(reached)


@pytest.fixture
async def bench(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path, create_topics: CreateTopics, read_topic: ReadTopic
) -> AsyncIterator[Bench]:
    await create_topics(f"{topic_prefix}in", partitions=2)
    await create_topics(f"{topic_prefix}seen", f"{topic_prefix}rejects", partitions=1)
    bench = Bench(kafka, topic_prefix, tmp_path, read_topic)
    await bench.admin.start()
    await bench.producer.start()
    yield bench
    bench.kill()
    await bench.producer.stop()
    await bench.admin.close()


@pytest.fixture(autouse=True)
def _log(bench: Bench, request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if bench.log.exists():
        print(bench.log.read_text(errors="replace")[-4000:])


async def test_a_group_without_committed_offsets_begins_where_the_log_does(bench: Bench) -> None:
    await bench.send(0, *(b"%d" % number for number in range(10)))
    await bench.send(1, *(b"%d" % number for number in range(3)))
    await bench.delete_below(0, 4)
    bench.start()
    await bench.wait_for_committed(p0=10, p1=3)
    assert sorted(await bench.seen()) == [*((0, offset) for offset in range(4, 10)), (1, 0), (1, 1), (1, 2)]


async def test_a_group_goes_on_at_its_committed_offset(bench: Bench) -> None:
    await bench.send(0, b"0", b"1", b"2", b"3", b"4")
    await bench.commit(0, 3)
    bench.start()
    await bench.wait_for_committed(p0=5)
    assert await bench.seen() == [(0, 3), (0, 4)]


async def test_records_deleted_before_they_were_processed_are_a_fatal_error_that_says_so(bench: Bench) -> None:
    await bench.send(0, *(b"%d" % number for number in range(10)))
    await bench.commit(0, 5)
    await bench.delete_below(0, 8)
    bench.start()
    assert bench.ended() == EXIT_CRASHED
    said = bench.log.read_text()
    assert f"{bench.prefix}in[0]: committed offset 5 is below the log's start 8" in said
    assert "messages were deleted unprocessed" in said
    assert await bench.committed() == {0: 5}
    assert await bench.seen() == []


async def test_what_comes_while_the_agent_is_busy_is_handed_to_it_together(bench: Bench) -> None:
    bench.start()
    await bench.send(0, b"slow")
    await bench.wait_for_seen((0, 0))
    for number in range(5):
        await bench.send(0, b"%d" % number)
        await asyncio.sleep(0.25)  # longer than a fetch waits: each comes with one of its own
    await bench.wait_for_committed(p0=6)
    records = await bench.read_topic(f"{bench.prefix}seen")
    assert [record.key for record in records] == [b"0:%d" % offset for offset in range(6)]
    assert [dict(record.headers)["chunk"] for record in records] == [b"0", *[b"1"] * 5]


async def test_a_full_window_leaves_its_partition_out_while_others_go_on(bench: Bench) -> None:
    await bench.send(0, *[b"stuck"] * 20)
    bench.start(PROBE_WINDOW="20")
    await bench.wait_for_seen(*((0, offset) for offset in range(20)))
    await bench.send(0, *[b"stuck"] * 5)
    for number in range(3):
        await bench.send(1, b"%d" % number)
        await bench.wait_for_committed(p1=number + 1)
    assert (0, 20) not in await bench.seen()
    await bench.send(1, b"release")
    await bench.wait_for_seen((0, 20), (0, 24))
    await bench.wait_for_committed(p0=20, p1=4)


async def test_a_backlog_that_is_being_worked_off_is_no_error_in_the_log(bench: Bench) -> None:
    await bench.send(0, *[b"stuck"] * 20)
    bench.start(PROBE_WINDOW="20", PROBE_LIVELOCK="0.1")
    await bench.wait_for_seen(*((0, offset) for offset in range(20)))
    await bench.send(0, *[b"behind"] * 20)
    for number in range(20):  # Faust looks four times a second
        await bench.send(1, b"%d" % number)
        await bench.wait_for_committed(p1=number + 1)
    assert (0, 20) not in await bench.seen()
    assert "ERROR" not in bench.log.read_text()
    assert "Has not" not in bench.log.read_text()
    assert "Stream" not in bench.log.read_text()


async def test_finishing_a_later_chunk_commits_nothing_over_an_earlier_one(bench: Bench) -> None:
    await bench.send(0, b"0")
    bench.start()
    await bench.wait_for_committed(p0=1)
    await bench.send(0, b"stuck")
    await bench.wait_for_seen((0, 1))
    await bench.send(0, b"2", b"3")
    await bench.wait_for_seen((0, 3))
    for number in range(3):  # the commit interval has passed when these are in
        await bench.send(1, b"%d" % number)
        await bench.wait_for_committed(p0=1, p1=number + 1)
    await bench.send(1, b"release")
    await bench.wait_for_committed(p0=4, p1=4)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_what_is_unfinished_when_a_worker_ends_comes_again(bench: Bench, how: signal.Signals) -> None:
    # Faust acks whatever its streams have handed out, at the latest when they are cancelled; that must not count.
    bench.start()
    await bench.send(0, b"0")
    await bench.wait_for_committed(p0=1)
    await bench.send(0, b"stuck")
    await bench.wait_for_seen((0, 1))
    await bench.send(0, b"2")
    await bench.wait_for_seen((0, 2))
    bench.processes[-1].send_signal(how)
    bench.ended()
    assert await bench.committed() == {0: 1}
    bench.start()
    await bench.wait_for_seen((0, 1), (0, 2))

    async def again() -> bool:
        return (await bench.seen()).count((0, 2)) == 2

    await eventually(again)
    await bench.send(1, b"release")
    await bench.wait_for_committed(p0=3, p1=1)


async def test_a_record_that_raises_again_and_again_is_quarantined_alone(bench: Bench) -> None:
    await bench.send(0, b"0", b"1", b"raise", b"3")
    crashes = 0
    while True:
        bench.start()
        await eventually(lambda: _ended_or_through(bench))
        if bench.processes[-1].poll() is None:
            break
        assert bench.ended() == EXIT_CRASHED
        crashes += 1
    assert crashes == 2
    await bench.wait_for_committed(p0=4)
    rejects = await bench.read_topic(f"{bench.prefix}rejects")
    assert [(record.key, record.value) for record in rejects] == [(b"ValueError", b"raise")]
    assert {(0, offset) for offset in range(4)} <= set(await bench.seen())


async def test_a_record_that_raised_once_is_processed_by_the_next_worker(bench: Bench) -> None:
    await bench.send(0, b"0", b"raise once", b"2")
    bench.start()
    assert bench.ended() == EXIT_CRASHED
    said = bench.log.read_text()
    bench.start()
    await bench.wait_for_committed(p0=3)
    assert await bench.read_topic(f"{bench.prefix}rejects") == []
    # What Python or a library puts into an exception may be a patient's name.
    assert "crashed: ValueError at probe.py" in said
    assert "injected" not in said
    assert "Traceback" not in said


async def test_what_comes_during_a_rebalance_is_handled_though_nothing_comes_after_it(bench: Bench) -> None:
    # A fetch that has waited through the rebalance must not take what the new assignment is to begin with.
    bench.start()
    await bench.send(0, b"0")
    await bench.send(1, b"0")
    await bench.wait_for_committed(p0=1, p1=1)
    sent = 1
    for _ in range(6):
        coming = asyncio.create_task(bench.guest())
        while not coming.done():
            await bench.send(0, b"meanwhile")
            await bench.send(1, b"meanwhile")
            sent += 1
            await asyncio.sleep(0.02)
        guest = await coming
        (kept,) = {0, 1} - {tp.partition for tp in guest.assignment()}
        await bench.wait_for_one_committed(kept, sent)
        await guest.stop()
        await bench.wait_for_committed(p0=sent, p1=sent)


async def test_an_empty_assignment_is_not_inherited(bench: Bench) -> None:
    # A static member gets what its predecessor of that name had, though that one died before it could mend it.
    predecessor = await bench.guest("probe", group_instance_id="probe")
    assert not predecessor.assignment()
    await predecessor.stop()
    await bench.send(0, b"0")
    await bench.send(1, b"0")
    bench.start()
    await bench.wait_for_committed(p0=1, p1=1)


async def test_an_outage_is_blamed_on_no_record(bench: Bench) -> None:
    await bench.send(0, b"outage")
    for _ in range(3):
        bench.start()
        assert bench.ended() == EXIT_CRASHED
    assert await bench.read_topic(f"{bench.prefix}rejects") == []
    assert await bench.committed() == {}


async def test_a_partition_that_stands_still_with_work_takes_the_process_down(bench: Bench) -> None:
    await bench.send(0, b"0", b"1")
    await bench.send(1, b"stuck")
    bench.start(PROBE_STALL="1.5")
    assert bench.ended() == EXIT_CRASHED
    assert f"{bench.prefix}in[1] (un-acked at offset 0)" in bench.log.read_text()


async def _ended_or_through(bench: Bench) -> bool:
    return bench.processes[-1].poll() is not None or (await bench.committed()).get(0) == 4


async def test_state_that_is_not_durable_yet_is_bounded_and_committed_before_its_time(bench: Bench) -> None:
    await bench.send(0, *(b"%0300d" % number for number in range(40_000)))
    bench.start(PROBE_TABLE="yes", PROBE_COMMIT="3600")

    async def committed() -> bool:
        assert (await bench.committed()).get(0, 0) >= 40_000 - _STAGED_MOST
        return True

    await eventually(committed)
    staged = [int(line) for line in (bench.directory / "staged").read_text().split()]
    assert max(staged) <= 2 * _STAGED_MOST  # what is full, and one fetch
