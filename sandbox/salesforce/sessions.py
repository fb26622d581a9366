"""Logins: who holds which access token.

Owns tokens and their end. A token lasts until the sessions are expired on request; tokens outlive a restart.
"""

import secrets
import string
import time

from sandbox.salesforce.org import API_USER, ORG_ID, Org

ALPHABET = string.ascii_letters + string.digits + "._"
TOKEN_LENGTH = 96


class Sessions:
    """The sessions of one org; look-ups are answered from memory."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._users: dict[str, str] = dict(org.database.reader().execute("SELECT token, user FROM session"))

    def begin(self, user: str = API_USER) -> str:
        """A new access token, `00D…!…`, durable when this returns."""
        token = f"{ORG_ID[:15]}!AQ{''.join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH))}"
        with self._org.database.transaction() as connection:
            connection.execute("INSERT INTO session VALUES (?, ?, ?)", (token, user, time.time()))
        self._users[token] = user
        return token

    def any(self) -> str:
        """A token that is valid now: the newest, or a new one."""
        row = self._org.database.reader().execute("SELECT token FROM session ORDER BY issued DESC LIMIT 1").fetchone()
        return row[0] if row else self.begin()

    def user(self, token: str) -> str | None:
        """The user id of a valid token, or None."""
        return self._users.get(token)

    def expire(self, token: str | None = None) -> int:
        """Ends one session, or all; returns how many."""
        gone = [token] if token else list(self._users)
        with self._org.database.transaction() as connection:
            connection.executemany("DELETE FROM session WHERE token = ?", [(each,) for each in gone])
        return sum(self._users.pop(each, None) is not None for each in gone)
