"""What the routes share: the services of an org, the caller, and the shape of answers.

Owns nothing of its own; every other module here uses it.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from sandbox.salesforce import pretty
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.jobs import Jobs
from sandbox.salesforce.logins import Logins
from sandbox.salesforce.metadata.deployer import Deployer
from sandbox.salesforce.org import Org
from sandbox.salesforce.queries import Queries
from sandbox.salesforce.sessions import Sessions
from sandbox.salesforce.switches import Switches
from sandbox.salesforce.usage import Usage
from sandbox.salesforce.worker import Worker
from sandbox.salesforce.writes import Writes

VERSION = r"/services/data/v{version:\d+\.\d}"
COMPRESSED_FROM = 1_400  # bytes: less fits into one packet anyway
LEVEL = 1
FORM = "application/x-www-form-urlencoded"
GZIP_FRAME = 31  # zlib's window size of 15, plus 16 for a gzip header


@dataclass(slots=True)
class Services:
    """An org and what serves it."""

    org: Org
    sessions: Sessions
    usage: Usage
    switches: Switches
    queries: Queries
    writes: Writes
    jobs: Jobs
    worker: Worker
    deployer: Deployer
    logins: Logins


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """The services behind a request."""
    return request.app[SERVICES]


def user(request: web.Request) -> str:
    """The id of the caller."""
    return str(request["user"])


def allows_duplicates(request: web.Request) -> bool:
    """Whether the caller wants duplicates saved that a rule only warns of."""
    return "allowsave=true" in request.headers.get("Sforce-Duplicate-Rule-Header", "").lower().replace(" ", "")


def base(request: web.Request) -> str:
    """`/services/data/vXX.X` of the request."""
    return f"/services/data/v{request.match_info['version']}"


async def given(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; raises ApiError when there is none."""
    if request.content_type.startswith("text/") or request.content_type == FORM:
        text = f"Content type '{request.content_type}' is not supported for this resource"
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", text)
    return parsed(await request.read())


def parsed(text: bytes) -> dict[str, Any]:
    """The JSON object that the bytes are; raises ApiError when they are none."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "JSON_PARSER_ERROR", f"Unexpected character at [line:1, column:1]: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "The request body must be a JSON object")
    return body


def answer(request: web.Request, value: Any, status: int = 200) -> web.Response:
    """A JSON answer, pretty and compressed when asked for."""
    body = orjson.dumps(value)
    if request.headers.get("X-PrettyPrint") == "1":
        body = pretty.printed(orjson.loads(body)).encode()
    headers = {"Content-Type": "application/json;charset=UTF-8"}
    if len(body) >= COMPRESSED_FROM and compresses(request):
        gzip = Gzip()
        body = gzip.piece(body) + gzip.end()
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, status=status, headers=headers)


def compresses(request: web.Request) -> bool:
    """Whether the client takes gzip."""
    return "gzip" in request.headers.get("Accept-Encoding", "")


class Gzip:
    """Compresses at the cheapest level, piece by piece."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_FRAME)

    def piece(self, body: bytes) -> bytes:
        return self._stream.compress(body)

    def end(self) -> bytes:
        return self._stream.flush()
