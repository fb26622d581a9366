"""The batch journals as a test looks at them."""

from __future__ import annotations

from tests.pipeline.pipeline import CODEC, Pipeline


async def unfinished(pipeline: Pipeline, sobject: str) -> dict[bytes, str]:
    """The batches of one Salesforce object that are not finished: by key, their state, or `batch_rows` for a page of rows."""
    entries: dict[bytes, str] = {}
    for record in await pipeline.records(pipeline.catalogue.bulk(sobject)):
        if record.key[:1] == b"\xff":
            continue
        entries.pop(record.key, None)
        if record.value is not None:
            name, message = CODEC.decode(record.value)
            entries[record.key] = message["state"] if name == "batch" else name
    return entries


async def at_work(pipeline: Pipeline) -> set[str]:
    """The Salesforce objects whose journals have unfinished batches."""
    return {sobject for sobject in pipeline.catalogue.sobjects if await unfinished(pipeline, sobject)}
