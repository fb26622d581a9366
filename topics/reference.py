"""References `<object>:<vp id>`, e.g. `patient:1204`: what an operator types, most topics' key and the external id.

Owns joining and splitting them. The VP id is opaque text and may itself hold colons.
"""

from __future__ import annotations


class BadReference(ValueError):
    """Text that is no reference; the message doesn't repeat it."""


def join(object_: str, vp_id: str) -> str:
    """The reference of the record `vp_id` of an object.

    Raises:
        BadReference: Either part is empty, or the object's name holds a colon.
    """
    if not object_ or not vp_id or ":" in object_:
        raise BadReference("A reference needs an object and an id: <object>:<vp id>.")
    return f"{object_}:{vp_id}"


def split(reference: str) -> tuple[str, str]:
    """Object and VP id of a reference.

    Raises:
        BadReference: It has no colon, or one side is empty.
    """
    object_, _, vp_id = reference.partition(":")
    if not object_ or not vp_id:
        raise BadReference("Not a reference: <object>:<vp id>, e.g. patient:1204.")
    return object_, vp_id


def key(reference: str) -> bytes:
    """The Kafka key of a reference: its UTF-8 bytes."""
    return reference.encode()
