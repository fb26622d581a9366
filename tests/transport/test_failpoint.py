"""Fail points: named in the environment, they end the process at the right time and at no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transport import failpoint

HIT = """
from transport import failpoint
for name in ("one", "two", "one", "two"):
    print(name, flush=True)
    if failpoint.ARMED:
        failpoint.hit(name)
print("end")
"""


def run(points: str | None, code: str = HIT, **more: str) -> tuple[int, list[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARRYOVER_FAILPOINTS")}
    if points is not None:
        environment["CARRYOVER_FAILPOINTS"] = points
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | more, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize(
    ("points", "code", "reached"),
    [
        (None, 0, ["one", "two", "one", "two", "end"]),
        ("", 0, ["one", "two", "one", "two", "end"]),
        ("two=exit", failpoint.EXIT_CODE, ["one", "two"]),
        ("one=exit#2", failpoint.EXIT_CODE, ["one", "two", "one"]),
        (" three=exit ; two=exit#2 ", failpoint.EXIT_CODE, ["one", "two", "one", "two"]),
        ("any=exit@1", failpoint.EXIT_CODE, ["one"]),
        ("any=exit@0", 0, ["one", "two", "one", "two", "end"]),
    ],
)
def test_a_process_leaves_where_it_is_told_to(points: str | None, code: int, reached: list[str]) -> None:
    assert run(points) == (code, reached)


ARMED_MEANWHILE = """
import os
from pathlib import Path
from transport import failpoint
file = Path(os.environ["CARRYOVER_FAILPOINTS_FILE"])
assert failpoint.ARMED
for text in (None, "two=exit", "one=exit#2", "one=exit#2", "one=exit#2"):
    if text is not None:
        file.write_text(text)
    print(text and text[:3], flush=True)
    failpoint.hit("one")
print("end")
"""


def test_a_process_that_runs_is_armed_by_a_file_and_counts_from_then(tmp_path: Path) -> None:
    found = run(None, ARMED_MEANWHILE, CARRYOVER_FAILPOINTS_FILE=str(tmp_path / "points"))
    assert found == (failpoint.EXIT_CODE, ["None", "two", "one", "one"])


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="exit@<probability>"):
        failpoint._parse("one=explode")
