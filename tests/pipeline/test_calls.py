"""The org's API calls run out while two loaders work: the reserve is never touched, nothing fails, and it goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce import Salesforce
from cutover.census import RESOURCES
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import RECORDS
from tests.transport.waiting import eventually
from topics.catalogue import STAGES

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

MOST = 300
RESERVE = 90
LOADERS = ("deliver", "deliver-2")


@pytest.fixture
async def short(kafka: LocalKafka, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """A practice that takes more calls than its org may spend."""
    environment = {
        "CARRYOVER_LOAD__BATCH_ROWS": "10",
        "CARRYOVER_TARGET__RESERVE": str(RESERVE / MOST),
        "CARRYOVER_TARGET__LIMITS_SECONDS": "1",
        "CARRYOVER_TARGET__LOOK_SECONDS": "5",
    }
    with SandboxProcess.start(patients=150, practices=6, seed=7, clean=True, resources=RECORDS) as sandbox:
        pipeline = Pipeline(kafka.bootstrap, topic_prefix, sandbox, tmp_path, **environment)
        try:
            pipeline.org.calls_a_day(MOST)
            await pipeline.begin()
            yield pipeline
        finally:
            pipeline.kill()


def _start(pipeline: Pipeline) -> None:
    for stage in STAGES:
        pipeline.start(stage)
    pipeline.start_another("deliver")


async def _waits(pipeline: Pipeline, stage: str) -> dict[str, Any]:
    """Waits until the status says that a stage waits for calls; never has the reserve been touched."""

    async def look() -> dict[str, Any] | None:
        pipeline.check_alive()
        assert pipeline.org.calls() <= MOST - RESERVE
        calls = (await pipeline.status())["calls"]
        return calls if calls and stage in calls["waiting"] else None

    return await eventually(look, within=150, every=0.2)


async def test_two_loaders_leave_the_reserve_alone_and_go_on_when_there_are_calls_again(short: Pipeline) -> None:
    await short.start_control()
    _start(short)
    calls = await _waits(short, "deliver")
    assert (calls["most"], calls["reserve"]) == (MOST, RESERVE)
    assert calls["by"]["deliver"] + calls["by"]["verify"] + calls["by"]["control"] <= MOST - RESERVE

    async def told() -> bool:
        """Also people and Prometheus are told; a last lease may still come and be used up meanwhile."""
        said = "What may be used of the org&#x27;s API calls is used up; waiting: " in await short.page("/")
        return said and 'carryover_api_calls_waiting{stage="deliver"} 1.0' in await short.page("/metrics")

    await eventually(told, within=150)
    assert short.org.calls() <= MOST - RESERVE

    short.org.calls_a_day(1_000_000)
    await short.equal(within=150)
    await short.conserved(within=150)
    assert not await short.rejects()
    assert not (await short.status())["calls"]["waiting"]


async def test_a_look_at_the_limits_is_made_early_when_others_use_the_calls(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path
) -> None:
    seldom = {"CARRYOVER_TARGET__LIMITS_SECONDS": "3600", "CARRYOVER_TARGET__LOOK_SECONDS": "5"}
    with SandboxProcess.start(patients=20, practices=2, clean=True, resources=RECORDS) as sandbox:
        pipeline = Pipeline(kafka.bootstrap, topic_prefix, sandbox, tmp_path, **seldom)
        try:
            pipeline.org.calls_a_day(10_000)
            await pipeline.begin()
            await pipeline.start_all()
            await pipeline.equal(within=90)
            await pipeline.conserved(within=90)
            await pipeline.at_rest()
            first = (await pipeline.status())["calls"]["by"]["control"]
            await asyncio.sleep(15)  # three times as long as has to lie between two looks
            assert (await pipeline.status())["calls"]["by"]["control"] == first == 1

            card = sandbox.salesforce
            async with Salesforce(card["url"], card["client_id"], card["client_secret"]) as others:
                for _ in range(300):
                    await others.limits()
            pipeline.practice.put("patient", {"id": "1", "last_name": "Changed"})

            async def looked() -> bool:
                calls = (await pipeline.status())["calls"]
                return bool(calls["by"]["control"] == first + 1 and calls["used"] > 300)

            await eventually(looked, within=60)
        finally:
            pipeline.kill()


async def test_without_control_loaders_go_by_what_the_org_says_and_leave_the_reserve_alone(short: Pipeline) -> None:
    await short.start_control()
    _start(short)

    async def leased() -> bool:
        calls = (await short.status())["calls"]
        return bool(calls and calls["by"].get("deliver"))

    await eventually(leased)
    await short.murder("control")
    before = short.org.calls()

    async def stopped() -> bool:
        assert short.org.calls() <= MOST - RESERVE
        return short.org.calls() > 0.75 * (MOST - RESERVE) and all(_said(short, name) for name in LOADERS)

    await eventually(stopped, within=150, every=0.2)
    assert short.org.calls() > before

    short.org.calls_a_day(1_000_000)
    await short.equal(within=150)
    await short.start_control()
    await eventually(partial(_known, short), within=150)
    await short.conserved(within=150)
    assert not await short.rejects()


async def _known(pipeline: Pipeline) -> bool:
    """Whether a control process that has just begun has read of all that there is."""
    dump = pipeline.practice.dump()
    held = {name for name, plural in RESOURCES.items() if dump[plural]}
    return held <= (await pipeline.status())["objects"].keys()


def _said(pipeline: Pipeline, name: str) -> bool:
    """Whether a worker has told in its log that it waits for calls."""
    return "waits for API calls of the org" in (pipeline.logs / f"{name}.log").read_text()


async def test_a_full_org_is_waited_for_and_the_status_says_what_to_do(short: Pipeline) -> None:
    short.org.calls_a_day(1_000_000)
    short.org.fault(kind="storage_full", route="Contact upsert", count=10_000)
    await short.start_control()
    for stage in STAGES:
        short.start(stage)

    async def full() -> bool:
        calls = (await short.status())["calls"]
        return bool(calls and calls["full_since"])

    await eventually(full, within=150)
    page = await short.page("/")
    assert "data storage is full (since " in page
    assert "Free storage in the org" in page
    tried = short.org.calls()
    assert not await short.rejects()
    short.org.clear_faults()
    await short.equal(within=150)
    assert short.org.calls() > tried

    async def free() -> bool:
        return (await short.status())["calls"]["full_since"] is None

    await eventually(free, within=60)
    await short.conserved(within=150)
