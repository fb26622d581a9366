"""SOAP login, which old clients begin with, and who the session's user is.

Owns `/services/Soap/u` and `/services/Soap/c`, of which it has `login`, `getUserInfo`, `getServerTimestamp` and `logout`.
Off unless the org's settings say otherwise, as in new orgs. Source of fact: the partner WSDL as clients read it; the
text for an org that does not allow it is unverified.
"""

from xml.sax.saxutils import escape

from aiohttp import web

from sandbox import clock
from sandbox.salesforce.logins import RefusedLoginError
from sandbox.salesforce.metadata import xml
from sandbox.salesforce.org import API_USER, ORG_ID
from sandbox.salesforce.routes.context import services

PARTNER, ENTERPRISE = "urn:partner.soap.sforce.com", "urn:enterprise.soap.sforce.com"
WRONG = ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
OFF = ("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.")
NO_SESSION = ("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")


class SoapFault(Exception):
    """The call is refused, with a code and a text."""


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    for end in ("", "/", "/{org}"):
        app.router.add_post(f"/services/Soap/{{kind:[uc]}}/{{version:[0-9.]+}}{end}", _call)


async def _call(request: web.Request) -> web.Response:
    space = PARTNER if request.match_info["kind"] == "u" else ENTERPRISE
    try:
        operation, inner = await _answered(request)
    except SoapFault as fault:
        code, text = fault.args
        body = (
            f"<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {escape(text)}</faultstring><detail>"
            f'<sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>'
            f"{escape(text)}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
        )
        return _envelope(body, space, 500)
    return _envelope(f"<{operation}Response>{inner}</{operation}Response>", space, 200)


def _envelope(body: str, space: str, status: int) -> web.Response:
    fault = 'xmlns:sf="urn:fault.partner.soap.sforce.com" ' if status != 200 else ""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        f' {fault}xmlns="{space}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{body}</soapenv:Body>'
        "</soapenv:Envelope>"
    )
    return web.Response(status=status, text=text, content_type="text/xml")


async def _answered(request: web.Request) -> tuple[str, str]:
    try:
        root = xml.parse(await request.read())
        parts = {xml.name(part): part for part in root}
        asked = parts["Body"][0]
    except (xml.MalformedError, KeyError, IndexError) as error:
        raise SoapFault("UNKNOWN_EXCEPTION", "No operation available for request") from error
    header = xml.value(parts["Header"]) if "Header" in parts else {}
    given = xml.value(asked)
    operation = xml.name(asked)
    if operation == "login":
        return operation, await _login(request, given if isinstance(given, dict) else {})
    session = header.get("SessionHeader") if isinstance(header, dict) else None
    token = str(session.get("sessionId", "")) if isinstance(session, dict) else ""
    user = services(request).sessions.user(token)
    if user is None:
        raise SoapFault(*NO_SESSION)
    if operation == "getUserInfo":
        return operation, f"<result>{_user_info(request, user)}</result>"
    if operation == "getServerTimestamp":
        return (
            operation,
            f"<result><timestamp>{clock.salesforce_text(clock.now()).replace('+0000', 'Z')}</timestamp></result>",
        )
    if operation == "logout":
        await services(request).org.database.write(services(request).sessions.expire, token)
        return operation, ""
    raise SoapFault("UNKNOWN_EXCEPTION", f"No operation available for request {operation}")


async def _login(request: web.Request, given: dict[str, object]) -> str:
    shared = services(request)
    if not shared.org.settings.soap_login:
        raise SoapFault(*OFF)
    try:
        user = shared.logins.by_password(str(given.get("username", "")), str(given.get("password", "")))
    except RefusedLoginError as error:
        raise SoapFault(*WRONG) from error
    token = await shared.org.database.write(shared.sessions.begin, user)
    root, version = f"{request.scheme}://{request.host}", request.match_info["version"]
    kind = request.match_info["kind"]
    return (
        f"<result><metadataServerUrl>{root}/services/Soap/m/{version}/{ORG_ID}</metadataServerUrl>"
        f"<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
        f"<serverUrl>{root}/services/Soap/{kind}/{version}/{ORG_ID}</serverUrl><sessionId>{escape(token)}</sessionId>"
        f"<userId>{user}</userId><userInfo>{_user_info(request, user)}</userInfo></result>"
    )


def _user_info(request: web.Request, user: str) -> str:
    org = services(request).org
    name = org.username if user == API_USER else ""
    values = {
        "accessibilityMode": "false",
        "currencySymbol": "$",
        "orgDefaultCurrencyIsoCode": "USD",
        "organizationId": ORG_ID,
        "organizationMultiCurrency": "false",
        "organizationName": "Harbour Clinic",
        "profileId": "",
        "sessionSecondsValid": "7200",
        "userEmail": name,
        "userFullName": "Integration User",
        "userId": user,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": name,
        "userTimeZone": "America/New_York",
        "userType": "Standard",
    }
    return "".join(f"<{key}>{escape(value)}</{key}>" for key, value in values.items())
