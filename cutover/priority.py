"""Which of a host's processes go first when there is too little processor for all of them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

NICE: Final[Mapping[str, int]] = MappingProxyType({"ingest": 10, "resolve": 5, "deliver": 0, "verify": 19})
"""By stage. What is nearly there goes before what has yet to start, else loading starves while the source is read, and then has one core's worth of work
left for itself. Verification takes only time that nobody wants: it may lag."""

_AUTOGROUP: Final = Path("/proc/self/autogroup")


def give_way(stage: str) -> None:
    """Lowers this process's priority, for good, to that of its stage; with a processor to spare it is as fast as before.

    Linux shares the processor among sessions first (autogroups, sched(7)) and then by nice values within each, so a session of our own is lowered as
    well. In a container of its own it does nothing: there the limits of the containers decide.
    """
    nice = NICE[stage]
    if nice:
        os.nice(nice)
        if sys.platform.startswith("linux") and os.getsid(0) == os.getpid():
            with contextlib.suppress(OSError):  # no autogroups in this kernel, or changed a moment ago
                _AUTOGROUP.write_text(str(nice))
