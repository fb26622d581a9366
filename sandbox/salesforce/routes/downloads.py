"""Streams CSV answers in pieces, compressed when asked for, cut when a fault says so.

Owns the sending; what is sent comes as an iterator of byte pieces that is drawn in a reading thread.
"""

from collections.abc import Iterator

from aiohttp import web

from sandbox import disturbance
from sandbox.database import Database
from sandbox.salesforce.routes.context import Gzip, compresses, services

CSV = "text/csv; charset=UTF-8"


async def send(request: web.Request, database: Database, pieces: Iterator[bytes], **headers: str) -> web.StreamResponse:
    """Sends the pieces as one CSV answer; the keys of `headers` have `_` for `-`."""
    response = web.StreamResponse(headers={"Content-Type": CSV, "Sforce-Limit-Info": services(request).usage.header})
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    gzip = Gzip() if compresses(request) else None
    if gzip is not None:
        response.headers["Content-Encoding"] = "gzip"
    await response.prepare(request)
    while piece := await database.read(next, pieces, b""):
        if disturbance.is_truncated(request):
            return disturbance.cut(request, response)
        if disturbance.is_partial(request):
            piece = (
                piece[: piece.rfind(b'\n"', 0, len(piece) // 2) + 1] or piece
            )  # whole rows: each begins with a quote
        await response.write(gzip.piece(piece) if gzip else piece)
    if gzip is not None:
        await response.write(gzip.end())
    return response
