"""The doors that only a test uses: work at the desk, hand-made records, counts and a dump of everything.

Owns `/__admin/...` of Visual Practice except the faults. No client of the real thing would call it; it asks for no key.
"""

from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from sandbox import clock
from sandbox.disturbance import json_answer
from sandbox.visual_practice.desk import Work
from sandbox.visual_practice.keys import BadScopeError
from sandbox.visual_practice.profile import Profile
from sandbox.visual_practice.schema import BY_NAME
from sandbox.visual_practice.serving import KEPT_PROFILE, practice
from sandbox.visual_practice.storage import Storage

PIECES = 500  # pieces of a dump sent at once


def add_routes(app: web.Application) -> None:
    """Adds the admin routes to the application."""
    app.router.add_post("/__admin/mutate", _mutate)
    app.router.add_post("/__admin/records", _records)
    app.router.add_post("/__admin/rate", _rate)
    app.router.add_post("/__admin/pace", _pace)
    app.router.add_post("/__admin/profile", _profile)
    app.router.add_post("/__admin/keys", _keys)
    app.router.add_get("/__admin/counts", _counts)
    app.router.add_get("/__admin/dump", _dump)


async def _given(request: web.Request) -> dict[str, Any]:
    try:
        given = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    if not isinstance(given, dict):
        raise web.HTTPBadRequest(text="an object is expected")
    return given


async def _mutate(request: web.Request) -> web.Response:
    given = await _given(request)
    served = practice(request)
    try:
        work = Work(**{name: int(given.get(name, 0)) for name in Work._fields})
    except (TypeError, ValueError) as error:
        return json_answer({"error": str(error)}, 400)
    changes = await served.storage.database.write(served.desk.work, work, given.get("seed"))
    return json_answer({"changes": changes})


async def _records(request: web.Request) -> web.Response:
    given = await _given(request)
    storage = practice(request).storage
    try:
        changes = await storage.database.write(_edit, storage, given)
    except KeyError as error:
        return json_answer({"error": f"missing or unknown: {error}"}, 400)
    return json_answer({"changes": changes})


def _edit(storage: Storage, given: dict[str, Any]) -> list[dict[str, Any]]:
    resource = BY_NAME[given["object"]]
    changes = []
    with storage.writing() as connection:
        at_ms = int(clock.practice_now() * 1000)
        at = clock.practice_text(at_ms / 1000)
        for record in given.get("put", ()):
            known = storage.record(resource, record["id"])
            old = orjson.loads(known) if known else {"created_at": at}
            storage.put(connection, resource, [old | {"updated_at": at} | record])
            changes.append((record["id"], "update" if known else "create"))
        for operation, act in (
            ("delete", storage.delete),
            ("undelete", storage.undelete),
            ("archive", storage.archive),
            ("unarchive", storage.unarchive),
        ):
            named = given.get(operation, ())
            when = given.get("at", at)
            changes += [(each, operation) for each in named if act(connection, resource, each, when)]
    return [{"object": resource.name, "id": identity, "op": op, "at_ms": at_ms} for identity, op in changes]


async def _rate(request: web.Request) -> web.Response:
    allowance, given = practice(request).allowance, await _given(request)
    hourly = "requests_per_hour" in given
    variant = given.get("variant", "hourly" if hourly else "retry_after")
    try:
        allowance.turn(given.get("requests_per_hour" if hourly else "requests_per_minute"), variant)
    except ValueError as error:
        return json_answer({"error": str(error)}, 400)
    name = "requests_per_hour" if allowance.variant == "hourly" else "requests_per_minute"
    return json_answer({name: allowance.requests, "variant": allowance.variant})


async def _pace(request: web.Request) -> web.Response:
    try:
        return json_answer(practice(request).pace.turn(await _given(request)))
    except (ValueError, TypeError) as error:
        return json_answer({"error": str(error)}, 400)


async def _profile(request: web.Request) -> web.Response:
    given, served = await _given(request), practice(request)
    name = given.pop("profile", "")
    try:
        profile = Profile.parse(",".join([name, *(f"{switch}={value}" for switch, value in given.items())]))
    except ValueError as error:
        return json_answer({"error": str(error)}, 400)

    def keep() -> None:
        with served.storage.writing() as connection:
            served.storage.remember(connection, KEPT_PROFILE, profile.text)

    await served.storage.database.write(keep)
    served.speak(profile)
    return json_answer({"profile": profile.text})


async def _keys(request: web.Request) -> web.Response:
    given, served = await _given(request), practice(request)

    def add() -> str:
        with served.storage.writing() as connection:
            return served.keys.add(connection, given.get("scopes", ()))

    try:
        return json_answer({"api_key": await served.storage.database.write(add)}, 201)
    except BadScopeError as error:
        return json_answer({"error": f"no such scope: {error}"}, 400)


async def _counts(request: web.Request) -> web.Response:
    storage = practice(request).storage
    return json_answer(await storage.database.read(storage.counts))


async def _dump(request: web.Request) -> web.StreamResponse:
    storage = practice(request).storage
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    pieces = storage.dump()

    def some() -> bytes:
        return b"".join(islice(pieces, PIECES))

    while block := await storage.database.read(some):
        await response.write(block)
    return response
