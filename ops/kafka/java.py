"""A KRaft broker as a plain Java process: one node that is broker and controller, its data in one directory.

Owns the broker's configuration for local use and the process. Made by `ops.kafka.local`; not for production.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from ops.kafka import jars
from ops.kafka.broker import BrokerError, free_port

START_SECONDS = 60.0
"""Usually up in 4 s; a busy two-core machine may take ten times that."""

STOP_SECONDS = 30.0
WATCH = 'read -r _ || { kill -9 "$1"; sleep 1; [ -z "$2" ] || rm -rf -- "$2"; }'
"""Waits for the end of its input, then ends process $1 and removes the directory $2, if one is named."""

STARTED = b"Kafka Server started"
"""What the broker logs once its listeners take requests."""

CONFIG: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",  # a misspelt topic must fail, as it does in production
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",  # the default of 50 costs start time only
    "offsets.retention.minutes": "525600",  # the default forgets a stopped cutover's position after a week
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker may register again only when its old session has run out: 9 s by default.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "log.cleaner.backoff.ms": "500",
    "log.cleaner.dedupe.buffer.size": "33554432",  # the default of 128 MB is a quarter of this heap
    "log.retention.check.interval.ms": "5000",
    "log.initial.task.delay.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "1",
}
JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
)


class JavaBroker:
    """`kafka.Kafka` on free ports of 127.0.0.1.

    Args:
        java: Path of a Java 17 or newer.
        data_dir: Where log segments, `server.properties` and `broker.log` go; an existing one is continued.
            None makes a temporary directory that `stop` removes.
        port: Port for clients; None takes a free one.
        config: Broker settings that override the local ones, names as in `server.properties`.

    The process ends when this Python process does, however that ends.
    """

    def __init__(
        self,
        java: str,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self._java = java
        self._made = data_dir is None
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="carryover-kafka-"))
        self._port = port or free_port()
        self._controller_port = free_port()
        self._config = dict(config or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self.bootstrap = f"127.0.0.1:{self._port}"

    @property
    def log(self) -> Path:
        """The broker's log file; appended to over restarts."""
        return self.data_dir / "broker.log"

    @property
    def pid(self) -> int | None:
        """Process id of the running broker, else None."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        if self.pid:
            return
        class_path = jars.class_path()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        properties = self._write_properties()
        if not (self.data_dir / "log" / "meta.properties").exists():
            self._format(class_path, properties)
        seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [self._java, *JVM, *LOGGING, "-cp", class_path, "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must reach the clients first, and the broker by stop()
            )
        self._watch(self._process.pid)
        try:
            self._wait_started(seen)
        except BrokerError:
            self.kill()
            raise

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        if self._made:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self._end(signal.SIGTERM)
        self.start()

    def pause(self) -> None:
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if not self._process or self._process.poll() is not None:
            raise BrokerError("The local Kafka broker is not running: start it first.")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process and process.poll() is None:
            process.send_signal(how)
            if how is not signal.SIGKILL:
                process.send_signal(signal.SIGCONT)  # a frozen process can't shut down
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        watcher, self._watcher = self._watcher, None
        if watcher:
            watcher.kill()
            watcher.wait()
            if watcher.stdin:
                watcher.stdin.close()

    def _watch(self, pid: int) -> None:
        """Leave a shell behind that ends the broker once this process is gone and its end of the pipe closed."""
        made = str(self.data_dir) if self._made else ""
        self._watcher = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", WATCH, "watch", str(pid), made], stdin=subprocess.PIPE, start_new_session=True
        )

    def _write_properties(self) -> Path:
        settings = {
            **CONFIG,
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "log.dirs": str(self.data_dir / "log"),
            **self._config,
        }
        path = self.data_dir / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
        return path

    def _format(self, class_path: str, properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(  # noqa: S603
            [
                *(self._java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", class_path, "kafka.tools.StorageTool"),
                *("format", "-t", cluster.replace("-", "A"), "-c", str(properties)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
            raise BrokerError(
                f"Kafka could not prepare {self.data_dir} ({lines[-1]}): give a directory that is writable and empty."
            )

    def _wait_started(self, seen: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            process = self._process
            ended = process is None or process.poll() is not None
            with contextlib.suppress(OSError), self.log.open("rb") as log:
                log.seek(seen)
                if STARTED in log.read():
                    return
            if ended:
                break
            time.sleep(0.05)
        raise BrokerError(f"The local Kafka broker did not start: see {self.log} for its reason.")
