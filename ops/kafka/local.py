"""Chooses how to get a broker: the one at `KAFKA_BOOTSTRAP`, else Docker, else Java and Maven.

A way that is there but fails (Docker without the image and no network) gives way to the next.

Called by the test fixture, the demo and `python -m ops.kafka`. The choice is made at `start`, not when constructed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

from ops.kafka import jars
from ops.kafka.broker import Broker, BrokerError
from ops.kafka.container import ContainerBroker, docker_answers
from ops.kafka.given import GivenBroker
from ops.kafka.java import JavaBroker

Kind = Literal["given", "docker", "java"]

NOTHING = (
    "No Kafka can be started here: set KAFKA_BOOTSTRAP to a running broker, or start Docker, "
    f"or install Java {jars.OLDEST_JAVA} or newer and Maven."
)


class LocalKafka:
    """One broker, by the first way that works on this machine.

    Args:
        data_dir: Directory for a Java broker's data and log, continued if it exists; None makes one that goes with
            `stop`.
        port: Port for clients; None takes a free one.
        config: Broker settings that override the local ones, names as in `server.properties`.
        kind: Force one way; None chooses.

    Not guaranteed: that a broker given by `KAFKA_BOOTSTRAP` runs, or that it may be hurt (`kill`, `restart`, `pause`
    raise).
    A context manager: `with LocalKafka() as kafka: kafka.bootstrap`.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        config: Mapping[str, str] | None = None,
        kind: Kind | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._port = port
        self._config = config
        self._asked = kind
        self._broker: Broker | None = None

    @property
    def broker(self) -> Broker:
        """The broker that was chosen.

        Raises:
            BrokerError: Not started yet.
        """
        if self._broker is None:
            raise BrokerError("The local Kafka is not started: call start() first.")
        return self._broker

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; the same over restarts."""
        return self.broker.bootstrap

    @property
    def kind(self) -> Kind:
        """Which way was chosen."""
        if isinstance(self.broker, JavaBroker):
            return "java"
        return "docker" if isinstance(self.broker, ContainerBroker) else "given"

    @property
    def log(self) -> Path | None:
        """A Java broker's log file; None for the other ways."""
        return self._broker.log if isinstance(self._broker, JavaBroker) else None

    def start(self) -> Self:
        """Start a broker (4 s with Java) and return this object; a second call does nothing.

        Raises:
            BrokerError: No way works here; the text says what to install or set.
        """
        if self._broker is None:
            self._broker = self._first_that_starts()
        return self

    def stop(self) -> None:
        """Shut the broker down; nothing happens to one given by `KAFKA_BOOTSTRAP`."""
        broker, self._broker = self._broker, None
        if broker:
            broker.stop()

    def kill(self) -> None:
        """SIGKILL the broker; data and port stay for `restart`."""
        self.broker.kill()

    def restart(self) -> None:
        """Bring the broker up again on the same port and data; blocks until it takes requests."""
        self.broker.restart()

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP)."""
        self.broker.pause()

    def resume(self) -> None:
        """Let a frozen broker continue."""
        self.broker.resume()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _first_that_starts(self) -> Broker:
        problems: list[BrokerError] = []
        for make in self._ways():
            broker = make()
            try:
                broker.start()
            except BrokerError as error:
                problems.append(error)
            else:
                return broker
        raise problems[-1] if problems else BrokerError(NOTHING)

    def _ways(self) -> list[Callable[[], Broker]]:
        """What may work here, best first."""
        given = os.environ.get("KAFKA_BOOTSTRAP")
        if self._asked == "given" or (self._asked is None and given):
            return [lambda: GivenBroker(given or "")]
        ways: list[Callable[[], Broker]] = []
        if self._asked == "docker" or (self._asked is None and docker_answers()):
            ways.append(lambda: ContainerBroker(port=self._port, config=self._config))
        java = jars.find_java() if self._asked != "docker" else None
        if java and (shutil.which("mvn") or (jars.HOME / "libs").is_dir()):
            ways.append(lambda: JavaBroker(java, data_dir=self._data_dir, port=self._port, config=self._config))
        return ways
