"""Salesforce over HTTP: sessions, versions, limits and errors around the routes.

Owns the middlewares and the life of the background work. Data and rules are in the services.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox import disturbance
from sandbox.faults import Fault
from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.jobs import Jobs
from sandbox.salesforce.logins import Logins
from sandbox.salesforce.metadata.deployer import Deployer
from sandbox.salesforce.metadata.tooling import Tooling
from sandbox.salesforce.org import Org
from sandbox.salesforce.queries import Queries
from sandbox.salesforce.routes import (
    admin,
    collections,
    compositing,
    contents,
    deploying,
    describing,
    extracting,
    ingesting,
    login,
    querying,
    records,
    related,
    slashes,
    soap,
    tooling,
    trees,
    versions,
)
from sandbox.salesforce.routes.context import SERVICES, Services, services
from sandbox.salesforce.sessions import Sessions
from sandbox.salesforce.switches import Switches
from sandbox.salesforce.usage import Usage
from sandbox.salesforce.worker import Worker
from sandbox.salesforce.writes import Writes

logger = logging.getLogger(__name__)

MOST_URI = 16_384  # bytes
MOST_BODY = 60 * 2**20
KEEP_SECONDS = 1.0
OPEN_PATHS = ("/services/data", "/services/data/")
OPEN_ROOTS = ("/__admin", "/services/Soap/", "/services/oauth2/", "/id/")  # which look at the caller themselves
INVALID_SESSION = ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
REFUSALS = {
    429: ApiError(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests"),
    500: ApiError(
        500,
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: 1-1 (0)",
    ),
    503: ApiError(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable"),
    504: ApiError(504, "SERVER_UNAVAILABLE", "Gateway timeout"),
}


def application(org: Org) -> web.Application:
    """The whole Salesforce application of an org."""
    jobs, usage, switches = Jobs(org), Usage(org), Switches()
    shared = Services(
        org,
        Sessions(org),
        usage,
        switches,
        Queries(org),
        Writes(org),
        jobs,
        Worker(org, jobs, usage, switches),
        Deployer(org, switches),
        Logins(org),
    )
    app = web.Application(
        middlewares=[slashes.merged, _errors, disturbance.middleware(org.faults, _refuse), _guard],
        client_max_size=MOST_BODY,
    )
    app[SERVICES] = shared
    for module in (
        login,
        soap,
        versions,
        describing,
        compositing,
        trees,
        collections,
        querying,
        ingesting,
        extracting,
        deploying,
        contents,
        related,
        records,
        admin,
    ):
        module.add_routes(app)
    tooling.add_routes(app, Tooling(org))
    disturbance.add_routes(app, org.faults)
    app.cleanup_ctx.append(_background)
    return app


async def _background(app: web.Application) -> AsyncIterator[None]:
    shared = app[SERVICES]
    shared.worker.resume()
    shared.deployer.resume()
    keeper = asyncio.create_task(_keep(shared), name="usage")
    yield
    keeper.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await keeper
    await shared.worker.stop()
    await shared.deployer.stop()
    await shared.org.database.write(shared.usage.keep)


async def _keep(shared: Services) -> None:
    while True:
        await asyncio.sleep(KEEP_SECONDS)
        await shared.org.database.write(shared.usage.keep)


def _refusal(request: web.Request, error: ApiError) -> web.Response:
    body = orjson.dumps(error.as_json())
    refusal = web.Response(body=body, status=error.status, headers={"Content-Type": "application/json;charset=UTF-8"})
    if not request.path.startswith("/__admin"):
        refusal.headers["Sforce-Limit-Info"] = services(request).usage.header
    return refusal


def _refuse(request: web.Request, fault: Fault) -> web.StreamResponse | None:
    if fault.kind == "expire_session":
        services(request).sessions.expire(_token(request) or None)
        return None
    if fault.kind == "request_limit":
        return _refusal(
            request, ApiError(403, "REQUEST_LIMIT_EXCEEDED", fault.message or "TotalRequests Limit exceeded.")
        )
    if fault.status is None:
        return None
    known = REFUSALS.get(fault.status, ApiError(fault.status, "UNKNOWN_EXCEPTION", "An unexpected error occurred."))
    refusal = _refusal(request, ApiError(known.status, known.code, fault.message or known.message))
    if fault.retry_after is not None:
        refusal.headers["Retry-After"] = f"{fault.retry_after:g}"
    return refusal


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return _refusal(request, error)
    except web.HTTPNotFound:
        return _refusal(request, not_found())
    except web.HTTPMethodNotAllowed as error:
        text = f"HTTP Method '{request.method}' not allowed. Allowed are {', '.join(sorted(error.allowed_methods))}"
        return _refusal(request, ApiError(405, "METHOD_NOT_ALLOWED", text))
    except web.HTTPRequestEntityTooLarge:
        return _refusal(request, ApiError(413, "REQUEST_BODY_TOO_LARGE", "The request body is too large"))  # unverified
    except web.HTTPException:
        raise
    except Exception:
        logger.exception("%s %s", request.method, request.path)
        return _refusal(request, REFUSALS[500])


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() in {"bearer", "oauth"} else ""


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path in OPEN_PATHS or request.path.startswith(OPEN_ROOTS):
        return await handler(request)
    if len(request.raw_path) > MOST_URI:
        raise ApiError(414, "URI_TOO_LONG", "The URI is longer than 16,384 bytes")
    if sum(len(name) + len(value) + 4 for name, value in request.headers.items()) > MOST_URI:
        raise ApiError(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", "The headers are longer than 16,384 bytes")
    shared = services(request)
    user = shared.sessions.user(_token(request))
    if user is None:
        raise INVALID_SESSION
    version = request.match_info.get("version")
    if version is not None and not versions.FIRST_VERSION <= float(version) <= versions.LAST_VERSION:
        raise not_found()
    request["user"] = user
    if shared.switches.latency_seconds:
        await asyncio.sleep(shared.switches.latency_seconds)
    if shared.usage.calls >= shared.usage.most:
        raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    resource = request.match_info.route.resource
    shared.usage.call(f"{request.method} {resource.canonical if resource else request.path}")
    response = await handler(request)
    if not response.prepared:
        response.headers["Sforce-Limit-Info"] = shared.usage.header
    return response
