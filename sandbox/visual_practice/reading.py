"""Listings, single records, feeds of deletions and archives over HTTP.

Owns these handlers and the envelopes of pages. Data comes from `storage`, its looks from `view`. Reads run on the event
loop: each is one indexed SELECT of at most 100 rows.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

import orjson
from aiohttp import web

from sandbox.visual_practice import cursors, parameters
from sandbox.visual_practice.anchors import Listing
from sandbox.visual_practice.parameters import BadRequestError
from sandbox.visual_practice.schema import BY_PLURAL, Resource
from sandbox.visual_practice.serving import RefusedError, named, practice
from sandbox.visual_practice.storage import Page

PATH = f"/v1/{{resource:{'|'.join(BY_PLURAL)}}}"


def add_routes(app: web.Application) -> None:
    """Adds what reads to the application."""
    app.router.add_get(PATH, _listing)
    app.router.add_get(f"{PATH}/{{which:deleted|archived}}", _binned)
    app.router.add_get(f"{PATH}/{{id}}", _record)


async def _listing(request: web.Request) -> web.Response:
    resource, query, served = named(request), request.query, practice(request)
    view, storage = served.view, served.storage
    by_cursor, per_page = view.profile.paging == "cursor", parameters.per_page(query)
    page = 1 if by_cursor else parameters.whole(query, "page", 1)
    fields = parameters.fields(query, view.names(resource, wide=storage.wide)) if "fields" in query else None
    listing = storage.listing(
        resource,
        parameters.instant(query, "updated_since", view),
        fields,
        by_time=parameters.choice(query, "sort", "id", "updated_at") == "updated_at",
        descending=parameters.choice(query, "order", "asc", "desc") == "desc",
    )
    await served.pace.wait(per_page, (page - 1) * per_page)
    render = view.renderer(resource, fields)
    if by_cursor:
        found, onward = _by_cursor(request, listing, per_page)
        bodies = [render(row) for row in found.rows]
        return _cursor_envelope(request, resource, bodies, found.total, per_page, onward)
    found = storage.page(listing, page, per_page)
    return _envelope(request, resource, [render(row) for row in found.rows], found.total, page, per_page)


def _by_cursor(request: web.Request, listing: Listing, per_page: int) -> tuple[Page, str | None]:
    served, text = practice(request), request.query.get("cursor")
    if "page" in request.query:
        raise BadRequestError("page is not known here: use cursor")
    try:
        start = cursors.read(text, listing, served.secret) if text else None
    except cursors.BadCursorError as error:
        raise BadRequestError("Invalid cursor") from error
    found = served.storage.after(listing, start, per_page + 1)
    if len(found.rows) <= per_page:
        return found, None
    rows = found.rows[:per_page]
    _, identity, updated_at, number = rows[-1]
    last = (updated_at, number, identity) if listing.by_time else (number, identity)
    return Page(rows, found.total), cursors.write(listing, last, served.secret)


async def _binned(request: web.Request) -> web.Response:
    resource, query, served = named(request), request.query, practice(request)
    view, which = served.view, request.match_info["which"]
    by_cursor, per_page = view.profile.paging == "cursor", parameters.per_page(query)
    page = parameters.whole(query, "cursor" if by_cursor else "page", 1)
    since = parameters.instant(query, f"{which}_since", view)
    found = served.storage.binned(resource, which, since, page, per_page)
    bodies = []
    for body, identity, at, _ in found.rows:
        record = orjson.loads(body or b"{}")
        if which == "archived":
            shown = record | {"archived_at": at}
        else:
            shown = {"id": identity, "deleted_at": at}
            if record.get("merged_into_id"):
                shown["merged_into_id"] = record["merged_into_id"]
        bodies.append(orjson.dumps(view.show(resource, shown)))
    if by_cursor:
        onward = str(page + 1) if page * per_page < found.total else None
        return _cursor_envelope(request, resource, bodies, found.total, per_page, onward)
    return _envelope(request, resource, bodies, found.total, page, per_page)


async def _record(request: web.Request) -> web.Response:
    resource, served = named(request), practice(request)
    body = served.storage.record(resource, served.view.identity(resource, request.match_info["id"]))
    if body is None:
        raise RefusedError(404, "Not found")
    shown = served.view.renderer(resource, None)((body, "", "", 0))
    return web.Response(body=shown, content_type="application/json")


# -- envelopes ---------------------------------------------------------------------------------------------------


def _json(*parts: bytes) -> web.Response:
    return web.Response(body=b"".join(parts), content_type="application/json")


def _envelope(
    request: web.Request, resource: Resource, bodies: Sequence[bytes], total: int, page: int, per_page: int
) -> web.Response:
    query = dict(request.query) | {"per_page": str(per_page)}
    base = f"{request.scheme}://{request.host}{request.path}?"

    def link(number: int) -> str:
        return base + urlencode(query | {"page": str(number)})

    onward = link(page + 1) if page * per_page < total else None
    back = link(page - 1) if page > 1 else None
    rows = b",".join(bodies)
    if practice(request).view.profile.envelope == "results":
        return _results(rows, total, onward, back, per_page)
    links = {"self": link(page)}
    if onward:
        links["next"] = onward
    if back:
        links["previous"] = back
    return _plain(resource, rows, total, links)


def _cursor_envelope(
    request: web.Request, resource: Resource, bodies: Sequence[bytes], total: int, per_page: int, onward: str | None
) -> web.Response:
    rows = b",".join(bodies)
    if practice(request).view.profile.envelope == "results":
        return _results(rows, total, onward, None, per_page)
    query = dict(request.query) | {"per_page": str(per_page)}
    base = f"{request.scheme}://{request.host}{request.path}?"
    links = {"self": base + urlencode(query)}
    if onward:
        links["next"] = base + urlencode(query | {"cursor": onward})
    return _plain(resource, rows, total, links)


def _plain(resource: Resource, rows: bytes, total: int, links: dict[str, str]) -> web.Response:
    head = b'{"%s":[' % resource.plural.encode()
    return _json(head, rows, b'],"total_entries":%d,"links":%s}' % (total, orjson.dumps(links)))


def _results(rows: bytes, total: int, onward: str | None, back: str | None, per_page: int) -> web.Response:
    tail = {"next": onward, "previous": back, "has_next_page": onward is not None, "per_page": per_page}
    return _json(b'{"results":[', rows, b'],"total_entires":%d,' % total, orjson.dumps(tail)[1:])
