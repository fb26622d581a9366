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

__all__ = ["FilePlaces", "FileRows", "Home", "homes_of", "references_of"]

_KEY_PREFIX: Final = 3
"""Characters of an id that say which object it is of."""
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


def homes_of(document: MapDocument) -> list[Home]:
    """What the files of a map are shown at; nothing when the map says nothing of it."""
    found: dict[str, Home] = {}
    for rule in document.rows.values():
        column = rule.columns.get(PLACE)
        if rule.has_content and column is not None and column.parent is not None:
            parent = document.objects[column.parent]
            found[column.parent] = Home(column.parent, parent.target, parent.external_id)
    return list(found.values())


async def references_of(salesforce: Salesforce, external_id: str, documents: Sequence[str]) -> dict[str, str]:
    """The references that the newest versions of documents carry, by the documents' ids; those of nobody's records are missing.

    Raises:
        connectors.errors.ConnectorError: the org can't be asked now.
    """
    select = f"SELECT ContentDocumentId, IsLatest, {external_id} FROM {VERSION}"  # noqa: S608 - names of the confirmed map
    rows = await salesforce.query_in(select, "ContentDocumentId", documents)
    return {row["ContentDocumentId"]: row[external_id] for row in rows if row["IsLatest"] and row[external_id]}


class FilePlaces:
    """The links of one org's documents.

    Arguments:
        salesforce: an open connection.
        homes: what documents are shown at.
    """

    def __init__(self, salesforce: Salesforce, homes: Sequence[Home]) -> None:
        self._salesforce = salesforce
        self._collections = Collections(salesforce)
        self._homes = homes

    async def linked(self, documents: Sequence[str]) -> dict[str, dict[str, str]]:
        """By document, the ids of what it is linked to, each with its link.

        Raises:
            connectors.errors.ConnectorError: the org can't be asked now.
        """
        select = f"SELECT Id, ContentDocumentId, LinkedEntityId FROM {LINK}"  # noqa: S608 - Salesforce's own names
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for row in await self._salesforce.query_in(select, "ContentDocumentId", documents):
            found[row["ContentDocumentId"]][row["LinkedEntityId"]] = row["Id"]
        return found

    async def homes(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are rows of ours that a document can be shown at."""
        found: set[str] = set()
        for home in self._homes if ids else ():
            own = home.external_id
            select = f"SELECT Id, {own} FROM {home.sobject}"  # noqa: S608 - names of the confirmed map
            rows = await self._salesforce.query_in(select, "Id", ids)
            found |= {row["Id"] for row in rows if row[own] and reference.split(row[own])[0] == home.object}
        return found

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
        kind = wanted[:_KEY_PREFIX]  # of other kinds it is somebody else's link
        others = await self.homes(sorted(one for one in links if one != wanted and one.startswith(kind)))
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
