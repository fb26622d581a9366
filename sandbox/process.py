"""The sandbox as a process of its own, for tests, benchmarks and the demo.

Owns starting, killing and starting again at the same place.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

STOP_SECONDS = 15.0
PORTS = {
    "salesforce": {"url": "port_salesforce", "https_url": "port_salesforce_https"},
    "visual_practice": {"url": "port_visual_practice"},
}


class SandboxProcess:
    """A running `python -m sandbox up --json`; it ends with the process that started it.

    `salesforce` and `visual_practice` are the two halves of its line: addresses and credentials. Options are those of
    the command with underscores (`patients=100`, `clean=True`, `only="salesforce"`); without `data_dir` the data goes
    to a temporary folder that `stop` removes. Usable as a context manager.
    """

    def __init__(self, **options: Any) -> None:
        self._temporary = None if "data_dir" in options else tempfile.mkdtemp(prefix="carryover-sandbox-")
        self.data_dir = Path(options.get("data_dir") or self._temporary or "").resolve()
        self._options: dict[str, Any] = {**options, "data_dir": str(self.data_dir)}
        self._process: subprocess.Popen[str] | None = None
        self.salesforce: dict[str, Any] = {}
        self.visual_practice: dict[str, Any] = {}

    @classmethod
    def start(cls, **options: Any) -> "SandboxProcess":
        """A sandbox that listens; raises RuntimeError when it ends instead."""
        made = cls(**options)
        made.up()
        return made

    @property
    def pid(self) -> int:
        """The id of the running process; raises RuntimeError when there is none."""
        if self._process is None:
            raise RuntimeError("the sandbox is not running")
        return self._process.pid

    def up(self) -> None:
        """Starts the process and waits for its line."""
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "sandbox", "up", "--json", "--until-eof", *self._arguments()],
            stdin=subprocess.PIPE,  # ends when this process does, however it does
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the sandbox did not start, exit code {self._process.wait()}")
        card = json.loads(line)
        self.salesforce, self.visual_practice = card.get("salesforce", {}), card.get("visual_practice", {})
        for half, ports in PORTS.items():
            for key, option in ports.items():
                if url := card.get(half, {}).get(key):
                    self._options[option] = int(url.rpartition(":")[2])

    def _arguments(self) -> list[str]:
        arguments: list[str] = []
        for name, value in self._options.items():
            flag = f"--{name.replace('_', '-')}"
            if value is True:
                arguments.append(flag)
            elif value is not False and value is not None:
                arguments += [flag, str(value)]
        return arguments

    def kill(self) -> None:
        """SIGKILL; the data stays."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Starts again on the same ports and data, ending a running process cleanly first."""
        self._end(signal.SIGTERM)
        self.up()

    def stop(self) -> None:
        """SIGTERM, and removes the data if it was in a temporary folder."""
        self._end(signal.SIGTERM)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None

    def __enter__(self) -> Self:
        if self._process is None:
            self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
