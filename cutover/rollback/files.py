"""Documents in a rollback: a version goes with its ContentDocument, and that with its other versions and its links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agents.file_places import FilePlaces
from agents.file_removal import touched
from connectors.salesforce.collections import Collections
from connectors.salesforce.files import VERSION
from connectors.salesforce.session import Salesforce


class Beside(NamedTuple):
    """What is known of the documents of rows.

    Attributes:
        edited: Ids of rows in whose document somebody else had a hand.
        links: By row, the ids of the links that go along.
    """

    edited: frozenset[str]
    links: dict[str, list[str]]


_NOTHING = Beside(frozenset(), {})


class FileUndo:
    """Asks one org.

    Args:
        salesforce: An open connection.
        places: The links of its documents.
    """

    def __init__(self, salesforce: Salesforce, places: FilePlaces) -> None:
        self._salesforce = salesforce
        self._collections = Collections(salesforce)
        self._places = places

    async def beside(self, sobject: str, ids: Sequence[str]) -> Beside:
        """What goes along with rows of an object, at most 2,000; nothing with those of others than documents.

        Raises:
            ConnectorError: The org can't be asked; then nothing may be deleted.
        """
        if sobject != VERSION or not ids:
            return _NOTHING
        hands = await touched(self._salesforce, ids)
        documents = await self.deleted_by(sobject, ids)
        linked = await self._places.linked(documents)
        links = {row_id: [*linked.get(one, {}).values()] for row_id, one in zip(ids, documents, strict=True)}
        return Beside(frozenset(row_id for row_id, theirs in hands.items() if theirs), links)

    async def deleted_by(self, sobject: str, ids: Sequence[str]) -> list[str]:
        """What has to be deleted for rows to go, in their order: themselves, or their documents; of a row that is gone itself.

        Raises:
            ConnectorError: The org can't be asked.
        """
        if sobject != VERSION:
            return list(ids)
        rows = await self._collections.retrieve(VERSION, ids, ["ContentDocumentId"])
        return [row_id if row is None else str(row["ContentDocumentId"]) for row_id, row in zip(ids, rows, strict=True)]
