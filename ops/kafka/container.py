"""The official `apache/kafka` image in Docker, for machines that have Docker rather than Java.

Owns the container. Made by `ops.kafka.local`; testcontainers is a development dependency, so it is imported on use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from ops.kafka.broker import KAFKA_VERSION, BrokerError, free_port
from ops.kafka.java import CONFIG, START_SECONDS, STARTED

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
PORT = 9092
"""Where the broker listens inside the container."""


def docker_answers() -> bool:
    """Whether the `docker` command reaches a daemon within five seconds."""
    command = shutil.which("docker")
    if not command:
        return False
    try:
        done = subprocess.run(  # noqa: S603
            [command, "version", "--format", "{{.Server.Version}}"], capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


class ContainerBroker:
    """A broker in a container, published on a free port of localhost.

    Args:
        port: Port for clients; None takes a free one.
        config: Broker settings that override the local ones, names as in `server.properties`.

    Data live in the container: they outlast `kill` and `restart`, and go with `stop`.
    """

    def __init__(self, *, port: int | None = None, config: Mapping[str, str] | None = None) -> None:
        self._port = port or free_port()
        self._config = dict(config or {})
        self._container: Any = None
        self.bootstrap = f"localhost:{self._port}"

    def environment(self) -> dict[str, str]:
        """The settings as the image takes them: `KAFKA_` and the name in capitals, dots as underscores."""
        settings = {
            **CONFIG,
            "listeners": f"PLAINTEXT://:{PORT},CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://localhost:{self._port}",
            "controller.quorum.voters": "1@localhost:9093",
            **self._config,
        }
        return {"KAFKA_" + name.upper().replace(".", "_"): value for name, value in settings.items()}

    def start(self) -> None:
        if self._container:
            return
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

        container = DockerContainer(IMAGE).with_bind_ports(PORT, self._port)
        for name, value in self.environment().items():
            container = container.with_env(name, value)
        started = LogMessageWaitStrategy(STARTED.decode()).with_startup_timeout(int(START_SECONDS))
        try:
            self._container = container.waiting_for(started).start()
        except Exception as error:
            container.stop()
            raise BrokerError(
                f"Docker could not run {IMAGE} ({type(error).__name__}): pull the image by hand to see why, "
                "or set KAFKA_BOOTSTRAP to a running broker."
            ) from error

    def stop(self) -> None:
        container, self._container = self._container, None
        if container:
            container.stop()

    def kill(self) -> None:
        self._wrapped().kill()

    def restart(self) -> None:
        container = self._wrapped()
        before = container.logs().count(STARTED)
        container.restart(timeout=int(START_SECONDS))
        deadline = time.monotonic() + START_SECONDS
        # The published port takes connections before the broker does, so its log is the only witness.
        while container.logs().count(STARTED) <= before:
            container.reload()
            if time.monotonic() > deadline or container.status == "exited":
                raise BrokerError(f"The Kafka container did not start again: see `docker logs {container.short_id}`.")
            time.sleep(0.1)

    def pause(self) -> None:
        self._wrapped().pause()

    def resume(self) -> None:
        self._wrapped().unpause()

    def _wrapped(self) -> Any:
        if not self._container:
            raise BrokerError("The Kafka container is not running: start it first.")
        return self._container.get_wrapped_container()
