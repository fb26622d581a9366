"""Rows and waiting children, as the agents pass them on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from agents.item import Item, Items, Ticket
from topics.codec import Codec
from topics.messages import Need, Packed, Ready, Waiting
from topics.version import Version

CODEC = Codec()


def version(number: int, **more: Any) -> str:
    return Version(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number), **more).encode()


def row(reference: str, number: int = 1, *, op: str = "upsert", **columns: Any) -> Ready:
    return {
        "reference": reference,
        "object": reference.partition(":")[0],
        "sobject": "Contact",
        "facet": "owner",
        "op": op,
        "version": version(number),
        "run": "run-1",
        "source": {"topic": "vp.patient", "partition": 0, "offset": number},
        "columns": columns,
        "insert_only": {},
        "members": [],
    }


def item(made: Ready, *tickets: Ticket) -> Item:
    """The row as the loader keeps it."""
    raw = CODEC.encode("ready", made)
    packed = cast("Packed", CODEC.decode(raw, packed=True)[1])
    return Items().make(packed, made["source"]["offset"], list(tickets))


def waiting(
    child: str, parent: str, number: int = 1, *, on_absent: str = "hold", left: tuple[Need, ...] = ()
) -> Waiting:
    return {
        "parent": parent,
        "child": child,
        "row": row(child, number),
        "column": "AccountId",
        "on_absent": on_absent,
        "left": list(left),
    }
