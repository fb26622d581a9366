"""Records that wait for each other in a circle: found in the ledger, and broken at the smallest id.

That one goes on without its parent and is linked in a second pass, when the parent has landed; an org that refuses the link rejects that pass with its reason,
and the row stays without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from topics.codec import Codec
from topics.messages import Unlink


def circles(waits_for: Mapping[str, str]) -> Iterator[list[str]]:
    """The circles among records, each once, from whom each waits for; a record that merely waits for one in a circle is in none."""
    settled: set[str] = set()
    for start in waits_for:
        path: dict[str, int] = {}
        here: str | None = start
        while here is not None and here not in settled and here not in path:
            path[here] = len(path)
            here = waits_for.get(here)
        if here is not None and here in path:
            yield list(path)[path[here] :]
        settled.update(path)  # `|=` with a view of keys would make the whole set anew


def breaks(waits_for: Mapping[str, str]) -> list[Unlink]:
    """Where to break the circles: at the smallest reference of each, shorter ones first."""
    smallest = [min(circle, key=lambda reference: (len(reference), reference)) for circle in circles(waits_for)]
    return [Unlink(parent=waits_for[child], child=child) for child in smallest]


def encoded(unlink: Unlink, codec: Codec, topic: str) -> tuple[bytes, bytes]:
    """Key and value of the message to `refs`."""
    key = unlink["parent"].encode()
    return key, codec.encode("unlink", unlink, topic=topic, key=key)
