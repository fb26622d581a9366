"""One Kafka broker for the demo, the tests and a laptop, started with whatever this machine has."""

from ops.kafka.broker import Broker, BrokerError
from ops.kafka.local import LocalKafka

__all__ = ["Broker", "BrokerError", "LocalKafka"]
