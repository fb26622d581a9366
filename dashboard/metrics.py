"""The metrics for Prometheus: consumer lag under the names of kafka_exporter, and the ledger's counts.

Labels are topics, groups, objects and codes, never a reference. Names of the first kind:
github.com/danielqsj/kafka_exporter, which most dashboards and alert rules expect.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from cutover.ledger.delivery import STATES
from dashboard.lag import Lag
from dashboard.status import Calls, Forecast, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(status: Status | None, lag: Lag | None) -> bytes:
    """The metrics as Prometheus reads them; what isn't known now is left out rather than told as zero."""
    registry = CollectorRegistry()
    registry.register(_Now(status, lag))
    return generate_latest(registry)


class _Now(Collector):
    def __init__(self, status: Status | None, lag: Lag | None) -> None:
        self._status = status
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        if self._lag:
            yield from _kafka(self._lag)
        if self._status:
            yield from _deliveries(self._status)


def _kafka(lag: Lag) -> Iterator[Metric]:
    by_group = ["consumergroup", "topic", "partition"]
    current = GaugeMetricFamily("kafka_consumergroup_current_offset", "Committed offset.", labels=by_group)
    behind = GaugeMetricFamily("kafka_consumergroup_lag", "Records behind the log's end.", labels=by_group)
    total = GaugeMetricFamily("kafka_consumergroup_lag_sum", "Over a topic.", labels=["consumergroup", "topic"])
    members = GaugeMetricFamily("kafka_consumergroup_members", "Members of the group.", labels=["consumergroup"])
    for name, group in lag.groups.items():
        members.add_metric([name], group.members)
        sums: dict[str, int] = {}
        for part, records in group.lag.items():
            behind.add_metric([name, part.topic, str(part.partition)], records)
            sums[part.topic] = sums.get(part.topic, 0) + records
        for part, offset in group.committed.items():
            current.add_metric([name, part.topic, str(part.partition)], offset)
        for topic, records in sums.items():
            total.add_metric([name, topic], records)
    yield from (current, behind, total, members)

    by_topic = ["topic", "partition"]
    counts = GaugeMetricFamily("kafka_topic_partitions", "Partitions of the topic.", labels=["topic"])
    newest = GaugeMetricFamily("kafka_topic_partition_current_offset", "The log's end.", labels=by_topic)
    oldest = GaugeMetricFamily("kafka_topic_partition_oldest_offset", "The log's start.", labels=by_topic)
    for topic, count in lag.partitions.items():
        counts.add_metric([topic], count)
    for part, offset in lag.ends.items():
        newest.add_metric([part.topic, str(part.partition)], offset)
    for part, offset in lag.starts.items():
        oldest.add_metric([part.topic, str(part.partition)], offset)
    yield from (counts, newest, oldest)
    yield GaugeMetricFamily("kafka_brokers", "Brokers in the cluster.", value=lag.brokers)


def _deliveries(status: Status) -> Iterator[Metric]:
    by_outcome = ["object", "outcome"]
    outcomes = GaugeMetricFamily("carryover_deliveries", "Deliveries by what became of them.", labels=by_outcome)
    source = GaugeMetricFamily("carryover_source_records", "Deliveries known from the source.", labels=["object"])
    conserved = GaugeMetricFamily("carryover_conserved", "1: every delivery is accounted for.", labels=["object"])
    for object_, counts in status["objects"].items():
        source.add_metric([object_], counts["source"])
        conserved.add_metric([object_], int(counts["conserved"]))
        for state in STATES:
            outcomes.add_metric([object_, state], counts[state])
    yield from (outcomes, source, conserved)

    fields = CounterMetricFamily("carryover_verified_fields", "Fields read back and found equal.", labels=["object"])
    rows = GaugeMetricFamily("carryover_mismatches", "Rows that differ from what was written.", labels=["object"])
    for object_, checked in status["verification"].items():
        fields.add_metric([object_], checked["fields"])
        rows.add_metric([object_], checked["mismatched"])
    yield from (fields, rows)

    holds = GaugeMetricFamily("carryover_holds", "Deliveries held, by reason.", labels=["object", "code"])
    for item in status["holds"]:
        holds.add_metric([item["object"], item["code"] or ""], item["count"])
    rejects = GaugeMetricFamily("carryover_rejects", "Inputs rejected, by code.", labels=["code", "stage"])
    for item in status["rejects"]:
        rejects.add_metric([item["code"], item["stage"]], item["count"])
    yield from (holds, rejects)
    if status["calls"]:
        yield from _calls(status["calls"])
    yield from _forecast(status["forecast"])
    if status["ledger"]["behind"] is not None:
        yield GaugeMetricFamily("carryover_ledger_behind", "Records to be read.", value=status["ledger"]["behind"])
    yield GaugeMetricFamily("carryover_ledger_unreadable", "Records passed over.", value=status["ledger"]["unreadable"])


def _calls(calls: Calls) -> Iterator[Metric]:
    yield GaugeMetricFamily("carryover_api_calls_used", "API calls of the org in 24 hours.", value=calls["used"])
    yield GaugeMetricFamily("carryover_api_calls_most", "API calls that the org has.", value=calls["most"])
    if calls["reserve"] is not None and calls["left"] is not None:
        yield GaugeMetricFamily("carryover_api_calls_reserve", "Kept for the org's users.", value=calls["reserve"])
        yield GaugeMetricFamily("carryover_api_calls_left", "Left for this cutover now.", value=calls["left"])
    spent = CounterMetricFamily("carryover_api_calls", "API calls that this cutover has made.", labels=["stage"])
    waiting = GaugeMetricFamily("carryover_api_calls_waiting", "1: the stage waits for API calls.", labels=["stage"])
    for stage, count in calls["by"].items():
        spent.add_metric([stage], count)
        waiting.add_metric([stage], int(stage in calls["waiting"]))
    yield from (spent, waiting)
    yield GaugeMetricFamily(
        "carryover_storage_full", "1: no room for rows.", value=int(calls["full_since"] is not None)
    )


def _forecast(ahead: Forecast) -> Iterator[Metric]:
    yield GaugeMetricFamily("carryover_forecast_records", "Deliveries in flight.", value=ahead["records"])
    yield GaugeMetricFamily("carryover_forecast_api_calls", "Calls that they will take.", value=ahead["calls"])
    yield GaugeMetricFamily("carryover_forecast_storage_mb", "Storage that they will take.", value=ahead["storage_mb"])
    if ahead["storage_left_mb"] is not None:
        yield GaugeMetricFamily("carryover_storage_left_mb", "Data storage left.", value=ahead["storage_left_mb"])
    if ahead["seconds"] is not None:
        yield GaugeMetricFamily("carryover_forecast_seconds", "Until they are settled.", value=ahead["seconds"])
