"""Verification that is far behind reads on: what a later landing explains is no mismatch, and keeps nobody from reading that landing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.pipeline.visits import BILL
from tests.transport.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(240)]

BILLS = [str(number) for number in range(790_001, 790_006)]
WINDOW, APART = 400, 600  # records: one landing keeps as many of those that follow it waiting as a chunk has


@pytest.fixture
async def behind(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice whose bills have landed, far apart from each other, and then again with a payment more; nobody has verified them."""
    with SandboxProcess.start(patients=5, practices=2, clean=True) as sandbox:
        settings = {"CARRYOVER_VERIFY__WINDOW_RECORDS": str(WINDOW)}
        directory = tmp_path_factory.mktemp("behind")
        pipeline = Pipeline(kafka.bootstrap, f"behind.{uuid4().hex[:6]}.", sandbox, directory, partitions=1, **settings)
        try:
            await pipeline.begin()
            await pipeline.start_all()
            await pipeline.equal(within=90)
            await pipeline.idle()
            assert await pipeline.end("verify") == 0
            patient = next(iter(pipeline.practice.patients()))
            note = (await pipeline.operations(f"patient:{patient}"))[0]
            for bill in BILLS:
                pipeline.practice.put("invoice", {**BILL, "id": bill, "number": f"I-{bill}", "patient_id": patient})
                pay(pipeline, bill, "1")
                await landed(pipeline, bill)
                await put_between(pipeline, note)
            for bill in BILLS:
                pay(pipeline, bill, "2")
            await pipeline.equal()
            yield pipeline
        finally:
            pipeline.kill()


def pay(pipeline: Pipeline, bill: str, which: str) -> None:
    paid = {"invoice_id": bill, "amount": "5.00", "paid_at": "2026-02-01T10:00:00Z"}
    pipeline.practice.put("payment", {"id": f"{bill}{which}", **paid})


async def landed(pipeline: Pipeline, bill: str) -> None:
    async def look() -> bool:
        assert f"invoice:{bill}" in await asyncio.to_thread(pipeline.org.rows, "Opportunity")
        return True

    await eventually(look)


async def put_between(pipeline: Pipeline, operation: dict[str, Any]) -> None:
    """Writes what tells nothing new, too long for one fetch to bring more than a part of it."""
    topic, key = pipeline.catalogue.audit, operation["reference"].encode()
    note = {**operation, "what": "undo_keep", "outcome": None, "members": []}
    producer = AIOKafkaProducer(bootstrap_servers=pipeline.settings.kafka.bootstrap)
    await producer.start()
    try:
        for _ in range(APART):
            note["detail"] = secrets.token_hex(200)
            await producer.send(topic, CODEC.encode("operation", note, topic=topic, key=key), key=key)
        await producer.flush()
    finally:
        await producer.stop()


async def told(pipeline: Pipeline, what: str) -> list[str]:
    """Of which records the audit tells that."""
    found = [CODEC.decode(record.value)[1] for record in await pipeline.records(pipeline.catalogue.audit)]
    return [one["reference"] for one in found if one["what"] == what]


async def test_a_landing_that_a_later_one_explains_is_no_mismatch_even_if_the_verifier_dies_in_doubt(
    behind: Pipeline,
) -> None:
    async def doubted() -> bool:
        assert await told(behind, "doubt"), "the window has not been full"
        return True

    behind.start("verify")
    await eventually(doubted, within=60, every=0.5)
    assert await told(behind, "mismatch") == []
    await behind.murder("verify")
    behind.start("verify")
    await behind.idle()
    await behind.conserved()
