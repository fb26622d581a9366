"""What hangs on a record, and what has changed: relationships by their names, `/updated`, `/deleted`.

Owns those addresses. Source of fact: REST API Developer Guide. Called by the record routes.
"""

from aiohttp import web

from sandbox import clock
from sandbox.salesforce import ids
from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.queries import Answer
from sandbox.salesforce.routes.context import VERSION, answer, services, user
from sandbox.salesforce.schema import SObject
from sandbox.salesforce.values import stored_instant

MOST_DAYS = 30


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module; before those of the records."""
    for end in ("", "/"):
        app.router.add_get(f"{VERSION}/sobjects/{{sobject}}/{{which:updated|deleted}}{end}", _changed)


async def followed(request: web.Request, sobject: SObject) -> web.Response | None:
    """The answer for `/sobjects/X/{id}/{relationship}`, None when the address is none of these."""
    identity = ids.long(request.match_info["field"])
    if identity is None or not identity.startswith(sobject.prefix):
        return None
    name, schema = request.match_info["value"], services(request).org.seen_by(user(request))
    lookup = sobject.relationship(name)
    if lookup is not None:
        shared = services(request)
        stored = await shared.org.database.read(shared.writes.fetch, sobject, [identity], [lookup.name])
        target = str(stored.get(identity, {}).get(lookup.name) or "")
        found = schema.by_prefix(target[:3])
        answered = await _where(request, found, "Id", target) if found is not None else None
        if answered is None or not answered.records:
            raise not_found()
        return answer(request, answered.records[0])
    for child, pointing in schema.lookups_to(sobject.name):
        if (pointing.child or "").lower() == name.lower():
            whole = await _where(request, child, pointing.name, identity)
            return answer(request, {"totalSize": whole.total, "done": True, "records": whole.records})
    return None


async def _where(request: web.Request, sobject: SObject, field: str, identity: str) -> Answer:
    shared, caller, version = services(request), user(request), request.match_info["version"]
    fields = request.query.get("fields") or _all(sobject)
    soql = f"SELECT {fields} FROM {sobject.name} WHERE {field} = '{identity}'"  # noqa: S608  (SOQL)
    return await shared.org.database.read(lambda: shared.queries.run(soql, version, deleted=False, user=caller))


def _all(sobject: SObject) -> str:
    return ", ".join(name for name, field in sobject.fields.items() if not field.parts)


async def _changed(request: web.Request) -> web.Response:
    shared, caller = services(request), user(request)
    sobject = shared.org.seen_by(caller).get(request.match_info["sobject"])
    if sobject is None or sobject.get("SystemModstamp") is None:
        raise not_found()
    start, end = (stored_instant(request.query.get(name, "").replace(" ", "+")) for name in ("start", "end"))
    if start is None or end is None or start >= end:
        raise ApiError(
            400, "INVALID_REPLICATION_DATE", "startDate and endDate must be instants, the first before the other"
        )
    gone = request.match_info["which"] == "deleted"
    sql = f'SELECT Id, SystemModstamp FROM "{sobject.name}" WHERE IsDeleted = ? AND SystemModstamp >= ? AND SystemModstamp < ?'  # noqa: S608
    found = await shared.org.database.read(
        lambda: shared.org.database.reader().execute(sql, (int(gone), start, end)).fetchall()
    )
    covered = min(end, clock.salesforce_text(clock.now()))
    if not gone:
        return answer(request, {"ids": [row[0] for row in found], "latestDateCovered": covered})
    body = {
        "deletedRecords": [{"id": identity, "deletedDate": at} for identity, at in found],
        "earliestDateAvailable": clock.salesforce_text(clock.now() - MOST_DAYS * 86_400),
        "latestDateCovered": covered,
    }
    return answer(request, body)
