"""Changes through the API, for keys that may make them: create, change, delete, archive and their undoing.

Owns these handlers. The key that the sandbox prints may do none of it. What a record may hold is not checked beyond
names of fields: the practice's own screens do not check it either.
"""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from sandbox import clock
from sandbox.disturbance import json_answer
from sandbox.visual_practice.parameters import BadRequestError
from sandbox.visual_practice.reading import PATH
from sandbox.visual_practice.schema import Record, Resource
from sandbox.visual_practice.serving import Practice, RefusedError, named, practice

KEPT = ("id", "created_at", "updated_at")  # not a client's to set


def add_routes(app: web.Application) -> None:
    """Adds what writes to the application."""
    app.router.add_post(PATH, _create)
    app.router.add_patch(f"{PATH}/{{id}}", _change)
    app.router.add_delete(f"{PATH}/{{id}}", _delete)
    app.router.add_post(f"{PATH}/{{id}}/{{what:archive|unarchive|undelete}}", _move)


async def _given(request: web.Request, served: Practice, resource: Resource) -> Record:
    try:
        given = orjson.loads(await request.read() or b"null")
    except orjson.JSONDecodeError as error:
        raise BadRequestError("the body is no JSON") from error
    if not isinstance(given, dict):
        raise BadRequestError("the body must be an object")
    known = set(resource.names(wide=served.storage.wide)) - set(KEPT)
    if unknown := given.keys() - known:
        raise RefusedError(422, f"unknown fields: {', '.join(sorted(unknown))}")
    return given


def _shown(served: Practice, resource: Resource, body: bytes, status: int) -> web.Response:
    shown = served.view.renderer(resource, None)((body, "", "", 0))
    return web.Response(body=shown, content_type="application/json", status=status)


async def _create(request: web.Request) -> web.Response:
    resource, served = named(request, "write"), practice(request)
    given = await _given(request, served, resource)

    def work() -> bytes:
        with served.storage.writing() as connection:
            at = clock.practice_text(clock.practice_now())
            identity = str(served.storage.highest(connection, resource) + 1)
            served.storage.put(connection, resource, [given | {"id": identity, "created_at": at, "updated_at": at}])
            return served.storage.written(connection, resource, identity) or b""

    return _shown(served, resource, await served.storage.database.write(work), 201)


async def _change(request: web.Request) -> web.Response:
    resource, served = named(request, "write"), practice(request)
    given = await _given(request, served, resource)
    identity = served.view.identity(resource, request.match_info["id"])

    def work() -> bytes | None:
        with served.storage.writing() as connection:
            known = served.storage.written(connection, resource, identity)
            if known is None:
                return None
            at = clock.practice_text(clock.practice_now())
            served.storage.put(connection, resource, [orjson.loads(known) | given | {"updated_at": at}])
            return served.storage.written(connection, resource, identity)

    body = await served.storage.database.write(work)
    if body is None:
        raise RefusedError(404, "Not found")
    return _shown(served, resource, body, 200)


async def _act(request: web.Request, act: Callable[..., bool]) -> None:
    resource, served = named(request, "write"), practice(request)
    identity = served.view.identity(resource, request.match_info["id"])

    def work() -> bool:
        with served.storage.writing() as connection:
            return act(connection, resource, identity, clock.practice_text(clock.practice_now()))

    if not await served.storage.database.write(work):
        raise RefusedError(404, "Not found")


async def _delete(request: web.Request) -> web.Response:
    await _act(request, practice(request).storage.delete)
    return web.Response(status=204)


async def _move(request: web.Request) -> web.Response:
    storage = practice(request).storage
    acts: dict[str, Any] = {
        "archive": storage.archive,
        "unarchive": storage.unarchive,
        "undelete": storage.undelete,
    }
    await _act(request, acts[request.match_info["what"]])
    return json_answer({})
