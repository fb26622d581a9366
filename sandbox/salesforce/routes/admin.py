"""The doors that only a test uses: speed, fields, sessions, statistics, a dump of everything.

Owns `/__admin/…` of Salesforce except the faults. No client of the real thing would call it; it asks for no token.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from sandbox.disturbance import json_answer
from sandbox.salesforce.custom import UnknownTypeError
from sandbox.salesforce.definitions import UnknownOwnerError
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.org import Org
from sandbox.salesforce.routes.context import given, services

PIECES = 500  # pieces of a dump sent at once


def add_routes(app: web.Application) -> None:
    """Adds the admin routes to the application."""
    app.router.add_post("/__admin/speed", _speed)
    app.router.add_post("/__admin/fields", _fields)
    app.router.add_post("/__admin/objects", _objects)
    app.router.add_post("/__admin/sessions/expire", _expire)
    app.router.add_get("/__admin/stats", _stats)
    app.router.add_get("/__admin/dump", _dump)


async def _body(request: web.Request) -> dict[str, Any]:
    return await given(request) if request.can_read_body else {}


async def _speed(request: web.Request) -> web.Response:
    try:
        return json_answer(services(request).switches.turn(await _body(request)))
    except (ValueError, TypeError) as error:
        return json_answer({"error": str(error)}, 400)


async def _fields(request: web.Request) -> web.Response:
    body = await _body(request)
    org = services(request).org
    owner, name, kind = (str(body.pop(key, "")) for key in ("object", "name", "type"))
    if not owner or not name.endswith("__c"):
        return json_answer({"error": "object and name (ending in __c) are needed"}, 400)

    def add() -> None:
        with org.database.transaction() as connection:
            org.definitions.add_field(connection, owner, name, kind or "Text", **body)

    try:
        await org.database.write(add)
    except (UnknownTypeError, UnknownOwnerError, TypeError) as error:
        return json_answer({"error": f"not understood: {error}"}, 400)
    return json_answer({"object": owner, "name": name, "type": kind or "Text"}, 201)


async def _objects(request: web.Request) -> web.Response:
    body = await _body(request)
    org = services(request).org
    name = str(body.pop("name", ""))
    if not name.endswith("__c") or org.schema.get(name) is not None:
        return json_answer({"error": "a name is needed that ends in __c and is not taken"}, 400)

    def add() -> str:
        with org.database.transaction() as connection:
            return org.definitions.add_object(connection, name, **body).prefix

    try:
        prefix = await org.database.write(add)
    except TypeError as error:
        return json_answer({"error": f"not understood: {error}"}, 400)
    return json_answer({"name": name, "prefix": prefix}, 201)


async def _expire(request: web.Request) -> web.Response:
    shared = services(request)
    return json_answer({"expired": await shared.org.database.write(shared.sessions.expire)})


async def _stats(request: web.Request) -> web.Response:
    return json_answer(services(request).usage.as_json())


async def _dump(request: web.Request) -> web.StreamResponse:
    org = services(request).org
    wanted = request.query.get("sObjects", "")
    names = [name for name in wanted.split(",") if name]
    if any(org.schema.get(name) is None for name in names):
        raise ApiError(400, "INVALID_TYPE", f"unknown object in {wanted}")
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    pieces = _pieces(org, {name.lower() for name in names})
    while block := await org.database.write(lambda: b"".join(islice(pieces, PIECES))):
        await response.write(block)
    return response


def _pieces(org: Org, names: set[str]) -> Iterator[bytes]:
    """Canonical JSON: objects by name, records by id, keys sorted, empty fields left out."""
    reader = org.database.reader()
    opening = b"{"
    for sobject in sorted(org.schema, key=lambda each: each.name):
        if names and sobject.name.lower() not in names:
            continue
        yield opening + orjson.dumps(sobject.name) + b":["
        separator = b""
        for row in org.records.all_rows(reader, sobject):
            yield separator + orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
            separator = b",\n"
        yield b"]"
        opening = b",\n"
    yield b"}\n"
