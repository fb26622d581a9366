"""Which of a host's processes give way to the others when there is too little processor for all of them."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

_NICE: Final = 19  # a seventieth of what a process at 0 gets, when both want all of it
_AUTOGROUP: Final = Path("/proc/self/autogroup")


def give_way() -> None:
    """Lowers this process's priority for good; with a processor to spare it is as fast as before.

    Linux shares the processor among sessions first (autogroups, sched(7)) and then by nice values within each, so a session of our own is lowered as
    well. In a container of its own it does nothing: there the limits of the containers decide.
    """
    os.nice(_NICE)
    if sys.platform.startswith("linux") and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # no autogroups in this kernel, or changed a moment ago
            _AUTOGROUP.write_text(str(_NICE))
