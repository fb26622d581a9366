"""One SQLite file: a single writer, readers that never wait for it, and the threads that keep both off the event loop.

Owns connections, transactions and the executors. Knows no table. Used by the storages of both servers.

A process killed at any instant leaves either all of a transaction or nothing of it (WAL, `synchronous=NORMAL`: safe
against the death of the process, not against a power cut, which is enough for a sandbox).
"""

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

READERS = 2  # as many as the cores of a small machine; reads hold the interpreter lock most of the time anyway
CACHE_KIB = 64 * 1024
PASSES = contextvars.ContextVar("PASSES", default=False)  # set around what changes no data, as a login or a dump
PAGE_BYTES = 8_192  # rows are several hundred bytes long
CHECKPOINT_PAGES = 12_288  # 96 MB of log before it is folded back; the default of 4 MB rewrites hot pages too often


class Undone(Exception):
    """Raised inside `together` to take back everything that was done in it; it goes no further."""


class Database:
    """A SQLite file in WAL mode, opened at once; `close` must be called to fold the log back in."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.RLock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._shut: asyncio.Event | None = None
        self.ended: list[Callable[[], None]] = []  # called after every transaction, committed or not
        self._together: contextvars.ContextVar[bool] = contextvars.ContextVar("together", default=False)
        self._alone: asyncio.Event | None = None  # set when the transaction ends that everybody else waits for
        self._nested = False
        self._free = threading.Event()  # set while nobody writes together
        self._free.set()
        self._writer = self._open()
        self._write_name = f"{path.stem}-write"
        self._write_thread = ThreadPoolExecutor(1, self._write_name)
        self._read_threads = ThreadPoolExecutor(READERS, f"{path.stem}-read")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")
        self._opened.append(connection)
        return connection

    def reader(self) -> sqlite3.Connection:
        """This thread's reading connection; it sees the last committed state, and nothing of a running write."""
        if self._nested and threading.current_thread().name.startswith(self._write_name):
            return self._writer  # one who writes together reads what is not committed yet
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open()
            connection.execute("PRAGMA query_only = ON")
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The writing connection inside one transaction: committed when the block ends, rolled back when it raises."""
        if not threading.current_thread().name.startswith(self._write_name):
            self._free.wait()
        with self._lock:
            nested = self._nested
            self._writer.execute("SAVEPOINT nested" if nested else "BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK TO nested" if nested else "ROLLBACK")
                self._tell()
                raise
            self._writer.execute("RELEASE nested" if nested else "COMMIT")
            if not nested:
                self._tell()

    def _tell(self) -> None:
        for each in self.ended:
            each()

    @contextmanager
    def schema_change(self) -> Iterator[sqlite3.Connection]:
        """The writing connection outside a transaction, for statements that bring their own."""
        with self._lock:
            yield self._writer

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """One transaction around several calls of `write` and `read` of this task; raise Undone to take all back.

        Other writes wait meanwhile; other reads see nothing of it before it ends.
        """
        while self._alone is not None:
            await self._alone.wait()
        ended = self._alone = asyncio.Event()
        token = self._together.set(True)
        outcome = "ROLLBACK"
        try:
            await self.write(self._begin_together)
            yield
            outcome = "COMMIT"
        except Undone:
            pass
        finally:
            try:
                await self.write(self._end_together, outcome)
            finally:
                self._together.reset(token)
                self._alone = None
                ended.set()

    def _begin_together(self) -> None:
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            self._nested = True
            self._free.clear()

    def _end_together(self, outcome: str) -> None:
        with self._lock:
            if self._nested:
                self._nested = False
                self._writer.execute(outcome)
                self._free.set()
            self._tell()

    async def read(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a reading function in a reading thread."""
        threads = self._write_thread if self._together.get() else self._read_threads
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: function(*args, **kwargs))

    async def write(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a writing function in the one writing thread; calls are served in order, none while it is shut."""
        while self._alone is not None and not self._together.get():
            await self._alone.wait()
        if self._shut is not None and not PASSES.get():
            await self._shut.wait()
        return await asyncio.get_running_loop().run_in_executor(self._write_thread, lambda: function(*args, **kwargs))

    async def shut(self) -> None:
        """Lets no write begin until `open`, and returns when the last one is done; reads go on."""
        if self._shut is None:
            self._shut = asyncio.Event()
        await asyncio.get_running_loop().run_in_executor(self._write_thread, lambda: None)

    def open(self) -> None:
        """Lets writes begin again."""
        if self._shut is not None:
            self._shut.set()
            self._shut = None

    def close(self) -> None:
        """Waits for what runs, then closes every connection."""
        self._write_thread.shutdown(wait=True, cancel_futures=True)
        self._read_threads.shutdown(wait=True, cancel_futures=True)
        for connection in self._opened:
            connection.close()
