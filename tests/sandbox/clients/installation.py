"""Installs the clients that are not part of the project's own environment, once per change of their lock file.

Owns `.local/sandbox-clients`. Nothing is skipped on a build server (`CI` is set there): a client that cannot be
installed is an error. Called by the fixtures of this folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
_INSTALLED: Final = HERE.parents[2] / ".local" / "sandbox-clients"
_UNREACHABLE: Final = (  # the words of npm and uv
    *("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "Failed to establish"),
    *("dns error", "error sending request", "tcp connect error"),
)


def installed(name: str, locks: list[Path], install: Callable[[Path], subprocess.CompletedProcess[str]]) -> Path:
    """The folder where `install` has put what the lock files name; skips the test where there is no network."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in locks)).hexdigest()[:16]
    folder = _INSTALLED / f"{name}-{digest}"
    _INSTALLED.mkdir(parents=True, exist_ok=True)
    with (_INSTALLED / f"{name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if (folder / "done").exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        ran = install(folder)
        if ran.returncode == 0:
            (folder / "done").touch()
            return folder
    told = f"{ran.stdout}\n{ran.stderr}"
    if any(word in told for word in _UNREACHABLE):
        absent(f"{name}: the package registry can't be reached")
    raise AssertionError(f"{name} could not be installed:\n{told}")


def absent(why: str) -> None:
    """Skips the test, except on a build server."""
    if os.environ.get("CI"):
        raise AssertionError(why)
    pytest.skip(why)


def node_packages() -> Path:
    """The folder whose `node_modules` holds what package-lock.json names."""
    npm = shutil.which("npm")
    if npm is None:
        absent("npm is not there")
    locks = [HERE / "package.json", HERE / "package-lock.json"]

    def install(folder: Path) -> subprocess.CompletedProcess[str]:
        for lock in locks:
            shutil.copy(lock, folder)
        command = [
            str(npm),
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--prefer-offline",
        ]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return installed("node", locks, install)


def cumulusci() -> Path:
    """The Python of an environment that holds what cumulusci.lock names; it needs other versions than the project."""
    lock = HERE / "cumulusci.lock"

    def install(folder: Path) -> subprocess.CompletedProcess[str]:
        python = folder / "bin" / "python"
        uv = [sys.executable, "-m", "uv"]
        made = subprocess.run([*uv, "venv", "--quiet", str(folder)], capture_output=True, text=True, check=False)
        if made.returncode:
            return made
        command = [*uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return installed("cumulusci", [lock], install) / "bin" / "python"
