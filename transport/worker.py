"""Runs one app in this process until a signal or a crash.

The ``faust worker`` command turns its web server on whatever ``web_enabled`` says and swallows stdout; we start the app ourselves.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import Final

from transport.app import App

log = logging.getLogger(__name__)

EXIT_CRASHED: Final = 70  # EX_SOFTWARE: start me again
_STOP_SECONDS: Final = 20.0


async def serve(app: App) -> int:
    """Starts ``app``, serves until SIGTERM or SIGINT, and stops it.

    Returns:
        0 after a stop, `EXIT_CRASHED` after a crash. A crash or a stop that takes too long leaves the process by ``os._exit``: everything
        that matters is in Kafka, and a shutdown that hangs would keep the partitions from another worker.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app.checkpoint.publisher.on_failure = lambda exc: _crash_soon(app, exc)
    app.finalize()
    await app.start()
    waits = [asyncio.ensure_future(wait) for wait in (stop.wait(), app._crashed.wait(), app._stopped.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    reason = app.crash_reason
    if reason is not None:
        log.error("%s crashed: %s: %s", app.conf.id, type(reason).__name__, reason)
        _leave(EXIT_CRASHED)
    try:
        await asyncio.wait_for(app.stop(), _STOP_SECONDS)
    except TimeoutError:
        log.warning("%s did not stop within %.0f s; leaving", app.conf.id, _STOP_SECONDS)
        _leave(0)
    return 0


def _crash_soon(app: App, exc: BaseException) -> None:
    _crashes.add(task := asyncio.ensure_future(app.crash(exc)))
    task.add_done_callback(_crashes.discard)


_crashes: set[asyncio.Future[None]] = set()


def _leave(code: int) -> None:
    logging.shutdown()
    os._exit(code)
