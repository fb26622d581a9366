"""Visual Practice over HTTP: authentication, parameters, envelopes and status codes.

Owns what a request may say and how an answer looks. Data comes from `storage`. Reads run on the event loop: each is one
indexed SELECT of at most 100 rows.
"""

import base64
import binascii
import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox import clock, disturbance
from sandbox.disturbance import json_answer
from sandbox.faults import Fault, Faults
from sandbox.visual_practice.desk import Desk
from sandbox.visual_practice.schema import BY_PLURAL, Resource
from sandbox.visual_practice.storage import Page, Storage

PER_PAGE, MOST_PER_PAGE = 50, 100
MOST_PAGE = 10**9
RETRY_AFTER = 1.0
REFUSALS = {429: "Too many requests", 500: "Internal server error", 503: "Service unavailable", 504: "Gateway timeout"}


class BadRequestError(ValueError):
    """A parameter makes no sense; the text says which."""


class Practice(NamedTuple):
    """What the handlers share."""

    storage: Storage
    desk: Desk
    api_key: str
    allowance: "Allowance"


PRACTICE = web.AppKey("practice", Practice)


class Allowance:
    """The rate limit: `per_minute` requests in each clock minute, none when None."""

    def __init__(self, per_minute: int | None = None) -> None:
        self.per_minute = per_minute
        self._minute, self._used = 0, 0

    def refused(self) -> float | None:
        """Counts one request; seconds until the next minute when it is one too many, else None."""
        if self.per_minute is None:
            return None
        instant = time.time()
        minute = int(instant // 60)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += 1
        return 60 - instant % 60 if self._used > self.per_minute else None


def application(storage: Storage, api_key: str, faults: Faults, per_minute: int | None = None) -> web.Application:
    """The Visual Practice application, without its admin routes."""
    app = web.Application(middlewares=[disturbance.middleware(faults, _refuse), _guard], client_max_size=64 * 2**20)
    app[PRACTICE] = Practice(storage, Desk(storage), api_key, Allowance(per_minute))
    resource = f"/v1/{{resource:{'|'.join(BY_PLURAL)}}}"
    app.router.add_get(resource, _listing)
    app.router.add_get(f"{resource}/deleted", _deleted)
    app.router.add_get(f"{resource}/{{id}}", _record)
    disturbance.add_routes(app, faults)
    return app


def _error(status: int, text: str, **headers: str) -> web.Response:
    answer = json_answer({"error": text}, status)
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


def _refuse(_: web.Request, fault: Fault) -> web.StreamResponse | None:
    if fault.status is None:
        return None
    answer = _error(fault.status, fault.message or REFUSALS.get(fault.status, "Error"))
    if fault.status == 429 or fault.retry_after is not None:
        wait = RETRY_AFTER if fault.retry_after is None else fault.retry_after
        answer.headers["Retry-After"] = f"{wait:g}"
    return answer


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not request.path.startswith("/__admin"):
        practice = request.app[PRACTICE]
        if not _authorised(request.headers.get("Authorization", ""), practice.api_key):
            return _error(401, "Invalid API key", WWW_Authenticate='Basic realm="Visual Practice"')
        wait = practice.allowance.refused()
        if wait is not None:
            return _error(429, "Too many requests", Retry_After=f"{int(wait) + 1}")
    try:
        return await handler(request)
    except BadRequestError as error:
        return _error(400, str(error))
    except web.HTTPNotFound:
        return _error(404, "Not found")
    except web.HTTPMethodNotAllowed:
        return _error(405, "This API is read-only")


def _authorised(header: str, api_key: str) -> bool:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        user = base64.b64decode(encoded, validate=True).partition(b":")[0]
    except binascii.Error:
        return False
    return secrets.compare_digest(user, api_key.encode())


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_PAGE:
        raise BadRequestError(f"{name} must be a whole number from 1")
    return int(text)


def _choice(query: Mapping[str, str], name: str, *choices: str) -> str:
    value = query.get(name) or choices[0]
    if value not in choices:
        raise BadRequestError(f"{name} must be one of {', '.join(choices)}")
    return value


def _instant(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name)
    if not text:
        return None
    try:
        clock.practice_instant(text)
    except ValueError as error:
        raise BadRequestError(f"{name} must look like 2026-01-02T03:04:05Z") from error
    return text


def _fields(query: Mapping[str, str], resource: Resource) -> tuple[str, ...] | None:
    text = query.get("fields")
    if not text:
        return None
    fields = tuple(name.strip() for name in text.split(","))
    if unknown := set(fields) - set(resource.fields):
        raise BadRequestError(f"unknown fields: {', '.join(sorted(unknown))}")
    return fields


def _envelope(request: web.Request, resource: Resource, found: Page, page: int, per_page: int) -> web.Response:
    query = dict(request.query) | {"per_page": str(per_page)}
    base = f"{request.scheme}://{request.host}{request.path}?"

    def link(number: int) -> str:
        return base + urlencode(query | {"page": str(number)})

    links = {"self": link(page)}
    if page * per_page < found.total:
        links["next"] = link(page + 1)
    if page > 1:
        links["previous"] = link(page - 1)
    body = b'{"%s":[%s],"total_entries":%d,"links":%s}' % (
        resource.plural.encode(),
        b",".join(found.bodies),
        found.total,
        orjson.dumps(links),
    )
    return web.Response(body=body, content_type="application/json")


async def _listing(request: web.Request) -> web.Response:
    resource, query = BY_PLURAL[request.match_info["resource"]], request.query
    page, per_page = _whole(query, "page", 1), min(_whole(query, "per_page", PER_PAGE), MOST_PER_PAGE)
    storage = request.app[PRACTICE].storage
    listing = storage.listing(
        resource,
        _instant(query, "updated_since"),
        _fields(query, resource),
        by_time=_choice(query, "sort", "id", "updated_at") == "updated_at",
        descending=_choice(query, "order", "asc", "desc") == "desc",
    )
    return _envelope(request, resource, storage.page(listing, page, per_page), page, per_page)


async def _deleted(request: web.Request) -> web.Response:
    resource, query = BY_PLURAL[request.match_info["resource"]], request.query
    page, per_page = _whole(query, "page", 1), min(_whole(query, "per_page", PER_PAGE), MOST_PER_PAGE)
    found = request.app[PRACTICE].storage.deleted(resource, _instant(query, "deleted_since"), page, per_page)
    return _envelope(request, resource, found, page, per_page)


async def _record(request: web.Request) -> web.Response:
    body = request.app[PRACTICE].storage.record(BY_PLURAL[request.match_info["resource"]], request.match_info["id"])
    return _error(404, "Not found") if body is None else web.Response(body=body, content_type="application/json")
