"""Runs one app in this process until a signal or a crash.

The ``faust worker`` command turns its web server on whatever ``web_enabled`` says and swallows stdout; we start the app ourselves.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
import traceback
from pathlib import Path
from typing import Final

from transport.app import App

log = logging.getLogger(__name__)

EXIT_CRASHED: Final = 70  # EX_SOFTWARE: start me again
_STOP_SECONDS: Final = 20.0
_BLOCKED_SECONDS: Final = 5.0  # longer still: then the event loop itself stands
_END_SECONDS: Final = 10.0  # from the end of the service to the end of the process
_GARBAGE_AFTER: Final = 20_000  # new objects: Python's own 700 costs a tenth of the time
_OURS: Final = frozenset({"agents", "connectors", "cutover", "mapping", "state", "topics", "transport"})
"""Packages whose exceptions hold no values by rule; aiokafka's know nothing of what a record means."""


async def serve(app: App) -> int:
    """Starts ``app``, serves until SIGTERM or SIGINT, and stops it.

    Returns:
        0 after a stop, `EXIT_CRASHED` after a crash. A crash or a stop that takes too long leaves the process by ``os._exit``: everything
        that matters is in Kafka, and a shutdown that hangs would keep the partitions from another worker. For the same reason the process
        is over `_END_SECONDS` after this function, whatever its caller does then.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(without_values)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app.checkpoint.publisher.on_failure = lambda exc: _crash_soon(app, exc)
    app.finalize()
    # What the imports made stays for good; and thousands of records under way are no garbage, however often one looks.
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER, 10, 10)
    try:
        return await _serve(app, stop)
    finally:
        # Without a broker a task of aiokafka's or Faust's may not heed its cancellation: asyncio.run would wait for it for ever.
        _end_after(_END_SECONDS, EXIT_CRASHED)


async def _serve(app: App, stop: asyncio.Event) -> int:
    starting = asyncio.ensure_future(app.start())
    waits = [asyncio.ensure_future(wait) for wait in (stop.wait(), app._crashed.wait(), app._stopped.wait())]
    await asyncio.wait({starting, *waits}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    elif stop.is_set():
        log.info(
            "%s is told to stop while it starts", app.conf.id
        )  # perhaps it waits for a broker that does not answer
        _leave(0)
    for wait in waits:
        wait.cancel()
    reason = app.crash_reason
    if reason is not None:
        log.error("%s crashed: %s", app.conf.id, told(reason))
        _leave(EXIT_CRASHED)
    # mode waits for the consumer's thread without yielding (`WorkerThread.stop`), and in the middle of a rebalance that thread may be waiting for us.
    _end_after(_STOP_SECONDS + _BLOCKED_SECONDS, 0)
    stopping = asyncio.ensure_future(app.stop())
    # Not wait_for, which waits on when its cancellation is not heeded.
    await asyncio.wait({stopping}, timeout=_STOP_SECONDS)
    if not stopping.done():
        log.warning("%s did not stop within %.0f s; leaving", app.conf.id, _STOP_SECONDS)
        _leave(0)
    if (failed := stopping.exception()) is not None:
        log.error("%s failed to stop: %s; leaving", app.conf.id, told(failed))
        _leave(EXIT_CRASHED)
    return 0


def told(exc: BaseException) -> str:
    """An exception for the log: its type and place; its text only if it is one of ours or aiokafka's, as others may quote a patient."""
    package = type(exc).__module__.partition(".")[0]
    if package in _OURS or package == "aiokafka":
        return f"{type(exc).__name__}: {exc}"
    where = traceback.extract_tb(exc.__traceback__)
    place = f" at {Path(where[-1].filename).name}:{where[-1].lineno}" if where else ""
    return f"{type(exc).__name__}{place}"


def without_values(record: logging.LogRecord) -> bool:
    """A logging filter: mode, Faust and asyncio log exceptions with their text and traceback; leaves of them what `told` tells."""
    exc = record.exc_info[1] if record.exc_info else None
    if exc is not None or record.name.partition(".")[0] not in _OURS:
        if isinstance(record.args, tuple):
            record.args = tuple(_Told(told(arg)) if isinstance(arg, BaseException) else arg for arg in record.args)
        record.exc_info = record.exc_text = None
        if exc is not None:
            record.msg = f"{record.msg} ({told(exc).replace('%', '%%') if record.args else told(exc)})"
    return True


class _Told(str):
    """A text that ``%r`` leaves as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _crash_soon(app: App, exc: BaseException) -> None:
    _crashes.add(task := asyncio.ensure_future(app.crash(exc)))
    task.add_done_callback(_crashes.discard)


_crashes: set[asyncio.Future[None]] = set()


def _end_after(seconds: float, code: int) -> None:
    """Ends the process by then, whatever its event loop does."""
    end = threading.Timer(seconds, os._exit, (code,))
    end.daemon = True
    end.start()


def _leave(code: int) -> None:
    logging.shutdown()
    os._exit(code)
