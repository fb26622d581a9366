"""How much of an org's daily API calls may be used, and by whom: the arithmetic, without a clock and without a call.

Owns the reserve, the lines at which workers stop, and the shares of what is left. Source of fact: an org's calls are counted
over the last 24 hours, whoever made them; each answer's `Sforce-Limit-Info` and `/limits` tell used and most (REST API
Developer Guide v66, "Limit Info Header", "Limits").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

__all__ = ["AT_ONCE", "Reserve", "divide", "shares"]

AT_ONCE: Final = 16
"""Calls that one process has under way at once, at most. So many it may make before an answer tells it what the others have used."""

_KEPT_FOR_LOADING: Final = 0.1
_MOST_MARGIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Reserve:
    """What stays for the org's own users.

    Attributes:
        share: Of the org's daily calls, 0 to below 1.
        calls: The same as a number; counts instead of the share when it is given.
    """

    share: float = 0.2
    calls: int | None = None

    def of(self, most: int) -> int:
        """The reserve of an org that has so many calls a day."""
        return min(most, ceil(most * self.share) if self.calls is None else self.calls)

    def line(self, most: int, workers: int) -> int:
        """As soon as the org has used so many calls, nobody of us makes another.

        It lies before the reserve, by the calls that processes which don't hear of each other may have under way, and by
        those that ask how it stands; but by no more than a tenth of what may be used.

        Args:
            most: The org's calls a day.
            workers: Processes that make calls; at least two are reckoned with.
        """
        ours = most - self.of(most)
        return max(0, ours - min(AT_ONCE * max(workers, 2), int(ours * _MOST_MARGIN)))

    def kept_for_loading(self, most: int) -> int:
        """The last calls before the line, which only loading gets: verification can wait for tomorrow."""
        return int((most - self.of(most)) * _KEPT_FOR_LOADING)


def shares(room: int, wants: Mapping[str, int]) -> dict[str, int]:
    """Divides ``room`` among those who want some of it.

    Nobody gets more than he wants, and who gets less gets as much as anybody (max-min fairness).

    Args:
        room: Calls; below zero is none.
        wants: Calls by name; below zero is none.

    Returns:
        Calls for each name; they add up to no more than the room, and to all of it if more is wanted.
    """
    left, found = max(0, room), {}
    waiting = sorted(wants, key=lambda name: (wants[name], name))
    for number, name in enumerate(waiting):
        found[name] = min(max(0, wants[name]), left // (len(waiting) - number))
        left -= found[name]
    return found


def divide(room: int, kept: int, loading: Mapping[str, int], checking: Mapping[str, int]) -> dict[str, int]:
    """`shares` for loaders first, then for verifiers of what is above ``kept``; adds up to no more than the room."""
    found = shares(room, loading)
    return found | shares(room - kept - sum(found.values()), checking)
