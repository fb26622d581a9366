"""Insurance carriers and practices are both Accounts, and never mixed up: a carrier takes over only what is marked as one, a practice only what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.person import Person
from tests.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.kafka

NAME, POSTCODE = "Harbor View", "02110"


@pytest.fixture(scope="module")
async def moved(
    kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Pipeline, str, str]]:
    """An org with a practice and a carrier of the same name, and a source that has both; the two rows' ids."""
    made: list[str] = []

    def prepare(pipeline: Pipeline) -> None:
        with Person(pipeline.sandbox) as alex:
            made.append(alex.create("Account", Name=NAME, BillingPostalCode=POSTCODE))
            made.append(alex.create("Account", Name=NAME, BillingPostalCode=POSTCODE, Insurance_Carrier__c=True))
        pipeline.practice.put("practice", {"id": "901", "name": NAME, "postcode": POSTCODE})
        pipeline.practice.put("insurance_carrier", {"id": "901", "name": NAME, "payer_code": "HV1"})

    directory, objects = tmp_path_factory.mktemp("carriers"), ("practice", "insurance_carrier")
    async with moved_practice(
        kafka, directory, only=objects, adopts=objects, prepare=prepare, fallback=False, patients=0, org_rows=10
    ) as pipeline:
        clinic, payer = made
        yield pipeline, clinic, payer


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
