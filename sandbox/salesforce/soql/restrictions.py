"""Queries that Salesforce refuses for what they ask of, though the grammar allows them.

Owns these refusals. Called by `statement`. Source of fact: the Object Reference on ContentDocumentLink (practice).
"""

from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.soql.syntax import Comparison, Condition, Path, Query

FILTERED = {"contentdocumentlink": frozenset({"contentdocumentid", "linkedentityid"})}
LINKS = (
    "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId"
    " using the equals operator or multiple Id's using the IN operator."
)


def check(query: Query) -> None:
    """Raises ApiError for a query of links to files that does not say of which file or record."""
    wanted = FILTERED.get(query.sobject.text.lower())
    if wanted is not None and not _filters(query.where, wanted):
        raise ApiError(400, "MALFORMED_QUERY", LINKS)


def _filters(condition: Condition | None, wanted: frozenset[str]) -> bool:
    if condition is None:
        return False
    if isinstance(condition, Comparison):
        left, operator = condition.left, condition.operator
        return isinstance(left, Path) and left.parts[-1].lower() in wanted and operator in {"=", "in"}
    return condition.operator == "and" and any(_filters(each, wanted) for each in condition.parts)
