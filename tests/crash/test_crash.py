"""A loader that dies at any step of a batch leaves nothing undone, nothing twice, nothing it takes for somebody else's, and nothing that can't be taken back.

With CHAOS=1 the whole matrix, each case in a cutover of its own that is rolled back; else one case of each kind, and those of a way in one cutover.
`python -m tests.crash` also writes the table in `docs/loading.md`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Final

import pytest

from ops.kafka import LocalKafka
from tests.crash.cases import CASES, CHOSEN, Case
from tests.crash.matrix import tracked
from tests.crash.track import Track

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(240)]

_ALL: Final = os.environ.get("CHAOS") == "1"
_RUN: Final = CASES if _ALL else CHOSEN
_SCOPE: Final = "function" if _ALL else "module"


@pytest.fixture(scope=_SCOPE)
async def bulk(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Track]:
    async with tracked(kafka.bootstrap, tmp_path_factory.mktemp("bulk"), "bulk") as track:
        yield track


@pytest.fixture(scope=_SCOPE)
async def collections(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Track]:
    async with tracked(kafka.bootstrap, tmp_path_factory.mktemp("collections"), "collections") as track:
        yield track


@pytest.mark.parametrize("case", [case for case in _RUN if case.way == "bulk"], ids=lambda case: case.id)
async def test_death_with_a_job_loses_and_doubles_nothing(bulk: Track, case: Case) -> None:
    await bulk.run(case)


@pytest.mark.parametrize("case", [case for case in _RUN if case.way == "collections"], ids=lambda case: case.id)
async def test_death_with_collections_loses_and_doubles_nothing(collections: Track, case: Case) -> None:
    await collections.run(case)
