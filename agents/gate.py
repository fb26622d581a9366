"""Whether writing to Salesforce is allowed: what the ``control`` topic says, read from its start before the first row.

Nothing is written before the cutover has been started with the very map that this worker has.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from topics.codec import Codec, Undecodable
from topics.messages import Transition

log = logging.getLogger(__name__)

OPEN_PHASES: Final = frozenset({"SNAPSHOT", "CATCHING_UP", "READY", "CUTOVER", "VERIFYING", "DONE"})


class Gate:
    """Follows the cutover's phase.

    Arguments:
        bootstrap: Kafka.
        topic: the control topic.
        codec: the wire format.
        cutover: id of the cutover, the key of its transitions.
        map_hash: of the map that this worker has.
    """

    def __init__(self, bootstrap: str, topic: str, codec: Codec, cutover: str, map_hash: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._codec = codec
        self._cutover = cutover.encode()
        self._map_hash = map_hash
        self._newest: Transition | None = None
        self._warned = ""

    def finishing(self) -> bool:
        """Whether only what a loader left unfinished may be written: a rollback waits for that, and can only undo what is told."""
        newest = self._newest
        return newest is not None and newest["phase"] == "ROLLING_BACK" and newest["map_hash"] == self._map_hash

    def open(self) -> bool:
        """Whether a row may be written now."""
        newest = self._newest
        if newest is None or newest["phase"] not in OPEN_PHASES:
            return False
        if newest["map_hash"] != self._map_hash:
            if self._warned != newest["map_hash"]:
                self._warned = newest["map_hash"]
                log.error(
                    "the cutover was started with map %s, this worker has %s: nothing is written; start the worker with the confirmed map",
                    newest["map_hash"][:12],
                    self._map_hash[:12],
                )
            return False
        return True

    async def follow(self) -> None:
        """Reads the control topic and goes on reading; runs until cancelled."""
        while True:
            try:
                await self._follow()
            except KafkaError as exc:
                log.warning("the control topic can't be read (%s); trying again", type(exc).__name__)
                await asyncio.sleep(1)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            await consumer._client.set_topics([self._topic])  # noqa: SLF001 - without a subscription nothing else makes it ask
            numbers = consumer.partitions_for_topic(self._topic)
            if not numbers:
                raise UnknownTopicOrPartitionError  # a broker that has just started doesn't know its topics for a moment
            tps = [TopicPartition(self._topic, number) for number in numbers]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends = await consumer.end_offsets(tps)
            found: Transition | None = None
            read_all = False
            while True:
                for records in (await consumer.getmany(timeout_ms=300)).values():
                    for record in records:
                        found = self._transition(record) or found
                if not read_all:
                    positions = [await consumer.position(tp) >= ends[tp] for tp in tps]
                    read_all = all(positions)
                if read_all:
                    self._newest = found
        finally:
            await consumer.stop()

    def _transition(self, record: object) -> Transition | None:
        value, key = getattr(record, "value", None), getattr(record, "key", None)
        if key != self._cutover:
            return None
        try:
            name, message = self._codec.decode(value, topic=self._topic, key=key)
        except Undecodable as exc:
            log.error("a message of the control topic can't be read (%s); it is left out", exc.code)
            return None
        return message if name == "transition" else None  # type: ignore[return-value]
