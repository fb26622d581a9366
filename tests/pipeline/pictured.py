"""Notes with images, and what the org must hold for them. Shares nothing with the product's own way of finding them."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from typing import Final

from tests.pipeline.messages import NOTE
from tests.pipeline.papers import Held, held
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import Record
from tests.transport.waiting import eventually

ADDRESS: Final = re.compile(r"/sfc/servlet\.shepherd/document/download/(\w{18})")
OBJECTS: Final = ("user", "provider", "practice", "patient", "note", "note_image", "document")
RESOURCES: Final = "users,providers,practices,patients,notes,documents"


def picture(seed: int, size: int = 20_000) -> bytes:
    """Bytes that begin like a PNG."""
    return b"\x89PNG\r\n\x1a\n" + random.Random(seed).randbytes(size - 8)


def inline(data: bytes, alt: str = "Burn", kind: str = "image/png") -> str:
    return f'<img alt="{alt}" src="data:{kind};base64,{base64.b64encode(data).decode()}">'


def linked(vp_id: str, alt: str = "Scan", home: str = "") -> str:
    return f'<img alt="{alt}" src="{home}/v1/documents/{vp_id}/content">'


def note(vp_id: str, patient: str, body: str, **more: object) -> Record:
    return {"id": vp_id, **NOTE, "patient_id": patient, "body": body, **more}


class Shown:
    """A note's task, and the files that its text has the addresses of.

    Arguments:
        pipeline: whose.
        vp_id: of the note.
    """

    def __init__(self, pipeline: Pipeline, vp_id: str) -> None:
        tasks = pipeline.org.rows("Task")
        assert f"note:{vp_id}" in tasks, f"note:{vp_id} is not there"
        self.task: Record = tasks[f"note:{vp_id}"]
        self.text: str = self.task["Description"] or ""
        self.files: Held = held(pipeline)
        self.documents: list[str] = ADDRESS.findall(self.text)

    @property
    def words(self) -> str:
        """The text with a mark instead of each address."""
        return ADDRESS.sub("FILE", self.text)

    def newest(self, number: int) -> Record:
        """The newest version of the ``number``-th file."""
        (row,) = (
            one for one in self.files.versions if one["ContentDocumentId"] == self.documents[number] and one["IsLatest"]
        )
        return row

    def has(self, number: int, data: bytes, reference: str) -> None:
        """Fails unless the ``number``-th file is these bytes, ours, and the only one of its name."""
        row = self.newest(number)
        assert row["Checksum"] == hashlib.md5(data).hexdigest(), f"content of {reference}"
        assert row["ContentSize"] == len(data), f"size of {reference}"
        assert row["VP_Id__c"] == reference


async def shows(pipeline: Pipeline, vp_id: str, words: str, within: float = 90) -> Shown:
    """Waits until a note's task has this text, a mark standing for each address."""

    async def look() -> Shown:
        pipeline.check_alive()
        shown = Shown(pipeline, vp_id)
        assert shown.words == words, shown.words
        return shown

    return await eventually(look, within=within, every=0.3)
