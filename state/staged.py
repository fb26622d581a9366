"""Staged writes: one layer per chunk, readable at once, durable at the checkpoint.

A single overlay over all layers answers reads in one look-up however many chunks are under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

SEPARATOR = b"\x00"


def group_of(key: bytes) -> bytes:
    """The part of a key before its last NUL: keys of one group can be scanned together. Empty for a key without a group."""
    return key.rpartition(SEPARATOR)[0]


class Layer:
    """The writes of one chunk (``end`` = its last offset), or of a unit of work without an offset (``end`` = None)."""

    __slots__ = ("end", "sequence", "writes")

    def __init__(self, end: int | None, sequence: int) -> None:
        self.end = end
        self.sequence = sequence
        self.writes: dict[bytes, bytes | None] = {}


class Staged:
    """The layers of one partition, oldest first, and what they come to together."""

    def __init__(self) -> None:
        self._layers: deque[Layer] = deque()
        self._overlay: dict[bytes, tuple[int, bytes | None]] = {}
        self._groups: dict[bytes, set[bytes]] = {}
        self._sequence = 0

    def layer(self, end: int | None) -> Layer:
        self._sequence += 1
        layer = Layer(end, self._sequence)
        self._layers.append(layer)
        return layer

    def put(self, layer: Layer, key: bytes, value: bytes | None) -> None:
        layer.writes[key] = value
        self._overlay[key] = (layer.sequence, value)
        group = group_of(key)
        if group:
            self._groups.setdefault(group, set()).add(key)

    def get(self, key: bytes) -> tuple[int, bytes | None] | None:
        """None when the key is not staged; else its layer's sequence and value (None = deleted)."""
        return self._overlay.get(key)

    def group(self, group: bytes) -> Iterator[tuple[bytes, bytes | None]]:
        """The staged pairs of a group, in no order."""
        for key in self._groups.get(group, ()):
            yield key, self._overlay[key][1]

    def due(self, upto: int) -> list[Layer]:
        """The layers of chunks that end below ``upto``."""
        return [layer for layer in self._layers if layer.end is not None and layer.end < upto]

    def conflicts(self, layer: Layer) -> bool:
        """Whether an older layer has staged one of the same keys: then ``layer`` must not become durable before it."""
        return any(
            not layer.writes.keys().isdisjoint(older.writes)
            for older in self._layers
            if older.sequence < layer.sequence
        )

    def supersede(self, layer: Layer) -> None:
        """Drops a layer whose writes are in the store now; older layers that still wait to be written must not undo them."""
        for older in self._layers:
            if older.sequence < layer.sequence:
                for key in layer.writes.keys() & older.writes.keys():
                    del older.writes[key]
        self.remove(layer)

    def remove(self, layer: Layer) -> None:
        """Drops a layer that nothing waits behind."""
        self._layers.remove(layer)
        for key in layer.writes:
            found = self._overlay.get(key)
            if found is not None and found[0] == layer.sequence:
                del self._overlay[key]
                group = group_of(key)
                if group:
                    members = self._groups[group]
                    members.discard(key)
                    if not members:
                        del self._groups[group]

    def abandon(self, layer: Layer) -> None:
        """Drops a layer whose writes must not happen; older layers show through again."""
        self._layers.remove(layer)
        remaining, self._overlay, self._groups = list(self._layers), {}, {}
        for older in remaining:
            for key, value in older.writes.items():
                self.put(older, key, value)

    @property
    def keys(self) -> int:
        """How many keys are staged."""
        return len(self._overlay)

    def __len__(self) -> int:
        return len(self._layers)
