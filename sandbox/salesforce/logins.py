"""Who may log in, and how: the connected app, its certificate, users and their passwords, codes and refresh tokens.

Owns the decision and the words of its refusals; tokens themselves are those of `sessions`. Called by the login routes.
Source of fact: OAuth flows of Salesforce; texts that the reference does not have are unverified.
"""

import base64
import binascii
import hmac
import json
import secrets
from typing import Any, NamedTuple

from sandbox import clock
from sandbox.salesforce.org import API_USER, Org

CERTIFICATE, REFRESH = "app_certificate", "refresh_tokens"
AUDIENCES = frozenset({"https://login.salesforce.com", "https://test.salesforce.com"})
MILLISECONDS = 10**11  # an `exp` above is in milliseconds, as the Salesforce CLI sends it
MOST_CODES = 100
EXPIRED_FOR = 180.0  # seconds that an assertion is still taken (unverified); CumulusCI's expire when they are made


class RefusedLoginError(Exception):
    """No login; `error` and `description` are those of the answer."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error, self.description = error, description


class Claims(NamedTuple):
    """What an assertion says; `signed` is what its signature is of."""

    issuer: str
    subject: str
    audience: list[str]
    expires: float
    signed: bytes
    signature: bytes


class Logins:
    """The logins of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._codes: dict[str, str] = {}  # authorization code → user

    # -- the app ------------------------------------------------------------------------------------------------

    def check_app(self, name: str, secret: str) -> None:
        """Raises RefusedLoginError unless these are the id and the secret of the connected app."""
        self.check_name(name)
        if not secrets.compare_digest(secret.encode(), self._org.client_secret.encode()):
            raise RefusedLoginError("invalid_client", "invalid client credentials")

    def check_name(self, name: str) -> None:
        """Raises RefusedLoginError unless this is the id of the connected app."""
        if not secrets.compare_digest(name.encode(), self._org.client_id.encode()):
            raise RefusedLoginError("invalid_client_id", "client identifier invalid")

    def register(self, certificate: str) -> None:
        """Keeps the certificate (PEM) that assertions are signed for; raises ValueError when it is none."""
        _public_key(certificate)
        self._org.remember(CERTIFICATE, certificate)

    # -- users --------------------------------------------------------------------------------------------------

    def user(self, username: str) -> str | None:
        """The id of an active user with this name, or None."""
        found = self._org.records.select(
            self._org.database.reader(), "User", ("Id", "IsActive"), "Username", [username], live=True
        )
        return next((identity for identity, active in found if active), None)

    def by_password(self, username: str, password: str) -> str:
        """The user behind a name and a password, with or without the security token; raises RefusedLoginError.

        Only the integration user has a password.
        """
        org = self._org
        known = (org.password, org.password + org.security_token)
        if username.lower() != org.username or not any(
            hmac.compare_digest(each.encode(), password.encode()) for each in known
        ):
            raise RefusedLoginError("invalid_grant", "authentication failure")
        return API_USER

    # -- assertions ---------------------------------------------------------------------------------------------

    def by_assertion(self, assertion: str, roots: set[str]) -> str:
        """The user of a signed assertion; `roots` are the org's own addresses. Raises RefusedLoginError."""
        claims = read(assertion)
        self.check_name(claims.issuer)
        certificate = self._org.remembered(CERTIFICATE)
        if certificate is None or not _verifies(certificate, claims):
            raise RefusedLoginError("invalid_grant", "invalid assertion")
        if not {each.rstrip("/") for each in claims.audience} & (AUDIENCES | roots):
            raise RefusedLoginError("invalid_grant", "audience is invalid")
        if claims.expires + EXPIRED_FOR < clock.now():
            raise RefusedLoginError("invalid_grant", "expired assertion")
        user = self.user(claims.subject)
        if user is None:
            raise RefusedLoginError("invalid_grant", "user hasn't approved this consumer")
        return user

    # -- codes and refresh tokens -------------------------------------------------------------------------------

    def code(self) -> str:
        """An authorization code of the integration user, good once."""
        made = f"aPrx{secrets.token_urlsafe(48)}"
        self._codes[made] = API_USER
        while len(self._codes) > MOST_CODES:
            del self._codes[next(iter(self._codes))]
        return made

    def by_code(self, code: str) -> tuple[str, str]:
        """The user of a code, and a new refresh token; raises RefusedLoginError."""
        user = self._codes.pop(code, None)
        if user is None:
            raise RefusedLoginError("invalid_grant", "expired authorization code")
        token = f"5Aep861{secrets.token_urlsafe(56)}"
        self._org.remember(REFRESH, json.dumps(self._refreshing() | {token: user}))
        return user, token

    def _refreshing(self) -> dict[str, str]:
        known: dict[str, str] = json.loads(self._org.remembered(REFRESH) or "{}")
        return known

    def by_refresh(self, token: str) -> str:
        """The user of a refresh token; raises RefusedLoginError."""
        user = self._refreshing().get(token)
        if user is None:
            raise RefusedLoginError("invalid_grant", "expired access/refresh token")
        return user

    def revoke(self, token: str) -> bool:
        """Ends a refresh token; whether it was one."""
        known = self._refreshing()
        gone = known.pop(token, None) is not None
        if gone:
            self._org.remember(REFRESH, json.dumps(known))
        return gone


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read(assertion: str) -> Claims:
    """The claims of an assertion, unverified; raises RefusedLoginError when it is none."""
    try:
        head, payload, signature = assertion.split(".")
        said: dict[str, Any] = json.loads(_decoded(payload))
        algorithm = json.loads(_decoded(head))["alg"]
        expires = float(said["exp"])  # a string too, as simple-salesforce sends it
        audience = said["aud"] if isinstance(said["aud"], list) else [said["aud"]]
        claims = Claims(
            str(said["iss"]),
            str(said["sub"]),
            [str(each) for each in audience],
            expires / 1000 if expires > MILLISECONDS else expires,
            f"{head}.{payload}".encode(),
            _decoded(signature),
        )
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise RefusedLoginError("invalid_grant", "invalid assertion") from error
    if algorithm != "RS256":
        raise RefusedLoginError("invalid_grant", "algorithm type is not supported")
    return claims


def _public_key(certificate: str) -> Any:
    from cryptography import x509  # noqa: PLC0415  (comes with the `sandbox` extra)

    return x509.load_pem_x509_certificate(certificate.encode()).public_key()


def _verifies(certificate: str, claims: Claims) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

    try:
        _public_key(certificate).verify(claims.signature, claims.signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
