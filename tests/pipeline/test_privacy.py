"""What identifies a patient stays in the values of the topics that carry patients, whatever goes wrong on the way."""

from __future__ import annotations

import pytest

from tests.pipeline.conftest import CANARY
from tests.pipeline.pipeline import Pipeline
from topics.catalogue import STAGES

pytestmark = pytest.mark.kafka


async def test_no_value_of_a_patient_is_in_a_log_a_key_a_header_the_audit_or_a_page(moved: Pipeline) -> None:
    await moved.rejected("patient:700002", "REQUIRED_MISSING")
    await moved.idle()
    canary = CANARY.encode()
    carriers = {moved.catalogue.vp("patient"), moved.catalogue.refs, moved.catalogue.sf("Contact")}
    carriers |= {moved.catalogue.state("refs"), moved.catalogue.rejects, moved.catalogue.replay}
    carriers.add(moved.catalogue.images)
    for topic in moved.catalogue.topics:
        records = await moved.records(topic.name)
        for record in records:
            assert canary not in (record.key or b""), f"in a key of {topic.name}"
            assert all(canary not in value for _, value in record.headers), f"in a header of {topic.name}"
        found = [record for record in records if canary in (record.value or b"")]
        if topic.name == moved.catalogue.vp("patient"):
            assert found, "the canaries did not fly"
        elif topic.name not in carriers:
            assert not found, f"in a value of {topic.name}"
    for one in await moved.rejects():
        assert CANARY not in one["message"] + one["code"]
    for path in ("/", "/api/status", "/api/holds", "/api/rejects", "/metrics"):
        assert CANARY not in await moved.page(path), f"on {path}"
    logs = list(moved.logs.iterdir())
    assert {log.name for log in logs} >= {f"{name}.log" for name in (*STAGES, "control")}
    for log in logs:
        assert CANARY not in log.read_text(errors="replace"), f"in {log.name}"
