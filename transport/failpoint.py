"""Named points where a test may kill the process.

Armed by the environment variable ``CARRYOVER_FAILPOINTS`` when the process starts, for example ``outputs-durable=exit@0.02`` (leave at random, with that
probability), ``state-durable=exit#3`` (leave at the third time) or ``any=exit@0.01``; several are separated by ``;``. ``CARRYOVER_FAILPOINTS_FILE`` names
a file with the same text that is looked at again at each point, so that a process can be armed while it runs; the count starts when the text changes.
Without either a point costs the test of one constant: callers write ``if failpoint.ARMED: failpoint.hit("name")``.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

EXIT_CODE: Final = 91


class _Point:
    __slots__ = ("count", "nth", "probability")

    def __init__(self, action: str) -> None:
        self.count = 0
        self.nth: int | None = None
        self.probability = 0.0
        if not action.startswith("exit"):
            raise ValueError(f"failpoint action {action!r}: only exit@<probability> and exit#<n> exist")
        rest = action.removeprefix("exit")
        if rest.startswith("@"):
            self.probability = float(rest[1:])
        elif rest.startswith("#"):
            self.nth = int(rest[1:])
        else:
            self.probability = 1.0

    def reached(self) -> bool:
        self.count += 1
        return self.count == self.nth if self.nth is not None else random.random() < self.probability


def _parse(text: str) -> dict[str, _Point]:
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip(): _Point(action.strip()) for name, _, action in pairs}


_points: Final = _parse(os.environ.get("CARRYOVER_FAILPOINTS", ""))
_file: Final = Path(name) if (name := os.environ.get("CARRYOVER_FAILPOINTS_FILE")) else None
_read: str | None = None
ARMED: Final = bool(_points) or _file is not None


def hit(name: str) -> None:
    """Leaves the process at once, without any clean-up, when the point ``name`` is armed and due."""
    if _file is not None:
        _look(_file)
    point = _points.get(name) or _points.get("any")
    if point is not None and point.reached():
        os._exit(EXIT_CODE)


def _look(file: Path) -> None:
    global _read  # noqa: PLW0603 - one process, one file
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if text != _read:
        _read = text
        _points.clear()
        _points.update(_parse(text))
