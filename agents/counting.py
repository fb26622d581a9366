"""Records that count in the row of another one: payments in their invoice's. What each message about them makes of that row.

Pure but for the state it is given, as `agents.parents`, which it shares a partition with: a row and what counts in it meet under the row's reference. A record
goes to its own key first, which knows where it counted before.

A row's version says which message made it what it is: its number is that message's offset. What the row is after a message follows from the messages up to
it, however often they are read and wherever a death parts them, so that one number never stands for two contents.

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
from topics.codec import compact_json
from topics.messages import Base, Member, Need, Ready, RowMember
from topics.version import LENGTH, STEP, with_resolution

_MOST: Final = 1 << 30
_ROW: Final = struct.Struct(f">{LENGTH}sQ")  # version, offset of the last message that changed the row
_RECORD: Final = struct.Struct(f">{LENGTH}s")


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
        self._touched: dict[str, int] = {}  # rows to send on, and the offset that changed them last, 0 if told only

    def begin(self) -> None:
        """Forgets what a chunk that was given up has touched."""
        self._touched.clear()

    # -- messages ----------------------------------------------------------------------------------------------------------------------

    def member(self, message: Member, raw: bytes, offset: int, now: int) -> Iterator[Effect]:
        """A record, at its own key or at its row's; ``raw`` is the message as it came, ``offset`` where it lies."""
        if message["parent"] == message["reference"]:
            yield from self._home(message)
        else:
            yield from self._meet(message, raw, offset, now)

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

    def _meet(self, message: Member, raw: bytes, offset: int, now: int) -> Iterator[Effect]:
        target, version = message["parent"], message["version"].encode()
        key = b"M|%s\0%s" % (target.encode(), message["reference"].encode())
        stored = self._state.get(key)
        if stored is not None and stored[: _RECORD.size] > version:
            return
        told_again = stored is not None and _says(self._member(target, stored)) == _says(message)
        if not told_again:
            self._state.put(key, _RECORD.pack(version) + raw)
        if self._state.get(b"A|" + target.encode()) is not None:
            if not told_again:
                self._touched[target] = offset
        elif message["op"] != "moved":
            waiting = b"N|" + target.encode()
            if self._state.get(waiting) is None:
                self._state.put(waiting, compact_json([now, message["run"]]))
            yield Alone(row_of_member(message), target)

    def base(self, message: Base, raw: bytes, offset: int) -> bool:
        """A row as its own record makes it; says whether records have waited for it.

        It is sent on even when it changes nothing: who asked for it again waits for an answer.
        """
        target, version = message["parent"], message["row"]["version"].encode()
        key = b"A|" + target.encode()
        stored, number = self._state.get(key), offset
        if stored is not None:
            known, before = _ROW.unpack_from(stored)
            if known > version:
                return False
            if known == version and _makes(self._base(target, stored)) == _makes(message):
                number = before
        self._state.put(key, _ROW.pack(version, number) + raw)
        self._touched.setdefault(target, 0)
        waiting = b"N|" + target.encode()
        if self._state.get(waiting) is None:
            return False
        self._state.put(waiting, None)
        return True

    def flush(self) -> Iterator[Emit]:
        """The rows that the messages since `begin` have changed or told again, each once."""
        touched, self._touched = self._touched, {}
        for target, offset in touched.items():
            yield self._complete(target, offset)

    def _complete(self, target: str, changed: int) -> Emit:
        key = b"A|" + target.encode()
        stored = self._state.get(key)
        assert stored is not None, "only rows that are there are touched"
        version, number = _ROW.unpack_from(stored)
        if changed > number:
            number = changed
            self._state.put(key, _ROW.pack(version, number) + stored[_ROW.size :])
        base = self._base(target, stored)
        row = base["row"]
        members = list(self.members(target))
        counted = [
            Counted(one["object"], one["reference"], orjson.loads(one["values"]))
            for one in members
            if one["op"] == "upsert"
        ]
        if row["op"] == "upsert":
            row["columns"] = self._countings[row["object"]].complete(row["columns"], counted)
        row["members"] = [_row_member(one) for one in members]
        row["version"] = with_resolution(row["version"], number * STEP)
        return Emit(row, base["needs"])

    # -- what is there -----------------------------------------------------------------------------------------------------------------

    def members(self, target: str) -> Iterator[Member]:
        """The records that count in a row, deleted ones too, by reference."""
        for _, value in self._state.scan(b"M|" + target.encode(), after=None, limit=_MOST):
            member = self._member(target, value)
            if member["op"] != "moved":
                yield member

    def _member(self, target: str, stored: bytes) -> Member:
        return cast("Member", self._decode(stored[_RECORD.size :], target.encode()))

    def _base(self, target: str, stored: bytes) -> Base:
        return cast("Base", self._decode(stored[_ROW.size :], target.encode()))

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


def _makes(message: Base) -> tuple[object, ...]:
    """What a row's own message means for it, as `_says`."""
    row = message["row"]
    return row["op"], row["columns"], row["insert_only"], message["needs"]


def _says(message: Member) -> tuple[str, str, bytes]:
    """What a record's message means for its row; told again, it may be of another run and lie elsewhere."""
    return message["version"], message["op"], message["values"]
