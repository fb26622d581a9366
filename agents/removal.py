"""Whether a row may be deleted: not when a person has edited it since, nor when something hangs on it that Salesforce would delete or unlink along with it.

What the map says instead (a flag, or nothing) then happens. Not seen: what somebody hangs on a row between this look and the delete, and objects that the
integration user may not query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connectors.errors import NotFound, RequestRefused
from connectors.salesforce.collections import MOST_IDS, Collections
from connectors.salesforce.session import Salesforce

EDITED: Final = "EDITED_IN_TARGET"
HAS_CHILDREN: Final = "HAS_CHILDREN"

_BESIDE: Final = frozenset({"OpportunityContactRole"})
"""Objects of which Salesforce makes rows beside ours: they count once somebody else than who made the row had a hand in them."""

_LOOKED_AT: Final = (
    *_BESIDE,
    "Account",
    "Asset",
    "Case",
    "Contact",
    "Contract",
    "Event",
    "Opportunity",
    "OpportunityLineItem",
    "Order",
    "Quote",
    "Task",
)
"""Standard objects whose records people make; custom ones are added. Histories, feeds, shares and links go with their record."""


class Removal:
    """Looks at rows of one Salesforce object before they are deleted.

    Arguments:
        salesforce: an open connection.
        sobject: API name.
        describe: the org's describe of it, for what hangs on it.
    """

    def __init__(self, salesforce: Salesforce, sobject: str, describe: Mapping[str, Any]) -> None:
        self._salesforce = salesforce
        self._collections = Collections(salesforce)
        self._sobject = sobject
        self._children = sorted(_hanging(describe.get("childRelationships", ())))

    async def obstacles(self, ids: Sequence[str]) -> dict[str, str]:
        """Why rows can't be deleted, by id; those that can, and those that are gone already, are not in it.

        Raises:
            connectors.errors.ConnectorError: the org can't be asked now.
        """
        found: dict[str, str] = {}
        makers: dict[str, str] = {}
        for start in range(0, len(ids), MOST_IDS):
            part = ids[start : start + MOST_IDS]
            rows = await self._collections.retrieve(self._sobject, part, ["Id", "CreatedById", "LastModifiedById"])
            makers |= {row["Id"]: row["CreatedById"] for row in rows if row}
            found |= {row["Id"]: EDITED for row in rows if row and row["LastModifiedById"] != row["CreatedById"]}
        for child, column in list(self._children):
            signed = ("CreatedById", "LastModifiedById") if child in _BESIDE else ()
            select = f"SELECT {', '.join((column, *signed))} FROM {child}"  # noqa: S608 - names of the org's own describe
            try:
                hanging = await self._salesforce.query_in(select, column, ids)
            except (RequestRefused, NotFound):
                self._children.remove((child, column))  # not to be queried by us, or not by this column
                continue
            for row in hanging:
                if not signed or {row[name] for name in signed} != {makers.get(row[column])}:
                    found[row[column]] = HAS_CHILDREN
        return found


def _hanging(relationships: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for one in relationships:
        child = str(one.get("childSObject"))
        if one.get("field") and (child in _LOOKED_AT or child.endswith("__c")):
            yield child, str(one["field"])
