"""Insurance carriers and practices are both Accounts, and never mixed up: a carrier takes over only what is marked as one, a practice only what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.maps import write_map
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.kafka

NAME, POSTCODE = "Harbor View", "02110"


@pytest.fixture(scope="module")
async def moved(
    kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Pipeline, str, str]]:
    """An org with a practice and a carrier of the same name, and a source that has both; the two rows' ids."""
    directory = tmp_path_factory.mktemp("carriers")
    resources = "practices,insurance-carriers"
    with SandboxProcess.start(patients=0, practices=3, clean=True, org_rows=10, resources=resources) as sandbox:
        with Person(sandbox) as alex:
            clinic = alex.create("Account", Name=NAME, BillingPostalCode=POSTCODE)
            payer = alex.create("Account", Name=NAME, BillingPostalCode=POSTCODE, Insurance_Carrier__c=True)
        chosen = write_map(
            directory,
            only=("practice", "insurance_carrier"),
            adopts=("practice", "insurance_carrier"),
        )
        settings = {"CARRYOVER_CUTOVER__MAP": str(chosen)}
        pipeline = Pipeline(kafka.bootstrap, f"carriers.{uuid4().hex[:6]}.", sandbox, directory, **settings)
        pipeline.practice.put("practice", {"id": "901", "name": NAME, "postcode": POSTCODE})
        pipeline.practice.put("insurance_carrier", {"id": "901", "name": NAME, "payer_code": "HV1"})
        try:
            await pipeline.begin(fallback=False)
            await pipeline.start_all()
            await pipeline.equal(within=90)
            yield pipeline, clinic, payer
        finally:
            pipeline.kill()


def account(pipeline: Pipeline, reference: str) -> dict[str, Any]:
    return pipeline.org.rows("Account")[reference]


async def test_a_carrier_takes_over_the_row_that_is_marked_as_one_and_a_practice_the_other(
    moved: tuple[Pipeline, str, str],
) -> None:
    pipeline, clinic, payer = moved
    practice, carrier = account(pipeline, "practice:901"), account(pipeline, "insurance_carrier:901")
    assert (practice["Id"], carrier["Id"]) == (clinic, payer)
    assert not practice["Insurance_Carrier__c"]
    assert (carrier["Insurance_Carrier__c"], carrier["Payer_Code__c"]) == (True, "HV1")


async def test_a_carrier_with_the_name_of_a_practice_alone_gets_a_row_of_its_own(
    moved: tuple[Pipeline, str, str],
) -> None:
    pipeline, _, _ = moved
    with Person(pipeline.sandbox) as alex:
        other = alex.create("Account", Name="Cape Health", BillingPostalCode="02601")
    pipeline.practice.put("insurance_carrier", {"id": "902", "name": "Cape Health"})
    await pipeline.equal()
    assert account(pipeline, "insurance_carrier:902")["Id"] != other


async def test_every_carrier_arrives_and_is_verified(moved: tuple[Pipeline, str, str]) -> None:
    pipeline, _, _ = moved
    counts = await pipeline.conserved()
    assert counts["insurance_carrier"]["loaded"] == len(pipeline.practice.dump()["insurance-carriers"]) > 2
