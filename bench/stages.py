"""The real workers as processes, with the settings of a cutover on a benchmark's Kafka and sandboxes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from cutover.ledger.read import Reader
from cutover.ledger.schema import LedgerMissing
from cutover.settings import Settings, load
from cutover.status import gather
from cutover.supervise import PARENT, command


def environment(
    bootstrap: str, prefix: str, salesforce: Mapping[str, Any], practice: Mapping[str, Any], directory: Path
) -> dict[str, str]:
    """What `carryover` needs to know, as its environment variables."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "carryover.toml").touch()
    return {
        "CARRYOVER_CONFIG": str(directory / "carryover.toml"),
        "CARRYOVER_KAFKA__BOOTSTRAP": bootstrap,
        "CARRYOVER_KAFKA__PREFIX": prefix,
        "CARRYOVER_SOURCE__URL": practice["url"],
        "CARRYOVER_SOURCE__API_KEY": practice["api_key"],
        "CARRYOVER_TARGET__URL": salesforce["url"],
        "CARRYOVER_TARGET__CLIENT_ID": salesforce["client_id"],
        "CARRYOVER_TARGET__CLIENT_SECRET": salesforce["client_secret"],
        "CARRYOVER_CUTOVER__DATA_DIR": str(directory / "data"),
        "CARRYOVER_CONTROL__PORT": "0",
    }


def settings(variables: Mapping[str, str]) -> Settings:
    """The settings that processes with these variables have."""
    os.environ.update(variables)
    return load(None)


def standing(config: Settings) -> dict[str, Any] | None:
    """The status that `carryover status` shows; None while there is no ledger yet."""
    try:
        with Reader(config.ledger) as reader:
            return gather(reader, config)
    except LedgerMissing:
        return None


class Stages:
    """Worker processes by stage name (or ``control``); each writes a log, and a profile on request.

    Arguments:
        variables: see `environment`.
        directory: for logs.
        profiles: where each writes ``<stage>.profile`` when it ends; None: not profiled.
    """

    def __init__(self, variables: Mapping[str, str], directory: Path, profiles: Path | None = None) -> None:
        self._variables = {**os.environ, **variables, PARENT: str(os.getpid())}
        self._directory = directory
        self._profiles = profiles
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._running.items()}

    def start(self, name: str, stage: str | None = None) -> None:
        """Starts a worker of ``stage``, by default the one it is called after."""
        line = command("control") if name == "control" else command("worker", "--stage", stage or name)
        if self._profiles is not None:
            self._profiles.mkdir(parents=True, exist_ok=True)
            line = [sys.executable, "-m", "cProfile", "-o", str(self._profiles / f"{name}.profile"), *line[1:]]
        with self.log(name).open("ab") as out:
            self._running[name] = subprocess.Popen(line, env=self._variables, stdout=out, stderr=out)

    def log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def check(self) -> None:
        """Raises when one of them has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise RuntimeError(
                    f"{name} ended with {process.returncode}:\n{self.log(name).read_text(errors='replace')[-3000:]}"
                )

    def stop(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 40
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
