"""Facts that Synthea lacks, derived from ids so that every run makes the same.

Owns the derivation only. Called by `synthea` and `synthea_history`.
"""

import hashlib
import uuid

from sandbox import clock

SAMPLED_AT = clock.practice_instant("2024-02-02T20:27:14Z")  # the last encounter of the sample
FIVE_YEARS = 5 * 31_557_600


def number(identity: str, purpose: str) -> int:
    """A number of 48 bits."""
    return int.from_bytes(hashlib.blake2b(f"{purpose} {identity}".encode(), digest_size=6).digest(), "big")


def derived_id(*parts: str) -> str:
    """An id of the form of Synthea's."""
    return str(uuid.UUID(bytes=hashlib.blake2b(" ".join(parts).encode(), digest_size=16).digest()))


def stamps(identity: str) -> dict[str, str]:
    """`created_at` and `updated_at` in the ten years before the sample was taken."""
    created = SAMPLED_AT - FIVE_YEARS - number(identity, "created") % FIVE_YEARS
    updated = SAMPLED_AT - number(identity, "updated") % FIVE_YEARS
    return {"created_at": clock.practice_text(created), "updated_at": clock.practice_text(updated)}
