"""Payments reach their bill's row whatever becomes of the resolver in between."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.pipeline.visits import BILL
from tests.transport.waiting import eventually
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

BILLS = [str(number) for number in range(790_001, 790_021)]


@pytest.fixture
async def billing(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice with everything running; one partition, so that messages are read in the order they came."""
    async with moved_practice(kafka, tmp_path_factory.mktemp("paying"), partitions=1, patients=15) as pipeline:
        yield pipeline


async def test_a_resolver_killed_before_its_state_is_durable_leaves_no_payment_out(billing: Pipeline) -> None:
    await billing.idle()
    assert await billing.end("resolve") == 0
    assert await billing.end("ingest") == 0
    patient = next(iter(billing.practice.patients()))
    bills = [{**BILL, "id": one, "number": f"I-{one}", "patient_id": patient} for one in BILLS]
    billing.practice.put("invoice", *bills)
    pay(billing, "1")
    billing.start("ingest")
    await referred(billing, {f"payment:{one}1" for one in BILLS})
    billing.start("resolve", CARRYOVER_FAILPOINTS="outputs-durable=exit#1")
    assert await billing.ended("resolve") == EXIT_CODE, "the point was not reached"
    billing.start("resolve")
    await billing.idle()
    # The second life has read a bill and its payment at once; what comes now is another content of the row. It comes once: what is read within the second
    # it was made is read again, which would set right what went wrong.
    assert await billing.end("ingest") == 0
    pay(billing, "2")
    billing.start("ingest")
    await billing.equal()
    await billing.conserved()


def pay(pipeline: Pipeline, which: str) -> None:
    payments = [
        {"id": f"{one}{which}", "invoice_id": one, "amount": "5.00", "paid_at": "2026-02-01T10:00:00Z"} for one in BILLS
    ]
    pipeline.practice.put("payment", *payments)


async def referred(pipeline: Pipeline, references: set[str]) -> None:
    """Waits until all of these records are on their way to the resolver."""

    async def look() -> bool:
        found = set()
        for record in await pipeline.records(pipeline.catalogue.refs):
            name, message = CODEC.decode(record.value)
            if name == "member":
                found.add(message["reference"])
        assert references <= found
        return True

    await eventually(look)
