"""Imports point one way, so that a reader can understand a folder without those above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "topics": set(),
    "mapping": set(),
    "sandbox": set(),  # so that it can't share the product's mistakes
    "ops": set(),
    "transport": set(),
    "state": {"transport"},
    "connectors": {"topics"},
    "agents": {"connectors", "mapping", "topics", "transport", "state"},
    "dashboard": {"cutover", "topics"},  # beside the operator's side, not above it
    "cutover": {"agents", "connectors", "dashboard", "mapping", "ops", "sandbox", "topics", "transport"},
}
# The sandbox is only for trying things out: of the operator's side, the demo and the lazy command know it.
KNOWS_THE_SANDBOX = {"cutover/demo.py", "cutover/harm.py"}


def imported(path: Path) -> set[str]:
    """Our own top-level packages that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found & ALLOWED.keys()


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        beyond = imported(path) - ALLOWED[package] - {package}
        assert not beyond, f"{path.relative_to(ROOT)} imports {', '.join(sorted(beyond))}"


def test_only_the_demo_knows_the_sandbox() -> None:
    knowing = {str(path.relative_to(ROOT)) for path in (ROOT / "cutover").rglob("*.py") if "sandbox" in imported(path)}
    assert knowing <= KNOWS_THE_SANDBOX


def test_no_module_has_more_than_one_subject() -> None:
    """A bound on size is a crude measure of that, but it is one."""
    large = {
        str(path.relative_to(ROOT)): lines
        for package in ALLOWED
        for path in (ROOT / package).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not large
