"""Logins: who holds which access token, and until when.

Owns tokens and their end: on request, by revocation, after `session_minutes` without a call or `token_minutes` in all,
as the org's settings say. Tokens outlive a restart; when they were last used does not, and counts as now.
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
        rows = org.database.reader().execute("SELECT token, user, issued FROM session").fetchall()
        self._users: dict[str, str] = {token: user for token, user, _ in rows}
        self._issued: dict[str, float] = {token: issued for token, _, issued in rows}
        self._used: dict[str, float] = dict.fromkeys(self._users, time.time())

    def begin(self, user: str = API_USER) -> str:
        """A new access token, `00D…!…`, durable when this returns."""
        token = f"{ORG_ID[:15]}!AQ{''.join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH))}"
        now = time.time()
        with self._org.database.transaction() as connection:
            connection.execute("INSERT INTO session VALUES (?, ?, ?)", (token, user, now))
        self._users[token], self._issued[token], self._used[token] = user, now, now
        return token

    def any(self) -> str:
        """A token of the integration user that is valid now: the newest, or a new one."""
        row = (
            self._org.database.reader()
            .execute("SELECT token FROM session WHERE user = ? ORDER BY issued DESC LIMIT 1", (API_USER,))
            .fetchone()
        )
        return row[0] if row else self.begin()

    def user(self, token: str) -> str | None:
        """The user id of a valid token, or None; counts as a use of it."""
        user = self._users.get(token)
        if user is None or self._over(token):
            return None
        self._used[token] = time.time()
        return user

    def _over(self, token: str) -> bool:
        settings, now = self._org.settings, time.time()
        idle, whole = settings.session_minutes * 60, settings.token_minutes * 60
        return bool((idle and now - self._used[token] > idle) or (whole and now - self._issued[token] > whole))

    def told(self, token: str) -> tuple[str, float, float] | None:
        """The user of a valid token, when it began and when it ends at the latest; None for any other."""
        user = self._users.get(token)
        if user is None or self._over(token):
            return None
        settings = self._org.settings
        left = [minutes * 60 for minutes in (settings.session_minutes, settings.token_minutes) if minutes]
        issued = self._issued[token]
        return user, issued, issued + min(left, default=7_200.0)

    def expire(self, token: str | None = None) -> int:
        """Ends one session, or all; returns how many."""
        gone = [token] if token else list(self._users)
        with self._org.database.transaction() as connection:
            connection.executemany("DELETE FROM session WHERE token = ?", [(each,) for each in gone])
        return sum(self._users.pop(each, None) is not None for each in gone)
