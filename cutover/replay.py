"""Issues stored changes again: from the topics of the source's objects to `replay`, from where they are mapped like new ones.

What has landed stays as it is: the version guard at the end of the way knows it. What was held or rejected is tried again, under the map and the org of today.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from cutover import phase
from cutover.caught_up import caught_up
from cutover.chosen_map import chosen_catalogue
from cutover.ledger.read import Reader
from cutover.publish import open_publisher
from cutover.settings import Settings
from topics.codec import Codec, Undecodable
from transport.publisher import Publisher

ORIGIN: Final = "replay"
MISMATCH: Final = "MISMATCH"
_LEDGER_SECONDS: Final = 60.0

Bound = int | datetime | None
"""Where a range begins or ends: an offset in every partition, the time a record was read from the source, or nowhere."""


class Wanted(NamedTuple):
    """Which changes to issue again.

    Attributes:
        objects: Objects of the source.
        references: Only these records; None: all.
        states: Only records whose newest version is in this state (`held`, `rejected`), as the ledger says, with that code; None as code: with any.
        since: First change, included.
        until: Last change, not included.
        all_versions: Every version, not only the newest of each record in the range.
    """

    objects: tuple[str, ...]
    references: frozenset[str] | None = None
    states: Mapping[str, str | None] = {}
    since: Bound = None
    until: Bound = None
    all_versions: bool = False


@dataclass
class Replayed:
    """What was issued again, or would be.

    Attributes:
        read: Changes in the range, by object.
        chosen: Changes that were, or would be, issued again, by object.
        unreadable: Changes that can't be read, and are left out.
        changing: Records among them whose newest version is not in Salesforce: `reference state code`; looked up only when the ledger is needed.
        mismatched: Records among them that differ from what we wrote: they have landed, so a replay doesn't repair them.
        missing: Records that were asked for and have no change in the range; those that the extract rejected never have one.
    """

    read: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    changing: list[dict[str, Any]] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def replay(settings: Settings, wanted: Wanted, *, dry_run: bool) -> Replayed:
    """Issues changes again, objects in the order of parents before children, changes of each record in their order.

    Keeps about 250 bytes for each record in the range while it works. Killed on the way it has issued some; running it again does no harm.

    Arguments:
        settings: Whose cutover.
        wanted: Which changes.
        dry_run: Only count, and look up in the ledger which records would change something; nothing is written.

    Raises:
        Refused: Nothing was begun, or it was rolled back.
        Failed: The ledger is needed and does not catch up.
        KafkaUnreachable: No broker answers.
    """
    await phase.going_on(settings, "nothing can be replayed")
    unsettled: dict[str, dict[str, Any]] = {}
    if dry_run or wanted.states:
        await caught_up(settings, _LEDGER_SECONDS)
        with Reader(settings.ledger) as reader:
            unsettled = {row["reference"]: row for row in reader.unsettled()}
    references = _references(wanted, unsettled)
    done = Replayed()
    async with _publisher(settings, dry_run=dry_run) as publisher:
        seen: set[str] = set()
        for topic, objects in chosen_catalogue(settings).changes.items():
            if chosen := [name for name in objects if name in wanted.objects]:
                work = _Topic(settings, topic, chosen, wanted, references, done)
                await work.replay(publisher)
                seen |= work.seen
    done.changing = [
        {"reference": name, "state": row["state"], "code": row["code"]}
        for name, row in unsettled.items()
        if name in seen and row["code"] != MISMATCH
    ]
    done.mismatched = [name for name, row in unsettled.items() if name in seen and row["code"] == MISMATCH]
    done.missing = sorted((references or set()) - seen)
    return done


def _references(wanted: Wanted, unsettled: Mapping[str, Mapping[str, Any]]) -> frozenset[str] | None:
    if not wanted.states:
        return wanted.references
    found = frozenset(
        name
        for name, row in unsettled.items()
        if row["object"] in wanted.objects
        and row["state"] in wanted.states
        and wanted.states[row["state"]] in {None, row["code"]}
    )
    return found if wanted.references is None else found & wanted.references


class _Topic:
    """One topic's changes, of the objects that take its records: a change that is issued again is mapped by all of them."""

    def __init__(
        self,
        settings: Settings,
        topic: str,
        objects: Sequence[str],
        wanted: Wanted,
        references: Collection[str] | None,
        done: Replayed,
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._object, self._objects = objects[0], objects
        self._wanted = wanted
        self._keys = None
        if references is not None:
            split = (name.partition(":") for name in references)
            self._keys = {vp_id.encode() for object_, _, vp_id in split if object_ in objects}
        self._done = done
        self._codec = Codec()
        self.seen: set[str] = set()

    async def replay(self, publisher: Publisher | None) -> None:
        if self._keys is not None and not self._keys:
            return
        topic = self._topic
        self._done.read[self._object] = self._done.chosen[self._object] = 0
        newest: dict[bytes, tuple[bytes, int, int]] = {}
        async for record in self._range(topic):
            self._done.read[self._object] += 1
            place = (dict(record.headers).get("version", b""), record.partition, record.offset)
            newest[record.key] = max(newest.get(record.key, place), place)
        keys = [key.decode(errors="replace") for key in newest]
        self.seen = {f"{object_}:{key}" for object_ in self._objects for key in keys}
        if publisher is None:
            self._done.chosen[self._object] = (
                self._done.read[self._object] if self._wanted.all_versions else len(newest)
            )
            return
        async for record in self._range(topic):
            chosen = newest.get(record.key)
            if chosen is None or (not self._wanted.all_versions and chosen[1:] != (record.partition, record.offset)):
                continue
            await self._issue(publisher, record)
        await publisher.settle()

    async def _issue(self, publisher: Publisher, record: ConsumerRecord[bytes, bytes]) -> None:
        key = record.key or b""
        try:
            name, value = self._codec.decode(record.value, topic=record.topic, key=key)
        except Undecodable:
            self._done.unreadable += 1
            return
        topic = self._settings.catalogue.replay
        again = self._codec.encode(name, {**value, "origin": ORIGIN}, topic=topic, key=key)
        headers = [(title, ORIGIN.encode() if title == "origin" else text) for title, text in record.headers]
        await publisher.enqueue(topic, again, key=key, headers=headers)
        self._done.chosen[self._object] += 1

    async def _range(self, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
        """The changes of the wanted records in the range, as far as the topic goes now."""
        parts = [TopicPartition(topic, number) for number in range(self._settings.catalogue.partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self._settings.kafka.bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            starts, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
            first = await _bound(consumer, parts, self._wanted.since, starts, ends)
            last = await _bound(consumer, parts, self._wanted.until, ends, ends)
            left = {part for part in parts if max(first[part], starts[part]) < min(last[part], ends[part])}
            if not left:
                return
            consumer.assign(list(left))
            for part in left:
                consumer.seek(part, max(first[part], starts[part]))
            while left:
                for part, records in (await consumer.getmany(*left, timeout_ms=1000)).items():
                    for record in records:
                        if record.offset < last[part] and (self._keys is None or record.key in self._keys):
                            yield record
                left = {part for part in left if await consumer.position(part) < min(last[part], ends[part])}
        finally:
            await consumer.stop()


async def _bound(
    consumer: AIOKafkaConsumer,
    parts: Collection[TopicPartition],
    bound: Bound,
    without: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """The offset that a bound means in each partition."""
    if bound is None:
        return dict(without)
    if isinstance(bound, int):
        return dict.fromkeys(parts, bound)
    found = await consumer.offsets_for_times(dict.fromkeys(parts, int(bound.timestamp() * 1000)))
    return {part: ends[part] if found[part] is None else found[part].offset for part in parts}


@asynccontextmanager
async def _publisher(settings: Settings, *, dry_run: bool) -> AsyncIterator[Publisher | None]:
    if dry_run:
        yield None
        return
    async with open_publisher(settings.kafka.bootstrap) as publisher:
        yield publisher
