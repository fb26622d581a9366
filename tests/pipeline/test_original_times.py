"""An org that lets us set audit fields gets rows that are as old as their records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.kafka

_OLD = timedelta(hours=2)


def let_audit_fields_be_set(sandbox: SandboxProcess) -> None:
    """Both halves of it: the org's setting, and the permission of the user that loads."""
    card = sandbox.salesforce
    httpx.post(f"{card['url']}/__admin/settings", json={"audit_fields": True}).raise_for_status()
    headers = {"Authorization": f"Bearer {card['access_token']}"}
    with httpx.Client(base_url=card["url"], headers=headers) as org:
        me = org.get("/services/oauth2/userinfo").raise_for_status().json()["user_id"]

        def make(sobject: str, **columns: object) -> str:
            answer = org.post(f"/services/data/v62.0/sobjects/{sobject}", json=columns).raise_for_status()
            return str(answer.json()["id"])

        allowed = make("PermissionSet", Name="Audit", Label="Audit", PermissionsCreateAuditFields=True)
        make("PermissionSetAssignment", PermissionSetId=allowed, AssigneeId=me)


async def test_rows_are_as_old_as_their_records_where_the_org_allows_it(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path
) -> None:
    with SandboxProcess.start(patients=40, practices=3, clean=True, resources="core") as sandbox:
        let_audit_fields_be_set(sandbox)
        # Practices go by collections, patients by a Bulk job.
        pipeline = Pipeline(kafka.bootstrap, topic_prefix, sandbox, tmp_path, CARRYOVER_LOAD__BULK_FROM_ROWS="20")
        try:
            pipeline.practice.put("patient", {"id": "720001", "last_name": "Just Made", "practice_id": "1"})
            await pipeline.begin()
            await pipeline.start_all()
            await pipeline.equal(within=90)
            await pipeline.conserved()
            recent = datetime.now(UTC) - _OLD
            stands = {
                reference: datetime.fromisoformat(row["CreatedDate"])
                for sobject in ("Account", "Contact")
                for reference, row in pipeline.org.rows(sobject).items()
            }
            assert stands.pop("patient:720001") > recent, "Salesforce refuses what its clock takes for the time to come"
            dump = pipeline.practice.dump()
            for object_, plural in (("practice", "practices"), ("patient", "patients")):
                for record in dump[plural]:
                    if record["id"] != "720001":
                        assert stands[f"{object_}:{record['id']}"] == datetime.fromisoformat(record["created_at"])
            pipeline.practice.put("patient", {"id": "720001", "last_name": "Changed", "practice_id": "1"})
            await pipeline.equal()
        finally:
            pipeline.kill()
