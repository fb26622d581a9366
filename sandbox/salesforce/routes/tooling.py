"""The Tooling API, as far as objects and fields go.

Owns `/tooling`. A CustomField is made, changed and unmade here as a component of the Metadata API is; other objects can
only be asked for.
"""

from typing import Any

import orjson
from aiohttp import web

from sandbox.salesforce import describe, ids
from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.metadata.changes import Change, Changes, RefusedError
from sandbox.salesforce.metadata.components import FIELD, Component
from sandbox.salesforce.metadata.tooling import Tooling
from sandbox.salesforce.routes.context import VERSION, answer, base, given, services, user

TOOLING = web.AppKey("tooling", Tooling)
RESOURCES = ("query", "sobjects")


def add_routes(app: web.Application, tooling: Tooling) -> None:
    """Adds the routes of this module."""
    app[TOOLING] = tooling
    root, one = f"{VERSION}/tooling", f"{VERSION}/tooling/sobjects/{{sobject}}"
    for end in ("", "/"):
        app.router.add_get(root + end, _resources)
        app.router.add_get(f"{root}/query{end}", _query)
        app.router.add_get(f"{root}/sobjects{end}", _list)
        app.router.add_get(f"{one}/describe{end}", _describe)
        app.router.add_post(one + end, _create)
        app.router.add_get(f"{one}/{{id}}{end}", _get)
        app.router.add_patch(f"{one}/{{id}}{end}", _update)
        app.router.add_delete(f"{one}/{{id}}{end}", _delete)


def _base(request: web.Request) -> str:
    return f"{base(request)}/tooling"


async def _resources(request: web.Request) -> web.Response:
    return answer(request, {name: f"{_base(request)}/{name}" for name in RESOURCES})


async def _query(request: web.Request) -> web.Response:
    soql, version = request.query.get("q", ""), request.match_info["version"]
    if not soql:
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    found = await services(request).org.database.write(request.app[TOOLING].query, soql, version)
    for record in found.records:
        if "url" in record.get("attributes", {}):
            record["attributes"]["url"] = record["attributes"]["url"].replace("/sobjects/", "/tooling/sobjects/")
    shown: dict[str, Any] = {"size": len(found.records), "totalSize": found.total, "done": True, "queryLocator": None}
    shown |= {"entityTypeName": None, "records": found.records}
    return answer(request, orjson.Fragment(orjson.dumps(shown)))


async def _list(request: web.Request) -> web.Response:
    listed = [describe.listed(each, _base(request)) for each in request.app[TOOLING].schema]
    return answer(request, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})


async def _describe(request: web.Request) -> web.Response:
    schema = request.app[TOOLING].schema
    found = schema.get(request.match_info["sobject"])
    if found is None:
        raise not_found()
    return answer(request, describe.sobject(schema, found, _base(request)))


def _only_fields(request: web.Request) -> None:
    name = request.match_info["sobject"]
    if request.app[TOOLING].schema.get(name) is None:
        raise not_found()
    if name.lower() != FIELD.lower():
        text = f"entity type {name} does not support create, update or delete"
        raise ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text, fields=())


async def _change(request: web.Request, component: Component, *, new: bool = False) -> Change:
    shared = services(request)
    changes = Changes(shared.org, user(request))

    def change() -> Change:
        changes.check(component, set())
        if new:
            changes.check_new(component)
        with shared.org.database.transaction() as connection:
            return changes.apply(connection, component)

    try:
        return await shared.org.database.write(change)
    except RefusedError as error:
        raise ApiError(400, error.code, str(error), fields=()) from error


def _component(name: str, body: dict[str, Any]) -> Component:
    metadata = body.get("Metadata")
    if not isinstance(metadata, dict):
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Metadata]", fields=("Metadata",))
    return Component(FIELD, name, metadata)


async def _create(request: web.Request) -> web.Response:
    _only_fields(request)
    body = await given(request)
    name = str(body.get("FullName", ""))
    if "." not in name:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [FullName]", fields=("FullName",))
    made = await _change(request, _component(name, body), new=True)
    created = answer(request, {"id": made.id, "success": True, "errors": [], "warnings": [], "infos": []}, 201)
    created.headers["Location"] = f"{_base(request)}/sobjects/{FIELD}/{made.id}"
    return created


async def _named(request: web.Request) -> dict[str, Any]:
    identity = ids.long(request.match_info["id"])
    sobject = request.app[TOOLING].schema.get(request.match_info["sobject"])
    if identity is None or sobject is None:
        raise not_found()
    names = ", ".join(name for name in sobject.fields if name != "EntityDefinitionId")
    soql = f"SELECT {names} FROM {sobject.name} WHERE Id = '{identity}'"  # noqa: S608
    tooling, version = request.app[TOOLING], request.match_info["version"]
    found = await services(request).org.database.write(tooling.query, soql, version)
    if not found.records:
        raise not_found()
    return found.records[0]


async def _get(request: web.Request) -> web.Response:
    return answer(request, await _named(request))


async def _update(request: web.Request) -> web.Response:
    _only_fields(request)
    name = str((await _named(request))["FullName"])
    await _change(request, _component(name, await given(request)))
    return web.Response(status=204)


async def _delete(request: web.Request) -> web.Response:
    _only_fields(request)
    await _change(request, Component(FIELD, str((await _named(request))["FullName"]), None))
    return web.Response(status=204)
