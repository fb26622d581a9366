"""What hangs on rows in the org: whoever deletes a row deletes or unlinks it too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from connectors.errors import NotFound, RequestRefused
from connectors.salesforce.session import Salesforce
from cutover.outcome import Failed
from mapping.rules import RELATION

_MADE_BY_PEOPLE: Final = frozenset(
    {
        *("Account", "AccountContactRelation", "Asset", "Attachment", "CampaignMember", "Case", "Contact", "Contract"),
        *("ContentDocumentLink", "Event", "Lead", "Note", "Opportunity", "OpportunityContactRole", "Order", "Quote"),
        *("OpportunityLineItem", "ServiceContract", "Task", "WorkOrder"),
    }
)
"""Standard objects that are looked for, besides custom ones; the others that an org has are Salesforce's own bookkeeping."""

_UNSIGNED: Final = frozenset({"ContentDocumentLink"})
"""Objects that don't say who made a row."""


class Child(NamedTuple):
    """A row that refers to one of ours.

    Attributes:
        signed_by: Who made and who changed it last, None when the object doesn't say.
    """

    id: str
    parent: str
    signed_by: frozenset[str] | None


class Children:
    """Asks one org.

    Args:
        salesforce: An open connection.
        describes: By Salesforce object, its describe.
    """

    def __init__(self, salesforce: Salesforce, describes: Mapping[str, Mapping[str, Any]]) -> None:
        self._salesforce = salesforce
        self._lookups = {name: list(_lookups(describe)) for name, describe in describes.items()}

    async def of(self, sobject: str, ids: Sequence[str]) -> dict[str, list[Child]]:
        """The rows that refer to rows of an object, by the row they refer to.

        Raises:
            ConnectorError: The org can't be asked; then nothing may be deleted.
            Failed: The integration user may not look for some of them.
        """
        found: dict[str, list[Child]] = defaultdict(list)
        for child, field in self._lookups[sobject]:
            signed = child not in _UNSIGNED
            columns = ["Id", field, *(("CreatedById", "LastModifiedById") if signed else ())]
            columns += ["IsDirect"] if child == RELATION else []
            select = f"SELECT {', '.join(columns)} FROM {child}"  # noqa: S608 - names from the org's describe
            try:
                rows = await self._salesforce.query_in(select, field, ids)
            except (RequestRefused, NotFound) as error:
                raise Failed(
                    f"Salesforce doesn't let the integration user look for {child} by {field} ({error.code}), so nobody can say whether "
                    f"a person's rows hang on a {sobject}: give it read access to {child} and this field, then run this again."
                ) from None
            for row in rows:
                if row.get("IsDirect"):  # Salesforce's own: made and removed with the link that it shows
                    continue
                by = frozenset({row["CreatedById"], row["LastModifiedById"]}) if signed else None
                found[row[field]].append(Child(row["Id"], row[field], by))
        return found


def _lookups(describe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for relation in describe.get("childRelationships", ()):
        child, field = relation.get("childSObject"), relation.get("field")
        if not child or not field or relation.get("deprecatedAndHidden"):
            continue
        if child in _MADE_BY_PEOPLE or (child.endswith("__c") and not child.endswith("__Share")):
            yield str(child), str(field)
