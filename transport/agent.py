"""The loop of an agent: chunks in, and what becomes of an exception.

An exception never acks. The caller's ``handle`` turns bad *data* into durable rejects itself; what it lets through is unknown, so the process dies and
reads again, until `transport.quarantine` has found the one record that does it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiokafka.errors import KafkaError

from transport.app import App
from transport.assignment import StaleAssignment
from transport.chunk import Chunk
from transport.consumer import Consumer
from transport.publisher import PublishFailed

log = logging.getLogger(__name__)

Handle = Callable[[Chunk], Awaitable[None]]
Quarantine = Callable[[Chunk, BaseException], Awaitable[None]]


async def run(app: App, stream: Any, handle: Handle, quarantine: Quarantine) -> None:
    """Feeds every chunk of a Faust stream to ``handle``.

    Arguments:
        app: whose consumer counts crashes.
        stream: a Faust stream.
        handle: works through a chunk and calls ``chunk.done()``, at once or when its effects are durable; raises
            `transport.assignment.StaleAssignment` (or lets it pass) to drop a chunk that another worker redoes.
        quarantine: publishes the single record of the given chunk as a reject; called instead of dying for the third time.
    """
    async for event in stream.noack().events():
        chunk = cast("Chunk", event.value)
        if not chunk.live:
            continue
        consumer = cast("Consumer", app.consumer)
        consumer.begin(chunk)
        try:
            await handle(chunk)
        except StaleAssignment:
            continue
        except (PublishFailed, KafkaError) as exc:
            await consumer.crash(exc)  # no record's fault: an outage must quarantine nothing
            return
        except Exception as exc:  # noqa: BLE001 - every kind of failure ends the same way
            if not chunk.assignment.live:
                continue
            if not consumer.suspected(chunk):
                log.error("%s at %s[%d] offsets %d-%d", type(exc).__name__, *chunk.tp, chunk.first, chunk.last)
                await consumer.blame(chunk, exc)
                return
            log.error("%s at %s[%d] offset %d again: quarantined", type(exc).__name__, *chunk.tp, chunk.first)
            app.checkpoint.abandon(chunk)
            try:
                await quarantine(chunk, exc)
            except Exception as failed:  # noqa: BLE001 - raised into Faust it would end the agent and leave the process standing
                await consumer.crash(failed)
                return
            chunk.done()
