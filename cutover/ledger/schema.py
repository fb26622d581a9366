"""The ledger's SQLite file: its tables, and opening it to write or to read.

Owns the layout. Everything in the file follows from the topics, except the censuses, so a file of another layout is
simply deleted and built anew.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

LAYOUT = 6
"""Raised with every change of the tables; kept in `PRAGMA user_version`."""

TABLES = """
CREATE TABLE offsets (topic TEXT, "partition" INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, "partition")) WITHOUT ROWID;

CREATE TABLE deliveries (
    reference TEXT, sobject TEXT, object TEXT NOT NULL,
    source_version TEXT, source_op TEXT, origin TEXT,
    version TEXT, outcome TEXT, what TEXT, code TEXT, detail TEXT, row_id TEXT, at INTEGER NOT NULL DEFAULT 0,
    loaded_version TEXT, loaded_at INTEGER, left_version TEXT, left_at INTEGER NOT NULL DEFAULT 0, row_origin TEXT, landed_source TEXT, landed_in TEXT,
    verified_version TEXT, verified_in TEXT, verified_at INTEGER NOT NULL DEFAULT 0, verified_fields INTEGER NOT NULL DEFAULT 0, mismatch TEXT,
    state TEXT NOT NULL,
    PRIMARY KEY (reference, sobject)
) WITHOUT ROWID;
CREATE INDEX held ON deliveries (code, object) WHERE state = 'held';
CREATE INDEX rejected ON deliveries (code, object) WHERE state = 'rejected';
CREATE INDEX by_row ON deliveries (row_id) WHERE row_id IS NOT NULL;
CREATE INDEX mismatched ON deliveries (object) WHERE mismatch IS NOT NULL;
CREATE VIEW differing AS SELECT * FROM deliveries WHERE mismatch IS NOT NULL AND (verified_version > loaded_version OR
    verified_version = loaded_version AND (landed_in IS NULL OR verified_in >= landed_in AND
    substr(verified_in, 1, instr(verified_in, '/')) = substr(landed_in, 1, instr(landed_in, '/'))));

CREATE TABLE counts (object TEXT, name TEXT, count INTEGER NOT NULL, PRIMARY KEY (object, name)) WITHOUT ROWID;
CREATE TABLE progress (at INTEGER, object TEXT, source INTEGER, settled INTEGER, PRIMARY KEY (at, object)) WITHOUT ROWID;

CREATE TABLE operations (
    reference TEXT, id TEXT, what TEXT NOT NULL, object TEXT, sobject TEXT, facet TEXT, version TEXT, run TEXT, row_id TEXT,
    outcome TEXT, code TEXT, detail TEXT, columns TEXT, at INTEGER NOT NULL,
    PRIMARY KEY (reference, id)
) WITHOUT ROWID;

CREATE TABLE images (
    reference TEXT, row_id TEXT, topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (reference, row_id)
) WITHOUT ROWID;

CREATE TABLE rejects (
    stage TEXT, topic TEXT, "partition" INTEGER, "offset" INTEGER,
    reference TEXT, code TEXT NOT NULL, message TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (stage, topic, "partition", "offset", reference)
) WITHOUT ROWID;
CREATE INDEX rejects_by_code ON rejects (code, stage);

CREATE TABLE batches (
    key TEXT, topic TEXT, id TEXT, sobject TEXT, operation TEXT, facet TEXT, "partition" INTEGER, state TEXT, path TEXT,
    job_id TEXT, rows INTEGER, run TEXT, at INTEGER,
    PRIMARY KEY (topic, "partition", key)
) WITHOUT ROWID;

CREATE TABLE transitions (
    "partition" INTEGER, "offset" INTEGER, phase TEXT, run TEXT, map_hash TEXT, "by" TEXT, at INTEGER, detail TEXT,
    PRIMARY KEY ("partition", "offset")
) WITHOUT ROWID;

CREATE TABLE drifts (
    object TEXT, field TEXT, resource TEXT, what TEXT, was TEXT, now TEXT, paused INTEGER, at INTEGER, PRIMARY KEY (object, field)
) WITHOUT ROWID;

CREATE TABLE spending (
    worker TEXT PRIMARY KEY, stage TEXT, spent INTEGER, used INTEGER, most INTEGER, waiting_since INTEGER, storage_since INTEGER, at INTEGER
) WITHOUT ROWID;
CREATE TABLE org_limits (
    id INTEGER PRIMARY KEY CHECK (id = 1), used INTEGER, most INTEGER, reserve INTEGER, line INTEGER, spent INTEGER, short_since INTEGER,
    again_at INTEGER, storage_mb INTEGER, storage_left_mb INTEGER, at INTEGER
);

CREATE TABLE unreadable (topic TEXT, "partition" INTEGER, "offset" INTEGER, code TEXT, PRIMARY KEY (topic, "partition", "offset")) WITHOUT ROWID;

CREATE TABLE censuses (at INTEGER, object TEXT, listed INTEGER, missing INTEGER, extra INTEGER, PRIMARY KEY (at, object)) WITHOUT ROWID;
"""


class LedgerMissing(Exception):
    """There is no ledger file to read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"There is no ledger at {path}: start `carryover control` (or `carryover run`), which builds it."
        )


def open_to_write(path: Path) -> sqlite3.Connection:
    """The ledger, made if it isn't there or has another layout; one process writes it at a time.

    Transactions are explicit. The connection may be used from any thread, by one at a time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = _connect(path)
    layout = connection.execute("PRAGMA user_version").fetchone()[0]
    if layout not in {0, LAYOUT}:
        connection.close()
        delete(path)
        connection = _connect(path)
        layout = 0
    if layout == 0:
        connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;")
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """The ledger for questions only, beside the process that writes it.

    Raises:
        LedgerMissing: No file, or none that this version of the program can read.
    """
    if not path.exists():
        raise LedgerMissing(path)
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    if connection.execute("PRAGMA user_version").fetchone()[0] != LAYOUT:
        connection.close()
        raise LedgerMissing(path)
    return connection


def delete(path: Path) -> None:
    """Remove the ledger's files; the next process that opens it builds it from the topics."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for the writer
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut loses transactions whole, offsets included
    connection.execute("PRAGMA cache_size = -65536")
    return connection
