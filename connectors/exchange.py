"""One HTTP exchange: send, get the whole answer, or say why not.

Owns the translation of httpx's failures into ours and the reading of JSON. Used by both connectors.
"""

import json
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import orjson

from connectors.errors import BadAnswer, Unreachable, Untrusted

__all__ = ["USER_AGENT", "exchange", "json_of", "tls_context", "translated"]

USER_AGENT: Final = "carryover/0.1"

# httpx logs each request's address at INFO; an address holds query texts, and with them values.
logging.getLogger("httpx").setLevel(logging.WARNING)

_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@contextmanager
def translated(service: str) -> Iterator[None]:
    """A block in which httpx's failures become ours.

    Raises:
        Unreachable: No whole answer came, or it broke off.
        Untrusted: The server's certificate can't be verified.
    """
    try:
        yield
    except httpx.HTTPError as error:
        if _untrusted(error):
            raise Untrusted(service, "the server's certificate can't be verified") from None
        # The cause's own text isn't kept: it may quote the address.
        what = f"no whole answer ({type(error).__name__})"
        raise Unreachable(service, what, may_have_arrived=not isinstance(error, _NOT_SENT)) from None
    except httpx.InvalidURL:
        raise Unreachable(service, "the address in the settings is not one", may_have_arrived=False) from None


async def exchange(
    client: httpx.AsyncClient, service: str, request: httpx.Request, *, stream: bool = False
) -> httpx.Response:
    """Send a request and read the whole answer; with `stream`, leave its body to the caller, who closes it.

    Raises:
        Unreachable: No whole answer came.
        Untrusted: The server's certificate can't be verified.
    """
    with translated(service):
        return await client.send(request, stream=stream)


def _untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def json_of(response: httpx.Response, service: str) -> Any:
    """The answer's body as data.

    A text with half of a surrogate pair is no Unicode and can be stored nowhere; U+FFFD stands for the half.

    Raises:
        BadAnswer: It is no JSON.
    """
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        pass
    try:
        data = json.loads(response.content)
        text = json.dumps(data, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
        return json.loads(text.decode("utf-16-le", "replace"))
    except (ValueError, RecursionError):
        raise BadAnswer(service, "the answer is no JSON", code=str(response.status_code)) from None


def tls_context(ca_file: str | None) -> ssl.SSLContext | bool:
    """What httpx calls `verify`: the usual authorities, or those of a PEM file.

    Raises:
        OSError: The file can't be read.
        ssl.SSLError: It holds no certificate.
    """
    return True if ca_file is None else ssl.create_default_context(cafile=ca_file)
