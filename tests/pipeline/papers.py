"""Documents of both systems of a sandbox as a test looks at them. Shares nothing with the product's own way of telling them apart."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any, Final, NamedTuple

import httpx

from sandbox.visual_practice import content
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import Record, ours, tidy
from tests.transport.waiting import eventually

FILES: Final = "ContentVersion,ContentDocument,ContentDocumentLink,Contact"
KILOBYTE: Final = 1000


class Held(NamedTuple):
    """What the org holds of files; live rows only.

    Attributes:
        versions: All versions.
        newest: The newest versions that are ours, by reference.
        documents: Ids of all documents.
        shown: By document, the references of the contacts that it is shown at.
    """

    versions: list[Record]
    newest: dict[str, Record]
    documents: set[str]
    shown: dict[str, set[str]]


def held(pipeline: Pipeline) -> Held:
    dump = pipeline.org.http.get("/dump", params={"sObjects": FILES}).raise_for_status().json()
    live = {name: [row for row in rows if not row.get("IsDeleted")] for name, rows in dump.items()}
    contacts = {row["Id"]: row["VP_Id__c"] for row in live["Contact"] if row.get("VP_Id__c")}
    shown: dict[str, set[str]] = {row["Id"]: set() for row in live["ContentDocument"]}
    for link in live["ContentDocumentLink"]:
        if link["LinkedEntityId"] in contacts:
            shown[link["ContentDocumentId"]].add(contacts[link["LinkedEntityId"]])
    newest = ours(live["ContentVersion"])
    return Held(live["ContentVersion"], newest, set(shown), shown)


def paper(vp_id: str, patient: str, size: int = 30 * KILOBYTE, **more: Any) -> Record:
    """A document as the source has it."""
    return {
        "id": vp_id,
        "patient_id": patient,
        "filename": f"paper-{vp_id}.pdf",
        "content_type": "application/pdf",
        "size": size,
        "category": "consent",
        "user_id": "1",
        "processing_completed": True,
        "content": {"link": f"/v1/documents/{vp_id}/content"},
    } | more


def md5_of(record: Record) -> str:
    made = hashlib.md5()
    for piece in content.pieces(record["id"], record["filename"], 0, int(record["size"])):
        made.update(piece)
    return made.hexdigest()


def check_papers(
    pipeline: Pipeline, *, without: frozenset[str] = frozenset(), only: Collection[str] | None = None
) -> Held:
    """Fails unless the org holds each document of the source once, with its content, at its patient, and no other file.

    Arguments:
        pipeline: whose.
        without: ids of documents that can't be loaded, and of those that somebody keeps.
        only: ids of documents that are looked at; all without it.
    """
    dump, found = pipeline.practice.dump(), held(pipeline)
    source = dump["documents"]
    if only is not None:
        without = frozenset(one["id"] for one in (*source, *dump["documents_deleted"]) if one["id"] not in only)
    wanted = {f"document:{one['id']}": one for one in source if one["id"] not in without}
    names = {f"document:{one}" for one in without}
    assert found.newest.keys() - names == wanted.keys(), found.newest.keys() ^ wanted.keys()
    if not without:
        assert len(found.documents) == len(wanted), "a document is there twice, or one was left behind"
    for own, record in wanted.items():
        row = found.newest[own]
        assert row["IsLatest"], f"{own} is not the newest version"
        assert row["ContentSize"] == record["size"], f"size of {own}"
        assert row["Checksum"] == md5_of(record), f"content of {own}"
        assert row["Title"] == row["PathOnClient"] == tidy(record["filename"]), f"name of {own}"
        assert found.shown[row["ContentDocumentId"]] == {f"patient:{record['patient_id']}"}, f"place of {own}"
    return found


async def papers_equal(pipeline: Pipeline, within: float = 60, *, without: frozenset[str] = frozenset()) -> Held:
    """Waits for `check_papers`."""

    async def look() -> Held:
        pipeline.check_alive()
        return check_papers(pipeline, without=without)

    return await eventually(look, within=within, every=0.3)


async def accounted(pipeline: Pipeline, found: Held, within: float = 60) -> None:
    """Waits until the ledger has every document of ``found`` as loaded, all of them are verified, and nothing is unaccounted for."""

    async def look() -> bool:
        counts = await pipeline.conserved(within=within)
        # What was held a moment ago may be in the org before the ledger has read that.
        assert counts["document"]["loaded"] == len(found.newest), counts["document"]
        return True

    await eventually(look, within=within, every=0.3)


def rest(pipeline: Pipeline) -> httpx.Client:
    """Salesforce's own API, as the integration user calls it."""
    card = pipeline.sandbox.salesforce
    headers = {"Authorization": f"Bearer {card['access_token']}"}
    return httpx.Client(base_url=f"{card['url']}/services/data/v62.0", headers=headers, timeout=30)
