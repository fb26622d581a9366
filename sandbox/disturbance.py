"""Breaks answers as the faults say, and serves the fault part of the admin API.

Owns the middleware and `/__admin/faults`. The words of a refusal are the server's own: each hands in a function.
Used by both applications; requests under `/__admin` are never disturbed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.faults import BadFaultError, Fault, Faults

Refusal = Callable[[web.Request, Fault], web.StreamResponse | None]

TRUNCATED = "truncated"  # set on a request for handlers that stream their answer themselves
FAULTS = web.AppKey("faults", Faults)
HANG_SECONDS = 3600.0
NOT_JSON = "<html><head><title>Maintenance</title></head><body>We are down for maintenance.</body></html>"


def middleware(faults: Faults, refuse: Refusal) -> Middleware:
    """An aiohttp middleware that applies the rules; `refuse` words the answers of kinds it knows, None means it knows none."""

    @web.middleware
    async def disturb(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not faults or request.path.startswith("/__admin"):
            return await handler(request)
        fault = faults.strike(f"{request.method} {request.path_qs}")
        if fault is None:
            return await handler(request)
        return await _apply(request, handler, fault, refuse)

    return disturb


async def _apply(request: web.Request, handler: Handler, fault: Fault, refuse: Refusal) -> web.StreamResponse:
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds or 1.0)
        return await handler(request)
    if fault.kind == "truncate":
        return await _truncate(request, handler)
    if fault.after:
        await handler(request)
    if fault.kind in {"hang", "drop"}:
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds or HANG_SECONDS)
        return cut(request)
    if fault.kind == "not_json":
        return web.Response(text=NOT_JSON, content_type="text/html")
    refusal = refuse(request, fault)
    return await handler(request) if refusal is None else refusal


async def _truncate(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[TRUNCATED] = True
    response = await handler(request)
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    partial = web.StreamResponse(status=response.status, headers=response.headers)
    partial.content_length = len(response.body)
    await partial.prepare(request)
    await partial.write(response.body[: len(response.body) // 2])
    return cut(request, partial)


def is_truncated(request: web.Request) -> bool:
    """Whether a handler that streams shall cut its answer."""
    return TRUNCATED in request


def cut(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Ends the connection at once; the client gets nothing more."""
    if request.transport is not None:
        request.transport.abort()
    return response or web.Response(status=500)


def json_answer(value: Any, status: int = 200) -> web.Response:
    """A JSON response from anything orjson writes."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def _list(request: web.Request) -> web.Response:
    return json_answer({"faults": request.app[FAULTS].listing()})


async def _add(request: web.Request) -> web.Response:
    given = orjson.loads(await request.read() or b"{}")
    faults = request.app[FAULTS]
    if isinstance(given, dict) and given.get("clear"):
        return json_answer({"removed": faults.remove()})
    try:
        added = [faults.add(one).as_json() for one in (given if isinstance(given, list) else [given])]
    except BadFaultError as error:
        return json_answer({"error": str(error)}, 400)
    return json_answer({"faults": added}, 201)


async def _clear(request: web.Request) -> web.Response:
    identity = request.match_info.get("id")
    return json_answer({"removed": request.app[FAULTS].remove(int(identity) if identity else None)})


def add_routes(app: web.Application, faults: Faults) -> None:
    """Serves `/__admin/faults`: GET lists, POST adds one or a list (or clears, with `{"clear": true}`), DELETE removes."""
    app[FAULTS] = faults
    app.router.add_get("/__admin/faults", _list)
    app.router.add_post("/__admin/faults", _add)
    app.router.add_delete("/__admin/faults", _clear)
    app.router.add_delete(r"/__admin/faults/{id:\d+}", _clear)
