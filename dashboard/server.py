"""The web server of the control process: page, JSON, metrics, health. Read-only but for the request of a census.

Owns routes and parameters. The facts come from whatever implements `Facts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web

from dashboard import metrics, page
from dashboard.lag import Lag
from dashboard.status import Status

MOST_ROWS = 1000


class Facts(Protocol):
    """What the server asks for; each call may take as long as a query."""

    async def status(self) -> Status | None:
        """The newest status; None while there is none yet."""

    def lag(self) -> Lag | None:
        """The newest measurement; None when Kafka doesn't answer."""

    def problem(self) -> str | None:
        """One sentence on what is wrong with this process now, or None."""

    async def rows(self, what: str, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """`holds` or `rejects`, filtered as the ledger's reader takes it."""

    async def request_census(self) -> None:
        """Have the source's ids compared with the ledger's soon."""


def application(facts: Facts) -> web.Application:
    """The server, ready to be run.

    Routes: `/`, `/api/status`, `/api/holds`, `/api/rejects` (query: `object code stage reference limit`), `POST
    /api/census`, `/metrics`, `/healthz` (503 with the reason when something is wrong).
    """
    routes = web.RouteTableDef()

    @routes.get("/")
    async def _page(_: web.Request) -> web.Response:
        return web.Response(text=page.render(await facts.status(), facts.problem()), content_type="text/html")

    @routes.get("/api/status")
    async def _status(_: web.Request) -> web.Response:
        status = await facts.status()
        return _json(status) if status else _json({"error": facts.problem() or "The ledger is being read."}, 503)

    @routes.get("/api/{what:holds|rejects}")
    async def _rows(request: web.Request) -> web.Response:
        filters: dict[str, Any] = {name: value for name, value in request.query.items() if name != "limit"}
        allowed = (
            {"object", "code", "reference"} if request.match_info["what"] == "holds" else {"code", "stage", "reference"}
        )
        if unknown := sorted(set(filters) - allowed):
            return _json({"error": f"There is no filter {unknown[0]}: use {', '.join(sorted(allowed))}."}, 400)
        limit = request.query.get("limit", "100")
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST_ROWS:
            return _json({"error": f"limit should be a number from 1 to {MOST_ROWS}."}, 400)
        return _json(await facts.rows(request.match_info["what"], {**filters, "limit": int(limit)}))

    @routes.post("/api/census")
    async def _census(_: web.Request) -> web.Response:
        await facts.request_census()
        return _json({"requested": True}, 202)

    @routes.get("/metrics")
    async def _metrics(_: web.Request) -> web.Response:
        body = metrics.render(await facts.status(), facts.lag())
        return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})

    @routes.get("/healthz")
    async def _health(_: web.Request) -> web.Response:
        problem = facts.problem()
        return _json({"ok": problem is None, "problem": problem}, 503 if problem else 200)

    app = web.Application()
    app.add_routes(routes)
    return app


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
