"""Breaks answers as the faults say, and serves the fault part of the admin API.

Owns the middleware and `/__admin/faults`. The words of a refusal are the server's own: each hands in a function.
Used by both applications; requests under `/__admin` are never disturbed.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox import clock
from sandbox.database import PASSES
from sandbox.faults import BadFaultError, Fault, Faults
from sandbox.freezing import MODES, FrozenError

Refusal = Callable[[web.Request, Fault], web.StreamResponse | None]

TRUNCATED, PARTIAL = "truncated", "partial"  # set on a request for handlers that stream their answer themselves
FAULTS = web.AppKey("faults", Faults)
Between = Callable[[Fault], Awaitable[None]]
BETWEEN = web.AppKey[Between]("between", Callable)  # type: ignore[arg-type]  # what happens behind a `mutate`
HANG_SECONDS = 3600.0
RETRY_AFTER = 1.0
READING = frozenset({"GET", "HEAD", "OPTIONS"})
WRITTEN_UNDER = ("/v1/", "/services/data/", "/services/async/", "/services/Soap/m/")
WRITING_DOORS = frozenset({"/__admin/mutate", "/__admin/records"})
FROZEN = Fault(0, "", "503")
NOT_JSON = "<html><head><title>Maintenance</title></head><body>We are down for maintenance.</body></html>"


def middleware(faults: Faults, refuse: Refusal) -> Middleware:
    """An aiohttp middleware that applies the rules; `refuse` words the answers of kinds it knows, None means it knows none."""

    @web.middleware
    async def disturb(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not writes(request):
            token = PASSES.set(True)
            try:
                return await struck(request, handler)
            finally:
                PASSES.reset(token)
        try:
            async with faults.freeze.writing():
                return await struck(request, handler)
        except FrozenError:
            frozen = refuse(request, FROZEN) if not request.path.startswith("/__admin") else None
            return frozen or json_answer({"error": "frozen"}, 503)

    async def struck(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not faults or request.path.startswith("/__admin"):
            return await handler(request)
        fault = faults.strike(f"{request.method} {request.path_qs}")
        if fault is None:
            return await handler(request)
        return await _apply(request, handler, fault, refuse)

    return disturb


def writes(request: web.Request) -> bool:
    """Whether a request may change data; logins do not, nor do most admin doors."""
    if request.method in READING:
        return False
    return request.path.startswith(WRITTEN_UNDER) or request.path in WRITING_DOORS


async def _apply(request: web.Request, handler: Handler, fault: Fault, refuse: Refusal) -> web.StreamResponse:
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds or 1.0)
        return await handler(request)
    if fault.kind == "truncate":
        return await _truncate(request, handler)
    if fault.kind == "partial":
        return await _leave_out(request, handler)
    if fault.kind == "mutate":
        response = await handler(request)
        if BETWEEN in request.app:
            await request.app[BETWEEN](fault)
        return response
    if fault.after:
        await handler(request)
    if fault.kind in {"hang", "drop"}:
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds or HANG_SECONDS)
        return cut(request)
    if fault.kind == "not_json":
        return web.Response(text=NOT_JSON, content_type="text/html")
    refusal = refuse(request, replace(fault, kind="request_limit") if fault.kind == "quota" else fault)
    if refusal is None:
        return await handler(request)
    if fault.status == 429 and fault.limit is not None:
        refusal.headers.popall("Retry-After", None)
        refusal.headers.update(wait_headers(fault, time.time() + clock.wrong_by(request.app[FAULTS].server)))
    return refusal


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


async def _leave_out(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A whole answer in which half of the records are missing: the longest list of a JSON text, the rows of a CSV."""
    request[PARTIAL] = True
    response = await handler(request)
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes) or response.status >= 300:
        return response
    if response.content_type == "application/json" and "Content-Encoding" not in response.headers:
        response.body = orjson.dumps(_halved(orjson.loads(response.body)))
    return response


def _halved(value: Any) -> Any:
    if isinstance(value, list):
        return value[: len(value) // 2]
    if isinstance(value, dict):
        lists = [name for name, each in value.items() if isinstance(each, list)]
        if lists:
            longest = max(lists, key=lambda name: len(value[name]))
            return value | {longest: _halved(value[longest])}
    return value


def is_partial(request: web.Request) -> bool:
    """Whether a handler that streams shall leave half of the records out."""
    return PARTIAL in request


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


def wait_headers(fault: Fault, instant: float) -> dict[str, str]:
    """How a 429 tells when to come back, by a server's clock: seconds, a date, a second since 1970, or not at all."""
    wait = RETRY_AFTER if fault.retry_after is None else fault.retry_after
    if fault.limit == "silent":
        return {}
    if fault.limit == "reset":
        return {"X-RateLimit-Reset": str(math.ceil(instant + wait))}
    if fault.limit == "retry_date":
        return {"Retry-After": formatdate(math.ceil(instant + wait), usegmt=True)}
    return {"Retry-After": f"{wait:g}"}


async def _list(request: web.Request) -> web.Response:
    return json_answer({"faults": request.app[FAULTS].listing()})


async def _log(request: web.Request) -> web.Response:
    return json_answer({"log": request.app[FAULTS].log()})


async def _replay(request: web.Request) -> web.Response:
    return json_answer({"faults": request.app[FAULTS].replay()})


async def _add(request: web.Request) -> web.Response:
    faults = request.app[FAULTS]
    try:
        given = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        return json_answer({"error": f"no JSON: {error}"}, 400)
    if isinstance(given, dict) and given.get("clear"):
        removed = faults.remove()
        await faults.changed()
        return json_answer({"removed": removed})
    if isinstance(given, dict) and isinstance(given.get("reseed"), int):
        faults.reseed(given["reseed"])
        return json_answer({"faults": faults.listing()})
    try:
        added = [faults.add(one) for one in (given if isinstance(given, list) else [given])]
    except BadFaultError as error:
        return json_answer({"error": str(error)}, 400)
    await faults.changed()
    return json_answer({"faults": [rule.as_json() for rule in added]}, 201)


async def _clear(request: web.Request) -> web.Response:
    identity, faults = request.match_info.get("id"), request.app[FAULTS]
    removed = faults.remove(int(identity) if identity else None)
    await faults.changed()
    return json_answer({"removed": removed})


async def _set_clock(faults: Faults) -> None:
    clock.set_wrong(faults.server, sum(rule.seconds or 0.0 for rule in faults.of_kind("skew")))


async def _date(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer tells the server's clock, right or wrong."""
    server = request.app[FAULTS].server
    if clock.wrong_by(server):
        response.headers["Date"] = clock.date_header(server)


async def _freeze(request: web.Request) -> web.Response:
    try:
        given = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError:
        given = None
    mode = given.get("mode", MODES[0]) if isinstance(given, dict) else None
    if mode not in MODES:
        return json_answer({"error": f"mode must be one of {', '.join(MODES)}"}, 400)
    await request.app[FAULTS].freeze.begin(mode)
    return await _frozen(request)


async def _frozen(request: web.Request) -> web.Response:
    mode = request.app[FAULTS].freeze.mode
    return json_answer({"frozen": mode is not None, "mode": mode})


async def _thaw(request: web.Request) -> web.Response:
    await request.app[FAULTS].freeze.end()
    return await _frozen(request)


async def _thaw_at_the_end(app: web.Application) -> None:
    await app[FAULTS].freeze.end()


def add_routes(app: web.Application, faults: Faults) -> None:
    """Serves `/__admin/faults`, `/__admin/freeze` and `/__admin/thaw`.

    GET lists, POST adds one or a list (or removes all, with `{"clear": true}`, or starts counts and dice anew, with
    `{"reseed": 7}`), DELETE removes; `/log` tells what struck, `/replay` the rules that strike there again. A frozen
    server refuses writes (`{"mode": "refuse"}`, as it is without one) or lets them wait (`"hold"`) until the thaw.
    """
    app[FAULTS] = faults
    faults.watchers.append(lambda: _set_clock(faults))
    app.on_response_prepare.append(_date)
    app.on_shutdown.append(_thaw_at_the_end)
    app.router.add_post("/__admin/freeze", _freeze)
    app.router.add_get("/__admin/freeze", _frozen)
    app.router.add_post("/__admin/thaw", _thaw)
    app.router.add_get("/__admin/faults", _list)
    app.router.add_get("/__admin/faults/log", _log)
    app.router.add_get("/__admin/faults/replay", _replay)
    app.router.add_post("/__admin/faults", _add)
    app.router.add_delete("/__admin/faults", _clear)
    app.router.add_delete(r"/__admin/faults/{id:\d+}", _clear)
