"""The versions of the API, and the resources of one.

Owns `/services/data` and `/services/data/vXX.X`.
"""

from aiohttp import web

from sandbox.salesforce.org import API_USER, ORG_ID
from sandbox.salesforce.routes.context import VERSION, answer, base

FIRST_VERSION, LAST_VERSION = 31, 66
WINTER_15 = 32
SEASONS = ("Winter", "Spring", "Summer")
RESOURCES = ("tooling", "metadata", "query", "queryAll", "search", "sobjects", "composite", "limits", "jobs", "recent")


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    for end in ("", "/"):
        app.router.add_get(f"/services/data{end}", _versions)
        app.router.add_get(VERSION + end, _resources)


async def _versions(request: web.Request) -> web.Response:
    listed = []
    for version in range(FIRST_VERSION, LAST_VERSION + 1):
        year, season = divmod(version - WINTER_15, len(SEASONS))  # three releases a year
        label = f"{SEASONS[season]} '{15 + year:02d}"
        listed.append({"label": label, "url": f"/services/data/v{version}.0", "version": f"{version}.0"})
    return answer(request, listed)


async def _resources(request: web.Request) -> web.Response:
    identity = f"{request.scheme}://{request.host}/id/{ORG_ID}/{request.get('user', API_USER)}"
    return answer(request, {name: f"{base(request)}/{name}" for name in RESOURCES} | {"identity": identity})
