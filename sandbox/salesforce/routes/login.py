"""OAuth: tokens by all the flows that need no person, their introspection and revocation, and who the caller is.

Owns `/services/oauth2/…` and `/id/…`. Source of fact: recorded token answers; the bodies of the client-credentials and
the JWT answers are unverified beyond their keys, and so is the text for an expired assertion.
"""

import base64
import binascii
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sandbox.salesforce.logins import RefusedLoginError
from sandbox.salesforce.org import API_USER, ORG_ID
from sandbox.salesforce.routes.context import answer, services

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "api web refresh_token"


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    root = "/services/oauth2"
    app.router.add_post(f"{root}/token", _token)
    app.router.add_get(f"{root}/authorize", _authorize)
    app.router.add_post(f"{root}/introspect", _introspect)
    for method in ("GET", "POST"):
        app.router.add_route(method, f"{root}/revoke", _revoke)
        app.router.add_route(method, f"{root}/userinfo", _userinfo)
    app.router.add_get("/id/{org}/{user}", _identity)


def _root(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _credentials(request: web.Request, form: dict[str, Any]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, secret
    return str(form.get("client_id", "")), str(form.get("client_secret", ""))


def _refusal(request: web.Request, error: RefusedLoginError) -> web.Response:
    return answer(request, {"error": error.error, "error_description": error.description}, 400)


async def _token(request: web.Request) -> web.Response:
    shared = services(request)
    form = {key: str(value) for key, value in (await request.post()).items()}
    try:
        user, extra = await shared.org.database.write(_user, request, form)
    except RefusedLoginError as error:
        return _refusal(request, error)
    token = await shared.org.database.write(shared.sessions.begin, user)
    return answer(request, _answered(request, token, user) | extra)


def _user(request: web.Request, form: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Who logs in, and what their answer has besides the usual; raises RefusedLoginError."""
    logins, settings = services(request).logins, services(request).org.settings
    grant = form.get("grant_type", "")
    name, secret = _credentials(request, form)
    if grant == "client_credentials":
        try:
            logins.check_app(name, secret)
        except RefusedLoginError as error:  # one answer for both, as the tests of clients expect
            raise RefusedLoginError("invalid_client", "invalid client credentials") from error
        return API_USER, {"scope": "api"}
    if grant == JWT:
        roots = {f"{scheme}://{request.host}" for scheme in ("http", "https")}
        return logins.by_assertion(form.get("assertion", ""), roots), {"scope": "web api"}
    if grant == "password":
        logins.check_app(name, secret)
        if not settings.username_password_login:
            raise RefusedLoginError("invalid_grant", "authentication failure")
        return logins.by_password(form.get("username", ""), form.get("password", "")), {}
    if grant == "authorization_code":
        logins.check_app(name, secret) if secret else logins.check_name(name)
        user, refresh = logins.by_code(form.get("code", ""))
        return user, {"refresh_token": refresh, "scope": SCOPE}
    if grant == "refresh_token":
        logins.check_app(name, secret) if secret else logins.check_name(name)
        return logins.by_refresh(form.get("refresh_token", "")), {"scope": SCOPE}
    raise RefusedLoginError("unsupported_grant_type", "grant type not supported")


def _answered(request: web.Request, token: str, user: str) -> dict[str, str]:
    identity, issued = f"{_root(request)}/id/{ORG_ID}/{user}", str(int(time.time() * 1000))
    secret = services(request).org.client_secret
    signed = hmac.new(secret.encode(), (identity + issued).encode(), hashlib.sha256).digest()
    return {
        "access_token": token,
        "signature": base64.b64encode(signed).decode(),
        "instance_url": _root(request),
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
    }


async def _authorize(request: web.Request) -> web.Response:
    """Approves at once, as a person would in a browser."""
    query = request.query
    try:
        services(request).logins.check_name(query.get("client_id", ""))
    except RefusedLoginError as error:
        return _refusal(request, error)
    target = query.get("redirect_uri", "")
    if query.get("response_type") != "code" or not target:
        return _refusal(request, RefusedLoginError("unsupported_response_type", "response type not supported"))
    answered = {"code": services(request).logins.code()} | ({"state": query["state"]} if "state" in query else {})
    return web.Response(
        status=302, headers={"Location": f"{target}{'&' if '?' in target else '?'}{urlencode(answered)}"}
    )


async def _introspect(request: web.Request) -> web.Response:
    shared, form = services(request), {key: str(value) for key, value in (await request.post()).items()}
    try:
        shared.logins.check_app(*_credentials(request, form))
    except RefusedLoginError as error:
        return _refusal(request, error)
    told = shared.sessions.told(form.get("token", ""))
    if told is None:
        return answer(request, {"active": False})
    user, began, ends = told
    shown = {
        "active": True,
        "scope": SCOPE,
        "client_id": shared.org.client_id,
        "username": (await _person(request, user))["Username"],
        "sub": f"{_root(request)}/id/{ORG_ID}/{user}",
        "token_type": "access_token",
        "exp": int(ends),
        "iat": int(began),
        "nbf": int(began),
    }
    return answer(request, shown)


async def _revoke(request: web.Request) -> web.Response:
    shared = services(request)
    form = dict(request.query) if request.method == "GET" else {k: str(v) for k, v in (await request.post()).items()}
    token = form.get("token", "")
    gone = await shared.org.database.write(shared.sessions.expire, token) if token else 0
    if not gone and not await shared.org.database.write(shared.logins.revoke, token):
        return _refusal(request, RefusedLoginError("invalid_token", "invalid token"))
    return web.Response(status=200)


async def _person(request: web.Request, user: str) -> dict[str, Any]:
    shared = services(request)
    names = ("Username", "Email", "FirstName", "LastName", "Name", "IsActive", "UserType", "CommunityNickname")
    also = ("TimeZoneSidKey", "LocaleSidKey", "LanguageLocaleKey", "LastModifiedDate", "MobilePhone")
    sobject = shared.org.schema.of("User")
    found = await shared.org.database.read(shared.writes.fetch, sobject, [user], (*names, *also))
    return found.get(user, {})


def _caller(request: web.Request) -> str | web.Response:
    """The user who asks, or the refusal in the words of the identity service."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token if scheme.lower() in {"bearer", "oauth"} else request.query.get("oauth_token", "")
    if not token:
        return web.Response(status=403, text="Missing_OAuth_Token")
    return services(request).sessions.user(token) or web.Response(status=403, text="Bad_OAuth_Token")


def _urls(request: web.Request) -> dict[str, str]:
    root = _root(request)
    soap = {"enterprise": "c", "metadata": "m", "partner": "u"}
    urls = {name: f"{root}/services/Soap/{letter}/{{version}}/{ORG_ID[:15]}" for name, letter in soap.items()}
    data = f"{root}/services/data/v{{version}}/"
    urls |= {"rest": data, "sobjects": f"{data}sobjects/", "search": f"{data}search/", "query": f"{data}query/"}
    urls |= {"recent": f"{data}recent/", "tooling_soap": f"{root}/services/Soap/T/{{version}}/{ORG_ID[:15]}"}
    return urls | {"tooling_rest": f"{data}tooling/", "profile": f"{root}/{{user_id}}", "custom_domain": root}


async def _userinfo(request: web.Request) -> web.Response:
    user = _caller(request)
    if isinstance(user, web.Response):
        return user
    person = await _person(request, user)
    shown = {
        "sub": f"{_root(request)}/id/{ORG_ID}/{user}",
        "user_id": user,
        "organization_id": ORG_ID,
        "preferred_username": person.get("Username"),
        "nickname": person.get("CommunityNickname"),
        "name": person.get("Name"),
        "email": person.get("Email"),
        "email_verified": True,
        "given_name": person.get("FirstName"),
        "family_name": person.get("LastName"),
        "zoneinfo": person.get("TimeZoneSidKey"),
        "photos": {
            "picture": f"{_root(request)}/profilephoto/005/F",
            "thumbnail": f"{_root(request)}/profilephoto/005/T",
        },
        "profile": f"{_root(request)}/{user}",
        "picture": f"{_root(request)}/profilephoto/005/F",
        "address": {},
        "urls": _urls(request),
        "active": bool(person.get("IsActive")),
        "user_type": "STANDARD",
        "language": person.get("LanguageLocaleKey"),
        "locale": person.get("LocaleSidKey"),
        "utcOffset": 0,
        "updated_at": person.get("LastModifiedDate"),
    }
    return answer(request, shown)


async def _identity(request: web.Request) -> web.Response:
    user = _caller(request)
    if isinstance(user, web.Response):
        return user
    asked = request.match_info["user"]
    person = await _person(request, asked)
    if request.match_info["org"][:15] != ORG_ID[:15] or not person:
        return web.Response(status=404, text="Not Found")
    shown = {
        "id": f"{_root(request)}/id/{ORG_ID}/{asked}",
        "asserted_user": asked == user,
        "user_id": asked,
        "organization_id": ORG_ID,
        "username": person["Username"],
        "nick_name": person["CommunityNickname"],
        "display_name": person["Name"],
        "email": person["Email"],
        "email_verified": True,
        "first_name": person["FirstName"],
        "last_name": person["LastName"],
        "timezone": person["TimeZoneSidKey"],
        "photos": {
            "picture": f"{_root(request)}/profilephoto/005/F",
            "thumbnail": f"{_root(request)}/profilephoto/005/T",
        },
        **dict.fromkeys(("addr_street", "addr_city", "addr_state", "addr_country", "addr_zip"), None),
        "mobile_phone": person["MobilePhone"],
        "mobile_phone_verified": False,
        "is_lightning_login_user": False,
        "status": {"created_date": None, "body": None},
        "urls": _urls(request),
        "active": bool(person["IsActive"]),
        "user_type": "STANDARD",
        "language": person["LanguageLocaleKey"],
        "locale": person["LocaleSidKey"],
        "utcOffset": 0,
        "last_modified_date": person["LastModifiedDate"],
        "is_app_installed": True,
    }
    return answer(request, shown)
