"""API keys and what each may do.

Owns the keys, kept with the data, and their scopes: `read` and `write` for everything, `patients:read` and the like for
one resource. Knows no HTTP. The key that the sandbox prints may read everything and write nothing.
"""

import secrets
import sqlite3
from collections.abc import Iterable
from typing import Final

import orjson

from sandbox.visual_practice.schema import BY_PLURAL
from sandbox.visual_practice.storage import Storage

READ_ONLY: Final = frozenset({"read"})
_KEPT: Final = "keys"


class BadScopeError(ValueError):
    """A scope that there is not; the text names it."""


class Keys:
    """The keys of one practice."""

    def __init__(self, storage: Storage, first: str) -> None:
        self._storage = storage
        self._keys: dict[str, frozenset[str]] = {first: READ_ONLY}
        for key, scopes in orjson.loads(storage.setting(_KEPT) or "{}").items():
            self._keys[key] = frozenset(scopes)

    def known(self, key: str) -> str | None:
        """The key as it is kept, or None when there is no such; takes the same time for any key of a length."""
        found = None
        for each in self._keys:
            if secrets.compare_digest(each.encode(), key.encode()):
                found = each
        return found

    def may(self, key: str, action: str, plural: str) -> bool:
        """Whether a known key may `read` or `write` a resource."""
        scopes = self._keys[key]
        return action in scopes or f"{plural}:{action}" in scopes

    def add(self, connection: sqlite3.Connection, scopes: Iterable[str]) -> str:
        """Makes a key inside the caller's transaction; raises BadScopeError for a scope that there is not."""
        given = frozenset(scopes)
        for scope in given:
            plural, _, action = scope.rpartition(":")
            if action not in {"read", "write"} or (plural and plural not in BY_PLURAL):
                raise BadScopeError(scope)
        key = f"vp-{secrets.token_hex(16)}"
        kept = {name: sorted(known) for name, known in self._keys.items() if known is not READ_ONLY}
        self._storage.remember(connection, _KEPT, orjson.dumps({**kept, key: sorted(given)}).decode())
        self._keys[key] = given
        return key
