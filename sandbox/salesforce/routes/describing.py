"""The resources of a version, the list of objects, their describes, and limits.

Owns `/services/data/vXX.X/`, `/sobjects`, `/sobjects/X/describe` and `/limits`.
"""

from typing import Any

from aiohttp import web

from sandbox.salesforce import describe, limits
from sandbox.salesforce.errors import not_found
from sandbox.salesforce.org import Org
from sandbox.salesforce.routes import conditions
from sandbox.salesforce.routes.context import VERSION, answer, base, services, user

FREE = frozenset({"Product2", "Pricebook2", "PricebookEntry", "ContentVersion", "ContentDocument", "Attachment"})


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    for end in ("", "/"):
        app.router.add_get(f"{VERSION}/sobjects{end}", _list)
        app.router.add_get(f"{VERSION}/sobjects/{{sobject}}{end}", _basic)
        app.router.add_get(f"{VERSION}/sobjects/{{sobject}}/describe{end}", _describe)
        app.router.add_get(f"{VERSION}/limits{end}", _limits)
    app.router.add_get(f"{VERSION}/limits/recordCount", _record_count)


async def _list(request: web.Request) -> web.Response:
    schema = services(request).org.seen_by(user(request))
    if unchanged := conditions.unchanged(request, schema.made):
        return unchanged
    listed = [describe.listed(each, base(request)) for each in sorted(schema, key=lambda each: each.name)]
    return conditions.dated(
        schema.made, answer(request, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})
    )


async def _basic(request: web.Request) -> web.Response:
    schema = services(request).org.seen_by(user(request))
    found = schema.get(request.match_info["sobject"])
    if found is None:
        raise not_found()
    return answer(request, {"objectDescribe": describe.listed(found, base(request)), "recentItems": []})


async def _describe(request: web.Request) -> web.Response:
    schema = services(request).org.seen_by(user(request))
    found = schema.get(request.match_info["sobject"])
    if found is None:
        raise not_found()
    if unchanged := conditions.unchanged(request, schema.made):
        return unchanged
    types = await services(request).org.database.read(services(request).org.record_types, found.name)
    described = describe.sobject(schema, found, base(request), types)
    return conditions.dated(schema.made, answer(request, described))


async def _limits(request: web.Request) -> web.Response:
    shared = services(request)
    shown: dict[str, Any] = limits.unused()
    shown["DailyApiRequests"] = {"Max": shared.usage.most, "Remaining": max(0, shared.usage.most - shared.usage.calls)}
    shown["DataStorageMB"] = await shared.org.database.read(_data_storage, shared.org)
    shown |= await shared.org.database.read(shared.jobs.allocations.as_json)
    shown["FileStorageMB"] = await shared.org.database.read(shared.writes.documents.as_json)
    return answer(request, dict(sorted(shown.items())))


def _data_storage(org: Org) -> dict[str, object]:
    """By the numbers given out, so that it costs nothing: records in the bin and beyond count too."""
    reader, counted = org.database.reader(), [each for each in org.schema if each.name not in FREE]
    return limits.data_storage(sum(org.records.next_number(reader, each) for each in counted))


async def _record_count(request: web.Request) -> web.Response:
    org = services(request).org
    wanted = [name for name in request.query.get("sObjects", "").split(",") if name]
    schema = org.seen_by(user(request))
    listed = [each for name in wanted if (each := schema.get(name))] if wanted else list(schema)

    def counted() -> list[dict[str, object]]:
        reader = org.database.reader()
        return [{"count": org.records.count(reader, each), "name": each.name} for each in listed]

    return answer(request, {"sObjects": await org.database.read(counted)})
