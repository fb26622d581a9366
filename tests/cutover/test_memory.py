"""What a process does with memory that it no longer needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is Linux's")

# A block of a megabyte that comes and goes makes glibc keep the blocks of 300 kB that follow; small ones between them hold the heap up.
_FETCHES = """
from cutover.memory import give_back
give_back()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4
bytearray(1 << 20)
before = resident()
fetched, kept = [], []
for _ in range(200):
    fetched.append(bytearray(300_000))
    kept.append(bytearray(2_000))
fetched.clear()
print(resident() - before)
"""


def left_kilobytes(**environment: str) -> int:
    """What a process holds of 60 MB that it was done with."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    ran = subprocess.run([sys.executable, "-c", _FETCHES], env=clean | environment, capture_output=True, check=True)
    return int(ran.stdout)


def test_large_blocks_go_back_to_the_system() -> None:
    assert left_kilobytes() < 5_000


def test_an_operators_own_settings_of_malloc_are_left_alone() -> None:
    assert left_kilobytes(MALLOC_ARENA_MAX="8") > 40_000
