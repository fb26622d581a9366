"""The doors that only a test uses: speed, fields, sessions, statistics, a dump of everything.

Owns `/__admin/…` of Salesforce except the faults. No client of the real thing would call it; it asks for no token.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from sandbox import clock
from sandbox.disturbance import json_answer
from sandbox.salesforce import ids
from sandbox.salesforce.custom import UnknownTypeError
from sandbox.salesforce.definitions import UnknownOwnerError
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.org import API_USER, Org
from sandbox.salesforce.routes.context import given, services
from sandbox.salesforce.rules import BadRuleError
from sandbox.salesforce.settings import UnknownSettingError

PIECES = 500  # pieces of a dump sent at once


def add_routes(app: web.Application) -> None:
    """Adds the admin routes to the application."""
    app.router.add_post("/__admin/speed", _speed)
    app.router.add_post("/__admin/fields", _fields)
    app.router.add_post("/__admin/objects", _objects)
    app.router.add_post("/__admin/sessions/expire", _expire)
    app.router.add_post("/__admin/certificate", _certificate)
    app.router.add_post("/__admin/settings", _settings)
    app.router.add_get("/__admin/settings", _settings)
    app.router.add_post("/__admin/rules", _rules)
    app.router.add_get("/__admin/rules", _rules)
    app.router.add_delete("/__admin/rules", _clear_rules)
    app.router.add_post("/__admin/undelete", _undelete)
    app.router.add_post("/__admin/archive", _archive)
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


async def _certificate(request: web.Request) -> web.Response:
    """Registers the certificate of the connected app."""
    shared, body = services(request), await _body(request)
    try:
        await shared.org.database.write(shared.logins.register, str(body.get("certificate", "")))
    except ValueError as error:
        return json_answer({"error": f"no certificate: {error}"}, 400)
    return json_answer({"client_id": shared.org.client_id}, 201)


async def _settings(request: web.Request) -> web.Response:
    org, body = services(request).org, await _body(request)
    try:
        return json_answer(await org.database.write(org.turn, body))
    except UnknownSettingError as error:
        return json_answer({"error": str(error)}, 400)


async def _rules(request: web.Request) -> web.Response:
    org, body = services(request).org, await _body(request)

    def add() -> None:
        with org.database.transaction() as connection:
            org.rows.rules.add(connection, body)

    try:
        if body:
            await org.database.write(add)
    except BadRuleError as error:
        return json_answer({"error": str(error)}, 400)
    return json_answer({"rules": org.rows.rules.listing()}, 201 if body else 200)


async def _clear_rules(request: web.Request) -> web.Response:
    org = services(request).org

    def clear() -> int:
        with org.database.transaction() as connection:
            return org.rows.rules.clear(connection)

    return json_answer({"removed": await org.database.write(clear)})


async def _undelete(request: web.Request) -> web.Response:
    """Stands for undelete() of SOAP and Apex, which REST does not have."""
    org, body = services(request).org, await _body(request)

    def undelete() -> int:
        at = clock.salesforce_text(clock.now())
        with org.database.transaction() as connection:
            return sum(
                org.rows.bin.undelete(connection, ids.long(str(each)) or "", (API_USER, at, at))
                for each in body.get("ids", ())
            )

    return json_answer({"undeleted": await org.database.write(undelete)})


async def _archive(request: web.Request) -> web.Response:
    """Archives what Salesforce archives by itself one day: events that ended, tasks that were due before a date."""
    org, before = services(request).org, str((await _body(request)).get("before", ""))

    def archive() -> int:
        with org.database.transaction() as connection:
            return sum(
                connection.execute(f"UPDATE {name} SET IsArchived = 1 WHERE ActivityDate < ?", (before,)).rowcount  # noqa: S608
                for name in ("Event", "Task")
            )

    return json_answer({"archived": await org.database.write(archive)})


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
