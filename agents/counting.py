"""Records that count in the row of another one: payments in their invoice's. What each message about them makes of that row.

Pure but for the state it is given, as `agents.parents`, which it shares a partition with: a row and what counts in it meet under the row's reference. A record
goes to its own key first, which knows where it counted before.

Keys: ``H|<record>`` where a record counts; ``M|<row> NUL <record>`` the record; ``A|<row>`` the row as its own record makes it; ``N|<row>`` since when
records wait for a row that has not come.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias, cast

import orjson

from agents.outputs import row_of
from agents.parents import State
from mapping.parts import Counted, Counting
from topics.codec import SORTED, compact_json
from topics.messages import Base, Member, Need, Ready, RowMember
from topics.version import Version

STEP: Final = 10
"""Of the resolution number: what lies between two states of a row is for relinks."""

_MOST: Final = 1 << 30
_ROW: Final = struct.Struct(
    ">41sH16s"
)  # version, how often it has changed since, digest of what was sent last ("" never)
_RECORD: Final = struct.Struct(">41s")


class Emit(NamedTuple):
    """The row as it is now: send it on, to wait for ``needs``."""

    row: Ready
    needs: list[Need]


class Count(NamedTuple):
    """Tell the row at ``message['target']``."""

    message: Member


class End(NamedTuple):
    """A record that counts nowhere is deleted."""

    row: Ready


class Alone(NamedTuple):
    """A record has come before its row."""

    row: Ready
    target: str


Effect: TypeAlias = Emit | Count | End | Alone


class Countings:
    """What counts where, in one partition.

    Arguments:
        state: reads and writes of the partition.
        decode: a stored message and the key it travelled under to its content.
        countings: by object, how its rows are completed.
    """

    def __init__(
        self, state: State, decode: Callable[[bytes, bytes], Mapping[str, Any]], countings: Mapping[str, Counting]
    ) -> None:
        self._state = state
        self._decode = decode
        self._countings = countings
        self._touched: dict[str, bool] = {}

    def begin(self) -> None:
        """Forgets what a chunk that was given up has touched."""
        self._touched.clear()

    # -- messages ----------------------------------------------------------------------------------------------------------------------

    def member(self, message: Member, raw: bytes, now: int) -> Iterator[Effect]:
        """A record, at its own key or at its row's."""
        if message["parent"] == message["reference"]:
            yield from self._home(message)
        else:
            yield from self._meet(message, raw, now)

    def _home(self, message: Member) -> Iterator[Effect]:
        own, version, target = message["reference"], message["version"], message["target"]
        key = b"H|" + own.encode()
        stored = self._state.get(key)
        before, known, digest = orjson.loads(stored) if stored is not None else (None, "", "")
        if message["op"] == "delete":
            target = before
        content = blake2b(f"{message['op']}|{target}|".encode() + message["values"], digest_size=8).hexdigest()
        if version < known or (version == known and content == digest):
            return
        self._state.put(key, compact_json([target, version, content]))
        if before is not None and before != target:
            yield Count({**message, "parent": before, "target": before, "op": "moved", "values": b"{}"})
        if target is None:
            yield End(row_of_member(message))
        else:
            yield Count({**message, "parent": target, "target": target})

    def _meet(self, message: Member, raw: bytes, now: int) -> Iterator[Effect]:
        target, version = message["parent"], message["version"].encode()
        key = b"M|%s\0%s" % (target.encode(), message["reference"].encode())
        stored = self._state.get(key)
        if stored is not None and stored[: _RECORD.size] > version:
            return
        self._state.put(key, _RECORD.pack(version) + raw)
        if self._state.get(b"A|" + target.encode()) is not None:
            self._touched.setdefault(target, False)
        elif message["op"] != "moved":
            waiting = b"N|" + target.encode()
            if self._state.get(waiting) is None:
                self._state.put(waiting, compact_json([now, message["run"]]))
            yield Alone(row_of_member(message), target)

    def base(self, message: Base, raw: bytes) -> bool:
        """A row as its own record makes it; says whether records have waited for it."""
        target, version = message["parent"], message["row"]["version"].encode()
        key = b"A|" + target.encode()
        stored = self._state.get(key)
        count, digest = 0, b""
        if stored is not None:
            known, count, digest = _ROW.unpack_from(stored)
            if known > version:
                return False
            if known < version:
                count, digest = 0, b""
        self._state.put(key, _ROW.pack(version, count, digest) + raw)
        self._touched[target] = True
        waiting = b"N|" + target.encode()
        if self._state.get(waiting) is None:
            return False
        self._state.put(waiting, None)
        return True

    def flush(self) -> Iterator[Emit]:
        """The rows that the messages since `begin` have changed, each once."""
        touched, self._touched = self._touched, {}
        for target, told in touched.items():
            emit = self._complete(target, told=told)
            if emit is not None:
                yield emit

    def _complete(self, target: str, *, told: bool) -> Emit | None:
        """The row of ``target`` if it has changed, or (``told``) anyway: who asked for it again waits for an answer."""
        key = b"A|" + target.encode()
        stored = self._state.get(key)
        assert stored is not None, "only rows that are there are touched"
        version, count, digest = _ROW.unpack_from(stored)
        base = cast("Base", self._decode(stored[_ROW.size :], target.encode()))
        row = base["row"]
        members = list(self.members(target))
        counted = [Counted(one["object"], orjson.loads(one["values"])) for one in members if one["op"] == "upsert"]
        if row["op"] == "upsert":
            row["columns"] = self._countings[row["object"]].complete(row["columns"], counted)
        row["members"] = [_row_member(one) for one in members]
        now = _digest(row)
        if digest.strip(b"\0") and now != digest:
            count += 1
        elif now == digest and not told:
            return None
        row["version"] = Version.decode(version.decode())._replace(resolution=count * STEP).encode()
        self._state.put(key, _ROW.pack(version, count, now) + stored[_ROW.size :])
        return Emit(row, base["needs"])

    # -- what is there -----------------------------------------------------------------------------------------------------------------

    def members(self, target: str) -> Iterator[Member]:
        """The records that count in a row, deleted ones too, by reference."""
        for _, value in self._state.scan(b"M|" + target.encode(), after=None, limit=_MOST):
            member = cast("Member", self._decode(value[_RECORD.size :], target.encode()))
            if member["op"] != "moved":
                yield member

    def alone(self, target: str) -> Iterator[Ready]:
        """The records that wait for a row that has not come."""
        if self._state.get(b"N|" + target.encode()) is not None:
            yield from map(row_of_member, self.members(target))


def waited_for(stored: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[str, int, str]]:
    """Rows that records wait for, since when (ms) and in which run, from the stored pairs of ``N|``."""
    for key, value in stored:
        since, run = orjson.loads(value)
        yield key[2:].decode(), since, run


def row_of_member(message: Member) -> Ready:
    """A record that counts, as the audit names it."""
    return row_of(
        message["object"],
        message["sobject"],
        message["reference"],
        message["version"],
        message["run"],
        message["source"],
        op=message["op"],
    )


def _row_member(message: Member) -> RowMember:
    return {
        "reference": message["reference"],
        "object": message["object"],
        "version": message["version"],
        "op": message["op"],
        "source": message["source"],
    }


def _digest(row: Ready) -> bytes:
    """Of everything that makes one state of a row differ from another; 16 bytes, never all zero."""
    members = [(one["reference"], one["version"], one["op"]) for one in row["members"]]
    content = orjson.dumps([row["op"], row["columns"], members], option=SORTED)
    return blake2b(content, digest_size=15).digest() + b"\1"
