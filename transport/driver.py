"""The Faust transport ``carryover://``, found by its entry point in the group ``faust.transports``."""

from __future__ import annotations

from faust.transport.drivers import aiokafka as driver

from transport.consumer import Consumer


class Transport(driver.Transport):
    """The aiokafka transport with our consumer. Faust's own producer stays unused: agents send through `transport.publisher`."""

    Consumer = Consumer
