"""One connection to one org: requests, describes, queries.

Owns the address, the token on each request, the count of API calls, and the reading of limits. Collections and Bulk
are built on it. Source of fact: REST API Developer Guide v66.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

import httpx
import orjson

from connectors.errors import BadAnswer
from connectors.exchange import USER_AGENT, exchange, json_of, tls_context, translated
from connectors.retry import NO_RETRY, Retry
from connectors.salesforce import queries, soql
from connectors.salesforce.auth import Tokens
from connectors.salesforce.refusals import refusal

__all__ = ["Meter", "Salesforce"]

_SERVICE: Final = "Salesforce"
_USAGE: Final = re.compile(r"api-usage=(\d+)/(\d+)")


class Meter(Protocol):
    """Who says when a call may be made."""

    def call(self) -> AbstractAsyncContextManager[None]:
        """One call: entered, however long that takes, before it is sent; left when its answer has begun."""

    def heard(self, used: int, most: int) -> None:
        """An answer has told the calls that the whole org has used in the last 24 hours, and how many it has."""


class _Unmetered:
    """Calls as they come."""

    def call(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def heard(self, used: int, most: int) -> None:
        pass


class _Call(NamedTuple):
    """One request before it has a token."""

    method: str
    path: str
    params: Mapping[str, str] | None
    content: bytes | AsyncIterator[bytes] | None
    headers: Mapping[str, str]
    what: str


class Salesforce:
    """An open connection; use it as an async context manager. It is safe for concurrent calls of one event loop.

    Args:
        url: The org's My Domain address, e.g. `https://clinic.my.salesforce.com`.
        client_id: Of the connected app.
        client_secret: Of the connected app.
        api_version: E.g. `62.0`.
        ca_file: PEM file of the authority to trust instead of the usual ones.
        timeout: Seconds to wait for a connection, and for each part of an answer.
        retry: When to try a read again.
        transport: Another way to the server, for tests of broken ones.
        meter: Asked before each request that Salesforce counts; without one they are made as they come.

    Attributes:
        api_calls: Requests sent by this object that Salesforce counts, retries included.
        api_used: Calls the whole org has used in the last 24 hours; None before the first answer that says it.
        api_max: Calls the whole org may use in 24 hours; None likewise.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        api_version: str = "62.0",
        ca_file: str | None = None,
        timeout: float = 60.0,
        *,
        retry: Retry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._meter: Meter = meter or _Unmetered()
        self.api_calls = 0
        self.api_used: int | None = None
        self.api_max: int | None = None
        self._retry = retry or Retry()
        self._root = f"/services/data/v{api_version.removeprefix('v')}"
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=timeout,
            verify=tls_context(ca_file),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=60.0),
            transport=transport,
        )
        self._tokens = Tokens(self._client, client_id, client_secret, self._retry)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        read: bool = False,
    ) -> httpx.Response:
        """Send one request; an expired session is renewed once.

        Args:
            method: HTTP method.
            path: Below `/services/data/vXX.X`, e.g. `/sobjects`; or whole, beginning with `/services/`.
            what: The call in words without values, for errors.
            params: Query parameters.
            json: Body, as JSON.
            content: Body, as bytes. An iterator can't be sent twice: an expired session is then an error, and the
                next call has a fresh one.
            headers: More headers.
            read: Whether the call changes nothing, so that it may be tried again after a transient failure.

        Returns:
            A successful answer, read.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        sent = dict(headers or {})
        if json is not None:
            content = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        call = _Call(method, path, params, content, sent, what)
        return await (self._retry if read else NO_RETRY).run(lambda: self._once(call))

    async def json(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        read: bool = False,
    ) -> Any:
        """`request`, and the answer's JSON; a read whose answer is none is tried again.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        content = None if json is None else orjson.dumps(json)
        sent = {} if json is None else {"Content-Type": "application/json"}
        call = _Call(method, path, params, content, sent, what)

        async def once() -> Any:
            return json_of(await self._once(call), _SERVICE)

        return await (self._retry if read else NO_RETRY).run(once)

    async def _once(self, call: "_Call") -> httpx.Response:
        """One try, with one renewal of the token."""
        token = await self._tokens.current()
        response = await self._send(token, call)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            token = await self._tokens.renew(token)
            if call.content is None or isinstance(call.content, bytes):
                response = await self._send(token, call)
        if not response.is_success:
            raise refusal(response, call.what)
        return response

    @asynccontextmanager
    async def stream(self, path: str, *, what: str) -> AsyncIterator[httpx.Response]:
        """GET with the body left to be read inside the block.

        Getting the answer's beginning is tried again; a body that breaks off is an `Unreachable` in the block.

        Args:
            path: As for `request`.
            what: As for `request`.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        async with AsyncExitStack() as stack:
            response = await self._retry.run(lambda: self._open(stack, path, what))
            with translated(_SERVICE):
                yield response

    async def _open(self, stack: AsyncExitStack, path: str, what: str) -> httpx.Response:
        """One try to get an answer's beginning; whatever is opened is closed with the stack."""
        for last in (False, True):
            token = await self._tokens.current()
            request = self._build(token, _Call("GET", path, None, None, {}, what))
            async with self._meter.call():
                response = await exchange(self._client, _SERVICE, request, stream=True)
                stack.push_async_callback(response.aclose)
                self._count(response)
            if response.is_success:
                return response
            with translated(_SERVICE):
                await response.aread()
            if last or response.status_code != httpx.codes.UNAUTHORIZED:
                break
            await self._tokens.renew(token)
        raise refusal(response, what)

    async def describe(self, sobject: str) -> dict[str, Any]:
        """The org's describe of an object, as the user that we are sees it.

        Raises:
            NotFound: The org has no such object, or it is hidden from us.
            ConnectorError: See `connectors.errors`.
        """
        path = f"/sobjects/{soql.name(sobject)}/describe"
        answer = await self.json("GET", path, what=f"describe of {sobject}", read=True)
        if not isinstance(answer, dict) or not isinstance(answer.get("fields"), list):
            raise BadAnswer(_SERVICE, "the describe has no fields")
        return answer

    async def limits(self) -> dict[str, Any]:
        """The org's limits: name -> `{"Max": …, "Remaining": …}`.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        answer = await self.json("GET", "/limits", what="limits", read=True)
        if not isinstance(answer, dict):
            raise BadAnswer(_SERVICE, "the limits are not what they should be")
        return answer

    async def query(self, text: str) -> list[dict[str, Any]]:
        """`pages`, as one list."""
        return [row async for page in self.pages(text) for row in page]

    async def pages(self, text: str, *, every: bool = False) -> AsyncIterator[list[dict[str, Any]]]:
        """All rows of a query, page by page. A row may change or go between two pages.

        Args:
            text: SOQL; use `soql.quoted` for values in it.
            every: Deleted rows and archived activities, too (`queryAll`; REST API Developer Guide v66).

        Yields:
            Rows, with the `attributes` Salesforce puts into each.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        page = await self.json("GET", "/queryAll" if every else "/query", what="query", params={"q": text}, read=True)
        async for rows in self._following(page):
            yield rows

    async def _following(self, page: Any) -> AsyncIterator[list[dict[str, Any]]]:
        """The rows of a query's first page, and those of all that follow it."""
        while True:
            if not isinstance(page, dict) or not isinstance(page.get("records"), list):
                raise BadAnswer(_SERVICE, "the query's page is not what it should be")
            yield page["records"]
            following = page.get("nextRecordsUrl")
            if not following:
                return
            page = await self.json("GET", str(following), what="next page of a query", read=True)

    async def _first_pages(self, texts: Sequence[str]) -> list[Any]:
        """The first page of each query, by one call."""
        body = orjson.dumps(queries.asked(self._root, texts))
        call = _Call("POST", "/composite", None, body, {"Content-Type": "application/json"}, "queries")

        async def once() -> list[Any]:
            return queries.pages(json_of(await self._once(call), _SERVICE), len(texts))

        return await self._retry.run(once)

    async def user_id(self) -> str:
        """The Salesforce id of the user that we are.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        answer = await self.json("GET", "/services/oauth2/userinfo", what="user info", read=True)
        if not isinstance(answer, dict) or not isinstance(answer.get("user_id"), str):
            raise BadAnswer(_SERVICE, "the user info has no user id")
        return str(answer["user_id"])

    async def query_in(self, select: str, field: str, values: Iterable[str]) -> list[dict[str, Any]]:
        """All rows whose field is one of the values, in as many queries as the address limit needs; five of them are one call.

        Args:
            select: `SELECT … FROM …`, without WHERE.
            field: The field's name.
            values: In any number.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        rows: list[dict[str, Any]] = []
        asked = list(soql.in_lists(select, field, values))
        for start in range(0, len(asked), queries.MOST_QUERIES):
            texts = asked[start : start + queries.MOST_QUERIES]
            if len(texts) == 1:
                rows.extend(await self.query(texts[0]))
                continue
            for page in await self._first_pages(texts):
                rows.extend([row async for part in self._following(page) for row in part])
        return rows

    def _build(self, token: str, call: "_Call") -> httpx.Request:
        whole = call.path if call.path.startswith("/services/") else self._root + call.path
        if call.params:  # httpx would escape more than it has to, a character at a time
            whole += "?" + "&".join(f"{name}={soql.encoded(value)}" for name, value in call.params.items())
        sent = {**call.headers, "Authorization": f"Bearer {token}"}
        return self._client.build_request(call.method, whole, content=call.content, headers=sent)

    async def _send(self, token: str, call: "_Call") -> httpx.Response:
        async with self._meter.call():
            response = await exchange(self._client, _SERVICE, self._build(token, call))
            self._count(response)
        return response

    def _count(self, response: httpx.Response) -> None:
        self.api_calls += 1
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if usage is not None:
            self.api_used, self.api_max = int(usage[1]), int(usage[2])
            self._meter.heard(self.api_used, self.api_max)
