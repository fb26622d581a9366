"""When landings are read back: one call reads many rows, so they wait for company, but not for long.

Pure. Verification runs at the lowest priority: while thousands of rows land, a second without any is more often its own turn that didn't come than the end of
them. So the more that wait, the longer must the silence be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from connectors.salesforce.collections import MOST_IDS

FEW: Final = 200
"""Of one Salesforce object; so many are worth waiting for more."""

SHORT_SILENCE: Final = 3
"""Idle times without a landing until a few are read: a change that was read within its second has landed again by then, once that second was over."""

LONG_SILENCE: Final = 15
"""Idle times without a landing until many are read."""

PATIENCE: Final = 120
"""Idle times that a landing waits at most, whatever comes."""


class Landing(Protocol):
    """Something that waits; ``due`` is when it has waited long enough, in the same seconds as ``now``."""

    due: float


L = TypeVar("L", bound=Landing)


def ripe(
    waiting: Mapping[str, Sequence[L]], *, silence: float, idle: float, now: float, full: bool = False
) -> Iterator[L]:
    """What is read now of the landings that wait, by Salesforce object and in the order they came.

    Arguments:
        waiting: by Salesforce object; an object's are read by calls of their own.
        silence: seconds since a landing of any object has come.
        idle: seconds of an idle time.
        now: the time, in seconds.
        full: whether none can come before some are read: then whole calls' worths, and where there are none those of the objects that have waited for longer.
    """
    stuck = full and all(len(landings) < MOST_IDS for landings in waiting.values())
    horizon = max(now, _middle(waiting)) if stuck else now
    for landings in waiting.values():
        quiet = silence >= (SHORT_SILENCE if len(landings) < FEW else LONG_SILENCE) * idle
        whole = len(landings) - len(landings) % MOST_IDS
        yield from landings if quiet or (landings and landings[0].due <= horizon) else landings[:whole]


def _middle(waiting: Mapping[str, Sequence[Landing]]) -> float:
    """Halfway between when the first object's landings are due and when the last one's are."""
    due = [landings[0].due for landings in waiting.values() if landings]
    return (min(due) + max(due)) / 2 if due else 0.0
