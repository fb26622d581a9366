"""Nothing is lost, nothing stalls and no state is wrong, whatever dies and wherever."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.kafka import LocalKafka
from tests.faults.history import History
from tests.faults.workers import Workers

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(150)]

SEED = int(os.environ.get("CHAOS_SEED", "1"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "6"))


@pytest.fixture
async def history(kafka: LocalKafka, topic_prefix: str) -> History:
    return await created(kafka, topic_prefix)


@pytest.fixture
async def own_history(own_kafka: LocalKafka, topic_prefix: str) -> History:
    """On a broker that the test may kill or freeze."""
    return await created(own_kafka, topic_prefix)


async def created(kafka: LocalKafka, prefix: str) -> History:
    history = History(kafka.bootstrap, prefix)
    await history.create_topics()
    return history


@asynccontextmanager
async def started(workers: Workers) -> AsyncIterator[Workers]:
    """The workers running; killed at the end, and their logs shown if the test fails."""
    try:
        workers.start_all()
        yield workers
    except BaseException:
        for log in workers.logs():
            print(log[-4000:])
        raise
    finally:
        workers.kill()


async def run(workers: Workers, *kinds: signal.Signals, seconds: float = SECONDS, at_least: int = 0) -> int:
    history = workers.history
    async with started(workers):
        messages = history.family(parents=400, children=20, seed=SEED)
        half = len(messages) // 2
        await history.send(messages[:half])
        sending = history.send(messages[half:], per_second=half / seconds)
        await asyncio.gather(sending, workers.harm(seconds, *kinds, at_least=at_least))
        await workers.drain()
        return await workers.check()


async def test_sigkill_of_two_workers_loses_nothing(history: History, tmp_path: Path) -> None:
    workers = Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.3")
    await run(workers, signal.SIGKILL, at_least=3)


async def test_sigterm_ends_in_time_and_loses_nothing(history: History, tmp_path: Path) -> None:
    await run(Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.3"), signal.SIGTERM)


async def test_rebalances_among_three_workers_lose_nothing(history: History, tmp_path: Path) -> None:
    await run(Workers(history, tmp_path, 3, SEED, RELAY_SLOW="0.3"), signal.SIGKILL, signal.SIGTERM)


async def test_exceptions_never_ack(history: History, tmp_path: Path) -> None:
    await run(Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.1", RELAY_RAISE="0.1"))


@pytest.mark.parametrize(
    "point",
    ["before-outputs", "outputs-durable", "changelog-durable", "state-written", "state-durable", "offsets-committed"],
)
async def test_death_between_two_steps_of_the_checkpoint_loses_nothing(
    history: History, tmp_path: Path, point: str
) -> None:
    workers = Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.2", CARRYOVER_FAILPOINTS=f"{point}=exit#2")
    await run(workers, at_least=2)


async def test_a_poison_record_is_quarantined_and_the_rest_goes_on(history: History, tmp_path: Path) -> None:
    workers = Workers(history, tmp_path, 1, SEED)
    poison = b"P 1 1"
    async with started(workers):
        family = history.family(parents=50, children=10, seed=SEED)
        await history.send([*family[:300], (b"1", poison), *family[300:]])
        await workers.harm(2, every=(0.5, 1.0), at_least=2)
        await workers.drain()
        rejects = [(record.key, record.value) for record in await history.read("rejects")]
        assert set(rejects) == {(b"ValueError", poison)}
        history.sent = [sent for sent in history.sent if sent.value != poison]
        await history.check_complete()


async def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
    own_kafka: LocalKafka, own_history: History, tmp_path: Path
) -> None:
    history = own_history
    workers = Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.2")
    async with started(workers):
        messages = history.family(parents=300, children=20, seed=SEED)
        await history.send(messages[: len(messages) // 2])
        for _ in range(2):
            await asyncio.sleep(2)
            await asyncio.to_thread(own_kafka.kill)
            await asyncio.sleep(1)
            await asyncio.to_thread(own_kafka.restart)
            workers.revive()
        await history.send(messages[len(messages) // 2 :])
        await workers.drain(90)
        await workers.check()


async def test_a_broker_that_stops_answering_for_a_while_costs_nothing(
    own_kafka: LocalKafka, own_history: History, tmp_path: Path
) -> None:
    history = own_history
    workers = Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.2")
    async with started(workers):
        await history.send(history.family(parents=300, children=20, seed=SEED))
        for seconds in (1.0, 4.0, 8.0):  # the last is beyond the session timeout
            await asyncio.sleep(1.5)
            await asyncio.to_thread(own_kafka.pause)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(own_kafka.resume)
            workers.revive()
        await workers.drain(90)
        await workers.check()


async def test_topics_that_were_not_there_when_a_worker_joined_are_worked_on_once_they_are(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path
) -> None:
    """As after a restart of the broker: for a moment it answers and does not know its topics yet."""
    history = History(kafka.bootstrap, topic_prefix)
    workers = Workers(history, tmp_path, 2, SEED)
    async with started(workers):
        await workers.joined()
        await history.create_topics()
        await history.send(history.family(parents=50, children=10, seed=SEED))
        await history.wait_for_no_lag(30)
        await workers.check()


async def test_a_worker_ends_when_told_to_though_its_broker_is_gone(
    own_kafka: LocalKafka, own_history: History, tmp_path: Path
) -> None:
    history = own_history
    workers = Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.2")
    async with started(workers):
        await history.send(history.family(parents=100, children=10, seed=SEED))
        await workers.live_state()  # all partitions are open
        await asyncio.to_thread(own_kafka.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(workers.stop)  # raises when one has not ended in time
        await asyncio.to_thread(own_kafka.restart)
        workers.start_all()
        await workers.drain()
        await workers.check()


async def test_a_worker_ends_when_told_to_though_its_event_loop_stands(history: History, tmp_path: Path) -> None:
    workers = Workers(history, tmp_path, 2, SEED, RELAY_BLOCKED="1")
    async with started(workers):
        await history.send(history.family(parents=100, children=10, seed=SEED))
        await workers.live_state()  # all partitions are open
        await asyncio.to_thread(workers.stop)  # raises when one has not ended in time
        workers.environment["RELAY_BLOCKED"] = "0"
        workers.start_all()
        await workers.drain()
        await workers.check()


async def test_a_worker_frozen_over_a_rebalance_does_no_harm_when_it_wakes(history: History, tmp_path: Path) -> None:
    """The zombie: paused beyond its session, replaced, then continued with writes of its own still to send."""
    workers = Workers(history, tmp_path, 2, SEED, RELAY_SLOW="0.3", RELAY_STATIC="0")
    async with started(workers):
        messages = history.family(parents=300, children=20, seed=SEED)
        half = len(messages) // 2
        await history.send(messages[:half])
        await asyncio.sleep(3)
        for _ in range(2):
            workers.freeze(0)
            await history.send(messages[half : half + 300])
            await asyncio.sleep(9)
            workers.thaw(0)
            half += 300
            await history.check_nothing_committed_unfinished()
        await history.send(messages[half:])
        await workers.drain(90)
        await workers.check()
