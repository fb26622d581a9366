"""The local file of one partition of a state table: RocksDB, by rocksdict.

It only saves reading the changelog from its beginning: losing it costs time, never data.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
)

_MARK: Final = b"\xff\xffmark"
_FORM: Final = struct.Struct(">qq")
# A worker has a file for each table and partition it owns: what each may hold in memory has to be little.
_WRITE_BUFFER: Final = 1 << 20
_MOST: Final = 6 << 20  # of all files of the process together: what was written last, and what was read
_AHEAD: Final = (
    128 << 10
)  # a compaction reads and writes so much at once of each of its files; RocksDB itself takes 2 MB and 1 MB
_PIECE: Final = 4 << 10
"""Bytes of a piece of an index or a filter. Whole ones are larger than a shard of so small a cache and would be read anew with each key."""
_MEMORY: Final = Cache(_MOST)
_WRITES: Final = WriteBufferManager.new_write_buffer_manager_with_cache(_MOST // 2, allow_stall=False, cache=_MEMORY)


UNTRUSTED: Final = -1
"""As the next offset: the file has missed records, and has to be rebuilt when it is opened next."""


class StoreLocked(RuntimeError):
    """Another process has this file open: two workers share a data directory."""


class Mark(NamedTuple):
    """How far the file is: the next changelog offset to read, and the highest epoch seen."""

    next_offset: int
    epoch: int


class Store:
    """Keys and values are bytes; keys starting with ``ff ff`` are ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = self._open()

    def _open(self) -> Rdict:
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(_WRITE_BUFFER)
        options.set_max_write_buffer_number(2)
        options.set_write_buffer_manager(_WRITES)
        options.set_keep_log_file_num(2)
        options.set_compaction_readahead_size(_AHEAD)
        options.set_writable_file_max_buffer_size(_AHEAD)
        blocks = BlockBasedOptions()
        blocks.set_block_cache(_MEMORY)
        blocks.set_bloom_filter(10, block_based=False)  # most keys that are asked for are new
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
        blocks.set_partition_filters(True)
        blocks.set_metadata_block_size(_PIECE)
        blocks.set_pin_top_level_index_and_filter(True)
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
        options.set_block_based_table_factory(blocks)
        try:
            return Rdict(str(self._path), options)
        except Exception as exc:
            raise StoreLocked(
                f"{self._path} can't be opened; is another worker running with the same data directory? ({exc})"
            ) from exc

    def get(self, key: bytes) -> bytes | None:
        return self._db.get(key)

    def scan(self, prefix: bytes, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Pairs whose key starts with ``prefix``, ascending, from the first key greater than ``after``."""
        bound = _up_to(prefix)  # RocksDB reads it where it lies: it must outlive the cursor
        cursor = self._db.iter(bound)
        try:
            cursor.seek(after + b"\x00" if after is not None else prefix)
            while cursor.valid():
                yield cursor.key(), cursor.value()
                cursor.next()
        finally:
            del cursor, bound

    def mark(self) -> Mark:
        """Where the file stands; ``(0, 0)`` for a new one."""
        found = self._db.get(_MARK)
        return Mark(*_FORM.unpack(found)) if found is not None else Mark(0, 0)

    def write(self, changes: Mapping[bytes, bytes | None], next_offset: int, epoch: int) -> None:
        """Applies ``changes`` (None deletes) and the new mark in one batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_MARK, _FORM.pack(next_offset, epoch))
        self._db.write(batch)

    def wipe(self) -> None:
        """Empties the file, to be rebuilt from the changelog."""
        self._db.close()
        shutil.rmtree(self._path)
        self._db = self._open()

    def close(self) -> None:
        self._db.close()


def _up_to(prefix: bytes) -> ReadOptions | None:
    """Ends a scan behind ``prefix``: without a bound RocksDB steps over deleted keys up to the next living one, however far away that is."""
    head = prefix.rstrip(b"\xff")
    if not head:
        return None
    options = ReadOptions()
    options.set_iterate_upper_bound(head[:-1] + bytes((head[-1] + 1,)))
    return options
