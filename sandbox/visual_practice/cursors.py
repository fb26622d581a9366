"""Opaque cursors: where a listing goes on, sealed so that a client cannot make one up.

Owns the text form. A cursor belongs to one listing; with another it is refused. It holds a place, not a number of rows,
so that a delete meanwhile moves nothing. Called by the handlers.
"""

import base64
import binascii
import hmac

import orjson

from sandbox.visual_practice.anchors import Key, Listing

SEAL_BYTES = 9


class BadCursorError(ValueError):
    """No cursor of this listing."""


def _listing(listing: Listing) -> list[object]:
    return [listing.resource, listing.since, listing.by_time, listing.descending]


def _seal(body: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), body, "sha256")[:SEAL_BYTES]


def write(listing: Listing, last: Key, secret: str) -> str:
    """The cursor behind the record with that key."""
    body = orjson.dumps([*_listing(listing), list(last)])
    return base64.urlsafe_b64encode(_seal(body, secret) + body).decode().rstrip("=")


def read(text: str, listing: Listing, secret: str) -> Key:
    """The key behind which a listing goes on; raises BadCursorError when the cursor is not of this listing."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCursorError from error
    seal, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(body, secret)):
        raise BadCursorError
    *said, last = orjson.loads(body)
    if said != _listing(listing):
        raise BadCursorError
    return tuple(last)
