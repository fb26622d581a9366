"""The resources of a version, the list of objects, their describes, and limits.

Owns `/services/data/vXX.X/`, `/sobjects`, `/sobjects/X/describe` and `/limits`.
"""

from aiohttp import web

from sandbox.salesforce import describe
from sandbox.salesforce.errors import not_found
from sandbox.salesforce.routes.context import VERSION, answer, base, services, user
from sandbox.salesforce.usage import DAILY_CALLS

LIMITS = {
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DataStorageMB": 10_240,
    "HourlyPublishedPlatformEvents": 50_000,
    "SingleEmail": 15,
}


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    for end in ("", "/"):
        app.router.add_get(f"{VERSION}/sobjects{end}", _list)
        app.router.add_get(f"{VERSION}/sobjects/{{sobject}}/describe{end}", _describe)
        app.router.add_get(f"{VERSION}/limits{end}", _limits)
    app.router.add_get(f"{VERSION}/limits/recordCount", _record_count)


async def _list(request: web.Request) -> web.Response:
    schema = services(request).org.seen_by(user(request))
    listed = [describe.listed(each, base(request)) for each in sorted(schema, key=lambda each: each.name)]
    return answer(request, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})


async def _describe(request: web.Request) -> web.Response:
    schema = services(request).org.seen_by(user(request))
    found = schema.get(request.match_info["sobject"])
    if found is None:
        raise not_found()
    return answer(request, describe.sobject(schema, found, base(request)))


async def _limits(request: web.Request) -> web.Response:
    shared = services(request)
    shown = {name: {"Max": most, "Remaining": most} for name, most in LIMITS.items()}
    shown["DailyApiRequests"] = {"Max": DAILY_CALLS, "Remaining": DAILY_CALLS - shared.usage.calls}
    shown |= await shared.org.database.read(shared.jobs.allocations.as_json)
    shown["FileStorageMB"] = await shared.org.database.read(shared.writes.documents.as_json)
    return answer(request, dict(sorted(shown.items())))


async def _record_count(request: web.Request) -> web.Response:
    org = services(request).org
    wanted = [name for name in request.query.get("sObjects", "").split(",") if name]
    schema = org.seen_by(user(request))
    listed = [each for name in wanted if (each := schema.get(name))] if wanted else list(schema)

    def counted() -> list[dict[str, object]]:
        reader = org.database.reader()
        return [{"count": org.records.count(reader, each), "name": each.name} for each in listed]

    return answer(request, {"sObjects": await org.database.read(counted)})
