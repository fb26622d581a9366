"""Names of tests as documentation gives them, and whether there are such tests: read from the files, without running pytest."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent


@cache
def tests_of(path: str) -> frozenset[str]:
    """The names of a file's tests; none when there is no such file.

    Args:
        path: from the project's folder on, e.g. `tests/pipeline/test_dirty.py`.
    """
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def exists(name: str) -> bool:
    """Whether there is a test of this name, e.g. `tests/pipeline/test_dirty.py::test_it_lands`."""
    path, _, test = name.partition("::")
    return test in tests_of(path)
