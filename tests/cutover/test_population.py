"""How many records a source holds, when some had been deleted before anybody looked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.visual_practice.client import VisualPractice
from cutover import population
from sandbox.process import SandboxProcess
from tests.pipeline.practice import Practice


@pytest.fixture
def source() -> Iterator[tuple[SandboxProcess, Practice]]:
    kinds = "deleted_records,archived_records"
    with SandboxProcess.start(only="visual-practice", patients=60, practices=3, dirty=kinds) as sandbox:
        practice = Practice(sandbox)
        yield sandbox, practice
        practice.http.close()


async def test_what_was_deleted_before_does_not_count_until_it_comes_back(
    source: tuple[SandboxProcess, Practice],
) -> None:
    sandbox, practice = source
    card, dump = sandbox.visual_practice, practice.dump()
    gone = [one["id"] for one in dump["patients_deleted"]]
    live = [one["id"] for one in dump["patients"]]
    assert gone
    assert dump["patients_archived"]
    async with VisualPractice(card["url"], card["api_key"], timeout=5.0) as client:
        before = await population.list_deleted(client)

        async def patients() -> int:
            return (await population.count(card["url"], client, before))["patient"]

        assert await patients() == len(live) + len(dump["patients_archived"])
        practice.delete("patient", live[0])
        assert await patients() == len(live) + len(dump["patients_archived"]), "it was there"
        practice.undelete("patient", gone[0])
        assert await patients() == len(live) + len(dump["patients_archived"]) + 1
        practice.delete("patient", gone[0])
        assert await patients() == len(live) + len(dump["patients_archived"]) + 1, "it was there for a while"
