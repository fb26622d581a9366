"""The batch journal: what is about to be sent, durable before it is.

An entry is a head (``<batch>``) and pages of rows (``<batch> NUL <page>``); the head is written last and removed first, so that an entry with a head is
whole. It lives in a state table whose changelog is ``bulk.<sobject>``; the ledger reads the same topic.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from state.table import Partition, StateTable
from topics.codec import Codec
from topics.messages import Batch, BatchRow, BatchRows
from transport import failpoint

_PAGE_ROWS: Final = 500


@dataclass(frozen=True)
class Unfinished:
    """An entry that a former owner of the partition left behind."""

    batch: Batch
    rows: list[BatchRow]


class Journal:
    """The journal of one Salesforce object.

    Arguments:
        table: bound to ``sf.<sobject>``, with the changelog ``bulk.<sobject>``.
        codec: the wire format.
    """

    def __init__(self, table: StateTable, codec: Codec) -> None:
        self.table = table
        self._codec = codec

    async def plan(self, batch: Batch, rows: Sequence[BatchRow]) -> None:
        """Makes a batch durable, rows and origins, before anything is sent.

        Raises:
            transport.assignment.StaleAssignment: the partition was revoked; don't send.
        """
        pages: dict[bytes, bytes | None] = {}
        for number, start in enumerate(range(0, len(rows), _PAGE_ROWS)):
            page: BatchRows = {"batch": batch["id"], "page": number, "rows": list(rows[start : start + _PAGE_ROWS])}
            pages[_page_key(batch["id"], number)] = self._encode("batch_rows", page, _page_key(batch["id"], number))
        await self.table.write(
            batch["partition"], pages | {_key(batch["id"]): self._encode("batch", batch, _key(batch["id"]))}
        )

    async def note(self, batch: Batch, state: str, job_id: str | None = None) -> Batch:
        """Makes a step of the batch durable; returns the entry as it is now."""
        noted: Batch = {**batch, "state": state, "job_id": job_id or batch["job_id"], "at": time.time_ns() // 1_000_000}
        await self.table.write(batch["partition"], {_key(batch["id"]): self._encode("batch", noted, _key(batch["id"]))})
        return noted

    async def finish(self, partition: int, batch_id: str, rows: int) -> None:
        """Removes an entry whose rows are all settled."""
        pages = range((rows + _PAGE_ROWS - 1) // _PAGE_ROWS)
        await self.table.write(
            partition, {_key(batch_id): None} | {_page_key(batch_id, number): None for number in pages}
        )
        if failpoint.ARMED:
            failpoint.hit("journal-removed")

    def unfinished(self, partition: Partition) -> list[Unfinished]:
        """The entries found when the partition was opened; pages without a head belong to an entry that was never whole."""
        heads: dict[str, Batch] = {}
        rows: dict[str, list[BatchRow]] = {}
        for key, value in partition.items():
            name, message = self._codec.decode(value, topic=self.table.topic, key=key)
            if name == "batch":
                heads[message["id"]] = cast("Batch", message)
            else:
                rows.setdefault(message["batch"], []).extend(cast("list[BatchRow]", message["rows"]))
        return [Unfinished(head, rows.get(name, [])) for name, head in heads.items()]

    def _encode(self, name: str, message: Any, key: bytes) -> bytes:
        return self._codec.encode(name, message, topic=self.table.topic, key=key)


def _key(batch_id: str) -> bytes:
    return batch_id.encode()


def _page_key(batch_id: str, page: int) -> bytes:
    return b"%s\0%05d" % (batch_id.encode(), page)
