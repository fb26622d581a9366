"""Stored changes are issued again: what has landed stays as it is, what was refused or held goes through once its cause is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from cutover.outcome import WRONG_USAGE
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.memberships import let_contacts_have_several_accounts
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.transport.waiting import eventually
from topics.broker import open_broker

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
async def stored(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """A small dirty practice that has moved; everything runs."""
    with SandboxProcess.start(patients=40, practices=6, seed=11) as sandbox:
        let_contacts_have_several_accounts(sandbox)
        directory = tmp_path_factory.mktemp("stored")
        pipeline = Pipeline(kafka.bootstrap, f"replay.{uuid4().hex[:6]}.", sandbox, directory, partitions=2)
        try:
            await pipeline.begin()
            await pipeline.start_all()
            await pipeline.equal(within=90)
            pipeline.practice.mutate(edits=20, creates=4, deletes=4, undeletes=2, seed=3)
            await pipeline.equal(within=90)
            await pipeline.idle()
            yield pipeline
        finally:
            pipeline.kill()


def rule(pipeline: Pipeline, sobject: str, when: str) -> None:
    """An administrator of the org forbids rows."""
    body = {"kind": "validation", "object": sobject, "when": when, "message": "Not like this."}
    pipeline.org.http.post("/rules", json=body).raise_for_status()


def lift(pipeline: Pipeline) -> None:
    pipeline.org.http.delete("/rules").raise_for_status()


async def ends(pipeline: Pipeline) -> dict[Any, int]:
    """Where every topic ends that a worker does not write on its own."""
    names = {pipeline.catalogue.replay, pipeline.catalogue.control, pipeline.catalogue.extract}
    async with open_broker(pipeline.settings.kafka.bootstrap) as broker:
        return (await broker.bounds(dict.fromkeys(names, pipeline.catalogue.partitions)))[1]


async def state(pipeline: Pipeline, reference: str) -> str | None:
    outcomes = [one["outcome"] for one in await pipeline.operations(reference) if one["outcome"]]
    return outcomes[-1] if outcomes else None


async def becomes(pipeline: Pipeline, reference: str, wanted: str) -> None:
    async def look() -> bool:
        pipeline.check_alive()
        assert await state(pipeline, reference) == wanted
        return True

    await eventually(look, every=0.3)


async def test_a_dry_run_counts_and_writes_nothing(stored: Pipeline) -> None:
    before, org = await ends(stored), stored.org.dump()
    code, found = await stored.carryover("replay", "--dry-run")
    assert code == 0
    assert found["read"]["patient"] > found["chosen"]["patient"] >= 40
    assert set(found["replayed"].values()) == {0}
    rejected = {one["reference"] for one in await stored.rejects() if one["stage"] in {"map", "load"}}
    assert {one["reference"] for one in found["would_change"]} <= rejected
    assert await ends(stored) == before
    assert stored.org.dump() == org


async def test_a_replay_of_everything_changes_nothing_in_the_org(stored: Pipeline) -> None:
    org = stored.org.dump()
    code, found = await stored.carryover("replay", "--all-versions")
    assert code == 0
    assert found["replayed"]["patient"] == found["read"]["patient"]
    await stored.idle()
    assert stored.org.dump() == org
    records = await stored.records(stored.catalogue.replay)
    assert len(records) == sum(found["replayed"].values())
    assert {dict(record.headers)["origin"] for record in records} == {b"replay"}
    assert {CODEC.decode(record.value)[1]["origin"] for record in records} == {"replay"}
    await stored.conserved()


async def test_a_row_that_the_org_refused_goes_through_when_its_rule_is_gone(stored: Pipeline) -> None:
    rule(stored, "Contact", "LastName = 'Forbidden'")
    stored.practice.put("patient", {"id": "850001", "last_name": "Forbidden", "practice_id": "1"})
    await becomes(stored, "patient:850001", "rejected")
    code = (await stored.rejected("patient:850001", "FIELD_CUSTOM_VALIDATION_EXCEPTION"))["code"]
    await stored.at_rest()  # read once more, it is on its way for a moment and not rejected
    _, found = await stored.carryover("replay", "--rejected", code, "--dry-run")
    assert found["would_change"] == [{"reference": "patient:850001", "state": "rejected", "code": code}]
    lift(stored)
    exit_code, found = await stored.carryover("replay", "--rejected", code)
    assert (exit_code, found["replayed"]["patient"]) == (0, 1)
    await becomes(stored, "patient:850001", "loaded")
    assert stored.org.rows("Contact")["patient:850001"]["LastName"] == "Forbidden"
    assert (await stored.carryover("replay", "--rejected", code))[1]["chosen"] == {}
    await stored.conserved()


async def test_children_of_a_rejected_practice_go_when_its_replay_lands(stored: Pipeline) -> None:
    rule(stored, "Account", "Name = 'Forbidden'")
    stored.practice.put("practice", {"id": "8501", "name": "Forbidden"})
    await becomes(stored, "practice:8501", "rejected")
    stored.practice.put("patient", {"id": "850002", "last_name": "Child", "practice_id": "8501"})
    await becomes(stored, "patient:850002", "held")
    lift(stored)
    code, found = await stored.carryover("replay", "--keys", "8501", "--object", "practice")
    assert (code, found["replayed"]) == (0, {"practice": 1})
    await becomes(stored, "patient:850002", "loaded")
    await stored.equal()
    await stored.conserved()


async def test_a_range_ends_where_it_is_said_to(stored: Pipeline) -> None:
    middle = datetime.now(UTC)
    stored.practice.put("patient", {"id": "850003", "last_name": "Later"})
    await becomes(stored, "patient:850003", "loaded")
    await stored.idle()
    _, since = await stored.carryover("replay", "--object", "patient", "--from", middle.isoformat(), "--dry-run")
    _, until = await stored.carryover("replay", "--object", "patient", "--to", middle.isoformat(), "--dry-run")
    _, whole = await stored.carryover("replay", "--object", "patient", "--from", "0", "--dry-run")
    _, none = await stored.carryover("replay", "--object", "patient", "--to", "0", "--dry-run")
    assert since["chosen"]["patient"] == 1
    assert since["read"]["patient"] + until["read"]["patient"] == whole["read"]["patient"]
    assert none["read"]["patient"] == 0


async def test_what_is_asked_for_and_is_not_there_is_named(stored: Pipeline) -> None:
    code, found = await stored.carryover("replay", "--keys", "patient:850003,patient:999999", "--dry-run")
    assert (code, found["missing"]) == (0, ["patient:999999"])
    for wrong in (["--keys", "850003"], ["--object", "patience"], ["--from", "yesterday"], ["--from", "7"]):
        code, said = await stored.carryover("replay", *wrong)
        assert code == WRONG_USAGE, said
