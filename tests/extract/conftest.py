"""A Visual Practice for all tests here, which say how it speaks, and extracts of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.extract.reading import TARGETS, Reading
from topics import provision
from topics.catalogue import Catalogue

Read = Callable[..., Awaitable[Reading]]
Tell = Callable[..., None]


@pytest.fixture(scope="package")
def practice_process() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(patients=230, practices=12, seed=5, only="visual-practice", resources="core") as process:
        yield process


@pytest.fixture
def tell(practice_process: SandboxProcess) -> Iterator[Tell]:
    """`tell("profile", profile="cursor")`: an order to the practice by its admin doors; all is as before after the test."""

    def order(door: str, **what: Any) -> None:
        url = f"{practice_process.visual_practice['url']}/__admin/{door}"
        httpx.post(url, json=what, timeout=30).raise_for_status()

    yield order
    httpx.delete(f"{practice_process.visual_practice['url']}/__admin/faults").raise_for_status()
    order("profile", profile="page")
    order("pace", answer_seconds=0.0, record_seconds=0.0, gateway_seconds=60.0)


@pytest.fixture
async def read(
    kafka: LocalKafka, practice_process: SandboxProcess, tell: Tell, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Read]:
    """`await read()` begins to read the practice; a second one goes on where the first was when it ended."""
    await provision.apply(kafka.bootstrap, Catalogue(topic_prefix, 1, targets=TARGETS))
    readings: list[Reading] = []

    async def begin(**more: Any) -> Reading:
        for before in readings:
            await before.end()
        readings.clear()
        readings.append(Reading(kafka.bootstrap, topic_prefix, practice_process, tmp_path, **more))
        await readings[-1].begin()
        return readings[-1]

    yield begin
    for one in readings:
        await one.end()
