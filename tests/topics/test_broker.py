"""The connection by which a broker is asked."""

from __future__ import annotations

import pytest

from ops.kafka import LocalKafka
from topics.broker import open_broker

pytestmark = pytest.mark.kafka


async def test_a_connection_that_is_closed_without_a_question_ends_quietly(kafka: LocalKafka) -> None:
    async with open_broker(kafka.bootstrap):
        pass
