"""Serves `//services/…` as `/services/…`: clients put a base address that ends with a slash before a path that begins with one.

Owns that rule only. The Salesforce CLI does so after a login with an access token, and works against real orgs.
"""

import re

from aiohttp import web
from aiohttp.typedefs import Handler

_REPEATED = re.compile("/{2,}")


@web.middleware
async def merged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Must be the first middleware of the application."""
    if "//" not in request.rel_url.raw_path:
        return await handler(request)
    url = request.rel_url.with_path(_REPEATED.sub("/", request.rel_url.raw_path), encoded=True, keep_query=True)
    return await request.app._handle(request.clone(rel_url=url))  # noqa: SLF001  (a redirect would lose the body)
