"""The content of documents over HTTP: streamed, whole or in part.

Owns this handler and its headers. The bytes come from `content`, never more than a block at a time.
"""

from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import web

from sandbox.disturbance import cut, is_truncated
from sandbox.visual_practice import content
from sandbox.visual_practice.schema import DOCUMENT
from sandbox.visual_practice.serving import KEY, RefusedError, practice


def add_routes(app: web.Application) -> None:
    """Adds downloads to the application."""
    app.router.add_get("/v1/documents/{id}/content", _content)


def _document(request: web.Request) -> dict[str, Any]:
    served = practice(request)
    if not served.keys.may(request[KEY], "read", DOCUMENT.plural):
        raise RefusedError(403, "This API key may not read documents")
    body = served.storage.record(DOCUMENT, served.view.identity(DOCUMENT, request.match_info["id"]))
    document: dict[str, Any] = orjson.loads(body) if body else {}
    if not (document.get("content") or {}).get("link"):
        raise RefusedError(404, "Not found")
    return document


async def _content(request: web.Request) -> web.StreamResponse:
    document = _document(request)
    size, name, identity = int(document["size"]), document["filename"], document["id"]
    tag = f'"{identity}-{size}-{document["updated_at"]}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Content-Type": document["content_type"] or "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
    }
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    start, stop, status = 0, size, 200
    if request.headers.get("If-Range", tag) == tag:
        try:
            wanted = content.part(request.headers.get("Range"), size)
        except content.UnsatisfiableError:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        if wanted is not None:
            start, stop, status = *wanted, 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = stop - start
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    end = start + (stop - start) // 2 if is_truncated(request) else stop
    for piece in content.pieces(identity, name, start, end):
        await response.write(piece)
    return cut(request, response) if end < stop else response
