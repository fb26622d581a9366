"""The Metadata API: deploys over REST and everything over SOAP.

Owns `/metadata/deployRequest` and `/services/Soap/m/…`. SOAP carries its session in the envelope, so that the guard lets
its address through and the session is looked at here.
"""

from typing import Any

from aiohttp import BodyPartReader, web

from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.metadata import soap
from sandbox.salesforce.metadata.calls import Calls
from sandbox.salesforce.metadata.deployments import Deployment, UnknownDeployError
from sandbox.salesforce.routes.context import VERSION, answer, base, given, parsed, services, user
from sandbox.salesforce.routes.versions import FIRST_VERSION, LAST_VERSION

SOAP = r"/services/Soap/m/{version:\d+\.\d}"
XML = "text/xml;charset=UTF-8"


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    for end in ("", "/"):
        app.router.add_post(f"{VERSION}/metadata/deployRequest{end}", _deploy)
        app.router.add_get(f"{VERSION}/metadata/deployRequest/{{id}}{end}", _status)
        app.router.add_patch(f"{VERSION}/metadata/deployRequest/{{id}}{end}", _cancel)
        app.router.add_post(SOAP + end, _soap)
    app.router.add_post(f"{SOAP}/{{more:.+}}", _soap)  # some clients go on as for REST


def _name(request: web.Request, identity: str) -> str:
    shared = services(request)
    reader = shared.org.database.reader()
    found = shared.org.records.select(reader, "User", ["Name"], "Id", [identity], live=False)
    return next((str(row[0]) for row in found), "")


async def _deploy(request: web.Request) -> web.Response:
    shared = services(request)
    if not request.content_type.startswith("multipart/"):
        return await _again(request)
    archive, entity = b"", b""
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader):
            content = bytes(await part.read(decode=True))
            if part.name == "file":
                archive = content
            elif part.name in {"entity_content", "json"}:
                entity = content
    options = parsed(entity or b"{}").get("deployOptions") or {}
    if not archive or not isinstance(options, dict):
        raise ApiError(400, "INVALID_MULTIPART_REQUEST", "Multipart message must include a file part and deployOptions")
    made = await shared.deployer.begin(user(request), archive, options)
    return answer(request, _begun(request, made, options), 201)


def _begun(request: web.Request, made: Deployment, options: dict[str, Any]) -> dict[str, Any]:
    url = f"{base(request)}/metadata/deployRequest/{made.id}"
    return {"validatedDeployRequestId": None, "id": made.id, "url": url, "deployOptions": options}


async def _again(request: web.Request) -> web.Response:
    shared, validated = services(request), str((await given(request)).get("validatedDeployRequestId", ""))
    try:
        made = await shared.deployer.again(user(request), validated)
    except UnknownDeployError as error:
        raise ApiError(400, "INVALID_ID_FIELD", f"invalid validation id: {validated}") from error
    return answer(request, _begun(request, made, made.options) | {"validatedDeployRequestId": validated}, 201)


async def _found(request: web.Request) -> Deployment:
    shared = services(request)
    try:
        return await shared.org.database.read(shared.deployer.deployments.get, request.match_info["id"])
    except UnknownDeployError as error:
        raise not_found() from error


async def _shown(request: web.Request, found: Deployment, status: int = 200) -> web.Response:
    name = await services(request).org.database.read(_name, request, found.created_by)
    result = found.result(name, details=request.query.get("includeDetails") == "true")
    url = f"{base(request)}/metadata/deployRequest/{found.id}"
    return answer(request, {"id": found.id, "url": url, "deployResult": result, "deployOptions": found.options}, status)


async def _status(request: web.Request) -> web.Response:
    return await _shown(request, await _found(request))


async def _cancel(request: web.Request) -> web.Response:
    shared, found = services(request), await _found(request)
    wanted = (await given(request)).get("deployResult")
    if not isinstance(wanted, dict) or wanted.get("status") != "Canceling":
        raise ApiError(400, "INVALID_INPUT", "The only status to set is Canceling")
    found = await shared.org.database.write(shared.deployer.deployments.cancel, found.id)
    return await _shown(request, found, 202)


async def _soap(request: web.Request) -> web.Response:
    shared = services(request)
    try:
        call = soap.read(await request.read())
        who = _caller(request, call)
        shared.usage.call(f"SOAP {call.operation}")
        name = await shared.org.database.read(_name, request, who)
        result = await Calls(shared.org, shared.deployer, who, name).answer(call)
    except soap.SoapFault as error:
        return web.Response(body=soap.fault(error).encode(), status=500, headers={"Content-Type": XML})
    return web.Response(body=soap.answer(call.operation, result).encode(), headers={"Content-Type": XML})


def _caller(request: web.Request, call: soap.Call) -> str:
    who = services(request).sessions.user(call.session)
    if who is None:
        text = "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session"
        raise soap.SoapFault("INVALID_SESSION_ID", text)
    if not FIRST_VERSION <= float(request.match_info["version"]) <= LAST_VERSION:
        text = "UNSUPPORTED_API_VERSION: Invalid Api version specified on URL"
        raise soap.SoapFault("UNSUPPORTED_API_VERSION", text)
    return who
