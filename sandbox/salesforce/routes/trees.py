"""Records with their children, made in one request.

Owns `/composite/tree/X`: all or nothing. Source of fact: REST API Developer Guide; the limits of 200 records, five levels
and five kinds are unverified.
"""

from typing import Any

from aiohttp import web

from sandbox.database import Undone
from sandbox.salesforce.errors import ApiError, RowError
from sandbox.salesforce.routes.context import VERSION, allows_duplicates, answer, given, services, user
from sandbox.salesforce.schema import Field, SObject

MOST_RECORDS, MOST_LEVELS, MOST_KINDS = 200, 5, 5
Record = dict[str, Any]


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    for end in ("", "/"):
        app.router.add_post(f"{VERSION}/composite/tree/{{sobject}}{end}", _tree)


class _Planting:
    """One request: what was made so far, and what was refused."""

    def __init__(self, request: web.Request) -> None:
        self._request, self._shared = request, services(request)
        self.made: list[Record] = []
        self.refused: list[Record] = []
        self._kinds: set[str] = set()

    async def plant(
        self, sobject: SObject, records: Any, parent: tuple[Field, str] | None = None, level: int = 1
    ) -> None:
        """Makes records of an object and, after them, what hangs on them."""
        if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
            raise ApiError(400, "JSON_PARSER_ERROR", "Field name [records] is missing or is no list of objects")
        self._kinds.add(sobject.name)
        if level > MOST_LEVELS or len(self._kinds) > MOST_KINDS or len(self.made) + len(records) > MOST_RECORDS:
            raise ApiError(400, "LIMIT_EXCEEDED", "The tree is larger than 200 records, 5 levels or 5 kinds of objects")
        plain = [self._plain(each, parent) for each in records]
        outcomes = await self._shared.org.database.write(
            self._shared.writes.run,
            "insert",
            [(sobject, each) for each in plain],
            user(self._request),
            allow_duplicates=allows_duplicates(self._request),
        )
        for record, outcome in zip(records, outcomes, strict=True):
            reference = record.get("attributes", {}).get("referenceId")
            if outcome.error is not None:
                self._refuse(reference, outcome.error)
                continue
            self.made.append({"referenceId": reference, "id": outcome.id})
            for name, value in record.items():
                if isinstance(value, dict) and name != "attributes" and "records" in value:
                    child, lookup = self._child(sobject, name)
                    await self.plant(child, value["records"], (lookup, outcome.id or ""), level + 1)

    @staticmethod
    def _plain(record: Record, parent: tuple[Field, str] | None) -> Record:
        attributes = record.get("attributes")
        if not isinstance(attributes, dict) or not attributes.get("type") or not attributes.get("referenceId"):
            raise ApiError(400, "INVALID_INPUT", "Include a type and a referenceId in the attributes of each record.")
        kept = {name: value for name, value in record.items() if not (isinstance(value, dict) and "records" in value)}
        return kept | ({parent[0].name: parent[1]} if parent else {})

    def _refuse(self, reference: str | None, error: RowError) -> None:
        self.refused.append({"referenceId": reference, "errors": [error.as_json()]})

    def _child(self, sobject: SObject, name: str) -> tuple[SObject, Field]:
        schema = self._shared.org.seen_by(user(self._request))
        for child, lookup in schema.lookups_to(sobject.name):
            if (lookup.child or "").lower() == name.lower() and lookup.createable:
                return child, lookup
        raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")


async def _tree(request: web.Request) -> web.Response:
    body, shared = await given(request), services(request)
    sobject = shared.writes.sobject(request.match_info["sobject"], user(request))
    planting = _Planting(request)
    async with shared.org.database.together():
        await planting.plant(sobject, body.get("records"))
        if planting.refused:
            raise Undone
    if planting.refused:
        return answer(request, {"hasErrors": True, "results": planting.refused}, 400)
    shared.usage.wrote(sobject.name, "insert", len(planting.made))
    return answer(request, {"hasErrors": False, "results": planting.made}, 201)
