"""A person who works in the org of a sandbox: REST calls under a login of their own, not the integration user's."""

from __future__ import annotations

import time
from typing import Any, Self

import httpx
import jwt

from sandbox.process import SandboxProcess
from tests.sandbox.signing import certified_key, private_pem

ALEX = "alex.admin@carryover-sandbox.example"
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Person:
    """One login; `name` is a user name of the sandbox."""

    def __init__(self, sandbox: SandboxProcess, name: str = ALEX) -> None:
        card = sandbox.salesforce
        claims = {"iss": card["client_id"], "sub": name, "aud": card["url"], "exp": int(time.time()) + 120}
        signed = jwt.encode(claims, private_pem(certified_key(card)), algorithm="RS256")
        answer = httpx.post(f"{card['url']}/services/oauth2/token", data={"grant_type": _JWT, "assertion": signed})
        token = answer.raise_for_status().json()["access_token"]
        self.http = httpx.Client(
            base_url=f"{card['url']}/services/data/v62.0/sobjects",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    def create(self, sobject: str, **values: Any) -> str:
        found: str = self.http.post(f"/{sobject}", json=values).raise_for_status().json()["id"]
        return found

    def edit(self, sobject: str, sf_id: str, **values: Any) -> None:
        self.http.patch(f"/{sobject}/{sf_id}", json=values).raise_for_status()

    def delete(self, sobject: str, sf_id: str) -> None:
        self.http.delete(f"/{sobject}/{sf_id}").raise_for_status()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
