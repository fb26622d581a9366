"""The client of Visual Practice's API: pages of records, changes, deletes, archived and single records.

Owns the API's addresses and parameters. Every call only reads, so each is tried again after a transient failure. Source of fact: the contract in
`docs/sandbox.md`; no API of Visual Practice is publicly documented.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx

from connectors.errors import (
    BadAnswer,
    BadCredentials,
    ConnectorError,
    NotFound,
    PageTooSlow,
    RateLimited,
    RequestRefused,
    ServerFault,
    ZoneMissing,
)
from connectors.exchange import USER_AGENT, exchange, json_of
from connectors.retry import Retry, asked_wait
from connectors.visual_practice.budget import Budget
from connectors.visual_practice.envelope import Envelope, Onward, read_envelope
from connectors.visual_practice.page_size import PageSize
from connectors.visual_practice.profile import Profile
from connectors.visual_practice.server_clock import ServerClock
from connectors.visual_practice.source_time import SourceTime, Span

__all__ = ["Found", "Next", "Page", "VisualPractice"]

_SERVICE: Final = "Visual Practice"
_STAMPS: Final = ("updated_at", "deleted_at")
_TELLING: Final = frozenset({httpx.codes.NOT_FOUND, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE})
_Answer = TypeVar("_Answer")
Feed = Literal["deleted", "archived"]


class Next(NamedTuple):
    """The page after another one; handed back to the call that gave it, with everything else as it was.

    Attributes:
        onward: What the answer said.
        size: The size of page that its number counts in.
    """

    onward: Onward
    size: int

    @classmethod
    def numbered(cls, number: int, size: int) -> Self:
        """A page of a listing that is paged by number."""
        return cls(Onward("page", str(number), place=False), size)

    @classmethod
    def placed(cls, token: str) -> Self:
        """A page of a listing that is paged by place."""
        return cls(Onward("cursor", token, place=True), 0)

    @property
    def token(self) -> str | None:
        """The place, None when it is a number."""
        return self.onward.value if self.onward.place else None

    def at(self, number: int) -> Self:
        """Another page of the same numbering."""
        return self._replace(onward=self.onward._replace(value=str(number)))


class Page(NamedTuple):
    """One page of a listing.

    Attributes:
        records: As the API's JSON has them.
        total: How many entries the whole listing had when this page was read.
        next: The page after this one; None on the last.
        seen: When it was read, by the server's clock.
        size: Records that a full page has.
    """

    records: list[Any]
    total: int
    next: Next | None
    seen: Span
    size: int

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.next is not None

    @property
    def server_time(self) -> datetime:
        """The server's clock when it read the page, at the earliest; UTC, whole seconds."""
        return self.seen.earliest


class Found(NamedTuple):
    """The answer to a question for one record.

    Attributes:
        record: As the API's JSON has it; None when there is none.
        seen: When it was looked for, by the server's clock.
    """

    record: dict[str, Any] | None
    seen: Span

    @property
    def server_time(self) -> datetime:
        """The server's clock when it looked, at the earliest; UTC, whole seconds."""
        return self.seen.earliest


class VisualPractice:
    """An open connection; use it as an async context manager.

    Paging by number can skip rows that move; whoever needs all reads back to the first page, or compares with a census.

    Args:
        url: Where the API is, without `/v1`.
        api_key: Sent as the user of HTTP Basic.
        timeout: Seconds to wait for a connection, and for each part of an answer.
        page_size: Entries asked for per page; the server gives at most 100.
        profile: What the settings say of how it speaks.
        time_zone: What clock its times without an offset are of; None: as `/v1/schema` says.
        retry: When to try again.
        budget: How fast; one of its own when None.
        transport: Another way to the server, for tests of broken ones.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        timeout: float = 30.0,
        page_size: int = 100,
        *,
        profile: Profile | None = None,
        time_zone: ZoneInfo | None = None,
        retry: Retry | None = None,
        budget: Budget | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.page_size = PageSize(page_size)
        self.budget = budget or Budget()
        self._profile = profile or Profile()
        self._given_zone = time_zone
        self._time: SourceTime | None = None
        self._learned_times = self._profile.times
        self._clock = ServerClock()
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

    @property
    def home(self) -> str:
        """Where the source is: scheme, host and port, as its own addresses begin."""
        url = self._client.base_url
        return f"{url.scheme}://{url.netloc.decode()}"

    @property
    def custom(self) -> str | None:
        """Shape of custom fields, as far as it was told."""
        return self._profile.custom

    async def time(self) -> SourceTime:
        """How this installation writes times: as told, else as `/v1/schema` says, else as stamps have looked so far.

        Raises:
            ConnectorError: See `connectors.errors`; an installation that describes nothing is no error.
        """
        if self._time is None:
            zone, times = self._given_zone, self._learned_times
            if (zone is None and times != "utc") or times is None:
                told = await self._described()
                times = times or (told.get("times") if told.get("times") in {"utc", "local"} else None)
                zone = zone or _zone(told.get("time_zone"))
            self._learned_times = times
            self._time = SourceTime(zone, local=times == "local")
        return self._time

    async def page(
        self,
        resource: str,
        *,
        updated_since: datetime | None = None,
        after: Next | None = None,
        per_page: int | None = None,
        sort: str = "updated_at",
        fields: tuple[str, ...] | None = None,
    ) -> Page:
        """One page of a resource's live records.

        Args:
            resource: E.g. `patients`.
            updated_since: Only records modified at or after this moment; goes back a little further where it can't be said exactly.
            after: The page after that one, with everything else as it was; the first page when None.
            per_page: Instead of the page size in force.
            sort: `updated_at` or `id`, ascending.
            fields: Only these fields; all when None.

        Raises:
            PageTooSlow: A page by number took too long: begin again at the first, pages are smaller now.
            ConnectorError: See `connectors.errors`; a transient one only after the retries are used up.
        """
        query = {"sort": sort}
        if updated_since is not None:
            query |= await self._since("updated_since", updated_since)
        if fields is not None:
            query["fields"] = ",".join(fields)
        return await self._listing(resource, quote(resource, safe=""), query, after, per_page)

    async def feed(
        self,
        resource: str,
        which: Feed,
        since: datetime | None,
        *,
        after: Next | None = None,
        per_page: int | None = None,
    ) -> Page:
        """One page of a feed, oldest first: `deleted` has ids with `deleted_at`, `archived` whole records with `archived_at`.

        Args:
            resource: E.g. `patients`.
            which: Which feed.
            since: Only entries at or after this moment, as in `page`; all when None.
            after: As in `page`.
            per_page: Instead of the page size in force.

        Raises:
            PageTooSlow: As in `page`.
            ConnectorError: See `connectors.errors`; a transient one only after the retries are used up.
        """
        query = {} if since is None else await self._since(f"{which}_since", since)
        return await self._listing(resource, f"{quote(resource, safe='')}/{which}", query, after, per_page)

    async def get(self, resource: str, vp_id: str) -> Found:
        """One record; goes before any page.

        Raises:
            ConnectorError: See `connectors.errors`; a record that isn't there is no error.
        """
        path = f"{quote(resource, safe='')}/{quote(vp_id, safe='')}"

        async def once() -> Found:
            response, span = await self._answer(path, {}, urgent=True)
            seen = _needed(span)
            if response.status_code == httpx.codes.NOT_FOUND:
                return Found(None, seen)
            record = json_of(response, _SERVICE)
            if not isinstance(record, dict):
                raise BadAnswer(_SERVICE, "the answer is no record")
            await self._learn([record])
            return Found(record, seen)

        return await self._retry.run(once)

    async def stream(self, path: str, headers: Mapping[str, str]) -> httpx.Response:
        """One try to get an answer whose body is left to the caller, who closes it; goes before any page.

        Args:
            path: Below `/v1/`, its parts quoted.
            headers: More headers.

        Returns:
            A success, or a 404 or 416.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        await self.budget.admit(urgent=True)
        request = self._client.build_request("GET", path, headers=dict(headers))
        response = await exchange(self._client, _SERVICE, request, stream=True)
        self.budget.answered(response.status_code, response.headers)
        if response.is_success or response.status_code in _TELLING:
            return response
        await response.aclose()
        raise _refusal(response.status_code, response.headers)

    async def retried(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """`call`, again as often as this connection tries anything again."""
        return await self._retry.run(call)

    async def _listing(
        self, resource: str, path: str, query: Mapping[str, str], after: Next | None, per_page: int | None
    ) -> Page:
        async def once() -> Page:
            size = per_page or self.page_size.current
            asked = {**query, "per_page": str(size)}
            if after is not None:
                if not after.onward.place:
                    asked["per_page"] = str(size := after.size)
                asked[after.onward.parameter] = after.onward.value
            try:
                response, span = await self._answer(path, asked)
            except ServerFault as fault:
                smaller = fault.code == "504" and per_page is None and self.page_size.too_slow(size)
                if smaller and after is not None and not after.onward.place:
                    raise PageTooSlow(_SERVICE, "a page took too long", code=fault.code) from None
                raise
            if response.status_code == httpx.codes.NOT_FOUND:
                raise NotFound(_SERVICE, "there is no such resource", code="404")
            seen = _needed(span)
            found = read_envelope(json_of(response, _SERVICE), resource, self._profile.envelope)
            _check_whole(found, size, after)
            if per_page is None:
                self.page_size.good(size)
            await self._learn(found.records)
            following = None if found.onward is None else Next(found.onward, size)
            return Page(found.records, found.total, following, seen, size)

        return await self._retry.run(once)

    async def _since(self, parameter: str, moment: datetime) -> dict[str, str]:
        """The parameter; left out, which reads everything, while nobody knows how the installation writes times."""
        time = await self.time()
        if self._learned_times == "local" and time.zone is None:
            raise ZoneMissing(_SERVICE, "its times have no offset, and it doesn't say what clock they are of")
        return {} if self._learned_times is None else {parameter: time.written(moment)}

    async def _learn(self, records: list[Any]) -> None:
        """How times are written shows in the stamps, where neither the settings nor the schema say it.

        Raises:
            ZoneMissing: Without an offset, and nobody has said the zone.
        """
        time = await self.time()
        if self._learned_times == "utc" or (self._learned_times == "local" and time.zone is not None):
            return
        offsets = [has for record in records if (has := _has_offset(record)) is not None]
        if not offsets:
            return
        local = not any(offsets)
        if local and time.zone is None:
            raise ZoneMissing(_SERVICE, "its times have no offset, and it doesn't say what clock they are of")
        if self._learned_times is None:
            self._learned_times = "local" if local else "utc"
            self._time = SourceTime(time.zone, local=local)

    async def schema(self) -> dict[str, Any]:
        """What the installation says of itself (`/v1/schema`): resources with their custom fields, and forms; {} for one that says nothing.

        Raises:
            ConnectorError: It can't be asked.
        """
        return await self._described()

    async def _described(self) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            try:
                response, _ = await self._answer("schema", {})
            except (RequestRefused, BadCredentials):
                return {}
            if response.status_code == httpx.codes.NOT_FOUND:
                return {}
            told = json_of(response, _SERVICE)
            return told if isinstance(told, dict) else {}

        return await self._retry.run(once)

    async def _answer(
        self, path: str, query: Mapping[str, str], *, urgent: bool = False
    ) -> tuple[httpx.Response, Span | None]:
        """One try. The answer is a success or a 404."""
        await self.budget.admit(urgent=urgent)
        sent = self._clock.now()
        response = await exchange(self._client, _SERVICE, self._client.build_request("GET", path, params=dict(query)))
        self.budget.answered(response.status_code, response.headers)
        status = response.status_code
        if response.is_success or status == httpx.codes.NOT_FOUND:
            date = _date(response)
            return response, None if date is None else self._clock.span(sent, date)
        raise _refusal(status, response.headers)


def _refusal(status: int, headers: httpx.Headers) -> ConnectorError:
    code = str(status)
    if status in {401, 403}:
        return BadCredentials(_SERVICE, "the API key is refused", code=code)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return RateLimited(_SERVICE, "too many requests", code=code, retry_after=asked_wait(headers))
    if status >= 500 or status == httpx.codes.REQUEST_TIMEOUT:
        return ServerFault(_SERVICE, "the server failed", code=code, retry_after=asked_wait(headers))
    return RequestRefused(_SERVICE, "the request is refused", code=code)


def _check_whole(found: Envelope, size: int, after: Next | None) -> None:
    """A page with a successor is full, and one that is the only one has everything: what is missing was lost on the way."""
    count = len(found.records)
    if found.onward is not None:
        enough = count >= min(size, found.size or 1)
    elif after is None:
        enough = count >= found.total
    elif after.onward.place:
        enough = True  # how many there should be isn't said
    else:
        enough = count >= found.total - (int(after.onward.value) - 1) * min(size, found.size or size)
    if not enough:
        raise BadAnswer(_SERVICE, "the page has fewer records than it says")


def _has_offset(record: Any) -> bool | None:
    """Whether a record's stamp has an offset; None when it has no readable stamp."""
    for name in _STAMPS if isinstance(record, dict) else ():
        try:
            return datetime.fromisoformat(record[name]).tzinfo is not None
        except (KeyError, ValueError, TypeError):
            continue
    return None


def _zone(name: Any) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (KeyError, ValueError, OSError):
        return None


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None


def _needed(span: Span | None) -> Span:
    if span is None:
        raise BadAnswer(_SERVICE, "the answer has no Date header; without the server's clock no change is safe")
    return span
