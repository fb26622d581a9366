"""The map changes in the middle of a cutover."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from cutover import phase
from mapping.document import load_map
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline import visits
from tests.pipeline.maps import write_map
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.transport.waiting import eventually
from topics.catalogue import STAGES

pytestmark = pytest.mark.kafka

_PARENT = re.compile(r"^ +\w+: \{parent: .*\n", re.MULTILINE)


@pytest.fixture
async def unrelated(kafka: LocalKafka, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """A practice that has moved by a map in which no object refers to another; its workers have ended."""
    path = write_map(tmp_path, only=("practice", "patient"))
    path.write_text(_PARENT.sub("", path.read_text()))
    simple = load_map(path.read_text(), str(path))
    assert not any(column.parent for rule in simple.objects.values() for column in rule.columns.values())
    with SandboxProcess.start(patients=5, practices=3, clean=True) as sandbox:
        pipeline = Pipeline(
            kafka.bootstrap,
            f"map.{uuid4().hex[:6]}.",
            sandbox,
            tmp_path,
            partitions=1,
            CARRYOVER_CUTOVER__MAP=str(path),
        )
        try:
            await pipeline.begin()
            await confirm(pipeline, simple.hash)
            for stage in STAGES:
                pipeline.start(stage)

            async def landed() -> bool:
                return (len(pipeline.org.rows("Account")), len(pipeline.org.rows("Contact"))) == (3, 5)

            await eventually(landed, within=60)
            await pipeline.idle()
            for stage in STAGES:
                assert await pipeline.end(stage) == 0
            yield pipeline
        finally:
            pipeline.kill()


async def test_a_row_that_gets_its_first_child_by_a_new_map_tells_it_where_it_is(
    unrelated: Pipeline, tmp_path: Path
) -> None:
    assert not await messages(unrelated, "landed"), "nobody referred to them"
    (tmp_path / "whole").mkdir()
    whole = write_map(tmp_path / "whole", only=("practice", "patient"))
    await confirm(unrelated, load_map(whole.read_text(), str(whole)).hash)
    for stage in STAGES:
        unrelated.start(stage, CARRYOVER_CUTOVER__MAP=str(whole))
    unrelated.practice.put("patient", {"id": "760001", "last_name": "Child", "practice_id": "1"})

    async def linked() -> bool:
        unrelated.check_alive()
        child = unrelated.org.rows("Contact").get("patient:760001")
        return child is not None and child["AccountId"] == unrelated.org.rows("Account")["practice:1"]["Id"]

    await eventually(linked, within=60)
    assert "practice:1" in await messages(unrelated, "landed")


async def confirm(pipeline: Pipeline, map_hash: str) -> None:
    """Says that the cutover goes on by another map, without reading anything anew."""
    newest = await phase.newest(pipeline.settings, CODEC)
    assert newest is not None
    await phase.tell(pipeline.settings, CODEC, {**newest, "map_hash": map_hash, "at": int(time.time() * 1000)})


async def messages(pipeline: Pipeline, name: str) -> set[str]:
    """The parents of all messages of that name in ``refs``."""
    found = [CODEC.decode(record.value) for record in await pipeline.records(pipeline.catalogue.refs)]
    return {message["parent"] for said, message in found if said == name}


ROLES = ", primary_role: OpportunityContactRole"
BILL = {**visits.BILL, "number": "INV-M"}


@pytest.fixture
async def roleless(kafka: LocalKafka, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """A practice that has moved by a map that says nothing of contact roles, and a bill that has gone over to another patient since."""
    path = write_map(tmp_path)
    assert ROLES in path.read_text()
    path.write_text(path.read_text().replace(ROLES, ""))
    with SandboxProcess.start(patients=5, practices=2, clean=True) as sandbox:
        settings = {"CARRYOVER_CUTOVER__MAP": str(path)}
        pipeline = Pipeline(kafka.bootstrap, f"bare.{uuid4().hex[:6]}.", sandbox, tmp_path, partitions=1, **settings)
        try:
            names = {"770001": "ann", "770002": "ben"}
            pipeline.practice.put(
                "patient", *({"id": key, "last_name": name, "practice_id": "1"} for key, name in names.items())
            )
            pipeline.practice.put("invoice", {"id": "770003", "patient_id": "770001", **BILL})
            await pipeline.begin()
            for stage in STAGES:
                pipeline.start(stage)
            await pipeline.equal(within=90)
            pipeline.practice.put("invoice", {"id": "770003", "patient_id": "770002"})
            yield pipeline
        finally:
            pipeline.kill()


@pytest.mark.timeout(300)
async def test_a_map_that_names_contact_roles_for_the_first_time_mends_what_verification_had_found(
    roleless: Pipeline, tmp_path: Path
) -> None:
    async def told() -> bool:
        found = [one for one in await roleless.operations("invoice:770003") if one["what"] == "mismatch"]
        return bool(found) and found[-1]["columns"] == ["ContactId"]

    await eventually(told, within=60)
    await roleless.at_rest()
    for stage in STAGES:
        assert await roleless.end(stage) == 0
    (tmp_path / "roles").mkdir()
    by_roles = write_map(tmp_path / "roles")
    await confirm(roleless, load_map(by_roles.read_text(), str(by_roles)).hash)
    for stage in STAGES:
        roleless.start(stage, CARRYOVER_CUTOVER__MAP=str(by_roles))
    chosen = ("replay", "--object", "invoice", "--keys", "770003")
    code, found = await roleless.carryover(*chosen, CARRYOVER_CUTOVER__MAP=str(by_roles))
    assert (code, found["replayed"]) == (0, {"invoice": 1})
    await roleless.equal()
    await roleless.idle()
    newest = [one for one in await roleless.operations("invoice:770003") if one["what"] in {"verify", "mismatch"}][-1]
    assert newest["what"] == "verify"
    before = roleless.org.dump()
    assert (await roleless.carryover(*chosen, CARRYOVER_CUTOVER__MAP=str(by_roles)))[0] == 0
    await roleless.idle()
    assert roleless.org.dump() == before
