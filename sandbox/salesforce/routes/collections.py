"""Up to 200 records a call.

Owns `/composite/sobjects`. Errors of a row carry `statusCode`; errors of the request `errorCode`.
"""

from typing import Any

import orjson
from aiohttp import web

from sandbox.salesforce import ids
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.payload import Record
from sandbox.salesforce.routes.context import VERSION, allows_duplicates, answer, given, services, user
from sandbox.salesforce.routes.records import as_record
from sandbox.salesforce.rows import Outcome
from sandbox.salesforce.schema import SObject
from sandbox.salesforce.soql.results import attributes

MOST_RETRIEVED = 2_000


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    root = f"{VERSION}/composite/sobjects"
    app.router.add_post(root, _create)
    app.router.add_patch(root, _update)
    app.router.add_delete(root, _delete)
    app.router.add_patch(f"{root}/{{sobject}}/{{field}}", _upsert)
    app.router.add_post(f"{root}/{{sobject}}", _retrieve)
    app.router.add_get(f"{root}/{{sobject}}", _retrieve)


def _records(request: web.Request, body: dict[str, Any], fixed: SObject | None = None) -> list[tuple[SObject, Record]]:
    writes = services(request).writes
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise ApiError(400, "INVALID_INPUT", "The records list is missing or is no list of objects")
    typed = []
    for record in records:
        name = record.get("attributes", {}).get("type") or (fixed.name if fixed else None)
        if name is None:
            raise ApiError(400, "INVALID_INPUT", "Include a type in the attributes of each record.")
        sobject = writes.sobject(name, user(request))
        if fixed is not None and sobject.name != fixed.name:
            raise ApiError(400, "INVALID_INPUT", f"The type {name} does not match the resource's {fixed.name}")
        typed.append((sobject, record))
    return typed


def _outcome(outcome: Outcome, *, upsert: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if outcome.error is None:
        shown["id"] = outcome.id
    shown |= {"success": outcome.error is None, "errors": [outcome.error.as_json()] if outcome.error else []}
    if upsert:
        shown["created"] = outcome.created
    return shown


async def _run(
    request: web.Request,
    operation: str,
    records: list[tuple[SObject, Record]],
    body: dict[str, Any],
    key_name: str | None = None,
) -> web.Response:
    shared = services(request)
    key = shared.writes.key(records[0][0], key_name) if key_name and records else None
    outcomes = await shared.org.database.write(
        shared.writes.run,
        operation,
        records,
        user(request),
        key,
        all_or_none=str(body.get("allOrNone", False)).lower() == "true",
        allow_duplicates=allows_duplicates(request),
    )
    if records:
        shared.usage.wrote(records[0][0].name, operation, sum(outcome.error is None for outcome in outcomes))
    return answer(request, [_outcome(outcome, upsert=key is not None) for outcome in outcomes])


async def _create(request: web.Request) -> web.Response:
    body = await given(request)
    return await _run(request, "insert", _records(request, body), body)


async def _update(request: web.Request) -> web.Response:
    body = await given(request)
    records = [(sobject, _with_id(record)) for sobject, record in _records(request, body)]
    return await _run(request, "update", records, body)


def _with_id(record: Record) -> Record:
    return {("Id" if name.lower() == "id" else name): value for name, value in record.items()}


async def _upsert(request: web.Request) -> web.Response:
    body = await given(request)
    sobject = services(request).writes.sobject(request.match_info["sobject"], user(request))
    return await _run(request, "upsert", _records(request, body, sobject), body, request.match_info["field"])


async def _delete(request: web.Request) -> web.Response:
    schema = services(request).org.seen_by(user(request))
    records: list[tuple[SObject, Record]] = []
    for identity in filter(None, request.query.get("ids", "").split(",")):
        sobject = schema.by_prefix(identity[:3])
        if sobject is None or ids.long(identity) is None:
            raise ApiError(400, "MALFORMED_ID", f"malformed id {identity}")
        records.append((sobject, {"Id": identity}))
    return await _run(request, "delete", records, dict(request.query))


async def _retrieve(request: web.Request) -> web.Response:
    shared = services(request)
    sobject = shared.writes.sobject(request.match_info["sobject"], user(request))
    if request.method == "GET":
        wanted = {name: request.query.get(name, "").split(",") for name in ("ids", "fields")}
    else:
        wanted = await given(request)
    if len(wanted.get("ids", ())) > MOST_RETRIEVED:
        raise ApiError(
            400,
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MOST_RETRIEVED} records in this call",
        )
    identities = [ids.long(str(identity)) or str(identity) for identity in wanted.get("ids", ())]
    names = [str(name) for name in wanted.get("fields", ())]

    def retrieved() -> bytes:
        stored = shared.writes.fetch(sobject, identities, names)
        version = request.match_info["version"]
        return orjson.dumps(
            [
                {"attributes": attributes(sobject, version, identity)}
                | as_record(sobject, stored[identity] | {"Id": identity}, names)
                if identity in stored
                else None
                for identity in identities
            ]
        )

    return answer(request, orjson.Fragment(await shared.org.database.read(retrieved)))
