"""`python -m tests.crash`: runs the whole crash matrix and writes what was found into the documentation.

`python -m tests.crash PART …` runs the cases whose names have one of the parts in them, and writes nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ops.kafka import LocalKafka
from tests.crash import matrix, table
from tests.crash.cases import CASES, Case


def main(parts: list[str]) -> None:
    cases = [case for case in CASES if not parts or any(part in case.id for part in parts)]
    began = time.monotonic()
    with LocalKafka() as kafka, TemporaryDirectory(prefix="carryover-crash-") as directory:
        found = asyncio.run(matrix.run(kafka.bootstrap, Path(directory), cases, tell))
    print(f"{len(found)} of {len(cases)} cases hold, in {time.monotonic() - began:.0f} s")
    if not parts:
        table.write({case: f"{did} · equal" if did else "equal" for case, did in found.items()})


def tell(case: Case, did: str, seconds: float) -> None:
    print(f"{seconds:5.1f} s  {case.id}: {did or '-'}", flush=True)


main(sys.argv[1:])
