"""A broker that somebody else runs, named by `KAFKA_BOOTSTRAP`: used as it is, never started, stopped or hurt."""

from __future__ import annotations

from ops.kafka.broker import BrokerError


class GivenBroker:
    """Somebody else's broker.

    Args:
        bootstrap: `host:port`, or several separated by commas.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def start(self) -> None:
        """Nothing to do: it runs, or the first client says that it doesn't."""

    def stop(self) -> None:
        """Nothing to do: it isn't ours."""

    def kill(self) -> None:
        self._refuse("killed")

    def restart(self) -> None:
        self._refuse("restarted")

    def pause(self) -> None:
        self._refuse("paused")

    def resume(self) -> None:
        self._refuse("resumed")

    def _refuse(self, what: str) -> None:
        raise BrokerError(
            f"The broker at KAFKA_BOOTSTRAP={self.bootstrap} can't be {what} from here: unset the variable."
        )
