"""One sandbox for all tests of the connectors; each test gets clients of its own and leaves no fault behind."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from connectors.retry import Retry
from connectors.salesforce import Salesforce
from connectors.visual_practice import VisualPractice
from sandbox.process import SandboxProcess

QUICK = Retry(first=0.02, most=0.1, max_elapsed=5.0)
Break = Callable[..., None]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(patients=230, practices=12, seed=3) as process:
        yield process


@pytest.fixture
async def practice(sandbox: SandboxProcess) -> AsyncIterator[VisualPractice]:
    card = sandbox.visual_practice
    async with VisualPractice(card["url"], card["api_key"], timeout=2.0, retry=QUICK) as client:
        yield client


@pytest.fixture
async def org(sandbox: SandboxProcess) -> AsyncIterator[Salesforce]:
    card = sandbox.salesforce
    async with Salesforce(card["url"], card["client_id"], card["client_secret"], timeout=5.0, retry=QUICK) as client:
        yield client


@pytest.fixture
def break_practice(sandbox: SandboxProcess) -> Iterator[Break]:
    yield from _breaking(sandbox.visual_practice["url"])


@pytest.fixture
def break_org(sandbox: SandboxProcess) -> Iterator[Break]:
    yield from _breaking(sandbox.salesforce["url"])


@pytest.fixture
def put_records(sandbox: SandboxProcess) -> Callable[[dict[str, Any]], None]:
    def put(body: dict[str, Any]) -> None:
        httpx.post(f"{sandbox.visual_practice['url']}/__admin/records", json=body).raise_for_status()

    return put


def _breaking(url: str) -> Iterator[Break]:
    def add(kind: str, **more: Any) -> None:
        httpx.post(f"{url}/__admin/faults", json={"kind": kind, **more}).raise_for_status()

    yield add
    httpx.delete(f"{url}/__admin/faults").raise_for_status()
