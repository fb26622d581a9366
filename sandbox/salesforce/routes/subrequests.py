"""Requests inside a request: carried out by the same handlers, as the same caller, without counting as calls.

Owns that, and the references `@{name.path}` from one to what another answered. Called by the composite routes.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.routes.context import user

REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)([^}]*)\}")
STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"})
DROPPED = frozenset(
    {"accept-encoding", "content-encoding", "x-prettyprint", "content-length", "content-type", "if-match"}
)
SHOWN = ("Location", "ETag", "Last-Modified")


@dataclass(slots=True)
class Reply:
    """What one inner request was answered; `body` is parsed JSON, None for none."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether it was carried out."""
        return self.status < 400


class UnknownReferenceError(ValueError):
    """A reference to what no earlier request answered; the text is Salesforce's."""


def resolved(value: Any, replies: dict[str, Reply]) -> Any:
    """A value with its references replaced; raises UnknownReferenceError."""
    if isinstance(value, dict):
        return {key: resolved(each, replies) for key, each in value.items()}
    if isinstance(value, list):
        return [resolved(each, replies) for each in value]
    if not isinstance(value, str) or "@{" not in value:
        return value
    whole = REFERENCE.fullmatch(value)
    if whole:
        return _found(whole, replies)
    return REFERENCE.sub(lambda each: str(_found(each, replies)), value)


def _found(reference: re.Match[str], replies: dict[str, Reply]) -> Any:
    name, path = reference[1], reference[2]
    reply = replies.get(name)
    found: Any = reply.body if reply is not None and reply.good else None
    for step in STEP.finditer(path):
        if isinstance(found, dict) and step[1] is not None:
            found = next((each for key, each in found.items() if key.lower() == step[1].lower()), None)
        elif isinstance(found, list) and step[2] is not None and int(step[2]) < len(found):
            found = found[int(step[2])]
        else:
            found = None
    if found is None:
        text = f"Invalid reference specified. No value for {name}{path} found in {name}"
        raise UnknownReferenceError(text)
    return found


def names(value: Any) -> set[str]:
    """The names that a request refers to."""
    return {each[1] for each in REFERENCE.finditer(orjson.dumps(value).decode())}


async def carry_out(
    request: web.Request, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None
) -> Reply:
    """Carries an inner request out; a refusal is a reply too."""
    try:
        return await _carried_out(request, method, url, body, headers or {})
    except ApiError as error:
        return Reply(error.status, error.as_json())
    except (web.HTTPNotFound, ValueError):
        return Reply(404, not_found().as_json())
    except web.HTTPMethodNotAllowed as error:
        text = f"HTTP Method '{method}' not allowed. Allowed are {', '.join(sorted(error.allowed_methods))}"
        return Reply(405, ApiError(405, "METHOD_NOT_ALLOWED", text).as_json())


async def _carried_out(request: web.Request, method: str, url: str, body: Any, headers: dict[str, str]) -> Reply:
    if method not in METHODS:
        raise ApiError(400, "INVALID_HTTP_METHOD", f"HTTP method {method} is not supported")
    own = CIMultiDict((name, value) for name, value in request.headers.items() if name.lower() not in DROPPED)
    own.update(headers)
    own["Content-Type"] = "application/json"
    read, request._read_bytes = request._read_bytes, None  # noqa: SLF001  (a request that was read is not cloned)
    try:
        inner = request.clone(
            method=method, rel_url=URL(quote(url, safe="/?&=%:+,.'()*!~@$;-_<>"), encoded=True), headers=own
        )
    finally:
        request._read_bytes = read  # noqa: SLF001
    inner._read_bytes = b"" if body is None else orjson.dumps(body)  # noqa: SLF001
    match = await request.app.router.resolve(inner)
    match.add_app(request.app)
    inner._match_info = match  # noqa: SLF001
    inner["user"] = user(request)
    answer = await match.handler(inner)
    content = answer.body if isinstance(answer, web.Response) else None
    parsed = orjson.loads(content) if isinstance(content, bytes) and content else None
    return Reply(answer.status, parsed, {name: answer.headers[name] for name in SHOWN if name in answer.headers})
