"""What patients say in forms stands in their row: each question's newest answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.intake import form
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.kafka

Row = dict[str, Any]


@pytest.fixture(scope="module")
async def asked(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice whose patients have filled in forms; everything runs."""
    directory, objects = tmp_path_factory.mktemp("asked"), ("practice", "intake_form", "patient")
    async with moved_practice(kafka, directory, only=objects, fallback=False, patients=20, org_rows=10) as pipeline:
        yield pipeline


def contact(pipeline: Pipeline, of: str) -> Row:
    return pipeline.org.rows("Contact")[f"patient:{of}"]


async def test_every_form_counts_in_its_patients_row_and_is_verified(asked: Pipeline) -> None:
    counts = await asked.conserved()
    forms = asked.practice.dump()["intake-forms"]
    assert counts["intake_form"]["loaded"] == len(forms) > 5
    assert any(row.get("Allergy_Flag__c") for row in asked.org.rows("Contact").values())
    assert any(row.get("Consent_Status__c") for row in asked.org.rows("Contact").values())


async def test_a_newer_submission_wins_an_older_one_does_not_and_a_correction_follows(asked: Pipeline) -> None:
    of = "830001"
    asked.practice.put("patient", {"id": of, "last_name": "Asked", "practice_id": "1"})
    asked.practice.put("intake_form", form("830001", of, "2025-05-05T10:00:00Z", "Latex"))
    await asked.equal()
    assert contact(asked, of)["Allergy_Flag__c"] == "Latex"
    asked.practice.put("intake_form", form("830002", of, "2020-05-05T10:00:00Z", "None known"))
    await asked.equal()
    await asked.idle()
    assert contact(asked, of)["Allergy_Flag__c"] == "Latex"
    asked.practice.put("intake_form", form("830003", of, "2026-05-05T10:00:00Z", "Latex", "Pollen"))
    await asked.equal()
    assert contact(asked, of)["Allergy_Flag__c"] == "Latex, Pollen"
    asked.practice.put("intake_form", form("830003", of, "2026-05-05T10:00:00Z", "Pollen"))
    await asked.equal()
    assert contact(asked, of)["Allergy_Flag__c"] == "Pollen"
    asked.practice.delete("intake_form", "830003")
    await asked.equal()
    assert contact(asked, of)["Allergy_Flag__c"] == "Latex"
    await asked.conserved()


async def test_a_form_of_nobody_is_rejected_by_name(asked: Pipeline) -> None:
    asked.practice.put("intake_form", form("830010", "0", "2025-05-05T10:00:00Z", "Latex"))
    reject = await asked.rejected("intake_form:830010", "REFERENCE_MISSING")
    assert "Latex" not in reject["message"]
    asked.practice.delete("intake_form", "830010")
