"""OAuth, the list of versions, and who the caller is.

Owns `/services/oauth2/…`. Source of fact: recorded token answers; the body of the client-credentials answer is
unverified beyond its keys.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from typing import Any

from aiohttp import web

from sandbox.salesforce.org import API_USER, ORG_ID
from sandbox.salesforce.routes.context import answer, services, user

FIRST_VERSION, LAST_VERSION = 31, 66
WINTER_15 = 32
SEASONS = ("Winter", "Spring", "Summer")


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    app.router.add_post("/services/oauth2/token", _token)
    app.router.add_get("/services/oauth2/userinfo", _userinfo)
    app.router.add_get("/services/data", _versions)
    app.router.add_get("/services/data/", _versions)


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


async def _token(request: web.Request) -> web.Response:
    shared = services(request)
    form = dict(await request.post())
    if form.get("grant_type") != "client_credentials":
        refusal = {"error": "unsupported_grant_type", "error_description": "grant type not supported"}
        return answer(request, refusal, 400)
    name, secret = _credentials(request, form)
    org = shared.org
    known = secrets.compare_digest(name.encode(), org.client_id.encode())
    if not (known and secrets.compare_digest(secret.encode(), org.client_secret.encode())):
        return answer(request, {"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
    token = await org.database.write(shared.sessions.begin)
    identity, issued = f"{_root(request)}/id/{ORG_ID}/{API_USER}", str(int(time.time() * 1000))
    signed = hmac.new(org.client_secret.encode(), (identity + issued).encode(), hashlib.sha256).digest()
    return answer(
        request,
        {
            "access_token": token,
            "signature": base64.b64encode(signed).decode(),
            "scope": "api",
            "instance_url": _root(request),
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        },
    )


async def _userinfo(request: web.Request) -> web.Response:
    org = services(request).org
    return answer(
        request,
        {
            "sub": f"{_root(request)}/id/{ORG_ID}/{user(request)}",
            "user_id": user(request),
            "organization_id": ORG_ID,
            "preferred_username": org.username,
            "email": org.username,
            "active": True,
        },
    )


async def _versions(request: web.Request) -> web.Response:
    listed = []
    for version in range(FIRST_VERSION, LAST_VERSION + 1):
        year, season = divmod(version - WINTER_15, len(SEASONS))  # three releases a year
        label = f"{SEASONS[season]} '{15 + year:02d}"
        listed.append({"label": label, "url": f"/services/data/v{version}.0", "version": f"{version}.0"})
    return answer(request, listed)
