"""The consumer: positions, the drain loop, and commits through the checkpoint.

What it changes in Faust 0.15.3, and why (each dropped or lost messages on a real broker):

* a source partition is delivered only after *this* assignment's seek and Faust's resume are both done. Faust resumes before ``perform_seek`` has finished,
  and ``flow_control.resume()`` empties the queues after it;
* every source partition is sought explicitly (committed offset, or the log's start), and only when no fetch of a former assignment is under way any more:
  aiokafka lets one wait through a rebalance (0.14, `Fetcher.fetched_records`) and then take the first records of the new assignment, which nobody gets;
* the position advances only after a delivery that happened; a hole in the offsets is sought again once before it is believed;
* a partition whose window is full, or whose state has much that is not durable yet, is left out of the fetch; the others go on;
* commits are of the contiguous done prefix of what was delivered; an ack of a former assignment does not count.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import aiokafka
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ack_lock
from mode import Service

from transport.assignment import Assignment, StaleAssignment, TopicPartition
from transport.chunk import MAX_RECORDS, Chunk, split
from transport.publisher import PublishFailed
from transport.quarantine import Suspicion, another

if TYPE_CHECKING:
    from transport.app import App

log = logging.getLogger(__name__)

_STAGED_MOST: Final = 10_000  # writes of a partition's state: they are in memory until a commit
_FETCH_TIMEOUT: Final = 0.2  # seconds: how long a fetch may keep the loop from a partition that has just got room
_COORDINATION_SECONDS: Final = 1.0
_IDLE_LOOK_SECONDS: Final = 0.2
_REVOKE_COMMIT_TIMEOUT: Final = 5.0  # seconds: well under the rebalance timeout, which the whole group waits for


class OffsetsExpired(RuntimeError):
    """The committed offset lies below the log's start: messages were deleted before they were processed."""


class CoordinationLost(RuntimeError):
    """aiokafka's coordination with the group has ended on an error of its own: this member would sit in the group and never work again."""


class Stalled(RuntimeError):
    """A partition has work and nothing moves: going on would only hide it."""


class Consumer(driver.Consumer):
    """Faust's aiokafka consumer with chunks, owned positions and checkpointed commits."""

    app: App

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._current: Assignment | None = None
        self._positioned: Assignment | None = None
        self._suspicions: dict[TopicPartition, Suspicion] = {}
        self._holes: dict[TopicPartition, tuple[int, int]] = {}
        self._queued: dict[TopicPartition, Chunk] = {}  # the newest of each partition that no agent has begun with
        self._room = asyncio.Event()
        self._hurry = asyncio.Event()
        self._reading = asyncio.Lock()  # in the consumer's thread: a fetch, or the seeks of an assignment

    @property
    def current(self) -> Assignment | None:
        """The assignment that is being delivered, None between a revocation and the next one."""
        return self._current if self._current is not None and self._current.live else None

    # -- life of an assignment ---------------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        await self.app.checkpoint.publisher.start()
        await super().on_start()

    async def on_stop(self) -> None:
        try:
            await super().on_stop()  # commits what is done
        finally:
            self._close()
            await self.app.checkpoint.stop()

    def _close(self) -> None:
        for assignment in (self._current, self._positioned):
            if assignment is not None:
                assignment.close()
        self._current = self._positioned = None
        self.app.checkpoint.revoke()

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        if self.current is not None:
            # What is done can still be committed under the old generation; it saves the next owner from doing it again. Nothing depends on it.
            with contextlib.suppress(TimeoutError, PublishFailed, StaleAssignment):
                await asyncio.wait_for(self.commit(), _REVOKE_COMMIT_TIMEOUT)
        self._close()
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Positions every source partition; Faust calls it after each rebalance, before it resumes the flow."""
        generation = self.app.consumer_generation_id
        tps = {TopicPartition(*tp) for tp in self.assignment() if self.app.topics.acks_enabled_for(tp.topic)}
        consumer = self._thread._ensure_consumer()
        try:
            found = await self._thread.call_thread(_seek_to_committed, consumer, tps, self._reading)
        except IllegalStateError:
            return  # revoked again meanwhile; the next assignment seeks
        if generation != self.app.consumer_generation_id or not tps <= {
            TopicPartition(*tp) for tp in self.assignment()
        }:
            return
        self._suspicions = {}
        for tp, (_, metadata) in found.items():
            suspicion = Suspicion.decode(metadata)
            if suspicion is not None:
                self._suspicions[tp] = suspicion
        self._holes = {}
        self._queued = {}
        self._positioned = Assignment.at(generation, {tp: offset for tp, (offset, _) in found.items()})

    def resume_flow(self) -> None:
        """Faust calls this right after ``flow_control.resume()`` has emptied the queues: from here on a delivery stays delivered."""
        super().resume_flow()
        assignment, self._positioned = self._positioned, None
        if assignment is not None:
            self._current = assignment
            assignment.on_done = self._room.set
            self.app.checkpoint.retain(assignment)
            self.add_future(self._open(assignment))

    async def _open(self, assignment: Assignment) -> None:
        async def open_one(tp: TopicPartition) -> None:
            await self.app.checkpoint.open(assignment, tp)
            assignment.check()
            assignment.opened.add(tp)
            assignment.touch(tp)
            self._room.set()

        try:
            await asyncio.gather(*(open_one(tp) for tp in sorted(assignment.positions)))
        except Exception as exc:  # noqa: BLE001 - whatever it is, without its state the partition must not be processed
            if assignment.live:
                await self.crash(exc)

    # -- delivery ----------------------------------------------------------------------------------------------------------------------

    def _wanted(self, assignment: Assignment) -> set[TopicPartition]:
        window = self.app.window_records
        wanted = {tp for tp in assignment.opened if assignment.watermarks[tp].unfinished_records < window}
        staged = {tp: self.app.checkpoint.staged(tp) for tp in wanted}
        if any(count > _STAGED_MOST // 2 for count in staged.values()):
            self._hurry.set()
        return {tp for tp, count in staged.items() if count < _STAGED_MOST}

    async def _drain_messages(self, fetcher: Any) -> None:
        stopped, fetcher_stopped = self._stopped.is_set, fetcher._stopped.is_set
        ranks = {topic: rank for rank, topic in enumerate(self.app.order)}
        try:
            while not (stopped() or fetcher_stopped()):
                self._room.clear()
                assignment = self.current
                wanted = self._wanted(assignment) if assignment is not None and self.flow_active else set()
                if assignment is None or not wanted:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._room.wait(), _FETCH_TIMEOUT)
                    continue
                fetched = await self._thread.call_thread(self._fetch, wanted)
                for tp, records in sorted(fetched.items(), key=lambda one: ranks.get(one[0].topic, len(ranks))):
                    if assignment is self.current:
                        await self._deliver(assignment, TopicPartition(*tp), records)
                await asyncio.sleep(0)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def _fetch(self, wanted: set[TopicPartition]) -> Any:
        """Runs in the consumer's thread, on after its caller has been cancelled."""
        consumer = self._thread._ensure_consumer()
        async with self._reading:
            return await self._thread._fetch_records(
                consumer, cast("Any", wanted), timeout=_FETCH_TIMEOUT, max_records=consumer._max_poll_records
            )

    async def _deliver(self, assignment: Assignment, tp: TopicPartition, records: Sequence[Any]) -> None:
        position = assignment.positions[tp]
        if records[0].offset < position:
            records = [record for record in records if record.offset >= position]
            if not records:
                return
        hole = (position, records[0].offset)
        if hole[0] != hole[1] and self._holes.get(tp) != hole:
            # Compaction and transaction markers leave holes; so does a fetch whose records were thrown away. Look again before believing it.
            self._holes[tp] = hole
            await self._thread.call_thread(_seek, self._thread._ensure_consumer(), tp, position)
            return
        suspicion = self._suspicions.get(tp)
        alone = suspicion is not None and suspicion.alone(records[0].offset)
        for run in split(records, 1 if alone else MAX_RECORDS):
            if assignment is not self.current or not self.flow_active:
                return
            newest = self._queued.get(tp)
            if not alone and newest is not None and newest.assignment is assignment and newest.append(run):
                assignment.positions[tp] = newest.last + 1
                continue
            chunk = Chunk.of(run, assignment)
            if alone:  # nothing joins a suspect
                self._queued.pop(tp, None)
            else:
                self._queued[tp] = chunk
            message = self._to_message(cast("Any", tp), run[-1])
            message.key, message.value = None, chunk
            assignment.watermarks[tp].deliver(chunk.last, len(run))
            assignment.positions[tp] = chunk.last + 1
            await self.callback(message)

    def begin(self, chunk: Chunk) -> None:
        """An agent begins with ``chunk``: nothing may join it any more."""
        if self._queued.get(chunk.tp) is chunk:
            del self._queued[chunk.tp]

    # -- acks and commits --------------------------------------------------------------------------------------------------------------

    def ack(self, message: Any) -> bool:
        """Faust's acks do not count: its streams ack on exceptions and cancellation too. A chunk counts by `Chunk.done`."""
        with ack_lock:
            if not message.acked:
                message.acked = True
                self._unacked_messages.discard(message)
        return False

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        """Offsets that were never delivered need no bookkeeping."""

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commits the done prefix of each partition, through the checkpoint."""
        assignment = self.current
        if assignment is None:
            return False
        offsets = {
            tp: offset for tp, mark in assignment.watermarks.items() if (offset := mark.committable()) is not None
        }
        if not offsets:
            return False
        try:
            committed = await self.app.checkpoint.commit(assignment, offsets, self._commit_offsets_of)
        except StaleAssignment:
            return False
        except Exception as exc:  # noqa: BLE001 - nothing may be committed after an effect whose fate is unknown
            await self.crash(exc)
            return False
        if committed:
            for tp, offset in offsets.items():
                assignment.watermarks[tp].advance(offset)
            self.app.monitor.on_tp_commit(cast("Any", offsets))
            self._room.set()
        return committed

    @Service.task
    async def _commit_when_idle(self) -> None:
        """Commits soon what is done when nothing is left to do: there is no better time, and whoever watches the lag sees that all is through."""
        while not self.should_stop:
            await self.sleep(_IDLE_LOOK_SECONDS)
            assignment = self.current
            marks = assignment.watermarks.values() if assignment is not None else ()
            if all(mark.unfinished == 0 for mark in marks) and any(mark.committable() is not None for mark in marks):
                await self.commit()

    @Service.task
    async def _commit_early(self) -> None:
        """Commits before its time when a lot of state waits for it."""
        while not self.should_stop:
            await self.wait(self._hurry.wait())
            self._hurry.clear()
            if not self.should_stop:
                await self.commit()

    async def _commit_offsets_of(self, offsets: Mapping[TopicPartition, int]) -> bool:
        kept = {tp: s.encode() for tp, s in self._suspicions.items() if tp in offsets and s.covers(offsets[tp])}
        return await self._commit_with(offsets, kept)

    async def _commit_with(self, offsets: Mapping[TopicPartition, int], metadata: Mapping[TopicPartition, str]) -> bool:
        return cast(
            "bool",
            await self._thread.call_thread(_commit, self._thread._ensure_consumer(), dict(offsets), dict(metadata)),
        )

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust 0.15.3 looks for stalls here, but sees no commit of ours: it would report every backlog after five minutes. `_watchdog` looks."""

    # -- crashes and stalls ------------------------------------------------------------------------------------------------------------

    def suspected(self, chunk: Chunk) -> bool:
        """Whether ``chunk`` is a single record that has already crashed its worker too often: its next failure quarantines it."""
        suspicion = self._suspicions.get(chunk.tp)
        return suspicion is not None and len(chunk.records) == 1 and suspicion.alone(chunk.first)

    async def blame(self, chunk: Chunk, exc: BaseException) -> None:
        """Counts a crash against ``chunk`` in the committed offset's metadata and takes the process down."""
        tp = chunk.tp
        if chunk.live:
            suspicion = another(self._suspicions.get(tp), chunk.first, chunk.last)
            head = chunk.assignment.watermarks[tp].committed
            with contextlib.suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._commit_with({tp: head}, {tp: suspicion.encode()}), _REVOKE_COMMIT_TIMEOUT)
        await self.crash(exc)

    @Service.task
    async def _coordination_watch(self) -> None:
        """Aiokafka logs the end of its coordination routine and goes on without it (0.14, `GroupCoordinator._coordination_routine`)."""
        while not self.should_stop:
            await self.sleep(_COORDINATION_SECONDS)
            consumer = self._thread._consumer
            routine = getattr(consumer._coordinator, "_coordination_task", None) if consumer is not None else None
            if routine is not None and routine.done() and not self.should_stop:
                await self.crash(CoordinationLost("the coordination with the consumer group has ended; starting anew"))

    @Service.task
    async def _metadata_watch(self) -> None:
        """A broker that has just started answers for a moment as if it had no topics, and what is assigned then is nothing.

        aiokafka asks again only when its metadata are five minutes old. Asked now, it sees the topics come and rejoins the group.

        A process that dies before that leaves its empty assignment to the next one of its name: a static member is given what its predecessor had, without a
        rebalance (KIP-345), and sees nothing amiss. So whoever was given no partition of a topic joins once more; the group's leader then assigns anew.
        """
        doubted = False
        while not self.should_stop:
            await self.sleep(_COORDINATION_SECONDS)
            consumer = self._thread._consumer
            if consumer is None:
                continue
            if any(not consumer.partitions_for_topic(topic) for topic in consumer.subscription()):
                await self._thread.call_thread(_ask_for_metadata, consumer)
            elif not doubted:
                doubted = bool(await self._thread.call_thread(_doubt, consumer))

    @Service.task
    async def _watchdog(self) -> None:
        limit = self.app.stall_seconds
        assigned_at = time.monotonic()
        while not self.should_stop:
            await self.sleep(limit / 8)
            assignment, before = self.current, time.monotonic() - limit
            if assignment is not None:
                assigned_at = time.monotonic()
            stuck = list(self._stuck(assignment, before)) if assignment is not None else []
            if assigned_at < before:
                stuck = ["the group: it gives this member no assignment"]
            if stuck:
                await self.crash(Stalled(f"no progress for {limit:.0f} s on {', '.join(stuck)}"))

    def _stuck(self, assignment: Assignment, before: float) -> Iterable[str]:
        consumer = self._thread._ensure_consumer()
        for tp, mark in assignment.watermarks.items():
            if mark.changed_at > before:
                continue
            if tp not in assignment.opened:
                yield f"{tp.topic}[{tp.partition}] (its state is not recovered)"
                continue
            end = consumer.highwater(cast("Any", tp))
            if mark.unfinished_records:
                yield f"{tp.topic}[{tp.partition}] (un-acked at offset {mark.committed})"
            elif end is not None and end > assignment.positions[tp]:
                yield f"{tp.topic}[{tp.partition}] (not delivered from offset {assignment.positions[tp]})"


# The functions below run in the consumer's own thread: aiokafka's consumer belongs to that thread's event loop.


async def _seek_to_committed(
    consumer: aiokafka.AIOKafkaConsumer, tps: set[TopicPartition], reading: asyncio.Lock
) -> dict[TopicPartition, tuple[int, str]]:
    wanted = [aiokafka.TopicPartition(*tp) for tp in tps]
    if not wanted:
        return {}
    committed = await consumer._coordinator.fetch_committed_offsets(wanted)
    starts = await consumer.beginning_offsets(wanted)
    found: dict[TopicPartition, tuple[int, str]] = {}
    async with reading:
        for tp in wanted:
            known = committed.get(tp)
            offset, metadata = (
                (known.offset, known.metadata) if known is not None and known.offset >= 0 else (starts[tp], "")
            )
            if offset < starts[tp]:
                raise OffsetsExpired(
                    f"{tp.topic}[{tp.partition}]: committed offset {offset} is below the log's start {starts[tp]}; messages were deleted "
                    "unprocessed. Raise the topic's retention and run the census before going on."
                )
            consumer.seek(tp, offset)
            found[TopicPartition(*tp)] = (offset, metadata)
    return found


async def _ask_for_metadata(consumer: aiokafka.AIOKafkaConsumer) -> None:
    consumer._client.force_metadata_update()


async def _doubt(consumer: aiokafka.AIOKafkaConsumer) -> bool:
    """Joins again if this member has its assignment, and in it no partition of some topic; says whether it does."""
    state = consumer._subscription
    if state.subscription is None or state.subscription.assignment is None or state.reassignment_in_progress:
        return False
    given = {tp.topic for tp in state.subscription.assignment.tps}
    if consumer.subscription() <= given:
        return False
    consumer._coordinator.request_rejoin()
    return True


async def _seek(consumer: aiokafka.AIOKafkaConsumer, tp: TopicPartition, offset: int) -> None:
    with contextlib.suppress(IllegalStateError):  # revoked meanwhile
        consumer.seek(aiokafka.TopicPartition(*tp), offset)


async def _commit(
    consumer: aiokafka.AIOKafkaConsumer, offsets: dict[TopicPartition, int], metadata: dict[TopicPartition, str]
) -> bool:
    try:
        await consumer.commit(
            {
                aiokafka.TopicPartition(*tp): OffsetAndMetadata(offset, metadata.get(tp, ""))
                for tp, offset in offsets.items()
            }
        )
    except (CommitFailedError, IllegalStateError):
        return False  # rebalanced: the next owner redoes it
    return True
