"""Has the C library give memory back that is no longer used, in processes that run for weeks.

glibc's malloc gives each thread an arena of its own, and learns from one large block that is freed to keep all blocks of that size. What Kafka's fetches
leave behind then stays with the process: measured with 200,000 patients, it was a tenth of what verify held, and more of resolve and deliver.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

# malloc.h
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8

_LARGE: Final = 64 * 1024  # bytes: a block of its own, which goes back to the system when it is freed


def give_back() -> None:
    """Call it before the first thread. Does nothing where there is no glibc, or when an operator has set ``MALLOC_…`` variables."""
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGE)
