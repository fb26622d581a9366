"""SOQL over REST.

Owns `/query` and `/queryAll`.
"""

import re

import orjson
from aiohttp import web

from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.queries import PAGE, Answer
from sandbox.salesforce.routes.context import VERSION, answer, base, services, user

LEAST_PAGE = 200


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    for name in ("query", "queryAll"):
        for end in ("", "/"):
            app.router.add_get(f"{VERSION}/{name}{end}", _first)
        app.router.add_get(f"{VERSION}/{name}/{{locator}}", _next)


def _page(request: web.Request) -> int:
    found = re.search(r"batchSize=(\d+)", request.headers.get("Sforce-Query-Options", ""))
    return min(PAGE, max(LEAST_PAGE, int(found[1]))) if found else PAGE


def _name(request: web.Request) -> str:
    return "queryAll" if "/queryAll" in request.path else "query"


def _shown(request: web.Request, found: Answer) -> bytes:
    body: dict[str, object] = {"totalSize": found.total, "done": found.locator is None}
    if found.locator is not None:
        body["nextRecordsUrl"] = f"{base(request)}/{_name(request)}/{found.locator}"
    return orjson.dumps(body | {"records": found.records})


async def _first(request: web.Request) -> web.Response:
    shared = services(request)
    soql = request.query.get("q", "")
    if not soql:
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    caller = user(request)
    if request.query.get("columns") == "true":
        return answer(request, await shared.org.database.read(shared.queries.columns, soql, caller))
    version, page, deleted = request.match_info["version"], _page(request), _name(request) == "queryAll"

    def run() -> bytes:
        return _shown(request, shared.queries.run(soql, version, deleted=deleted, page=page, user=caller))

    return answer(request, orjson.Fragment(await shared.org.database.read(run)))


async def _next(request: web.Request) -> web.Response:
    shared = services(request)
    caller = user(request)
    locator, version, page = request.match_info["locator"], request.match_info["version"], _page(request)

    def run() -> bytes:
        return _shown(request, shared.queries.more(locator, version, page, caller))

    return answer(request, orjson.Fragment(await shared.org.database.read(run)))
