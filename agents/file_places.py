"""Where a document is shown: the links of its ContentDocument, and the column that stands for them.

Salesforce makes the first link from `FirstPublishLocationId` of the first version and says no more there of what follows. A document that changes its patient
is taken off the former one *before* it is shown at the new one: while in doubt it is shown at neither.

Links don't say who made them. So when, and only when, a document is not linked to its patient, its links to all other patients of ours go; a person who had
shown it to another patient of ours as well shows it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from connectors.salesforce.collections import Collections
from connectors.salesforce.files import LINK, VERSION
from connectors.salesforce.row_errors import RowError
from connectors.salesforce.session import Salesforce
from mapping.rules import PLACE, MapDocument
from topics import reference
from transport import failpoint

__all__ = ["FilePlaces", "FileRows", "Home", "home_of"]

_GONE: Final = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND"})


class Home(NamedTuple):
    """What documents are shown at.

    Attributes:
        object: Of the source, e.g. `patient`.
        sobject: Its Salesforce object.
        external_id: The column that holds our reference there.
    """

    object: str
    sobject: str
    external_id: str


def home_of(document: MapDocument) -> Home | None:
    """What the documents of a map are shown at; None when the map says nothing of it."""
    for rule in document.rows.values():
        column = rule.columns.get(PLACE)
        if rule.has_content and column is not None and column.parent is not None:
            parent = document.objects[column.parent]
            return Home(column.parent, parent.target, parent.external_id)
    return None


class FilePlaces:
    """The links of one org's documents.

    Arguments:
        salesforce: an open connection.
        home: what documents are shown at, None for nothing.
    """

    def __init__(self, salesforce: Salesforce, home: Home | None) -> None:
        self._salesforce = salesforce
        self._collections = Collections(salesforce)
        self._home = home

    async def linked(self, documents: Sequence[str]) -> dict[str, dict[str, str]]:
        """By document, the ids of what it is linked to, each with its link.

        Raises:
            connectors.errors.ConnectorError: the org can't be asked now.
        """
        select = f"SELECT Id, ContentDocumentId, LinkedEntityId FROM {LINK}"  # noqa: S608
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for row in await self._salesforce.query_in(select, "ContentDocumentId", documents):
            found[row["ContentDocumentId"]][row["LinkedEntityId"]] = row["Id"]
        return found

    async def homes(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are rows of ours that a document can be shown at."""
        if self._home is None or not ids:
            return set()
        own = self._home.external_id
        select = f"SELECT Id, {own} FROM {self._home.sobject}"  # noqa: S608 - names of the confirmed map
        rows = await self._salesforce.query_in(select, "Id", ids)
        return {row["Id"] for row in rows if row[own] and reference.split(row[own])[0] == self._home.object}

    async def move(self, document: str, wanted: str) -> RowError | None:
        """Shows a document at ``wanted`` and at no other row of that kind of ours; may be called twice.

        Returns:
            Why Salesforce refuses that.

        Raises:
            connectors.errors.ConnectorError: the org can't be asked now.
        """
        links = (await self.linked([document])).get(document, {})
        if wanted in links:
            return None
        others = await self.homes(sorted(links.keys() - {wanted}))
        for answer in await self._collections.delete([links[one] for one in sorted(others)]):
            if not answer.success and answer.errors[0].code not in _GONE:
                return answer.errors[0]
        if failpoint.ARMED:
            failpoint.hit("link-removed")
        link = {"ContentDocumentId": document, "LinkedEntityId": wanted, "ShareType": "V"}
        (made,) = await self._collections.insert(LINK, [link])
        if made.success:
            return None
        return made.errors[0]._replace(fields=(PLACE,))


class FileRows(Collections):
    """Rows as they are read back for a comparison: of documents, the place that links say.

    Arguments:
        salesforce: an open connection.
        places: the links.
    """

    def __init__(self, salesforce: Salesforce, places: FilePlaces) -> None:
        super().__init__(salesforce)
        self._file_places = places

    async def retrieve(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any] | None]:
        """As `Collections.retrieve`."""
        if sobject != VERSION or PLACE not in fields:
            return await super().retrieve(sobject, ids, fields)
        rows = await super().retrieve(sobject, ids, [*fields, "ContentDocumentId"])
        links = await self._file_places.linked(sorted({row["ContentDocumentId"] for row in rows if row is not None}))
        homes = await self._file_places.homes(sorted({one for linked in links.values() for one in linked}))
        return [
            None if row is None else _with_place(row, links.get(row["ContentDocumentId"], {}), homes) for row in rows
        ]


def _with_place(row: dict[str, Any], linked: Mapping[str, str], homes: set[str]) -> dict[str, Any]:
    """The row with what its document is linked to: as it was published while it still is, else the one row of ours; None when that is none or several."""
    shown = sorted(linked.keys() & homes)
    if row[PLACE] not in shown:
        row[PLACE] = shown[0] if len(shown) == 1 else None
    return row
