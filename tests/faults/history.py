"""What was sent to the relay, and what must be true of its outputs, offsets and state afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_topic import NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, NodeNotReadyError

PARTITIONS = 4
COMPACTED = {"cleanup.policy": "compact"}


@dataclass
class Sent:
    """One input record and where it landed."""

    value: bytes
    partition: int = -1
    offset: int = -1


@dataclass
class History:
    """The input of one run; knows the topics' names and the expected end."""

    bootstrap: str
    prefix: str
    sent: list[Sent] = field(default_factory=list)

    async def create_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics(
                [NewTopic(self.prefix + name, PARTITIONS, 1) for name in ("in", "out", "rejects")]
                + [NewTopic(self.prefix + "state", PARTITIONS, 1, topic_configs=COMPACTED)]
            )
        finally:
            await admin.close()
        await asyncio.sleep(1)

    def family(self, parents: int, children: int, seed: int) -> list[tuple[bytes, bytes]]:
        """Keyed messages: each parent once, each of its children once, shuffled."""
        messages = [
            (b"%d" % parent, b"W %d %d" % (parent, parent * children + child))
            for parent in range(parents)
            for child in range(children)
        ]
        messages += [(b"%d" % parent, b"L %d 0" % parent) for parent in range(parents)]
        random.Random(seed).shuffle(messages)
        return messages

    async def send(self, messages: list[tuple[bytes, bytes]], per_second: float | None = None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5, enable_idempotence=True)
        await producer.start()
        try:
            futures = []
            for index, (key, value) in enumerate(messages):
                futures.append(await producer.send(self.prefix + "in", value, key=key))
                if per_second and index % 50 == 49:
                    await asyncio.sleep(50 / per_second)
            for (_, value), future in zip(messages, futures, strict=True):
                done = await future
                self.sent.append(Sent(value, done.partition, done.offset))
        finally:
            await producer.stop()

    async def trickle(self) -> None:
        """A few parents without children, so that there is always something to commit."""
        first = len(self.sent)
        await self.send([(b"x%d" % number, b"L x%d 0" % number) for number in range(first, first + 20)])

    async def read(self, name: str) -> list[ConsumerRecord]:
        """Everything the topic holds when called."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            tps = [TopicPartition(self.prefix + name, number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            await consumer.seek_to_beginning(*tps)
            records: list[ConsumerRecord] = []
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for tp, fetched in (await consumer.getmany(timeout_ms=200)).items():
                    records += [record for record in fetched if record.offset < ends[tp]]
            return records
        finally:
            await consumer.stop()

    async def committed(self) -> dict[int, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            while True:
                try:
                    found = await admin.list_consumer_group_offsets(self.prefix + "relay")
                    break
                except (GroupCoordinatorNotAvailableError, NodeNotReadyError):
                    # A broker that has just come back is still loading them, or its metadata names no broker yet.
                    await asyncio.sleep(0.2)
        finally:
            await admin.close()
        return {tp.partition: known.offset for tp, known in found.items() if known.offset >= 0}

    async def lag(self) -> int:
        """Records not committed yet."""
        ends = dict.fromkeys(range(PARTITIONS), 0)
        for sent in self.sent:
            ends[sent.partition] = max(ends[sent.partition], sent.offset + 1)
        committed = await self.committed()
        return sum(max(0, end - committed.get(number, 0)) for number, end in ends.items())

    async def wait_for_no_lag(self, seconds: float) -> None:
        """Fails when the lag has not reached 0 in time: a stall."""
        deadline = time.monotonic() + seconds
        while (lag := await self.lag()) > 0:
            assert time.monotonic() < deadline, f"stalled with {lag} records of lag after {seconds} s"
            await asyncio.sleep(0.3)

    async def state(self) -> dict[bytes, bytes]:
        """The table as its changelog alone tells it, record by record and without the product's code but for the epoch rule."""
        state: dict[bytes, bytes] = {}
        epochs: dict[int, int] = {}
        for record in sorted(await self.read("state"), key=lambda r: (r.partition, r.offset)):
            epoch = int(dict(record.headers)["epoch"])
            if epoch < epochs.get(record.partition, 0):
                continue
            epochs[record.partition] = epoch
            if record.key.startswith(b"\xff\xff"):
                continue
            if record.value is None:
                state.pop(record.key, None)
            else:
                state[record.key] = record.value
        return state

    async def check_nothing_committed_unfinished(self) -> None:
        """Every record below a committed offset has had its effect: the child is out, or it waits in durable state."""
        committed = await self.committed()  # read first: effects only grow
        state = await self.state()
        out = {record.value for record in await self.read("out")}
        rejects = {record.value for record in await self.read("rejects")}
        for sent in self.sent:
            if sent.offset >= committed.get(sent.partition, 0) or sent.value in rejects:
                continue
            kind, parent, child = sent.value.split(b" ")
            if kind == b"L":
                assert b"L" + parent in state, f"{sent} is committed and its state is lost"
            elif kind == b"W":
                assert child in out or b"W" + parent + b"\0" + child in state, f"{sent} is committed and lost"

    def expected_state(self) -> dict[bytes, bytes]:
        landed = {sent.value.split(b" ")[1] for sent in self.sent if sent.value.startswith(b"L")}
        waiting = [sent.value.split(b" ") for sent in self.sent if sent.value.startswith(b"W")]
        return {b"L" + parent: b"1" for parent in landed} | {
            b"W" + parent + b"\0" + child: child for _, parent, child in waiting if parent not in landed
        }

    async def check_complete(self) -> int:
        """Nothing missing in the output, the changelog equal to what was sent; returns the number of duplicates."""
        out = [record.value for record in await self.read("out")]
        landed = {sent.value.split(b" ")[1] for sent in self.sent if sent.value.startswith(b"L")}
        expected = {
            child
            for kind, parent, child in (sent.value.split(b" ") for sent in self.sent)
            if kind == b"W" and parent in landed
        }
        missing = expected - set(out)
        assert not missing, f"{len(missing)} of {len(expected)} outputs are missing"
        assert set(out) <= expected
        assert await self.state() == self.expected_state()
        return len(out) - len(set(out))
