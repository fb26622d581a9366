"""What one partition of ``refs`` knows of parents and their waiting children, and what each message makes of it.

Pure but for the state it is given: messages in, effects out; `agents.resolve` carries them out. The parent's fate and its children come through the same topic
under the same key, so everything about one parent is seen in order.

Keys: ``P|<parent>`` holds the fate; ``W|<parent> NUL <child>|<facet>`` a waiting child, as it arrived; ``S|<parent> NUL <child>|<facet>`` one that stands for
the parent or was linked later, and is told again when the parent has another id; ``R|<parent> NUL <child>`` one that relates the parent to an account: it is
told again when the parent has another account, too, and is the one that Salesforce makes by itself or is it no more (`Relate`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

import orjson

from agents.parent_effects import (
    Check,
    Continue,
    Create,
    Effect,
    Forward,
    Hold,
    Hop,
    Later,
    Lookup,
    Refuse,
    Relate,
    Without,
)
from agents.picturing import document_after, is_named, may_be_told_again
from mapping.plan import SAME
from topics.codec import compact_json
from topics.messages import Ready, Waiting
from topics.version import LENGTH

PAGE: Final = 500
HELD_AT_ONCE: Final = 1000
PLACEHOLDER_MARK: Final = ":~"
_CHILD: Final = struct.Struct(f">?q{LENGTH}s")
"""Gone on for now (at a placeholder, or without a link), waiting since (ms), version."""
_RELATION: Final = struct.Struct(f">{LENGTH}s")


class State(Protocol):
    """The state of one partition; writes belong to the chunk that is being handled."""

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, key: bytes, value: bytes | None) -> None: ...

    def scan(self, group: bytes, *, after: bytes | None, limit: int) -> list[tuple[bytes, bytes]]: ...


_ALL: Final = 1 << 62
_IDS_MOST: Final = 5000
_FACETS: Final = 16  # more than one child has
_DOUBTED: Final = "doubted"
_THERE: Final = frozenset({"landed", _DOUBTED})
_HELD: Final = {"rejected": "PARENT_REJECTED", "gone": "PARENT_GONE", "absent": "PARENT_ABSENT"}


@dataclass
class _Unknown:
    """A parent somebody waits for and nobody has spoken of; times in ms. ``after``: the child up to which they were held; None: none is left."""

    since: int
    run: str
    asked: bool = False
    held: bool = False
    after: bytes | None = None


class Parents:
    """Parents and children of one partition.

    Arguments:
        state: reads and writes of the partition.
        decode: a stored message and the key it travelled under (its parent) to the child's message.
        stored: the waiting children (``W|``) that the partition held when it was opened.
        owners: objects that own records.
        relating: Salesforce objects whose rows relate their parent to an account, and the column that waits for the parent and the one of the account.
        alone: the records that wait for a row to count in, by that row's reference.
    """

    def __init__(
        self,
        state: State,
        decode: Callable[[bytes, bytes], Waiting],
        stored: Iterator[tuple[bytes, bytes]],
        *,
        owners: Collection[str] = (),
        relating: Mapping[str, tuple[str, str]] = MappingProxyType({}),
        alone: Callable[[str], Iterator[Ready]] = lambda _: iter(()),
    ) -> None:
        self._state = state
        self._decode = decode
        self._owners = tuple(f"{name}:" for name in owners)
        self._relating = relating
        self._alone = alone
        self._unknown: dict[str, _Unknown] = {}
        self._ids: dict[str, str] = {}  # practices and staff are asked for with nearly every row
        unreleased: set[str] = set()
        for key, value in stored:
            if key.startswith(b"W|") and self._remember(key, value):
                unreleased.add(_parent_of(key).decode())
        #: Parents that have landed and still have children: their release was cut short.
        self.unreleased = [Continue(parent, "") for parent in sorted(unreleased)]

    def _remember(self, key: bytes, value: bytes) -> bool:
        parent = _parent_of(key).decode()
        placed, since, _ = _CHILD.unpack_from(value)
        fate = self._fate(parent).get("fate")
        if fate is None and not placed:
            known = self._unknown.get(parent)
            if known is None:
                self._unknown[parent] = _Unknown(since, self._child(key, value)["row"]["run"])
            else:
                known.since = min(known.since, since)
        return bool(fate == "landed")

    # -- messages ----------------------------------------------------------------------------------------------------------------------

    def waiting(self, message: Waiting, raw: bytes, now: int) -> Iterator[Effect]:
        """A child arrives. ``raw`` is the message as it came, to be stored; ``now`` its time in ms."""
        parent = message["parent"]
        fate = self._fate(parent)
        name = fate.get("fate")
        if name == "landed":
            yield from self._there(message, raw, fate, 0)
            return
        key = b"W|" + _child_key(message)
        version = message["row"]["version"].encode()
        self._forget_relation(message, version)
        earlier = self._state.get(key)
        if earlier is not None and _CHILD.unpack_from(earlier)[2] > version:
            return  # an older version of what already waits here
        if message["on_absent"] == "later":
            self._state.put(key, _CHILD.pack(True, now, version) + raw)
            yield Later(message)
            return
        yield from self._settle(fate, key, message, raw, _CHILD.pack(False, now, version), now)

    def _settle(
        self, fate: dict[str, Any], key: bytes, message: Waiting, raw: bytes, head: bytes, now: int
    ) -> Iterator[Effect]:
        parent, row, name = message["parent"], message["row"], fate.get("fate")
        placed = (
            _CHILD.pack(True, now, row["version"].encode()) + raw
        )  # should the parent appear, the child is told again
        if name == "absent" and message["on_absent"] == "placeholder":
            self._state.put(key, placed)
            yield Hop(message)
            return
        if name == "absent" and message["on_absent"] == "reject":
            self._state.put(key, None)
            yield Refuse(row, parent)
            return
        if name in _HELD and is_named(message):
            self._state.put(key, placed if may_be_told_again(message) else None)
            yield Without(message)
            return
        self._state.put(key, head + raw)
        if name == _DOUBTED:
            return  # the answer comes soon
        if name is not None:
            yield Hold(row, parent, _HELD[name])
            return
        known = self._unknown.get(parent)
        if known is None:
            self._unknown[parent] = _Unknown(now, row["run"])
            if PLACEHOLDER_MARK in parent:
                yield Create(parent, row["run"])
        elif known.held:
            yield Hold(row, parent, self._why(parent))

    def expect(self, parent: str, row: Ready, now: int) -> Iterator[Effect]:
        """A record waits for a row to count in; the row's record is looked up, and what waits is held, as for a parent."""
        name = self._fate(parent).get("fate")
        if name in _HELD:
            yield Hold(row, parent, _HELD[name])
            return
        known = self._unknown.setdefault(parent, _Unknown(now, row["run"]))
        if known.held:
            yield Hold(row, parent, self._why(parent))

    def remember(self, parent: str, since: int, run: str) -> None:
        """Somebody has been waiting for this parent since then (ms)."""
        if self._fate(parent).get("fate") not in _HELD:
            known = self._unknown.setdefault(parent, _Unknown(since, run))
            known.since = min(known.since, since)

    def met(self, parent: str) -> None:
        """The row that records waited for has come; children may still wait for it to land."""
        if not self._state.scan(b"W|" + parent.encode(), after=None, limit=1):
            self._unknown.pop(parent, None)

    def _why(self, parent: str) -> str:
        return "OWNER_UNDECIDED" if parent.startswith(self._owners) else "WAITING_FOR_PARENT"

    def landed(
        self,
        parent: str,
        sf_id: str,
        epoch: int,
        now: int,
        account: str | None = None,
        version: str | None = None,
        document: str | None = None,
    ) -> Iterator[Effect]:
        """The parent has row ``sf_id``; ``epoch`` counts how often it was created. Beats everything but a later Gone.

        ``account`` is the one that its row has had since ``version``; an older version, or none, says nothing about it. ``document`` is that of a file.
        """
        fate = self._fate(parent)
        known = fate.get("epoch", 0)
        if epoch < known or (epoch == known and fate.get("fate") not in _THERE):
            return  # told again after what came later: a row that is gone
        another = fate.get("id") not in {None, sf_id}
        changes, file = fate.get("changes", 0) + another, document_after(fate, sf_id, document)
        news = account is not None and (version or "") >= fate.get("since", "")
        has = {"account": account, "since": version or ""} if news else _account_of(fate)
        after = {"fate": "landed", "id": sf_id, "epoch": epoch, **has, **file} | (
            {"changes": changes} if changes else {}
        )
        self._put(parent, after)
        # A row that was gone took its relations along: they are told again, whatever its id.
        before = fate if fate.get("fate") in _THERE else {**fate, "id": None}
        yield from self._relate_again(parent, before, after)
        if another:
            for key, value in self._state.scan(b"S|" + parent.encode(), after=None, limit=_ALL):
                child = self._decode(value, _parent_of(key))
                if not is_named(child):
                    yield Forward(child, sf_id, told=1 + changes)
                elif file and file["document"] != fate.get("document"):  # a new version is the same document
                    yield Forward(child, file["document"], told=1 + changes)
        yield from self.release(parent, "", now)

    def rejected(self, parent: str, code: str, now: int) -> Iterator[Effect]:
        """The parent was rejected: its children are held, until it lands after all."""
        fate = self._fate(parent)
        if fate.get("fate") not in _THERE:
            self._put(parent, {**fate, "fate": "rejected", "code": code, "epoch": fate.get("epoch", 0)})
            yield from self.release(parent, "", now)

    def gone(self, parent: str, epoch: int, now: int) -> Iterator[Effect]:
        """The parent's row of that epoch no longer exists."""
        fate = self._fate(parent)
        if fate.get("epoch", 0) <= epoch:
            self._put(parent, {**fate, "fate": "gone", "epoch": epoch})
            yield from self.release(parent, "", now)

    def doubted(self, parent: str, sf_id: str, run: str) -> Iterator[Effect]:
        """Salesforce says that there is no row ``sf_id``: nothing more is sent to it until the parent's loader has looked.

        The loader's answer is `landed` (it is there after all) or `gone`.
        """
        fate = self._fate(parent)
        if fate.get("fate") == "landed" and fate["id"] == sf_id:
            self._put(parent, {**fate, "fate": _DOUBTED})
            yield Check(parent, run)

    def absent(self, parent: str, now: int) -> Iterator[Effect]:
        """The source says that it has no such parent."""
        if self._fate(parent).get("fate") is None:
            self._put(parent, {"fate": "absent"})
            yield from self.release(parent, "", now)

    def unlink(self, parent: str, child: str) -> Iterator[Effect]:
        """The child and the parent wait for each other: the child goes on without it, and is linked when it has landed."""
        own = b"W|%s\0%s" % (parent.encode(), child.encode())
        for key, value in self._state.scan(b"W|" + parent.encode(), after=own, limit=_FACETS):
            placed, since, version = _CHILD.unpack_from(value)
            waiting = self._child(key, value)
            if waiting["child"] == child and not placed:
                self._state.put(key, _CHILD.pack(True, since, version) + value[_CHILD.size :])
                yield Forward(waiting, None, told=0)

    def release(self, parent: str, cursor: str, now: int) -> Iterator[Effect]:
        """Applies the parent's fate to a page of its children, those after ``cursor``."""
        fate = self._fate(parent)
        name = fate.get("fate")
        if name is None:
            return
        self._unknown.pop(parent, None)
        group = b"W|" + parent.encode()
        page = self._state.scan(group, after=cursor.encode() if cursor else None, limit=PAGE)
        for key, value in page:
            placed = _CHILD.unpack_from(value)[0]
            if name != "landed" and placed:
                continue
            child, head, raw = self._child(key, value), value[: _CHILD.size], value[_CHILD.size :]
            if name != "landed":
                yield from self._settle(fate, key, child, raw, head, now)
            elif is_named(child) and "document" not in fate:
                yield Check(parent, child["row"]["run"])  # it landed before files told theirs
            else:
                self._state.put(key, None)
                yield from self._there(child, raw, fate, 1 + fate.get("changes", 0) if placed else 0)
        if len(page) == PAGE:
            yield Continue(parent, page[-1][0].decode())
        elif name in _HELD:
            for row in self._alone(parent):
                yield Hold(row, parent, _HELD[name])

    def id_of(self, parent: str) -> str | None:
        """The Salesforce id of a parent that has landed."""
        found = self._ids.get(parent)
        if found is None:
            fate = self._fate(parent)
            if fate.get("fate") == "landed":
                if len(self._ids) >= _IDS_MOST:
                    self._ids.clear()
                found = self._ids[parent] = fate["id"]
        return found

    def forget(self) -> None:
        """What a chunk has written was taken back: nothing that was read since is to be believed."""
        self._ids.clear()

    # -- time --------------------------------------------------------------------------------------------------------------------------

    def overdue(self, now: int, lookup_after: float, hold_after: float) -> Iterator[Effect]:
        """What has waited too long, in seconds: first its parent is looked up, then its children are held by name.

        Of one parent at most `HELD_AT_ONCE` at a call: there may be a million.
        """
        for parent, known in self._unknown.items():
            waited = (now - known.since) / 1000
            if waited >= lookup_after and not known.asked and PLACEHOLDER_MARK not in parent:
                known.asked = True
                yield Lookup(parent, known.run)
            if waited >= hold_after and not known.held:
                known.held, known.after = True, b""
                for row in self._alone(parent):
                    yield Hold(row, parent, self._why(parent))
            if known.after is not None:
                page = self._state.scan(b"W|" + parent.encode(), after=known.after or None, limit=HELD_AT_ONCE)
                for key, value in page:
                    if not _CHILD.unpack_from(value)[0]:
                        yield Hold(self._child(key, value)["row"], parent, self._why(parent))
                known.after = page[-1][0] if len(page) == HELD_AT_ONCE else None

    @property
    def holding(self) -> bool:
        """Whether `overdue` has more to hold, without waiting for anything."""
        return any(known.after is not None for known in self._unknown.values())

    # -- state -------------------------------------------------------------------------------------------------------------------------

    def _there(self, message: Waiting, raw: bytes, fate: dict[str, Any], told: int) -> Iterator[Effect]:
        """The parent has landed: the child goes on, and is kept when it may have to be told again."""
        relation = self._relating.get(message["row"]["sobject"])
        if is_named(message):
            yield from self._pictured(message, raw, fate, told)
        elif relation is None or message["column"] != relation[0]:
            self._keep(message, raw)
            yield Forward(message, cast("str", fate["id"]), told)
        else:
            yield from self._related(message, raw, fate)

    def _pictured(self, message: Waiting, raw: bytes, fate: Mapping[str, Any], told: int) -> Iterator[Effect]:
        """An image of a text has landed."""
        if "document" in fate:
            self._keep(message, raw)
            yield Forward(message, cast("str", fate["document"]), told)
            return
        version = message["row"]["version"].encode()
        self._state.put(b"W|" + _child_key(message), _CHILD.pack(False, 0, version) + raw)
        yield Check(message["parent"], message["row"]["run"])

    def _related(self, message: Waiting, raw: bytes, fate: Mapping[str, Any]) -> Iterator[Effect]:
        key, version = _relation_key(message), _RELATION.pack(message["row"]["version"].encode())
        earlier = self._state.get(key)
        if earlier is None or earlier[: _RELATION.size] <= version:
            self._state.put(key, version + raw)
            yield self._relation(message, fate)

    def _forget_relation(self, message: Waiting, version: bytes) -> None:
        """A relation waits for its parent again: told as it was before, one number would stand for two contents."""
        if message["row"]["sobject"] in self._relating:
            earlier = self._state.get(_relation_key(message))
            if earlier is not None and earlier[: _RELATION.size] <= _RELATION.pack(version):
                self._state.put(_relation_key(message), None)

    def _relation(self, message: Waiting, fate: Mapping[str, Any]) -> Relate:
        account = message["row"]["columns"].get(self._relating[message["row"]["sobject"]][1])
        return Relate(message, cast("str", fate["id"]), direct=bool(account) and account == fate.get("account"))

    def _relate_again(self, parent: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Effect]:
        """Tells relations again: all of a parent with another id, else those with the account that its row had or has."""
        if (before.get("id"), before.get("account")) == (after["id"], after.get("account")) or not self._relating:
            return
        moved = {before.get("account"), after.get("account")}
        for key, value in self._state.scan(b"R|" + parent.encode(), after=None, limit=_ALL):
            child = self._decode(value[_RELATION.size :], _parent_of(key))
            account = child["row"]["columns"].get(self._relating[child["row"]["sobject"]][1])
            if before.get("id") != after["id"] or account in moved:
                yield self._relation(child, after)

    def _keep(self, message: Waiting, raw: bytes) -> None:
        named = is_named(message) and may_be_told_again(message)
        if message["column"] != SAME and message["on_absent"] != "later" and not named:
            return
        key = b"S|" + _child_key(message)
        stored = self._state.get(key)
        if stored is None or self._decode(stored, _parent_of(key))["row"]["version"] <= message["row"]["version"]:
            self._state.put(key, raw)

    def _fate(self, parent: str) -> dict[str, Any]:
        found = self._state.get(b"P|" + parent.encode())
        return orjson.loads(found) if found is not None else {}

    def _put(self, parent: str, fate: dict[str, Any]) -> None:
        self._ids.pop(parent, None)
        self._state.put(b"P|" + parent.encode(), compact_json(fate))

    def _child(self, key: bytes, value: bytes) -> Waiting:
        return self._decode(value[_CHILD.size :], _parent_of(key))


def _account_of(fate: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the account of a parent's row, which outlives the row: versions say what is newer."""
    return {name: fate[name] for name in ("account", "since") if name in fate}


def _child_key(message: Waiting) -> bytes:
    names = (message["parent"], message["child"], message["row"]["facet"])
    return b"%s\0%s|%s" % tuple(name.encode() for name in names)


def _relation_key(message: Waiting) -> bytes:
    return b"R|%s\0%s" % (message["parent"].encode(), message["child"].encode())


def _parent_of(key: bytes) -> bytes:
    return key[2:].partition(b"\0")[0]
