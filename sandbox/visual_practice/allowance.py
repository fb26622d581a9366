"""The rate limit of Visual Practice, in the four ways in which such servers tell about it, or do not.

Owns counting and windows. Knows no HTTP beyond the names of headers. Asked by the guard for each request.
"""

from typing import Final, NamedTuple

from sandbox import clock

VARIANTS: Final = {  # how long a window is, and whether anything tells when it ends
    "retry_after": 60,
    "reset": 60,
    "silent": 60,
    "hourly": 3600,
}


class Refusal(NamedTuple):
    """A request too many, with the headers that this variant gives."""

    headers: dict[str, str]


class Allowance:
    """So many requests in each clock minute (or clock hour), any number when None.

    `retry_after` tells the seconds to wait, `reset` the second since 1970 at which the next window begins (and how many
    requests are left, with every answer), `silent` and `hourly` tell nothing.
    """

    def __init__(self, requests: int | None = None, variant: str = "retry_after") -> None:
        self.requests, self.variant = requests, variant
        self._window, self._used = 0, 0

    def turn(self, requests: int | None, variant: str) -> None:
        """Sets another limit; raises ValueError for a variant that there is not."""
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}")
        self.requests, self.variant = requests, variant
        self._window, self._used = 0, 0

    def refused(self) -> Refusal | None:
        """Counts one request, and tells whether it is one too many."""
        if self.requests is None:
            return None
        instant, length = clock.practice_now(), VARIANTS[self.variant]
        window = int(instant // length)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        if self._used <= self.requests:
            return None
        if self.variant == "retry_after":
            return Refusal({"Retry-After": str(int(length - instant % length) + 1)})
        return Refusal(self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """What goes out with every answer."""
        if self.requests is None or self.variant != "reset":
            return {}
        return {
            "X-RateLimit-Limit": str(self.requests),
            "X-RateLimit-Remaining": str(max(0, self.requests - self._used)),
            "X-RateLimit-Reset": str((self._window + 1) * VARIANTS["reset"]),
        }
