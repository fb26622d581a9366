"""What a test sees of the org in the crash matrix: rows of somebody else under our external ids, jobs, and what was written."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx

from sandbox.process import SandboxProcess
from tests.crash.cases import Way
from tests.pipeline.practice import Org, Record

_DATA = "/services/data/v62.0"
_RESULTS = "/jobs/ingest/{id}/{which}"


class OrgWithStrangers(Org):
    """An org with rows that carry an external id of ours and were not made by us."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        super().__init__(sandbox)
        headers = {"Authorization": f"Bearer {sandbox.salesforce['access_token']}"}
        self._rest = httpx.Client(base_url=sandbox.salesforce["url"] + _DATA, headers=headers, timeout=60)
        self.strangers: dict[str, Record] = {}

    def plant(self, reference: str) -> None:
        """Makes a stranger's contact of that external id."""
        body = {"LastName": "Was here", "FirstName": "Before", "VP_Id__c": reference}
        self._rest.post("/sobjects/Contact", json=body).raise_for_status()
        (self.strangers[reference],) = (row for row in self.dump()["Contact"] if row.get("VP_Id__c") == reference)

    def jobs(self) -> dict[str, str]:
        """The state of each ingest job, by id, oldest first."""
        answer = self._rest.get("/jobs/ingest").raise_for_status().json()
        assert answer["nextRecordsUrl"] is None or answer["done"], "more jobs than a page"
        return {job["id"]: job["state"] for job in sorted(answer["records"], key=lambda job: job["createdDate"])}

    def stats(self) -> Any:
        return self.http.get("/stats").raise_for_status().json()

    def close(self) -> None:
        self._rest.close()


class Moment(NamedTuple):
    """What an org has seen until now."""

    jobs: dict[str, str]
    written: int
    results: int

    @classmethod
    def now(cls, org: OrgWithStrangers) -> Moment:
        stats = org.stats()
        results = sum(calls for route, calls in stats["api_calls"].items() if _RESULTS in route)
        written = sum(rows for name, rows in stats["rows_written"].items() if name.startswith("Contact "))
        return cls(org.jobs(), written, results)


def deed(way: Way, rows: int, before: Moment, death: Moment, after: Moment) -> str:
    """What the next owner did with the batch, as the org saw it.

    Arguments:
        way: by which the batch went.
        rows: that it had, but for those that were changed meanwhile.
        before: before the batch.
        death: when its worker was dead.
        after: when all was quiet.
    """
    old = [after.jobs[job] for job in death.jobs if job not in before.jobs]
    new = [after.jobs[job] for job in after.jobs if job not in death.jobs]
    if way == "bulk" and new:
        return {"Aborted": "aborted, new job", "Open": "left open, new job"}[old[0]] if old else "new job"
    if way == "bulk":
        return "job adopted" if after.results > death.results else "settled"
    if after.written - death.written < rows:
        return "settled"
    return "sent again" if death.written > before.written else "sent"
