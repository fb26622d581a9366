"""`python -m bench`: runs the benchmarks one after the other, each in a process of its own; options go to the one that is named."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

BENCHMARKS: Final = ("transport", "pipeline", "memory", "children", "calls", "loaders", "steps", "files", "sandbox")
_USUAL: Final = ("transport", "pipeline")  # memory takes many minutes


def main(arguments: list[str]) -> int:
    names: tuple[str, ...] = _USUAL
    if arguments and not arguments[0].startswith("-"):
        if arguments[0] not in BENCHMARKS:
            print(f"There are {', '.join(BENCHMARKS)}.", file=sys.stderr)
            return 2
        names, arguments = (arguments[0],), arguments[1:]
    codes = [
        subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], check=False).returncode for name in names
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
