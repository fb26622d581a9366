"""sObject collections: up to 200 rows in one synchronous call, an answer for each.

Owns the calls and the pairing of answers with rows. Nothing that writes is tried again here. Source of fact: REST API
Developer Guide v66, "sObject Collections".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.errors import BadAnswer
from connectors.salesforce import soql
from connectors.salesforce.row_errors import RowError, row_error
from connectors.salesforce.session import Salesforce

__all__ = ["MOST_IDS", "MOST_ROWS", "Collections", "RowResult"]

MOST_ROWS: Final = 200
"""Rows in one writing call."""
MOST_IDS: Final = 2_000
"""Ids in one retrieve."""
_PATH: Final = "/composite/sobjects"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What happened to one row.

    Attributes:
        id: Salesforce id; None for a row that was refused.
        success: Whether it was written.
        created: Whether an upsert made a new row; None for other calls. It isn't proof of where a row came from: a
            repeated call says False for a row the first one created.
        errors: Why not; empty for a success.
    """

    id: str | None
    success: bool
    created: bool | None
    errors: list[RowError] = field(default_factory=list)


class Collections:
    """Collections of one org.

    Args:
        salesforce: The open connection.
    """

    def __init__(self, salesforce: Salesforce) -> None:
        self._salesforce = salesforce

    async def upsert(
        self, sobject: str, external_id_field: str, records: Sequence[Mapping[str, Any]]
    ) -> list[RowResult]:
        """Create or update rows by an external id.

        Args:
            sobject: E.g. `Contact`.
            external_id_field: E.g. `VP_Id__c`; each record has it, no two records the same value.
            records: At most 200; None empties a column.

        Returns:
            A result for each record, in their order.

        Raises:
            ConnectorError: The whole call failed. After an `Unreachable` that may have arrived, the rows may be there.
            ValueError: More than 200 records.
        """
        path = f"{_PATH}/{soql.name(sobject)}/{soql.name(external_id_field)}"
        return await self._write("PATCH", path, sobject, records, f"upsert of {sobject}")

    async def update(self, sobject: str, records: Sequence[Mapping[str, Any]]) -> list[RowResult]:
        """Update rows by `Id`, which each record has. As for `upsert` otherwise."""
        return await self._write("PATCH", _PATH, sobject, records, f"update of {sobject}")

    async def insert(self, sobject: str, records: Sequence[Mapping[str, Any]]) -> list[RowResult]:
        """Create rows. As for `upsert` otherwise; sent twice, it creates them twice."""
        return await self._write("POST", _PATH, sobject, records, f"insert of {sobject}")

    async def delete(self, ids: Sequence[str]) -> list[RowResult]:
        """Delete rows of any objects.

        Args:
            ids: At most 200 Salesforce ids.

        Returns:
            A result for each id, in their order.

        Raises:
            ConnectorError: The whole call failed.
            ValueError: More than 200 ids.
        """
        if not ids:
            return []
        _at_most(len(ids), MOST_ROWS)
        query = {"ids": ",".join(ids), "allOrNone": "false"}
        answer = await self._salesforce.json("DELETE", _PATH, what="delete", params=query)
        return _results(answer, [{} for _ in ids])

    async def retrieve(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any] | None]:
        """Read rows by id; it is tried again after a transient failure.

        Args:
            sobject: E.g. `Contact`.
            ids: At most 2,000 Salesforce ids.
            fields: Columns to read.

        Returns:
            The row of each id, in their order; None for one that isn't there or is hidden.

        Raises:
            ConnectorError: The call failed.
            ValueError: More than 2,000 ids.
        """
        if not ids:
            return []
        _at_most(len(ids), MOST_IDS)
        body = {"ids": list(ids), "fields": [soql.name(column) for column in fields]}
        path = f"{_PATH}/{soql.name(sobject)}"
        answer = await self._salesforce.json("POST", path, what=f"retrieve of {sobject}", json=body, read=True)
        if not isinstance(answer, list) or len(answer) != len(ids):
            raise BadAnswer("Salesforce", "the answer has another number of rows than was asked for")
        return answer

    async def _write(
        self, method: str, path: str, sobject: str, records: Sequence[Mapping[str, Any]], what: str
    ) -> list[RowResult]:
        if not records:
            return []
        _at_most(len(records), MOST_ROWS)
        kind = {"type": soql.name(sobject)}
        body = {"allOrNone": False, "records": [{"attributes": kind, **record} for record in records]}
        return _results(await self._salesforce.json(method, path, what=what, json=body), records)


def _at_most(count: int, most: int) -> None:
    if count > most:
        message = f"{count} rows in one call, at most {most} are possible"
        raise ValueError(message)


def _results(answer: Any, records: Sequence[Mapping[str, Any]]) -> list[RowResult]:
    if not isinstance(answer, list) or len(answer) != len(records):
        raise BadAnswer("Salesforce", "the answer has another number of rows than was sent")
    return [_result(one, record) for one, record in zip(answer, records, strict=True)]


def _result(one: Any, record: Mapping[str, Any]) -> RowResult:
    try:
        errors = [
            row_error(str(error["statusCode"]), error.get("fields") or (), str(error.get("message")), record.values())
            for error in one.get("errors") or ()
        ]
        return RowResult(one.get("id"), bool(one["success"]), one.get("created"), errors)
    except (KeyError, TypeError, AttributeError):
        raise BadAnswer("Salesforce", "a row's result is not what it should be") from None
