"""What every way of running a broker can do, and the one error an operator may see from it.

Owns the contract between `ops.kafka.local`, which chooses a way, and the ways (`java`, `container`, `given`).
"""

from __future__ import annotations

import socket
from typing import Protocol

KAFKA_VERSION = "4.1.1"
"""Version of the jars and of the container image; `ops/kafka/pom.xml` and `docker-compose.yml` name the same one."""


class BrokerError(RuntimeError):
    """No broker could be had, or it can't do what was asked; the text is one sentence that says what to do."""


class Broker(Protocol):
    """A single broker that can be started, stopped and hurt.

    Every call blocks until the broker is in the asked state and may take seconds: call it from a thread in async code.
    """

    bootstrap: str
    """`host:port` for clients; never changes during the life of the object, restarts included."""

    def start(self) -> None:
        """Start on an empty or an existing data directory; returns once clients can connect."""

    def stop(self) -> None:
        """Shut down cleanly and remove data that this object made; safe to call twice."""

    def kill(self) -> None:
        """End the process as SIGKILL does; the data stay for `restart`."""

    def restart(self) -> None:
        """Start again on the same port and data after `kill`, or shut down cleanly first if it is running."""

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): connections stay open and nothing answers, as with a long GC pause."""

    def resume(self) -> None:
        """Let a frozen process continue."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago; another process may take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
