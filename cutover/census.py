"""The census: does the ledger know exactly the records that the source holds?

Owns the comparison and what follows from it. Ids only are read, page by page. The source goes on changing meanwhile and
paging skips rows when earlier ones are deleted, so a difference is a question, not a finding: each id is asked for by
name (an `extract` lookup), and the census is taken again until nothing differs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal, NamedTuple, Protocol

from connectors.errors import NotFound, PageTooSlow
from topics.catalogue import ALSO
from topics.codec import Codec

RESOURCES: Mapping[str, str] = {
    "user": "users",
    "provider": "providers",
    "practice": "practices",
    "referring_physician": "referring-physicians",
    "insurance_carrier": "insurance-carriers",
    "coverage": "insurance-policies",
    "intake_form": "intake-forms",
    "patient": "patients",
    "practice_membership": "practice-memberships",
    "insurance_policy": "insurance-policies",
    "lab_result": "lab-results",
    "imaging_record": "imaging-records",
    "appointment": "appointments",
    "payment": "payments",
    "invoice": "invoices",
    "note": "notes",
    "communication": "communications",
    "document": "documents",
}
"""What the source's API calls each object's records; of those that only some maps have it is that of the object whose records they take."""

_INLINE = re.compile(r'<img [^<>]*\bsrc="data:image/[a-z]+;base64,[A-Za-z0-9+/]+=*"')

MOST_LOOKUPS = 10_000
"""Ids asked for after one census; the next one finds the rest."""


class Census(NamedTuple):
    """What one census of an object found.

    Attributes:
        object: Which object.
        at: When it was taken, ms since 1970.
        listed: How many records the source listed.
        missing: Ids that the source lists and the ledger has not seen, sorted.
        extra: Ids that the ledger has as present and the source doesn't list, sorted.
    """

    object: str
    at: int
    listed: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]


class IdPage(Protocol):
    """A page of a listing; `connectors.visual_practice.Page` is one."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """Each with at least an `id`."""

    @property
    def next(self) -> Any:
        """What asks for the page after this one, None on the last."""


class Source(Protocol):
    """The part of the source's client that a census needs."""

    async def page(
        self, resource: str, *, after: Any = None, sort: str = "updated_at", fields: tuple[str, ...] | None = None
    ) -> IdPage:
        """One page of a resource's live records."""

    async def feed(self, resource: str, which: Literal["archived"], since: None, *, after: Any = None) -> IdPage:
        """One page of a resource's archive."""


def compare(object_: str, at: int, listed: AbstractSet[str], known: AbstractSet[str]) -> Census:
    """The census that follows from the source's ids and the ledger's; both are held in memory."""
    return Census(object_, at, len(listed), tuple(sorted(listed - known)), tuple(sorted(known - listed)))


async def list_ids(source: Source, object_: str) -> set[str]:
    """Ids of all records that the source has for an object now, read in the order of ids; those in its archive are there, too.

    Raises:
        ConnectorError: The source can't be read.
    """
    resource = RESOURCES.get(object_) or RESOURCES[ALSO[object_]]
    found = await _ids(lambda after: source.page(resource, after=after, sort="id", fields=("id",)))
    try:
        return found | await _ids(lambda after: source.feed(resource, "archived", None, after=after))
    except NotFound:
        return found  # an installation without an archive


async def list_images(source: Source, object_: str, field: str) -> set[str]:
    """Ids of the images that stand in the texts of an object's records now, counted without any of the rules that took them out of there.

    Only plain ones are known: `src` in double quotes, base64. Those in the archive are not looked at.

    Raises:
        ConnectorError: The source can't be read.
    """
    found: set[str] = set()
    following: Any = None
    while True:
        page = await source.page(RESOURCES[object_], after=following, sort="id")
        for record in page.records:
            images = _INLINE.findall(str(record.get(field) or ""))
            found.update(f"{record['id']}.{place}" for place in range(len(images)))
        following = page.next
        if following is None:
            return found


async def _ids(read: Callable[[Any], Awaitable[IdPage]]) -> set[str]:
    found: set[str] = set()
    following: Any = None
    while True:
        try:
            page = await read(following)
        except PageTooSlow:  # page numbers mean other places now
            following = None
            continue
        found.update(str(record["id"]) for record in page.records)
        following = page.next
        if following is None:
            return found


def lookups(census: Census, codec: Codec, topic: str) -> Iterable[tuple[bytes, bytes]]:
    """Key and value of the `extract` messages that ask for every id that differs, up to `MOST_LOOKUPS`."""
    run = f"census-{census.at}"
    object_ = ALSO.get(census.object, census.object)
    key = object_.encode()
    for vp_id in (*census.missing, *census.extra)[:MOST_LOOKUPS]:
        value = {"kind": "census", "object": object_, "vp_id": vp_id, "run": run, "at": int(time.time() * 1000)}
        yield key, codec.encode("extract", value, topic=topic, key=key)
