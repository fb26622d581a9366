"""Access tokens by the OAuth client-credentials flow.

Owns the one token that all concurrent calls of a session share, and its renewal: however many calls find it expired,
one asks for a new one. Source of fact: OAuth 2.0 client credentials on an org's My Domain address.
"""

import asyncio
from typing import Final

import httpx

from connectors.errors import BadAnswer, BadCredentials, RateLimited, ServerFault
from connectors.exchange import exchange, json_of
from connectors.retry import Retry, asked_wait

__all__ = ["Tokens"]

_SERVICE: Final = "Salesforce"


class Tokens:
    """The token in use.

    Args:
        client: For the token call; its base address is the org's.
        client_id: Of the connected app.
        client_secret: Of the connected app.
        retry: When to try the token call again.
    """

    def __init__(self, client: httpx.AsyncClient, client_id: str, client_secret: str, retry: Retry) -> None:
        self._client = client
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._retry = retry
        self._lock = asyncio.Lock()
        self._token: str | None = None

    async def current(self) -> str:
        """The token, asked for the first time if there is none.

        Raises:
            BadCredentials: The org doesn't accept the client.
            ConnectorError: The token call failed otherwise.
        """
        return self._token if self._token is not None else await self.renew(None)

    async def renew(self, expired: str | None) -> str:
        """Another token than the expired one.

        Args:
            expired: The token that was refused; when another call has already replaced it, the new one is given.

        Raises:
            BadCredentials: The org doesn't accept the client.
            ConnectorError: The token call failed otherwise.
        """
        async with self._lock:
            if self._token is None or self._token == expired:
                self._token = await self._retry.run(self._ask)
            return self._token

    async def _ask(self) -> str:
        request = self._client.build_request("POST", "/services/oauth2/token", data=self._form)
        response = await exchange(self._client, _SERVICE, request)
        status = response.status_code
        if response.is_server_error:
            raise ServerFault(_SERVICE, "the token call failed", code=str(status))
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait = asked_wait(response.headers)
            raise RateLimited(_SERVICE, "too many token calls", code=str(status), retry_after=wait)
        answer = json_of(response, _SERVICE)
        if not isinstance(answer, dict):
            raise BadAnswer(_SERVICE, "the token call's answer is not what it should be", code=str(status))
        if not response.is_success:
            raise BadCredentials(_SERVICE, "the org doesn't accept the client", code=str(answer.get("error", status)))
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise BadAnswer(_SERVICE, "the token call's answer has no token")
        return token
