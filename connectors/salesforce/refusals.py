"""What a refused request means: from Salesforce's error arrays to exceptions.

Owns the reading of request-level errors (`errorCode`). Errors of single rows (`statusCode`) are `row_errors`. Of
Salesforce's own texts only the parts that can't hold a value are kept.
"""

import re
from typing import Any, Final

import httpx
import orjson

from connectors.errors import (
    BadCredentials,
    ConnectorError,
    NotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFault,
    SessionExpired,
    StorageExhausted,
)
from connectors.retry import asked_wait

__all__ = ["refusal"]

_SERVICE: Final = "Salesforce"
_QUOTA: Final = frozenset({"REQUEST_LIMIT_EXCEEDED", "EXCEEDEDQUOTA", "EXCEEDED_QUOTA", "LIMIT_EXCEEDED"})
_DENIED: Final = frozenset({"INVALID_AUTH_HEADER", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "INACTIVE_USER"})
_BUSY: Final = frozenset({"SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "UNABLE_TO_LOCK_ROW"})
_COLUMN: Final = re.compile(r"(?:No such column|No such relation) '([A-Za-z0-9_.]{1,80})'")
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def refusal(response: httpx.Response, what: str) -> ConnectorError:
    """The exception for an answer that is no success.

    Args:
        response: With its body read.
        what: The call, in words without values, e.g. `query`.
    """
    status = response.status_code
    code, fields, column = _parts(response)
    text = f"{what} failed"
    wait = asked_wait(response.headers)
    if code == "STORAGE_LIMIT_EXCEEDED":
        return StorageExhausted(_SERVICE, text, code=code)
    if status in {420, 429}:
        return RateLimited(_SERVICE, text, code=code, retry_after=wait)
    if code in _QUOTA:
        return QuotaExhausted(_SERVICE, text, code=code, retry_after=wait)
    if status == httpx.codes.UNAUTHORIZED:
        return SessionExpired(_SERVICE, text, code=code)
    if code in _DENIED:
        return BadCredentials(_SERVICE, text, code=code)
    if response.is_server_error or code in _BUSY:
        return ServerFault(_SERVICE, text, code=code, retry_after=wait)
    if status == httpx.codes.NOT_FOUND:
        return NotFound(_SERVICE, text, code=code)
    if column:
        text += f": there is no column {column} that we see"
    return RequestRefused(_SERVICE, text, code=code, fields=fields)


def _parts(response: httpx.Response) -> tuple[str, tuple[str, ...], str]:
    """(code, fields, column named in the text)."""
    fallback = str(response.status_code)
    try:
        body: Any = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return fallback, (), ""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return fallback, (), ""
    code = str(body.get("errorCode") or body.get("error") or fallback)
    fields = body.get("fields")
    named = _COLUMN.search(str(body.get("message", "")))
    return (
        code if _CODE.fullmatch(code) else fallback,
        tuple(str(field) for field in fields) if isinstance(fields, list) else (),
        named[1] if named else "",
    )
