"""Documents that are kept as Attachments up to a size, in both systems of a sandbox, as a test looks at them. Shares nothing with the product's way of telling
them apart."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from cutover.demo_attachments import with_attachments
from sandbox.visual_practice import content
from tests.pipeline import visits
from tests.pipeline.maps import write_map
from tests.pipeline.papers import Held, held, rest
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import Record, tidy
from tests.transport.waiting import eventually

MOST: Final = 20_000
"""Bytes of the largest Attachment."""
OBJECTS: Final = ("user", "practice", "patient", "document")
_LINKED: Final = "      Document_Id__c: {from: document_id, max: 80}\n"


def attaching_map(directory: Path, *, only: tuple[str, ...] = OBJECTS, most: int = MOST) -> Path:
    """The default map with documents up to a size as Attachments; a lab result has the id of one in `Document_Id__c`."""
    path = write_map(directory, only=only)
    text = with_attachments(path.read_text(), most)
    linked = _LINKED.replace("from: document_id, max: 80", "parent: attachment, from: document_id, on_absent: later")
    path.write_text(text.replace(_LINKED, linked, 1))
    return path


class Kept(NamedTuple):
    """What the org holds of documents.

    Attributes:
        attachments: The live Attachments with a reference of ours, by it.
        every: All live Attachments.
        files: The files.
    """

    attachments: dict[str, Record]
    every: list[Record]
    files: Held


def kept(pipeline: Pipeline) -> Kept:
    found = pipeline.org.http.get("/dump", params={"sObjects": "Attachment"}).raise_for_status().json()
    live = [row for row in found["Attachment"] if not row.get("IsDeleted")]
    ours = [row for row in live if str(row.get("Description") or "").startswith("attachment:")]
    by_reference = {row["Description"]: row for row in ours}
    assert len(by_reference) == len(ours), "a reference is there twice"
    return Kept(by_reference, live, held(pipeline))


def stored(pipeline: Pipeline, row: Record) -> str:
    """SHA-256 of what Salesforce gives back."""
    with rest(pipeline) as salesforce:
        answer = salesforce.get(f"/sobjects/Attachment/{row['Id']}/Body").raise_for_status()
    return hashlib.sha256(answer.content).hexdigest()


def sha_of(record: Record) -> str:
    made = hashlib.sha256()
    for piece in content.pieces(record["id"], record["filename"], 0, int(record["size"])):
        made.update(piece)
    return made.hexdigest()


def is_attachment(record: Record, most: int = MOST) -> bool:
    return int(record["size"]) <= most and not record["content_type"].startswith("image/")


def check_kept(pipeline: Pipeline, *, without: Collection[str] = ()) -> Kept:
    """Fails unless each document of the source is in the org once, as what its size says, with all that belongs to it.

    Arguments:
        pipeline: whose.
        without: ids of documents that are not looked at.
    """
    dump, found = pipeline.practice.dump(), kept(pipeline)
    wanted = {one["id"]: one for one in dump["documents"] if one["id"] not in without}
    small = {f"attachment:{name}": one for name, one in wanted.items() if is_attachment(one)}
    large = {f"document:{name}" for name, one in wanted.items() if not is_attachment(one)}
    aside = {f"{kind}:{name}" for kind in ("attachment", "document") for name in without}
    assert found.attachments.keys() - aside == small.keys(), found.attachments.keys() ^ small.keys()
    assert found.files.newest.keys() - aside == large, found.files.newest.keys() ^ large
    contacts = {row["Id"]: reference for reference, row in pipeline.org.rows("Contact").items()}
    emails = {one["id"]: (one["email"] or "").lower() for one in dump["users"]}
    users = pipeline.org.users()
    for own, record in small.items():
        row = found.attachments[own]
        assert row["BodyLength"] == record["size"], f"size of {own}"
        assert row["Name"] == tidy(record["filename"]), f"name of {own}"
        assert row["ContentType"] == tidy(record["content_type"]), f"type of {own}"
        assert contacts[row["ParentId"]] == f"patient:{record['patient_id']}", f"patient of {own}"
        owner = users.get(emails.get(record["user_id"], ""), users[visits.FALLBACK])
        assert row["OwnerId"] == owner, f"owner of {own}"
        assert stored(pipeline, row) == sha_of(record), f"content of {own}"
    return found


async def kept_equal(pipeline: Pipeline, within: float = 60, *, without: Collection[str] = ()) -> Kept:
    """Waits for `check_kept`."""

    async def look() -> Kept:
        pipeline.check_alive()
        return check_kept(pipeline, without=without)

    return await eventually(look, within=within, every=0.3)


async def settled(pipeline: Pipeline, found: Kept, within: float = 60) -> None:
    """Waits until every document of ``found`` is loaded and verified as the one, and left out as the other."""

    async def look() -> bool:
        counts = await pipeline.conserved(within=within)
        assert counts["attachment"]["loaded"] == len(found.attachments), counts["attachment"]
        assert counts["document"]["loaded"] == len(found.files.newest), counts["document"]
        return True

    await eventually(look, within=within, every=0.3)


def attach(pipeline: Pipeline, row: Record, body: bytes = b"late") -> str:
    """What a request makes that arrives late: one more Attachment like this one, by the integration user."""
    names = ("Name", "ParentId", "OwnerId", "Description", "ContentType")
    with rest(pipeline) as salesforce:
        record: dict[str, Any] = {name: row[name] for name in names}
        parts = {"entity": (None, httpx.Request("POST", "http://x", json=record).content, "application/json")}
        files = {**parts, "Body": ("content", body, "application/octet-stream")}
        return str(salesforce.post("/sobjects/Attachment", files=files).raise_for_status().json()["id"])
