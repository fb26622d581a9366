"""The cutover's phase in the `control` topic: read the newest transition, publish the next.

The topic is the truth; the ledger's copy is for showing. Which moves are legal is not decided here yet.
"""

from __future__ import annotations

import getpass
import time
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from cutover.chosen_map import read_map
from cutover.outcome import Refused
from cutover.publish import publish
from cutover.settings import Settings
from topics.broker import open_broker
from topics.codec import Codec, Undecodable
from topics.messages import Extract, Transition

STARTS_SNAPSHOT = "SNAPSHOT"
_OVER = frozenset({"ROLLING_BACK", "ROLLED_BACK"})


async def newest(settings: Settings, codec: Codec) -> Transition | None:
    """The newest transition in the topic, read to its end now; None before the first.

    Raises:
        KafkaUnreachable: No broker answers.
    """
    topic = settings.catalogue.control
    async with open_broker(settings.kafka.bootstrap) as broker:
        starts, ends = await broker.bounds(await broker.partitions([topic]))
    filled = [part for part, end in ends.items() if end > starts[part]]
    if not filled:
        return None
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return await _read(consumer, filled, ends, codec)
    finally:
        await consumer.stop()


async def going_on(settings: Settings, otherwise: str) -> Transition:
    """The newest transition of a cutover that has begun and is not being taken back.

    Raises:
        Refused: There is none; ``otherwise`` says what follows from that.
        KafkaUnreachable: No broker answers.
    """
    found = await newest(settings, Codec())
    if found is None or found["phase"] in _OVER:
        state = "was never begun" if found is None else f"is {found['phase']}"
        raise Refused(f"This cutover {state}: {otherwise}.")
    return found


async def begin(settings: Settings, codec: Codec, map_hash: str) -> Transition:
    """Publish the transition that starts the snapshot, under a new run id; returns it."""
    run = f"run-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    moved = Transition(
        phase=STARTS_SNAPSHOT, run=run, map_hash=map_hash, by=operator(), at=int(time.time() * 1000), detail=None
    )
    await _start_extracts(settings, codec, run)
    await tell(settings, codec, moved)
    return moved


async def tell(settings: Settings, codec: Codec, moved: Transition) -> None:
    """Publish a transition; everybody who follows the phase acts on the newest."""
    topic, key = settings.catalogue.control, settings.cutover.id.encode()
    await publish(settings.kafka.bootstrap, topic, [(key, codec.encode("transition", moved, topic=topic, key=key))])


async def _start_extracts(settings: Settings, codec: Codec, run: str) -> None:
    """Asks for the snapshot of every object; before the transition, so that a cutover that has begun is being read."""
    topic, at = settings.catalogue.extract, int(time.time() * 1000)
    requests = []
    for object_ in read_map(settings)[0].extracted:
        request = Extract(kind="start", object=object_, vp_id=None, run=run, at=at)
        key = object_.encode()
        requests.append((key, codec.encode("extract", request, topic=topic, key=key)))
    await publish(settings.kafka.bootstrap, topic, requests)


async def _read(
    consumer: AIOKafkaConsumer, parts: list[TopicPartition], ends: dict[TopicPartition, int], codec: Codec
) -> Transition | None:
    found: Transition | None = None
    consumer.assign(parts)
    await consumer.seek_to_beginning(*parts)
    behind = set(parts)
    while behind:
        for part, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                try:
                    name, value = codec.decode(record.value, topic=part.topic, key=record.key or b"")
                except Undecodable:
                    continue
                if name == "transition" and (found is None or value["at"] >= found["at"]):
                    found = Transition(**value)  # type: ignore[typeddict-item]
        behind = {part for part in behind if await consumer.position(part) < ends[part]}
    return found


def operator() -> str:
    """Who runs this program, for transitions."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "operator"
