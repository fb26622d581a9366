"""How many records a source holds, those deleted while somebody watched included: what a ledger that began at a known moment must add up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import httpx

from connectors.visual_practice.client import VisualPractice
from cutover.census import RESOURCES

Deleted: TypeAlias = Mapping[str, frozenset[tuple[str, str]]]
"""By object: id and time of each entry of its feed of deletes."""


async def list_deleted(source: VisualPractice) -> Deleted:
    """All that is deleted now; taken before the start, it says what no ledger will ever hear of.

    Raises:
        connectors.errors.ConnectorError: The source can't be read.
    """
    by_resource = {resource: frozenset(await _entries(source, resource)) for resource in set(RESOURCES.values())}
    return {name: by_resource[resource] for name, resource in RESOURCES.items()}


async def _entries(source: VisualPractice, resource: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    page = await source.feed(resource, "deleted", None)
    while True:
        found.update((str(one["id"]), str(one["deleted_at"])) for one in page.records)
        if page.next is None:
            return found
        page = await source.feed(resource, "deleted", None, after=page.next)


async def count(url: str, source: VisualPractice, before: Deleted) -> dict[str, int]:
    """By object, how many records there are now, in the archive or not, or were deleted since ``before`` was taken.

    Arguments:
        url: of a sandbox's Visual Practice, whose counts are asked for by its admin door.
        source: the same one.
        before: what was deleted then. A record of these that came back since and went again has another time of delete, and counts.

    Raises:
        connectors.errors.ConnectorError: The source can't be read.
    """
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        counts = (await client.get("/__admin/counts")).raise_for_status().json()
    now = await list_deleted(source)
    return {
        name: counts[resource]["live"] + counts[resource]["archived"] + len(now[name] - before[name])
        for name, resource in RESOURCES.items()
    }
