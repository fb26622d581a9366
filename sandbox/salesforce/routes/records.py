"""Single records by id or by a key field.

Owns `/sobjects/X`, `/sobjects/X/{id}` and `/sobjects/X/{field}/{value}`.
"""

from typing import Any

from aiohttp import web

from sandbox.salesforce import ids
from sandbox.salesforce.errors import ApiError, RowError, not_found
from sandbox.salesforce.routes import conditions, contents, related
from sandbox.salesforce.routes.context import VERSION, allows_duplicates, answer, base, given, services, user
from sandbox.salesforce.rows import Outcome
from sandbox.salesforce.schema import Field, SObject
from sandbox.salesforce.soql.results import address, attributes, shown

FIRST_TO_TELL = 46.0  # version whose upserts answer with a body when they update


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    root = f"{VERSION}/sobjects/{{sobject}}"
    for end in ("", "/"):
        app.router.add_post(root + end, _create)
        app.router.add_get(f"{root}/{{id}}{end}", _get)
        app.router.add_patch(f"{root}/{{id}}{end}", _update)
        app.router.add_delete(f"{root}/{{id}}{end}", _delete)
        app.router.add_get(f"{root}/{{field}}/{{value}}{end}", _get_by_key)
        app.router.add_patch(f"{root}/{{field}}/{{value}}{end}", _upsert)
        app.router.add_delete(f"{root}/{{field}}/{{value}}{end}", _delete_by_key)


def as_api_error(error: RowError) -> ApiError:
    """The refusal of a single-record request for the reason that a row would have got."""
    status = 404 if error.code == "ENTITY_IS_DELETED" else 400
    return ApiError(status, error.code, error.message, fields=error.fields)


def _sobject(request: web.Request) -> SObject:
    found = services(request).org.seen_by(user(request)).get(request.match_info["sobject"])
    if found is None:
        raise not_found()
    return found


async def _write(request: web.Request, operation: str, record: dict[str, Any], key: Field | None = None) -> Outcome:
    shared = services(request)
    sobject = shared.writes.sobject(request.match_info["sobject"], user(request))
    outcomes = await shared.org.database.write(
        shared.writes.run,
        operation,
        [(sobject, record)],
        user(request),
        key,
        allow_duplicates=allows_duplicates(request),
    )
    outcome = outcomes[0]
    if outcome.error is not None:
        if (
            operation in {"update", "delete"}
            and outcome.error.code == "INVALID_CROSS_REFERENCE_KEY"
            and not outcome.error.fields
        ):
            raise (
                not_found()
                if outcome.id and not await _exists(request, sobject, outcome.id)
                else as_api_error(outcome.error)
            )
        raise as_api_error(outcome.error)
    shared.usage.wrote(sobject.name, operation, 1)
    return outcome


async def _exists(request: web.Request, sobject: SObject, identity: str) -> bool:
    shared = services(request)
    return bool(await shared.org.database.read(shared.writes.fetch, sobject, [identity], ["Id"], live=False))


async def _given(request: web.Request) -> dict[str, Any]:
    """The record of a request, with its content when it is multipart."""
    if request.content_type.startswith("multipart/"):
        return await contents.received(request, _sobject(request).name)
    return await given(request)


async def _create(request: web.Request) -> web.Response:
    outcome = await _write(request, "insert", await _given(request))
    made = answer(request, {"id": outcome.id, "success": True, "errors": []}, 201)
    made.headers["Location"] = f"{base(request)}/sobjects/{request.match_info['sobject']}/{outcome.id}"
    return made


async def _get(request: web.Request) -> web.Response:
    return await _shown(request, _sobject(request), request.match_info["id"])


async def _shown(request: web.Request, sobject: SObject, text: str) -> web.Response:
    shared = services(request)
    identity = ids.long(text)
    if identity is None:
        raise not_found()
    names = [name for name in request.query.get("fields", "").split(",") if name] or list(sobject.fields)
    begun = [name for name in ("Id", "IsDeleted", "SystemModstamp") if sobject.get(name)]
    wanted = list(dict.fromkeys([*begun, *names]))
    found = await shared.org.database.read(shared.writes.fetch, sobject, [identity], wanted, live=False)
    stored = found.get(identity)
    if stored is None:
        raise not_found()
    if stored.get("IsDeleted") == 1:
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted")
    record: dict[str, Any] = {"attributes": attributes(sobject, request.match_info["version"], identity)}
    modified = stored.get("SystemModstamp")
    if modified is None:
        return answer(request, record | as_record(sobject, stored | {"Id": identity}, names))
    known = conditions.tag(identity, modified) if sobject.name in conditions.TAGGED else None
    if unchanged := conditions.unchanged(request, conditions.instant(modified), known):
        return unchanged
    shown = answer(request, record | as_record(sobject, stored | {"Id": identity}, names))
    return conditions.dated(conditions.instant(modified), shown, known)


def as_record(sobject: SObject, stored: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The named fields of a stored record, as JSON shows them."""
    record: dict[str, Any] = {}
    for name in names:
        field = sobject.get(name)
        assert field is not None
        if field.parts:
            record[field.name] = address(field, [stored[part] for part in field.parts])
        else:
            record[field.name] = shown(field, stored[field.name])
    return record


async def _check(request: web.Request) -> None:
    """Obeys the conditions of a write."""
    sobject, identity = _sobject(request), ids.long(request.match_info["id"])
    if not conditions.conditional(request) or identity is None or sobject.get("SystemModstamp") is None:
        return
    shared = services(request)
    stored = await shared.org.database.read(shared.writes.fetch, sobject, [identity], ["SystemModstamp"])
    if identity in stored:
        modified = stored[identity]["SystemModstamp"]
        known = conditions.tag(identity, modified) if sobject.name in conditions.TAGGED else None
        conditions.check(request, conditions.instant(modified), known)


async def _update(request: web.Request) -> web.Response:
    await _check(request)
    await _write(request, "update", {**await _given(request), "Id": request.match_info["id"]})
    return web.Response(status=204)


async def _delete(request: web.Request) -> web.Response:
    await _check(request)
    await _write(request, "delete", {"Id": request.match_info["id"]})
    return web.Response(status=204)


async def _matching(request: web.Request) -> tuple[SObject, list[str]]:
    shared = services(request)
    sobject = _sobject(request)
    key = shared.writes.key(sobject, request.match_info["field"])
    return sobject, await shared.org.database.read(shared.writes.found, sobject, key, request.match_info["value"])


def _choices(request: web.Request, sobject: SObject, found: list[str]) -> web.Response:
    return answer(request, [f"{base(request)}/sobjects/{sobject.name}/{identity}" for identity in found], 300)


async def _get_by_key(request: web.Request) -> web.Response:
    if found_there := await related.followed(request, _sobject(request)):
        return found_there
    sobject, found = await _matching(request)
    if not found:
        raise not_found()
    return _choices(request, sobject, found) if len(found) > 1 else await _shown(request, sobject, found[0])


async def _upsert(request: web.Request) -> web.Response:
    record = await given(request)
    sobject, found = await _matching(request)
    if len(found) > 1:
        return _choices(request, sobject, found)
    key = services(request).writes.key(sobject, request.match_info["field"])
    if key.name in record:
        text = f"The {key.name} field should not be specified in the sobject data."
        raise ApiError(400, "INVALID_FIELD", text, fields=(key.name,))
    outcome = await _write(request, "upsert", {**record, key.name: request.match_info["value"]}, key)
    body: dict[str, Any] = {"id": outcome.id, "success": True, "errors": [], "created": outcome.created}
    if float(request.match_info["version"]) < FIRST_TO_TELL:
        if not outcome.created:
            return web.Response(status=204)
        del body["created"]
    return answer(request, body, 201 if outcome.created else 200)


async def _delete_by_key(request: web.Request) -> web.Response:
    _, found = await _matching(request)
    if len(found) != 1:
        raise not_found()
    await _write(request, "delete", {"Id": found[0]})
    return web.Response(status=204)
