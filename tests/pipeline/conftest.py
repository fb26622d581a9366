"""Pipelines that tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.memberships import let_contacts_have_several_accounts
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import RECORDS

CANARY = "Kanarienvogel"
"""Planted into values of patients before the snapshot; it must stay in the values of the topics that carry patients."""

CANARIES = (
    {"id": "700001", "last_name": CANARY, "first_name": CANARY, "notes": f"Says {CANARY}", "mrn": CANARY},
    {"id": "700002", "last_name": "", "first_name": f"{CANARY} without a last name"},
    {"id": "700003", "last_name": CANARY * 9, "city": CANARY},
    {"id": "700004", "last_name": "Picked", "title": CANARY, "gender": CANARY, "email": f"{CANARY} at home"},
    {"id": "700005", "last_name": "Absent", "practice_id": "888001", "address_1": f"{CANARY} Street"},
    {"id": "700006", "last_name": "Long", "notes": f"{CANARY} " * 4000},
    {"id": "700007", "last_name": "Custom", "custom_fields": {"referral_source": CANARY, CANARY: CANARY}},
)


@pytest.fixture(scope="package")
async def moved(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small dirty practice, moved completely, with everything still running."""

    def prepare(pipeline: Pipeline) -> None:
        let_contacts_have_several_accounts(pipeline.sandbox)
        pipeline.practice.put("patient", *CANARIES)

    directory = tmp_path_factory.mktemp("moved")
    practice: dict[str, Any] = {"patients": 200, "practices": 12, "seed": 11, "clean": False, "resources": RECORDS}
    async with moved_practice(kafka, directory, prepare=prepare, **practice) as pipeline:
        yield pipeline
