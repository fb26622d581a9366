"""Whether a document may be deleted: not when a person has changed it, or has uploaded a version of it."""

from __future__ import annotations

from collections.abc import Sequence

from agents.removal import EDITED, Removal
from connectors.salesforce.files import VERSION
from connectors.salesforce.session import Salesforce

__all__ = ["FileRemoval", "touched"]


async def touched(salesforce: Salesforce, ids: Sequence[str]) -> dict[str, bool]:
    """By row, whether somebody else than who made it had a hand in a version of its document; rows that are gone are missing.

    Arguments:
        salesforce: an open connection.
        ids: of versions.

    Raises:
        connectors.errors.ConnectorError: the org can't be asked now.
    """
    rows = await salesforce.query_in(f"SELECT Id, ContentDocumentId, CreatedById FROM {VERSION}", "Id", ids)  # noqa: S608 - Salesforce's own names
    documents = {row["ContentDocumentId"]: row["CreatedById"] for row in rows}
    select = f"SELECT ContentDocumentId, CreatedById, LastModifiedById FROM {VERSION}"  # noqa: S608 - Salesforce's own names
    versions = await salesforce.query_in(select, "ContentDocumentId", list(documents))
    theirs = {
        one["ContentDocumentId"]
        for one in versions
        if {one["CreatedById"], one["LastModifiedById"]} != {documents[one["ContentDocumentId"]]}
    }
    return {row["Id"]: row["ContentDocumentId"] in theirs for row in rows}


class FileRemoval(Removal):
    """Looks at documents before they are deleted. Arguments as for `agents.removal.Removal`."""

    async def obstacles(self, ids: Sequence[str]) -> dict[str, str]:
        """As `Removal.obstacles`. Other places that a person has shown the document at are no obstacle: links don't say who made them."""
        found = await super().obstacles(ids)
        hands = await touched(self._salesforce, ids)
        return found | {row_id: EDITED for row_id, theirs in hands.items() if theirs}
