"""Real clients of Salesforce, unmodified, each pointed at the sandbox of the session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.clients.installation import HERE, node_packages

SWITCHES = {  # nothing but the sandbox is spoken to
    "SF_DISABLE_TELEMETRY": "true",
    "SF_AUTOUPDATE_DISABLE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_DISABLE_DNS_CHECK": "true",
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
    "SF_USE_PROGRESS_BAR": "false",
    "SF_DISABLE_LOG_FILE": "true",
    "SF_HIDE_RELEASE_NOTES": "true",
}


class Node:
    """The node programs: scripts that use jsforce, and the Salesforce CLI with a home of its own."""

    def __init__(self, packages: Path, home: Path, salesforce: dict[str, Any]) -> None:
        self.packages, self.home, self.salesforce = packages, home, salesforce
        own = packages / "node_modules" / ".bin" / "node"  # as a package, where there is one for this machine
        self._node = str(own) if own.exists() else (shutil.which("node") or "node")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CLIENTS": str(packages),
            "NODE_EXTRA_CA_CERTS": salesforce["ca_file"],
            **SWITCHES,
        }

    def script(self, name: str, *, https: bool = False, **more: str) -> Any:
        """What a script of this folder told in its last line."""
        url = self.salesforce["https_url" if https else "url"]
        told = {"SANDBOX_URL": url, "SANDBOX_TOKEN": self.salesforce["access_token"]}
        ran = self._run([str(HERE / name)], told | more)
        assert ran.returncode == 0, ran.stderr or ran.stdout
        return json.loads(ran.stdout.splitlines()[-1])

    def sf(self, *command: str, code: int = 0, at: Path | None = None, **more: str) -> Any:
        """The JSON that a command of the Salesforce CLI answers; it must end with this exit code."""
        program = self.packages / "node_modules" / "@salesforce" / "cli" / "bin" / "run.js"
        ran = self._run([str(program), *command, "--json"], more, at)
        assert ran.returncode == code, ran.stdout or ran.stderr
        return json.loads(ran.stdout)

    def _run(
        self, arguments: list[str], more: dict[str, str], at: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._node, *arguments],
            cwd=at or self.home,
            env=self._environment | more,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="package")
def sandbox() -> Iterator[SandboxProcess]:
    """A sandbox for the clients alone: they deploy fields, which other tests would see."""
    with SandboxProcess.start(only="salesforce", org_rows=40) as process:
        yield process


@pytest.fixture(scope="package")
def node(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node(node_packages(), tmp_path_factory.mktemp("home"), sandbox.salesforce)
