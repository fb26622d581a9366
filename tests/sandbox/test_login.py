"""Every way to log in, how sessions end, and what simple-salesforce makes of it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org
from tests.sandbox.signing import certified_key

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def own() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(only="salesforce") as process:
        yield process


@pytest.fixture
def org(own: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> Iterator[Org]:
    made = connect(own)
    before = made.admin.get("/settings").json()
    yield made
    made.admin.post("/settings", json=before).raise_for_status()


@pytest.fixture(scope="module")
def key(own: SandboxProcess) -> rsa.RSAPrivateKey:
    """A private key whose certificate is that of the connected app."""
    url = f"{own.salesforce['url']}/__admin/certificate"
    assert httpx.post(url, json={"certificate": "nonsense"}).status_code == 400
    return certified_key(own.salesforce)


def assertion(org: Org, key: rsa.RSAPrivateKey, **claims: Any) -> str:
    said = {
        "iss": org.card["client_id"],
        "sub": org.card["username"],
        "aud": "https://login.salesforce.com",
        "exp": time.time() + 180,
    }
    parts = [{"alg": "RS256"}, said | claims]
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def token(org: Org, **form: str) -> httpx.Response:
    return org.admin.post(f"{org.card['url']}/services/oauth2/token", data=form)


def works(org: Org, access_token: str) -> bool:
    return org.http.get("/limits", headers={"Authorization": f"Bearer {access_token}"}).status_code == 200


APP = ("client_id", "client_secret")


def test_a_signed_assertion_logs_in_and_gives_no_refresh_token(org: Org, key: rsa.RSAPrivateKey) -> None:
    answer = token(org, grant_type=JWT, assertion=assertion(org, key)).json()
    assert answer.keys() == {
        *("access_token", "signature", "instance_url", "id", "token_type", "issued_at", "scope"),
    }
    assert works(org, answer["access_token"])


def test_the_exp_of_an_assertion_may_be_text_or_in_milliseconds(org: Org, key: rsa.RSAPrivateKey) -> None:
    for exp in (str(int(time.time() + 60)), int((time.time() + 60) * 1000)):
        assert token(org, grant_type=JWT, assertion=assertion(org, key, exp=exp)).status_code == 200


def test_an_assertion_is_taken_until_three_minutes_after_its_exp(org: Org, key: rsa.RSAPrivateKey) -> None:
    answers = [token(org, grant_type=JWT, assertion=assertion(org, key, exp=time.time() - age)) for age in (120, 240)]
    assert [answer.status_code for answer in answers] == [200, 400]


def test_the_user_of_an_assertion_is_who_writes(org: Org, key: rsa.RSAPrivateKey) -> None:
    somebody = org.query("SELECT Id, Username FROM User WHERE IsActive = true AND LastName = 'Becker'")[0]
    answer = token(org, grant_type=JWT, assertion=assertion(org, key, sub=somebody["Username"])).json()
    assert answer["id"].endswith(somebody["Id"])
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    identity = org.http.post("/sobjects/Contact", json={"LastName": "Hers"}, headers=bearer).json()["id"]
    record = org.http.get(f"/sobjects/Contact/{identity}").json()
    assert (record["CreatedById"], record["OwnerId"]) == (somebody["Id"], somebody["Id"])


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"aud": "https://elsewhere.example"}, "invalid_grant", "audience is invalid"),
        ({"exp": 1}, "invalid_grant", "expired assertion"),
        ({"sub": "nobody@nowhere.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": "oliver.smith@harbour-clinic.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"iss": "3MVG9other"}, "invalid_client_id", "client identifier invalid"),
    ],
)
def test_a_wrong_assertion_is_refused(
    org: Org, key: rsa.RSAPrivateKey, claims: dict[str, Any], error: str, description: str
) -> None:
    answer = token(org, grant_type=JWT, assertion=assertion(org, key, **claims))
    assert (answer.status_code, answer.json()) == (400, {"error": error, "error_description": description})


def test_a_signature_of_another_key_is_refused(org: Org, key: rsa.RSAPrivateKey) -> None:
    assert key
    other = rsa.generate_private_key(65537, 2048)
    for wrong in (assertion(org, other), assertion(org, key)[:-8] + "AAAAAAAA", "not.an.assertion", ""):
        answer = token(org, grant_type=JWT, assertion=wrong)
        assert answer.json() == {"error": "invalid_grant", "error_description": "invalid assertion"}


def test_names_and_passwords_work_only_where_the_org_allows_them(org: Org) -> None:
    form = {key: org.card[key] for key in (*APP, "username", "password")}
    refused = {"error": "invalid_grant", "error_description": "authentication failure"}
    assert token(org, grant_type="password", **form).json() == refused
    org.admin.post("/settings", json={"username_password_login": True})
    assert token(org, grant_type="password", **form | {"password": "wrong"}).json() == refused
    answer = token(org, grant_type="password", **form).json()
    assert works(org, answer["access_token"])
    assert answer["issued_at"].isdigit()
    form["password"] += org.card["security_token"]
    assert token(org, grant_type="password", **form).status_code == 200


def test_a_refresh_token_gives_access_until_it_is_revoked(org: Org) -> None:
    app = {key: org.card[key] for key in APP}
    back = "http://localhost:1717/OauthRedirect"
    query = {"response_type": "code", "client_id": app["client_id"], "redirect_uri": back, "state": "s"}
    sent = org.admin.get(f"{org.card['url']}/services/oauth2/authorize", params=query)
    assert sent.status_code == 302
    code = httpx.URL(sent.headers["Location"]).params["code"]
    answer = token(org, grant_type="authorization_code", code=code, redirect_uri=back, **app).json()
    assert token(org, grant_type="authorization_code", code=code, **app).json()["error"] == "invalid_grant"
    again = token(org, grant_type="refresh_token", refresh_token=answer["refresh_token"], **app).json()
    assert works(org, again["access_token"])
    assert "refresh_token" not in again
    revoke = f"{org.card['url']}/services/oauth2/revoke"
    assert org.admin.post(revoke, data={"token": answer["refresh_token"]}).status_code == 200
    refused = token(org, grant_type="refresh_token", refresh_token=answer["refresh_token"], **app).json()
    assert refused == {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    assert org.admin.post(revoke, data={"token": again["access_token"]}).status_code == 200
    assert not works(org, again["access_token"])
    assert org.admin.post(revoke, data={"token": "nothing"}).status_code == 400


def test_introspection_tells_whether_a_token_is_good(org: Org) -> None:
    url, app = f"{org.card['url']}/services/oauth2/introspect", {key: org.card[key] for key in APP}
    told = org.admin.post(url, data=app | {"token": org.card["access_token"]}).json()
    assert (told["active"], told["username"], told["token_type"]) == (True, org.card["username"], "access_token")
    assert org.admin.post(url, data=app | {"token": "nothing"}).json() == {"active": False}
    assert org.admin.post(url, data={"token": "nothing"}).status_code == 400


def test_sessions_end_when_the_settings_say_so(org: Org) -> None:
    fresh = token(org, grant_type="client_credentials", **{key: org.card[key] for key in APP}).json()["access_token"]
    assert works(org, fresh)
    org.admin.post("/settings", json={"token_minutes": 0.000001})
    time.sleep(0.01)
    assert not works(org, fresh)


def test_the_identity_url_and_userinfo_tell_who_the_caller_is(org: Org) -> None:
    card = token(org, grant_type="client_credentials", **{key: org.card[key] for key in APP}).json()
    bearer = {"Authorization": f"Bearer {card['access_token']}"}
    told = org.admin.get(card["id"], headers=bearer).json()
    assert (told["username"], told["active"], told["user_type"]) == (org.card["username"], True, "STANDARD")
    assert told["urls"]["rest"] == f"{org.card['url']}/services/data/v{{version}}/"
    info = org.admin.get(f"{org.card['url']}/services/oauth2/userinfo", headers=bearer).json()
    assert (info["user_id"], info["organization_id"]) == (told["user_id"], told["organization_id"])
    for headers, text in (({}, "Missing_OAuth_Token"), ({"Authorization": "Bearer x"}, "Bad_OAuth_Token")):
        refused = org.admin.get(card["id"], headers=headers)
        assert (refused.status_code, refused.text) == (403, text)


# -- simple-salesforce, unmodified ----------------------------------------------------------------------------------------


class Elsewhere(HTTPAdapter):
    """Sends what is meant for a Salesforce address to the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        request.url = self._url + request.path_url
        return super().send(request, *args, **kwargs)


@pytest.fixture
def session(own: SandboxProcess) -> Iterator[requests.Session]:
    made = requests.Session()
    made.trust_env = False
    made.verify = own.salesforce["ca_file"]
    for host in ("login", "test", "clinic.my"):
        made.mount(f"https://{host}.salesforce.com", Elsewhere(own.salesforce["https_url"]))
    yield made
    made.close()


def test_simple_salesforce_logs_in_with_a_key(org: Org, key: rsa.RSAPrivateKey, session: requests.Session) -> None:
    kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = key.private_bytes(*kind).decode()
    client = Salesforce(
        username=org.card["username"], consumer_key=org.card["client_id"], privatekey=pem, session=session
    )
    assert client.query("SELECT Id FROM Organization")["totalSize"] == 1
    refused = pytest.raises(SalesforceAuthenticationFailed, match="user hasn't approved")
    with pytest.warns(UserWarning, match="authorize this"), refused:
        Salesforce(username="no@one.example", consumer_key=org.card["client_id"], privatekey=pem, session=session)


def test_simple_salesforce_logs_in_with_client_credentials(org: Org, session: requests.Session) -> None:
    app = {"consumer_key": org.card["client_id"], "domain": "clinic.my", "session": session}
    client = Salesforce(consumer_secret=org.card["client_secret"], **app)
    assert client.limits()["DailyApiRequests"]["Max"] > 0
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid client credentials"):
        Salesforce(consumer_secret="wrong", **app)


def test_simple_salesforce_logs_in_by_soap_where_the_org_allows_it(org: Org, session: requests.Session) -> None:
    given = {key: org.card[key] for key in ("username", "password", "security_token")}
    with pytest.raises(SalesforceAuthenticationFailed, match="disabled by default"):
        Salesforce(**given, session=session)
    org.admin.post("/settings", json={"soap_login": True})
    assert Salesforce(**given, session=session).query("SELECT Id FROM User")["totalSize"] > 1
    with pytest.raises(SalesforceAuthenticationFailed, match=r"INVALID_LOGIN.*Invalid username, password, security"):
        Salesforce(**given | {"password": "wrong"}, session=session)


def test_simple_salesforce_logs_in_with_a_password_and_an_app(org: Org, session: requests.Session) -> None:
    org.admin.post("/settings", json={"username_password_login": True})
    client = Salesforce(
        username=org.card["username"],
        password=org.card["password"],
        consumer_key=org.card["client_id"],
        consumer_secret=org.card["client_secret"],
        session=session,
    )
    assert client.query("SELECT Id FROM Organization")["totalSize"] == 1
