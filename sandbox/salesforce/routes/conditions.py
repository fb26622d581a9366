"""Conditional requests: If-Modified-Since, If-None-Match, If-Match, If-Unmodified-Since.

Owns the comparison. Real orgs give entity tags for accounts only, and dates for records and describes. The body of a 412
is unverified. Called by the record and describe routes.
"""

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from aiohttp import web

from sandbox.salesforce.errors import ApiError

TAGGED = frozenset({"Account"})
FAILED = ApiError(412, "PRECONDITION_FAILED", "The precondition of the request is not met: the record was modified")


def tag(identity: str, modified: str) -> str:
    """The entity tag of a record at an instant."""
    return f'"{hashlib.sha256((identity + modified).encode()).hexdigest()[:28]}"'


def instant(text: str) -> float:
    """The seconds of a stored instant."""
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()


def _asked(request: web.Request, header: str) -> float | None:
    try:
        return parsedate_to_datetime(request.headers.get(header, "")).timestamp()
    except ValueError:
        return None


def unchanged(request: web.Request, modified: float, known: str | None = None) -> web.Response | None:
    """304 when the caller has what there is; None to go on."""
    tags = request.headers.get("If-None-Match")
    if tags is not None and known is not None:
        same = known in tags or tags.strip() == "*"
    else:
        since = _asked(request, "If-Modified-Since")
        same = since is not None and int(modified) <= since
    return dated(modified, web.Response(status=304), known) if same else None


def check(request: web.Request, modified: float, known: str | None) -> None:
    """Raises ApiError 412 when the caller wants to write only what has not changed, and it has."""
    tags = request.headers.get("If-Match")
    if tags is not None and known is not None and known not in tags and tags.strip() != "*":
        raise FAILED
    before = _asked(request, "If-Unmodified-Since")
    if before is not None and int(modified) > before:
        raise FAILED


def conditional(request: web.Request) -> bool:
    """Whether a write has a condition."""
    return "If-Match" in request.headers or "If-Unmodified-Since" in request.headers


def dated(modified: float, response: web.Response, known: str | None = None) -> web.Response:
    """A response that tells when what it shows was modified."""
    response.headers["Last-Modified"] = format_datetime(datetime.fromtimestamp(int(modified), UTC), usegmt=True)
    if known is not None:
        response.headers["ETag"] = known
    return response
