"""A stage that dies at any step of the spine, with work of every object in its hands, leaves nothing undone and nothing twice.

A few points of death, one in each place that the next owner has to tell apart; all of them with CHAOS=1, and those that every object passes at
more than one of them. `tests/crash` has the loader's steps with strangers' rows and other heirs, `test_document_kills.py` each way of a document.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from ops.kafka import LocalKafka
from tests.pipeline.charts import OBJECTS, Chart
from tests.pipeline.journals import at_work
from tests.pipeline.memberships import let_contacts_have_several_accounts
from tests.pipeline.moved_practice import moved_practice
from tests.pipeline.papers import check_papers
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.practice import Org, ours
from tests.transport.waiting import eventually
from topics.catalogue import STAGES
from transport.failpoint import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(300)]

COMMIT: Final = ("before-outputs", "outputs-durable", "state-durable", "offsets-committed")
TABLE: Final = ("changelog-durable", "state-written")
BATCH: Final = (
    *("images-durable", "origins-decided", "batch-planned", "collections-sent", "batch-sent"),
    *("audit-sent", "audit-durable", "rows-durable", "journal-removed"),
)
JOB: Final = ("job-created", "job-id-durable", "job-uploaded", "job-closed", "job-complete", "results-read")
FILE: Final = ("upload-begun", "upload-sent", "upload-read-back")
ONCE: Final = (
    *("upload-released", "link-removed", "document-deleted"),
    *("relation-released", "relation-made", "relations-sent", "roles-made"),
)
"""Passed only by what changes, or goes, of one object."""

Point = tuple[str, str, int]
"""Stage, point, and at the how manieth time it dies there."""

ALL: Final[list[Point]] = [
    *(("ingest", point, time) for point in TABLE for time in (2, 6)),
    *(("ingest", point, time) for point in COMMIT for time in (1, 2)),
    *(("resolve", point, time) for point in TABLE for time in (1, 3)),
    *(("resolve", point, time) for point in COMMIT for time in (1, 2)),
    *(("deliver", point, time) for point in (*BATCH, *TABLE) for time in (1, 6)),
    *(("deliver", point, time) for point in COMMIT for time in (1, 3)),
    *(("deliver", point, time) for point in (*JOB, *FILE) for time in (1, 3)),
    *(("deliver", point, 1) for point in ONCE),
    *(("verify", point, 1) for point in COMMIT),
]
QUICK: Final[list[Point]] = [
    ("resolve", "outputs-durable", 1),
    ("deliver", "batch-sent", 6),
    ("deliver", "upload-sent", 1),
]
POINTS: Final = ALL if os.environ.get("CHAOS") == "1" else QUICK
FEW: Final = 25
"""Rows that make a Bulk job here."""

BY_ITSELF: Final = {"AccountContactRelation", "OpportunityContactRole"}
"""Objects of which Salesforce makes rows beside ours."""


@pytest.fixture(scope="module")
def charts() -> list[Chart]:
    """Those in the practice: the first is the next one to go, the second the next one to change."""
    return [Chart(0), Chart(1)]


@pytest.fixture(scope="module")
async def clinic(
    kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory, charts: list[Chart]
) -> AsyncIterator[Pipeline]:
    """A small practice that has some of everything, with everything running."""

    def prepare(pipeline: Pipeline) -> None:
        let_contacts_have_several_accounts(pipeline.sandbox)
        for chart in charts:
            chart.begin(pipeline.practice)

    settings = {"CARRYOVER_LOAD__BULK_FROM_ROWS": str(FEW)}
    practice: dict[str, Any] = {"patients": 8, "org_rows": 10, "documents": 6, "document_bytes": 40_000}
    async with moved_practice(
        kafka, tmp_path_factory.mktemp("clinic"), prepare=prepare, settings=settings, **practice
    ) as pipeline:
        await arrived(pipeline)
        yield pipeline


@pytest.fixture(scope="module")
def strangers(clinic: Pipeline) -> dict[str, set[str]]:
    return others(clinic.org)


def others(org: Org) -> dict[str, set[str]]:
    """The live rows that are not ours, by object, but for those that Salesforce makes beside ours."""
    return {
        sobject: {row["Id"] for row in rows if not row["IsDeleted"] and not row.get("VP_Id__c")}
        for sobject, rows in org.dump().items()
        if sobject not in BY_ITSELF
    }


def check_beside(pipeline: Pipeline) -> None:
    """Fails unless each of our opportunities has one contact role, each relation is ours or direct, and each finding names its file."""
    dump = pipeline.org.dump()
    bills = {row["Id"] for row in ours(dump["Opportunity"]).values()}
    roles = [row["OpportunityId"] for row in dump["OpportunityContactRole"] if not row["IsDeleted"]]
    assert sorted(one for one in roles if one in bills) == sorted(bills), "a bill has no contact role, or several"
    related = [row for row in dump["AccountContactRelation"] if not row["IsDeleted"]]
    contacts = {row["Id"] for row in ours(dump["Contact"]).values()}
    nobodys = [row for row in related if row["ContactId"] in contacts and not (row["IsDirect"] or row.get("VP_Id__c"))]
    assert not nobodys, f"{len(nobodys)} relations are nobody's"
    files = check_papers(pipeline).newest
    for sobject in ("Lab_Result__c", "Imaging_Record__c"):
        for reference, row in ours(dump[sobject]).items():
            file = files.get(f"document:{row.get('Document_Id__c')}")
            assert file is None or row.get("File__c") == file["Id"], f"File__c of {reference}"


async def arrived(pipeline: Pipeline) -> None:
    """Waits until the org holds what the practice does in all objects, everybody is at rest, and every record is accounted for and verified."""
    await pipeline.equal(within=90)

    async def beside() -> bool:
        pipeline.check_alive()
        check_beside(pipeline)
        return True

    await eventually(beside, within=90, every=0.5)
    await pipeline.at_rest()

    async def accounted() -> bool:
        for object_, count in (await pipeline.conserved()).items():
            assert (count["held"], count["rejected"]) == (0, 0), f"{object_}: {count}"
        return True

    await eventually(accounted, within=60, every=0.5)
    await pipeline.equal()
    check_beside(pipeline)
    assert await at_work(pipeline) == set(), "a batch is still in its journal"
    assert not await pipeline.rejects()


async def on_its_way(pipeline: Pipeline, chart: Chart, stage: str) -> None:
    """Waits until all that was done at the desk has come as far as a stage that is down."""
    before = STAGES[: STAGES.index(stage)]

    async def look() -> bool:
        for object_ in OBJECTS:
            read = {record.key.decode() for record in await pipeline.records(pipeline.catalogue.vp(object_))}
            assert {chart.own, chart.spare} <= read, f"{object_} has not been read"
        return True

    if before:
        await eventually(look, within=60, every=0.3)
        await pipeline.idle(stages=before)


@pytest.mark.parametrize(("stage", "point", "time"), POINTS)
async def test_a_death_with_all_objects_in_hand_loses_and_doubles_nothing(
    clinic: Pipeline, strangers: dict[str, set[str]], charts: list[Chart], stage: str, point: str, time: int
) -> None:
    if clinic.processes[stage].poll() is None:
        assert await clinic.end(stage) == 0
    new = Chart(charts[-1].number + 1, copies=FEW + 3 if point in JOB else 0)
    charts.append(new)
    charts.pop(0).end(clinic.practice)
    charts[0].change(clinic.practice)
    new.begin(clinic.practice)
    await on_its_way(clinic, new, stage)
    clinic.start(stage, CARRYOVER_FAILPOINTS=f"{point}=exit#{time}", CARRYOVER_LOAD__IDLE_SECONDS="1.0")
    assert await clinic.ended(stage) == EXIT_CODE, "the point was not reached"
    print(f"{stage} died at {point} #{time}; not finished: {', '.join(sorted(await at_work(clinic))) or 'nothing'}")
    new.amend(clinic.practice)
    clinic.start(stage)
    await arrived(clinic)
    assert others(clinic.org) == strangers
