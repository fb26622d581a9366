"""Records whose owner isn't known wait by name, and go on as soon as somebody decides, or makes the user."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from cutover.census import RESOURCES
from cutover.outcome import REFUSED
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from sandbox.staff import STAFF
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.visits import VISIT
from tests.transport.waiting import eventually

pytestmark = pytest.mark.kafka

HERE = {"patient_id": "1001", "practice_id": "1"}
WITHOUT_LOGIN = "11"
INACTIVE = "9"


@pytest.fixture(scope="module")
async def held(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small practice that moves, with nobody having decided anything."""
    resources = ",".join({*RESOURCES.values()} - {"appointments", "invoices", "payments", "documents"})
    with SandboxProcess.start(patients=5, practices=2, clean=True, resources=resources) as sandbox:
        pipeline = Pipeline(
            kafka.bootstrap,
            f"owners.{uuid4().hex[:6]}.",
            sandbox,
            tmp_path_factory.mktemp("owners"),
            CARRYOVER_RESOLVE__OWNERS_AGAIN_SECONDS="1",
        )
        try:
            await pipeline.begin(fallback=False)
            await pipeline.start_all()
            yield pipeline
        finally:
            pipeline.kill()


async def waits(pipeline: Pipeline, reference: str, code: str, detail: str | None) -> None:
    async def look() -> bool:
        told = {(one["outcome"], one["code"], one["detail"]) for one in await pipeline.operations(reference)}
        assert ("held", code, detail) in told, told
        return True

    await eventually(look, within=60)


async def lands(pipeline: Pipeline, reference: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        pipeline.check_alive()
        found = pipeline.org.rows("Event").get(reference)
        assert found is not None
        return found

    return await eventually(look, within=60)


def owners(pipeline: Pipeline, *arguments: str) -> tuple[int, Any]:
    """Exit code of `carryover owners …` and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "cutover.cli", "owners", *arguments, "--json"],
        env=os.environ | pipeline.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


async def test_visits_of_those_who_are_matched_go_and_the_others_wait_by_name(held: Pipeline) -> None:
    held.practice.put("appointment", {"id": "1", **VISIT, **HERE, "provider_id": "1"})
    held.practice.put("appointment", {"id": "2", **VISIT, **HERE, "provider_id": WITHOUT_LOGIN})
    held.practice.put("appointment", {"id": "3", **VISIT, **HERE, "provider_id": INACTIVE})
    held.practice.put("appointment", {"id": "4", **VISIT, **HERE, "provider_id": None})
    held.practice.put("appointment", {"id": "5", **VISIT, **HERE, "provider_id": "404"})
    event = await lands(held, "appointment:1")
    assert event["OwnerId"] == held.org.users()[STAFF[0].email.lower()]
    await waits(held, "appointment:2", "OWNER_UNDECIDED", f"provider:{WITHOUT_LOGIN}")
    await waits(held, "appointment:3", "OWNER_UNDECIDED", f"provider:{INACTIVE}")
    await waits(held, "appointment:4", "OWNER_UNDECIDED", "user:~nobody")
    await waits(held, "appointment:5", "OWNER_UNDECIDED", "user:~nobody")
    await waits(held, f"user:{WITHOUT_LOGIN}", "OWNER_UNMATCHED", None)
    await waits(held, f"user:{INACTIVE}", "OWNER_INACTIVE", None)
    assert set(held.org.rows("Event")) == {"appointment:1"}

    async def counted() -> bool:
        _, found = await asyncio.to_thread(owners, held)
        rows = {row["owner"]: row for row in found}
        assert rows[f"user:{WITHOUT_LOGIN}"]["held"] >= 1
        assert rows[f"user:{WITHOUT_LOGIN}"]["email"] == STAFF[10].email
        assert rows["user:~nobody"]["held"] == 2
        assert rows["user:1"]["how"] == "matched"
        return True

    await eventually(counted, within=30)


async def test_a_decision_at_run_time_releases_what_waits(held: Pipeline) -> None:
    code, said = await asyncio.to_thread(owners, held, "set", f"user:{WITHOUT_LOGIN}", STAFF[1].email)
    assert code == 0
    event = await lands(held, "appointment:2")
    assert event["OwnerId"] == held.org.users()[STAFF[1].email.lower()] == said["sf_id"]
    assert "appointment:3" not in held.org.rows("Event")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "user:9", "nobody@clinic.example"), "has no user"),
        (("set", "user:9", STAFF[8].email), "can't own records"),
        (("set", "patient:9", STAFF[1].email), "owns nothing"),
        (("set", "nonsense", STAFF[1].email), "owns nothing"),
    ],
)
async def test_a_decision_that_is_none_is_refused_with_the_reason(
    held: Pipeline, arguments: tuple[str, ...], words: str
) -> None:
    code, said = await asyncio.to_thread(owners, held, *arguments)
    assert code == REFUSED
    assert words in said["error"]


async def test_making_the_user_in_salesforce_is_enough(held: Pipeline) -> None:
    held.practice.put(
        "user", {"id": "70", "first_name": "New", "last_name": "Colleague", "email": "new@clinic.example"}
    )
    held.practice.put("provider", {"id": "70", "user_id": "70"})
    held.practice.put("appointment", {"id": "70", **VISIT, **HERE, "provider_id": "70"})
    await waits(held, "user:70", "OWNER_UNMATCHED", None)
    made = held.org.make_user("New", "Colleague", "new@clinic.example")
    assert (await lands(held, "appointment:70"))["OwnerId"] == made


async def test_the_fallback_is_for_everybody_who_is_left_and_whoever_comes_later(held: Pipeline) -> None:
    code, said = await asyncio.to_thread(owners, held, "fallback", STAFF[6].email)
    assert code == 0
    for number in (3, 4, 5):
        assert (await lands(held, f"appointment:{number}"))["OwnerId"] == said["sf_id"]
    held.practice.put("user", {"id": "71", "first_name": "Late", "last_name": "Comer", "email": "late@clinic.example"})
    held.practice.put("provider", {"id": "71", "user_id": "71"})
    held.practice.put("appointment", {"id": "71", **VISIT, **HERE, "provider_id": "71"})
    assert (await lands(held, "appointment:71"))["OwnerId"] == said["sf_id"]
    await held.conserved()
