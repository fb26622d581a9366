"""Visual Practice over HTTP: who may ask, how often, and what a refusal looks like.

Owns the middlewares and the assembly of the routes. Data comes from `storage`; handlers are in `reading`, `writing`,
`downloading` and `describing`.
"""

import base64
import binascii
import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox import disturbance
from sandbox.faults import Fault, Faults
from sandbox.visual_practice import describing, downloading, reading, writing
from sandbox.visual_practice.allowance import Allowance
from sandbox.visual_practice.clinic import TIME_ZONE
from sandbox.visual_practice.desk import Desk, Work
from sandbox.visual_practice.keys import Keys
from sandbox.visual_practice.localtime import LocalTime
from sandbox.visual_practice.pace import GatewayTimeoutError, Pace
from sandbox.visual_practice.parameters import BadRequestError
from sandbox.visual_practice.profile import Profile
from sandbox.visual_practice.serving import KEPT_PROFILE, KEY, PRACTICE, Practice, RefusedError, error, practice
from sandbox.visual_practice.storage import Storage
from sandbox.visual_practice.view import Drift, View

logger = logging.getLogger(__name__)

RETRY_AFTER = 1.0
REFUSALS = {429: "Too many requests", 500: "Internal server error", 503: "Service unavailable", 504: "Gateway timeout"}


def application(storage: Storage, api_key: str, faults: Faults, allowance: Allowance | None = None) -> web.Application:
    """The Visual Practice application, without its admin routes."""
    app = web.Application(middlewares=[disturbance.middleware(faults, _refuse), _guard], client_max_size=64 * 2**20)
    zone = LocalTime(TIME_ZONE)
    view = View(Profile.parse(storage.setting(KEPT_PROFILE) or ""), zone)
    keys = Keys(storage, api_key)
    app[PRACTICE] = Practice(
        storage, Desk(storage), keys, allowance or Allowance(), Pace(), faults, f"cursors {api_key}", zone, view
    )
    for module in (describing, downloading, reading, writing):
        module.add_routes(app)
    disturbance.add_routes(app, faults)
    served = app[PRACTICE]
    faults.freeze.holds(storage.database)
    faults.watchers.append(lambda: _drift(served))
    app[disturbance.BETWEEN] = lambda fault: _between(served, fault)
    app.on_response_prepare.append(_sign)
    return app


def _refuse(request: web.Request, fault: Fault) -> web.StreamResponse | None:
    if fault.kind == "request_limit":
        return error(request, 403, fault.message or "Monthly quota exceeded")
    if fault.status is None:
        return None
    answer = error(request, fault.status, fault.message or REFUSALS.get(fault.status, "Error"))
    if fault.status == 429 or fault.retry_after is not None:
        wait = RETRY_AFTER if fault.retry_after is None else fault.retry_after
        answer.headers["Retry-After"] = f"{wait:g}"
    return answer


async def _drift(served: Practice) -> None:
    """Makes what clients see what the rules say."""
    served.drift(
        tuple(
            Drift(rule.object or "", rule.field or "", rule.to, bool(rule.remove), rule.type)
            for rule in served.faults.of_kind("drift")
        )
    )


async def _between(served: Practice, fault: Fault) -> None:
    """The desk works behind an answer, so that the next page is of another practice."""
    given = fault.work or {"deletes": 1}
    work = Work(**{name: int(given.get(name, 0)) for name in Work._fields})
    await served.storage.database.write(served.desk.work, work, fault.seed)


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer tells what is left of the limit, in the variant that does."""
    response.headers.update(practice(request).allowance.headers)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        if not request.path.startswith("/__admin"):
            refused = _stopped(request)
            if refused is not None:
                return refused
        return await handler(request)
    except BadRequestError as wrong:
        return error(request, 400, str(wrong))
    except RefusedError as refusal:
        return error(request, refusal.status, refusal.text, **refusal.more)
    except GatewayTimeoutError:
        return error(request, 504, REFUSALS[504])
    except web.HTTPNotFound:
        return error(request, 404, "Not found")
    except web.HTTPMethodNotAllowed:
        return error(request, 405, "Method not allowed")
    except web.HTTPException as other:
        return error(request, other.status, other.reason)
    except Exception:
        logger.exception("%s %s", request.method, request.path)
        return error(request, 500, REFUSALS[500])


def _stopped(request: web.Request) -> web.Response | None:
    served = practice(request)
    key = served.keys.known(_user(request.headers.get("Authorization", "")))
    if key is None:
        answer = error(request, 401, "Invalid API key")
        answer.headers["WWW-Authenticate"] = 'Basic realm="Visual Practice"'
        return answer
    request[KEY] = key
    refusal = served.allowance.refused()
    if refusal is None:
        return None
    answer = error(request, 429, "Too many requests")
    answer.headers.update(refusal.headers)
    return answer


def _user(header: str) -> str:
    """The user name of HTTP Basic; "" when there is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[0].decode(errors="replace")
    except binascii.Error:
        return ""
