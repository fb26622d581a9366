"""How many records are asked for at once: fewer when pages are too slow for the gateway, more again when they aren't.

Owns the number. Pure.
"""

from typing import Final

__all__ = ["PageSize"]

_GOOD_PAGES: Final = 8


class PageSize:
    """Halved by a page that was too slow, doubled after some that weren't.

    Args:
        most: What is asked for to begin with.
    """

    def __init__(self, most: int) -> None:
        self.most = self.current = most
        self._good = 0

    def too_slow(self, size: int) -> bool:
        """A page of `size` took too long; returns whether a smaller one can be asked for."""
        self._good = 0
        self.current = max(1, min(self.current, size // 2))
        return size > 1

    def good(self, size: int) -> None:
        """A page of `size` came."""
        if size < self.current or self.current == self.most:
            return
        self._good += 1
        if self._good >= _GOOD_PAGES:
            self._good = 0
            self.current = min(self.most, 2 * self.current)
