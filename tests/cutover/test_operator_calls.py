"""An operator's command leaves the org's reserve of API calls alone: it waits, says so, and goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from connectors.salesforce import Salesforce
from cutover.operator_calls import OperatorCalls
from cutover.settings import TargetSettings
from sandbox.process import SandboxProcess

RESERVE = 60
MOST = 100


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(patients=5, practices=1, clean=True) as sandbox:
        yield sandbox


@pytest.fixture
async def org(sandbox: SandboxProcess) -> AsyncIterator[Salesforce]:
    card = sandbox.salesforce
    meter = OperatorCalls("rollback", TargetSettings(reserve_calls=RESERVE, look_seconds=0.5))
    async with Salesforce(card["url"], card["client_id"], card["client_secret"], meter=meter) as salesforce:
        yield salesforce


def _calls_a_day(sandbox: SandboxProcess, most: int) -> None:
    httpx.post(f"{sandbox.salesforce['url']}/__admin/settings", json={"api_calls": most}).raise_for_status()


def _used(sandbox: SandboxProcess) -> int:
    stats = httpx.get(f"{sandbox.salesforce['url']}/__admin/stats").raise_for_status().json()
    return int(stats["api_calls_total"])


async def test_a_command_waits_before_the_reserve_says_why_and_goes_on(
    sandbox: SandboxProcess, org: Salesforce, caplog: pytest.LogCaptureFixture
) -> None:
    _calls_a_day(sandbox, MOST)
    made = asyncio.gather(*(org.user_id() for _ in range(10)), *(org.limits() for _ in range(MOST)))
    await asyncio.sleep(2)
    waiting = _used(sandbox)
    assert not made.done()
    assert 10 <= waiting <= MOST - RESERVE
    (said,) = [record.getMessage() for record in caplog.records if "waits for API calls" in record.getMessage()]
    assert said.startswith("rollback waits for API calls of the org: ")
    assert f"of {MOST} are used, {RESERVE} stay for its users" in said

    _calls_a_day(sandbox, 10_000)
    await asyncio.wait_for(made, 30)
    assert _used(sandbox) >= MOST
