"""Page and metrics show what they are given, escape it, and say so when something isn't known."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiokafka import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from cutover.ledger.delivery import STATES
from dashboard import metrics, page
from dashboard.lag import Group, Lag, summary
from dashboard.server import application
from dashboard.status import Calls, Forecast, Status

PART = TopicPartition("sf.Contact", 0)
LAG = Lag(
    at=1,
    brokers=1,
    partitions={"sf.Contact": 1},
    starts={PART: 2},
    ends={PART: 50},
    groups={"deliver": Group(3, {PART: 40}, {PART: 10})},
)
COUNTS = {**dict.fromkeys(STATES, 1), "source": 7, "present": 1, "unsourced": 0, "census": None, "conserved": True}

CALLS: Calls = {
    "at": 1,
    "used": 900,
    "most": 15_000,
    "reserve": 3_000,
    "left": 11_068,
    "by": {"deliver": 700, "verify": 40, "control": 9},
    "waiting": {},
    "full_since": None,
    "again_at": None,
}
AHEAD: Forecast = {
    "records": 9_000,
    "calls": 120,
    "calls_left": 11_068,
    "calls_fit": True,
    "seconds": 90,
    "storage_mb": 18,
    "storage_left_mb": 500,
    "storage_fits": True,
}


def _status(**changed: Any) -> Status:
    status: Status = {
        "cutover": "<script>alert(1)</script>",
        "at": 1_767_323_046_000,
        "phase": None,
        "objects": {"patient": COUNTS},
        "progress": {"patient": {"source": 7, "settled": 6, "source_rate": 0.0, "settled_rate": 1234.5}},
        "verification": {"patient": {"fields": 28, "verified": 1, "mismatched": 0}},
        "holds": [{"object": "patient", "code": "parent_missing", "count": 1, "oldest": 1}],
        "rejects": [{"code": "too_long", "stage": "map", "count": 1, "newest": 1}],
        "drifts": [],
        "mismatches": [],
        "batches": [],
        "groups": summary(LAG),
        "calls": CALLS,
        "forecast": AHEAD,
        "ledger": {"behind": 4, "unreadable": 0},
    }
    return {**status, **changed}  # type: ignore[typeddict-item]


def test_the_page_escapes_what_it_shows_and_needs_nothing_from_outside() -> None:
    html = page.render(_status())
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "http://" not in html
    assert "https://" not in html
    for said in ("1,234.5", "parent_missing", "too_long", "deliver", "not started", "4 records behind"):
        assert said in html


def test_the_page_says_what_has_changed_in_the_source_and_what_to_do() -> None:
    drift = {"object": "patient", "resource": "patients", "field": "mrn", "was": "text", "paused": 1, "at": 1}
    html = page.render(_status(drifts=[{**drift, "what": "gone", "now": ""}]))
    assert "patients.mrn is gone; the extract of patient waits: restore the field, or take it out of the map" in html
    html = page.render(_status(drifts=[{**drift, "what": "type", "now": "number", "paused": 0}]))
    assert "patients.mrn was text and is number<" in html


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "2 held or rejected, 1 in flight"),
        ({"objects": {"patient": {**COUNTS, "conserved": False}}}, "source and ledger differ"),
        (
            {"verification": {"patient": {"fields": 1, "verified": 0, "mismatched": 1}}},
            "verification found differences",
        ),
        ({"objects": {}}, "nothing read yet"),
        ({"groups": None}, "Kafka does not answer"),
    ],
)
def test_the_page_says_first_what_matters_most(changed: dict[str, Any], said: str) -> None:
    assert said in page.render(_status(**changed))


ORDER = ("consumergroup", "topic", "partition", "object", "outcome", "code", "stage")


def _read(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in ORDER if name in sample.labels)
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_metrics_have_the_names_that_dashboards_expect() -> None:
    found = _read(metrics.render(_status(), LAG))
    assert found["kafka_consumergroup_lag"] == {("deliver", "sf.Contact", "0"): 10}
    assert found["kafka_consumergroup_lag_sum"] == {("deliver", "sf.Contact"): 10}
    assert found["kafka_consumergroup_current_offset"] == {("deliver", "sf.Contact", "0"): 40}
    assert found["kafka_consumergroup_members"] == {("deliver",): 3}
    assert found["kafka_topic_partitions"] == {("sf.Contact",): 1}
    assert found["kafka_topic_partition_current_offset"] == {("sf.Contact", "0"): 50}
    assert found["kafka_topic_partition_oldest_offset"] == {("sf.Contact", "0"): 2}
    assert found["kafka_brokers"] == {(): 1}
    assert found["carryover_deliveries"] == {("patient", state): 1 for state in STATES}
    assert found["carryover_verified_fields_total"] == {("patient",): 28}
    assert found["carryover_mismatches"] == {("patient",): 0}


def test_what_is_not_known_is_left_out() -> None:
    found = _read(metrics.render(_status(ledger={"behind": None, "unreadable": 0}), None))
    assert not any(name.startswith("kafka_") for name in found)
    assert "carryover_ledger_behind" not in found
    assert _read(metrics.render(None, None)) == {}


class _Facts:
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.wrong: str | None = None
        self.now: Status | None = _status()

    async def status(self) -> Status | None:
        return self.now

    def lag(self) -> Lag | None:
        return LAG

    def problem(self) -> str | None:
        return self.wrong

    async def rows(self, what: str, filters: Any) -> list[dict[str, Any]]:
        self.asked.append((what, dict(filters)))
        return [{"reference": "patient:1"}]

    async def request_census(self) -> None:
        self.asked.append("census")


async def test_the_server_answers_and_refuses_in_sentences() -> None:
    facts = _Facts()
    async with TestClient(TestServer(application(facts))) as client:
        assert (await (await client.get("/api/status")).json())["objects"]["patient"]["source"] == 7
        assert "Records" in await (await client.get("/")).text()
        assert "carryover_deliveries" in await (await client.get("/metrics")).text()
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/api/holds?object=patient&limit=5")).status == 200
        assert (await client.post("/api/census")).status == 202
        assert facts.asked == [("holds", {"object": "patient", "limit": 5}), "census"]
        refused = await client.get("/api/rejects?object=patient")
        assert refused.status == 400
        assert (await refused.json())["error"] == "There is no filter object: use code, reference, stage."
        assert (await client.get("/api/holds?limit=many")).status == 400
        facts.wrong, facts.now = "Kafka does not answer.", None
        assert (await client.get("/healthz")).status == 503
        assert (await client.get("/api/status")).status == 503
        assert "Kafka does not answer." in await (await client.get("/")).text()


def test_the_page_says_who_waits_for_api_calls_since_when_and_when_it_is_tried_again() -> None:
    html = page.render(_status())
    assert "900 were used in the last 24 hours, 3,000 are kept for its users, 11,068 are left for this cutover" in html
    assert "control 9, deliver 700, verify 40" in html
    html = page.render(_status(calls={**CALLS, "left": 0, "waiting": {"deliver": 0}, "again_at": 60_000}))
    assert "loading waits for API calls" in html
    assert "waiting: loading (since 1970-01-01 00:00:00 UTC)" in html
    assert "asked again at 1970-01-01 00:01:00 UTC" in html


def test_metrics_tell_the_calls_and_who_waits_for_them() -> None:
    text = metrics.render(_status(calls={**CALLS, "waiting": {"verify": 0}}), LAG).decode()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["carryover_api_calls_used",] == 900
    assert found["carryover_api_calls_reserve",] == 3_000
    assert found["carryover_api_calls_total", "deliver"] == 700
    assert found["carryover_api_calls_waiting", "verify"] == 1
    assert found["carryover_api_calls_waiting", "deliver"] == 0
    assert found["carryover_forecast_api_calls",] == 120
    assert found["carryover_storage_left_mb",] == 500
    assert found["carryover_storage_full",] == 0


def test_the_page_says_what_is_to_come_and_what_to_do_when_it_does_not_fit() -> None:
    html = page.render(_status())
    assert (
        "To come: 9,000 records, at this rate for 90 s; about 120 API calls and 18 MB of data storage of 500 MB left"
        in html
    )
    short: dict[str, Any] = {"storage_mb": 900, "storage_fits": False, "calls": 20_000, "calls_fit": False}
    html = page.render(_status(forecast={**AHEAD, **short}))
    assert "need 900 MB of data storage, and the org has 500 MB left: free some or buy more" in html
    assert "about 20,000 API calls, and 11,068 are left for this cutover now: it will wait" in html
    html = page.render(_status(calls={**CALLS, "full_since": 60_000}))
    assert "the org&#x27;s data storage is full" in html
    assert "full (since 1970-01-01 00:01:00 UTC): loading waits" in html
