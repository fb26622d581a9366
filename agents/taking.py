"""Images in notes on their way out of the source: each becomes a change of its own before its note is published.

How many images a note ever had is state of the extract (``I|<object> NUL <id>``), durable before any of them goes out: whatever is in Salesforce of them is
deleted when the note has it no more, also after a crash and when the note itself goes.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from mapping.note_images import NoteImage, take_out
from mapping.rules import MOST_BYTES, MapDocument
from state.table import StateTable
from topics.messages import Change
from topics.version import Version
from transport import failpoint

__all__ = ["Taken", "Taking", "taken_of"]

_ALONG: Final = ("patient_id", "provider_id", "draft", "created_at", "updated_at")
"""Fields of a note that its images have, too."""


class Taken(NamedTuple):
    """What is taken out of an object's records.

    Attributes:
        object: What the map calls it, e.g. `note_image`.
        of: The object that it is taken out of, e.g. `note`.
        sobject: The Salesforce object it becomes.
        field: The field that it stands in.
        documents: What the map calls images by link, None when they are left alone.
        most: The largest, in bytes.
    """

    object: str
    of: str
    sobject: str
    field: str
    documents: str | None
    most: int


def taken_of(document: MapDocument, name: str) -> Taken | None:
    """What is taken out of the records of an object under a map; None for nothing."""
    found = document.taken(name)
    if found is None or found[1].taken_from is None:
        return None
    other, rule = found
    field = rule.taken_from.from_ if rule.taken_from is not None else ""
    columns = [one for one in document.objects[name].columns.values() if one.from_ == field]
    by_link = [
        one for column in columns for one in column.images or () if document.objects[one].resource == "documents"
    ]
    return Taken(other, name, rule.target, field, next(iter(by_link), None), rule.max_bytes or MOST_BYTES)


class Taking:
    """Takes images out of changes.

    Arguments:
        table: the extract's state.
        taken: what is taken out of what.
        home: where the source is.
    """

    def __init__(self, table: StateTable, taken: Taken, home: str) -> None:
        self._table, self.taken, self._home = table, taken, home

    def images(self, vp_id: str, change: Change) -> list[tuple[str, Change]]:
        """The changes of the images in an upsert, by their ids; its text has marks instead of them afterwards."""
        fields = change["fields"] or {}
        text, taken = fields.get(self.taken.field), self.taken
        if not text:
            return []
        found = take_out(text, vp_id, images=taken.object, documents=taken.documents, home=self._home, most=taken.most)
        change["fields"] = fields | {taken.field: found.text}
        return [(f"{vp_id}.{image.place}", self._change(vp_id, change, image)) for image in found.images]

    def told_of(self, vp_id: str, place: int) -> bool:
        """Whether this worker knows that the image at a place of a record has been published, or told as deleted: its fate is on its way."""
        key = _key(self.taken.of, vp_id)
        return any(int(one.get(key) or 0) > place for one in self._table.partitions())

    async def all(self, number: int, vp_id: str, change: Change) -> list[tuple[str, Change]]:
        """The changes of all images that a record has or had; what is told of them is durable in partition ``number``."""
        there = self.images(vp_id, change) if change["op"] == "upsert" else []
        key = _key(self.taken.of, vp_id)
        stored = int(self._table.partition(number).get(key) or 0)
        most = max([stored, *(int(own.rpartition(".")[2]) + 1 for own, _ in there)])
        if most > stored:
            await self._table.write(number, {key: b"%d" % most})
            if failpoint.ARMED:
                failpoint.hit("images-counted")
        version = Version.decode(change["version"])._replace(deleted=True).encode()
        gone: Change = {**change, "op": "delete", "version": version, "fields": None, "custom": {}}
        has = {own for own, _ in there}
        places = (f"{vp_id}.{place}" for place in range(most))
        return [*there, *((own, gone) for own in places if own not in has)]

    def _change(self, vp_id: str, change: Change, image: NoteImage) -> Change:
        fields = change["fields"] or {}
        own: dict[str, str | None] = {
            "note_id": vp_id,
            "place": str(image.place),
            "filename": image.filename(vp_id),
            "content_type": image.kind,
            "description": image.description or None,
            "size": str(len(image.data)),
            "sha256": hashlib.sha256(image.data).hexdigest(),
            **{name: fields.get(name) for name in _ALONG},
        }
        return {**change, "fields": own, "custom": {}}


def _key(object_: str, vp_id: str) -> bytes:
    return b"I|%s\0%s" % (object_.encode(), vp_id.encode())
