"""The client of Visual Practice's API: pages of records, changes, deletes, single records.

Owns the API's addresses, parameters and envelope. Every call only reads, so each is tried again after a transient
failure. Source of fact: the contract in `docs/sandbox.md`; no API of Visual Practice is publicly documented.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import httpx

from connectors.errors import BadAnswer, BadCredentials, NotFound, RateLimited, RequestRefused, ServerFault
from connectors.exchange import USER_AGENT, exchange, json_of
from connectors.retry import Retry, asked_wait

__all__ = ["Found", "Page", "VisualPractice"]

_SERVICE: Final = "Visual Practice"


class Page(NamedTuple):
    """One page of a listing.

    Attributes:
        records: As the API's JSON has them.
        total: How many entries the whole listing had when this page was read.
        has_next: Whether there is a page after this one.
        server_time: The server's clock when it answered, UTC, whole seconds.
    """

    records: list[dict[str, Any]]
    total: int
    has_next: bool
    server_time: datetime


class Found(NamedTuple):
    """The answer to a question for one record.

    Attributes:
        record: As the API's JSON has it; None when there is none.
        server_time: The server's clock when it answered, UTC, whole seconds.
    """

    record: dict[str, Any] | None
    server_time: datetime


class VisualPractice:
    """An open connection; use it as an async context manager.

    Paging is by number: a record deleted meanwhile moves the later ones up, so that a walk over the pages can miss
    some. Whoever needs all compares with a census.

    Args:
        url: Where the API is, without `/v1`.
        api_key: Sent as the user of HTTP Basic.
        timeout: Seconds to wait for a connection, and for each part of an answer.
        page_size: Entries asked for per page; the server gives at most 100.
        retry: When to try again.
        transport: Another way to the server, for tests of broken ones.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        timeout: float = 30.0,
        page_size: int = 100,
        *,
        retry: Retry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._page_size = page_size
        self._retry = retry or Retry()
        self._client = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/v1/",
            auth=httpx.BasicAuth(api_key, ""),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=timeout,
            limits=httpx.Limits(max_keepalive_connections=8, keepalive_expiry=60.0),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def page(
        self,
        resource: str,
        *,
        updated_since: datetime | None = None,
        page: int = 1,
        per_page: int | None = None,
        sort: str = "updated_at",
        fields: tuple[str, ...] | None = None,
    ) -> Page:
        """One page of a resource's live records.

        Args:
            resource: E.g. `patients`.
            updated_since: Only records modified at or after this moment; a part of a second is cut off.
            page: From 1.
            per_page: Instead of the client's page size.
            sort: `updated_at` or `id`, ascending.
            fields: Only these fields; all when None.

        Raises:
            ConnectorError: See `connectors.errors`; a transient one only after the retries are used up.
        """
        query: dict[str, str] = {"page": str(page), "per_page": str(per_page or self._page_size), "sort": sort}
        if updated_since is not None:
            query["updated_since"] = _moment(updated_since)
        if fields is not None:
            query["fields"] = ",".join(fields)
        return await self._listing(resource, quote(resource, safe=""), query)

    async def deleted(
        self, resource: str, since: datetime | None, page: int = 1, *, per_page: int | None = None
    ) -> Page:
        """One page of a resource's feed of deletes, oldest first; an entry has `id` and `deleted_at`.

        Args:
            resource: E.g. `patients`.
            since: Only deletes at or after this moment; all when None.
            page: From 1.
            per_page: Instead of the client's page size.

        Raises:
            ConnectorError: See `connectors.errors`; a transient one only after the retries are used up.
        """
        query = {"page": str(page), "per_page": str(per_page or self._page_size)}
        if since is not None:
            query["deleted_since"] = _moment(since)
        return await self._listing(resource, f"{quote(resource, safe='')}/deleted", query)

    async def get(self, resource: str, vp_id: str) -> Found:
        """One record.

        Raises:
            ConnectorError: See `connectors.errors`; a record that isn't there is no error.
        """
        path = f"{quote(resource, safe='')}/{quote(vp_id, safe='')}"

        async def once() -> Found:
            response = await self._answer(path, {})
            if response.status_code == httpx.codes.NOT_FOUND:
                return Found(None, _server_time(response))
            record = json_of(response, _SERVICE)
            if not isinstance(record, dict):
                raise BadAnswer(_SERVICE, "the answer is no record")
            return Found(record, _server_time(response))

        return await self._retry.run(once)

    async def _listing(self, resource: str, path: str, query: dict[str, str]) -> Page:
        async def once() -> Page:
            response = await self._answer(path, query)
            if response.status_code == httpx.codes.NOT_FOUND:
                raise NotFound(_SERVICE, "there is no such resource", code="404")
            return _page(json_of(response, _SERVICE), resource, response)

        return await self._retry.run(once)

    async def _answer(self, path: str, query: dict[str, str]) -> httpx.Response:
        """One try. The answer is a success or a 404."""
        response = await exchange(self._client, _SERVICE, self._client.build_request("GET", path, params=query))
        status = response.status_code
        code = str(status)
        if response.is_success or status == httpx.codes.NOT_FOUND:
            return response
        if status in {401, 403}:
            raise BadCredentials(_SERVICE, "the API key is refused", code=code)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise RateLimited(_SERVICE, "too many requests", code=code, retry_after=asked_wait(response.headers))
        if response.is_server_error or status == httpx.codes.REQUEST_TIMEOUT:
            raise ServerFault(_SERVICE, "the server failed", code=code, retry_after=asked_wait(response.headers))
        raise RequestRefused(_SERVICE, "the request is refused", code=code)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(envelope: Any, resource: str, response: httpx.Response) -> Page:
    if isinstance(envelope, dict):
        records, total, links = (envelope.get(key) for key in (resource, "total_entries", "links"))
        if isinstance(records, list) and isinstance(total, int) and isinstance(links, dict):
            return Page(records, total, links.get("next") is not None, _server_time(response))
    raise BadAnswer(_SERVICE, "the page's envelope is not what it should be")


def _server_time(response: httpx.Response) -> datetime:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        raise BadAnswer(
            _SERVICE, "the answer has no Date header; without the server's clock no change is safe"
        ) from None
