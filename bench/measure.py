"""What a process has used, read from `/proc` (Linux only), and how results are told."""

from __future__ import annotations

import bisect
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

_TICK: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


class Memory(NamedTuple):
    """Resident memory in bytes: now, and the most it has been."""

    now: int
    peak: int


def memory(pid: int) -> Memory:
    """What a process holds; zeros when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return Memory(0, 0)
    found = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if name in {"VmRSS", "VmHWM"}
    }
    return Memory(found.get("VmRSS", 0), found.get("VmHWM", 0))


class Sampler:
    """Notes the CPU time of processes again and again, so that what was used between two moments can be told afterwards.

    Arguments:
        pids: gives the processes by name, anew each time.
        every: seconds between two looks.
    """

    def __init__(self, pids: Callable[[], Mapping[str, int]], every: float = 0.05) -> None:
        self._pids = pids
        self._every = every
        self._seen: dict[str, list[tuple[float, float]]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            now = time.time()
            for name, pid in dict(self._pids()).items():
                self._seen.setdefault(name, []).append((now, cpu_seconds(pid)))

    def used(self, begin: float, end: float) -> dict[str, float]:
        """CPU seconds of each process between two moments (`time.time()`)."""
        return {name: self._at(seen, end) - self._at(seen, begin) for name, seen in self._seen.items()}

    @staticmethod
    def _at(seen: Sequence[tuple[float, float]], moment: float) -> float:
        place = bisect.bisect_left(seen, (moment, 0.0))
        return seen[min(place, len(seen) - 1)][1]


def spread(values: Sequence[float]) -> str:
    """The median, and the least and the most when there are several."""
    middle = statistics.median(values)
    return f"{middle:,.2f}" if len(values) == 1 else f"{middle:,.2f} ({min(values):,.2f}-{max(values):,.2f})"


def verdict(what: str, ratio: float, target: float, *, at_most: bool = False) -> str:
    """One line: the ratio, the target, and whether it is reached."""
    reached = ratio <= target if at_most else ratio >= target
    sign = "<=" if at_most else ">="
    return f"{'reached' if reached else 'MISSED '}  {what}: {ratio:.2f} (target {sign} {target:g})"


def machine() -> str:
    """The processors and the memory this was measured on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    total = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} cores ({model}), {total / 1024 / 1024:.0f} GB"


def _lines(path: str) -> Iterable[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return ()
