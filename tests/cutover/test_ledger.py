"""The ledger's counts always add up, and nothing but the topics decides what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutover.ledger import schema
from cutover.ledger.apply import Writer
from cutover.ledger.consume import Feed, LedgerInUse, TopicsMissing
from cutover.ledger.read import Reader
from ops.kafka import LocalKafka
from tests.cutover.records import Log, codec, mapped, operation, version
from topics.catalogue import Catalogue
from topics.provision import apply


class Ledger:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = schema.open_to_write(path)
        self.writer = Writer(self.connection, Catalogue(partitions=2), codec)
        self.log = Log()

    def apply(self) -> None:
        self.writer.apply(self.log.batch())

    def ask(self, question: Callable[[Reader], Any]) -> Any:
        with Reader(self.path) as reader:
            return question(reader)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger(tmp_path / "ledger.sqlite3")
    yield found
    found.connection.close()


def test_every_delivery_is_counted_in_exactly_one_state(ledger: Ledger) -> None:
    for number in range(1, 8):
        ledger.log.change(f"patient:{number}", 1)
    ledger.log.change("practice:7", 1)
    ledger.log.operation("practice:7", 1, row_id="001A")
    ledger.log.operation("patient:1", 1, row_id="003A")
    ledger.log.operation("patient:2", 1, what="hold", outcome="held", code="parent_missing", detail="practice:8")
    ledger.log.operation("patient:3", 1, what="reject", outcome="rejected", code="too_long")
    ledger.log.operation("patient:4", 1, what="skip", outcome="skipped", code="rule")
    ledger.log.operation("patient:5", 1, what="supersede", outcome="superseded")
    ledger.log.operation("patient:6", 1, what="delete", outcome="deleted")
    ledger.apply()
    patients = ledger.ask(Reader.conservation)["patient"]
    assert patients == {
        **dict.fromkeys(["in_flight", "held", "loaded", "rejected", "skipped", "deleted", "superseded"], 1),
        "source": 7,
        "present": 1,
        "unsourced": 0,
        "census": None,
        "conserved": True,
    }
    assert ledger.ask(lambda reader: reader.landed("patient:1", version(1))) == 1001
    assert ledger.ask(lambda reader: reader.landed("patient:1", version(2))) is None
    (held,) = ledger.ask(Reader.holds)
    assert (held["reference"], held["code"], held["detail"]) == ("patient:2", "parent_missing", "practice:8")
    assert ledger.ask(Reader.hold_reasons) == [
        {"object": "patient", "code": "parent_missing", "count": 1, "oldest": 1001}
    ]


def test_a_record_on_its_way_to_two_rows_is_two_deliveries(ledger: Ledger) -> None:
    ledger.log.change("insurance_policy:1", 1)
    ledger.log.operation("insurance_policy:1", 1, row_id="a00A")
    ledger.apply()
    counts = ledger.ask(Reader.conservation)
    assert [(counts[name]["source"], counts[name]["loaded"]) for name in ("insurance_policy", "coverage")] == [
        (1, 1),
        (1, 0),
    ]
    assert counts["coverage"]["in_flight"] == 1
    ledger.log.operation("coverage:1", 1, row_id="003A")
    ledger.apply()
    assert ledger.ask(Reader.conservation)["coverage"]["loaded"] == 1
    assert ledger.ask(lambda reader: list(reader.ids("coverage"))) == ["1"]


def test_a_record_that_is_rejected_on_both_of_its_ways_is_two_rejects(ledger: Ledger) -> None:
    place = (("topic", b"vp.insurance_policy"), ("partition", b"1"), ("offset", b"9"))
    headers = tuple((f"__connect.errors.{name}", text) for name, text in place)
    for reference in ("insurance_policy:1", "coverage:1", "coverage:1"):
        value = {"reference": reference, "stage": "map", "code": "x", "message": "m", "input": b"x", "at": 500}
        ledger.log.add("rejects", codec.encode("reject", value), reference.encode(), headers)
    ledger.apply()
    assert sorted(row["reference"] for row in ledger.ask(Reader.rejects)) == ["coverage:1", "insurance_policy:1"]


def test_a_row_of_our_own_making_is_not_counted_as_source(ledger: Ledger) -> None:
    ledger.log.operation("practice:unassigned", 1)
    ledger.apply()
    practices = ledger.ask(Reader.conservation)["practice"]
    assert (practices["source"], practices["unsourced"], practices["loaded"], practices["conserved"]) == (0, 1, 0, True)


def test_rejects_are_counted_once_by_where_their_input_came_from(ledger: Ledger) -> None:
    value = {"reference": "patient:1", "stage": "map", "code": "too_long", "message": "LastName is longer than 80."}
    sent = codec.encode("reject", {**value, "input": b"x", "at": 500})
    headers = tuple(
        (f"__connect.errors.{name}", text)
        for name, text in (("topic", b"vp.patient"), ("partition", b"1"), ("offset", b"9"))
    )
    ledger.log.add("rejects", sent, b"patient:1", headers)
    ledger.log.add("rejects", sent, b"patient:1", headers)
    ledger.log.add("rejects", sent, b"patient:1")
    ledger.log.add("rejects", b"poison")
    ledger.apply()
    assert ledger.ask(Reader.reject_codes) == [{"code": "too_long", "stage": "map", "count": 2, "newest": 500}]
    assert {item["open"] for item in ledger.ask(Reader.rejects)} == {1}
    assert ledger.ask(Reader.unreadable) == 1
    ledger.log.change("patient:1", 2)
    ledger.log.operation("patient:1", 2, at=900)
    ledger.apply()
    assert {item["open"] for item in ledger.ask(Reader.rejects)} == {0}


def test_verification_phases_and_batches_are_told(ledger: Ledger) -> None:
    ledger.log.change("patient:1", 1)
    ledger.log.operation("patient:1", 1)
    ledger.log.operation("patient:1", 1, what="verify", outcome=None, detail="14", at=2000)
    ledger.log.change("patient:22", 1)
    ledger.log.operation("patient:22", 1)
    ledger.log.operation("patient:22", 1, what="mismatch", outcome=None, detail="14", columns=["Phone"], at=2000)
    for phase in ("SNAPSHOT", "CATCHING_UP"):
        value = {"phase": phase, "run": "r1", "map_hash": "ab", "by": "operator", "at": len(phase), "detail": None}
        ledger.log.add("control", codec.encode("transition", value), b"cutover")
    batch = {"id": "b1", "sobject": "Contact", "operation": "upsert", "facet": "patient", "partition": 0, "rows": 2}
    for state in ("planned", "uploaded"):
        value = {**batch, "state": state, "path": "bulk", "job_id": None, "run": "r1", "at": 5}
        ledger.log.add("bulk.Contact", codec.encode("batch", value), b"b1")
    ledger.log.add("bulk.Contact", codec.encode("batch_rows", {"batch": "b1", "page": 0, "rows": []}), b"b1/0")
    ledger.apply()
    assert ledger.ask(Reader.verification)["patient"] == {"fields": 28, "verified": 1, "mismatched": 1}
    assert ledger.ask(Reader.mismatches)[0]["columns"] == ["Phone"]
    assert ledger.ask(Reader.phase)["phase"] == "CATCHING_UP"
    assert [item["state"] for item in ledger.ask(Reader.batches)] == ["uploaded"]
    ledger.log.add("bulk.Contact", None, b"b1")
    ledger.apply()
    assert ledger.ask(Reader.batches) == []


def test_what_differs_in_the_sources_schema_is_told_until_it_is_as_it_was(ledger: Ledger) -> None:
    drift = {"object": "patient", "resource": "patients", "was": "text", "now": "", "paused": True, "at": 7}
    for field, what in (("mrn", "type"), ("mrn", "gone"), ("foo", "new"), ("bar", "gone"), ("bar", "back")):
        ledger.log.add("control", codec.encode("drift", {**drift, "field": field, "what": what}), b"drift:patient")
    ledger.apply()
    found = ledger.ask(Reader.drifts)
    assert [(item["field"], item["what"]) for item in found] == [("foo", "new"), ("mrn", "gone")]
    assert found[1] == {**drift, "field": "mrn", "what": "gone", "paused": 1}
    assert ledger.ask(Reader.phase) is None


def test_rates_are_per_second_over_the_last_samples(ledger: Ledger) -> None:
    ledger.writer.sample(0)
    for number in range(10):
        ledger.log.change(f"patient:{number}", 1)
    ledger.apply()
    ledger.writer.sample(10_000)
    for number in range(10, 30):
        ledger.log.change(f"patient:{number}", 1)
        ledger.log.operation(f"patient:{number}", 1)
    ledger.apply()
    ledger.writer.sample(12_000)
    progress = ledger.ask(Reader.progress)["patient"]
    assert progress == {"source": 30, "settled": 20, "source_rate": 10.0, "settled_rate": 10.0}


def test_a_census_that_differs_ends_conservation(ledger: Ledger) -> None:
    ledger.log.change("patient:1", 1)
    ledger.log.change("patient:2", 1, op="delete")
    ledger.apply()
    assert list(ledger.ask(lambda reader: list(reader.ids("patient")))) == ["1"]
    ledger.writer.note_census(1, "patient", 2, 1, 0)
    assert ledger.ask(Reader.conservation)["patient"]["conserved"] is False
    ledger.writer.note_census(2, "patient", 1, 0, 0)
    assert ledger.ask(Reader.conservation)["patient"]["conserved"] is True


def test_a_batch_that_fails_leaves_nothing_behind(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.log.change("patient:1", 1)
    batch = ledger.log.batch()
    with monkeypatch.context() as broken:
        broken.setattr(ledger.writer, "_write", lambda _: (_ for _ in ()).throw(RuntimeError))
        with pytest.raises(RuntimeError):
            ledger.writer.apply(batch)
    assert ledger.writer.offsets() == {}
    ledger.writer.apply(batch)
    assert ledger.ask(Reader.conservation)["patient"]["source"] == 1


steps = st.lists(
    st.tuples(
        st.sampled_from(["see", "loaded", "held", "rejected", "deleted", "verify", "mismatch", "flush"]),
        st.integers(1, 4),
        st.integers(1, 3),
    ),
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(steps)
def test_running_counts_equal_a_recount_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int, int]]
) -> None:
    found = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite3")
    for at, (what, record, number) in enumerate(history):
        if what == "see":
            found.log.change(f"patient:{record}", number)
        elif what == "flush":
            found.apply()
        else:
            outcome = None if what in {"verify", "mismatch"} else what
            found.log.operation(f"patient:{record}", number, what=what, outcome=outcome, at=at, detail="2")
    found.apply()
    counted = found.ask(Reader.conservation).get("patient")
    recount = found.ask(Reader.recount)
    found.connection.close()
    if counted:
        assert counted["conserved"]
        assert {name: amount for (_, name), amount in recount.items()} == {
            name: counted[name]
            for name in ("in_flight", "held", "loaded", "rejected", "skipped", "deleted", "superseded")
            if counted[name]
        }


def test_a_missing_ledger_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(schema.LedgerMissing, match="start `carryover control`"):
        Reader(tmp_path / "nowhere.sqlite3")


async def _fill(kafka: LocalKafka, catalogue: Catalogue) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    sent = []
    for number in range(300):
        headers = [("version", version(1).encode()), ("op", b"upsert"), ("origin", b"snapshot")]
        key = str(number).encode()
        sent.append(await producer.send(catalogue.vp("patient"), b"sealed", key=key, headers=headers))
        if number % 3:
            value = codec.encode("operation", operation(f"patient:{number}", 1, version=mapped(1)))
            sent.append(await producer.send(catalogue.audit, value, key=b"patient:" + key))
    for future in sent:
        await future
    await producer.stop()


async def _settled(feed: Feed) -> None:
    while await feed.behind():
        await feed.step()


@pytest.mark.kafka
async def test_the_file_is_rebuilt_and_continued_from_the_topics(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path
) -> None:
    catalogue = Catalogue(topic_prefix, partitions=2)
    path = tmp_path / "ledger.sqlite3"
    with pytest.raises(TopicsMissing, match="run `carryover topics apply`"):
        await Feed(path, kafka.bootstrap, catalogue, codec).start()
    await apply(kafka.bootstrap, catalogue)
    said = []
    for _ in range(3):  # built, continued, and built again after the file was deleted
        await _fill(kafka, catalogue) if not said else None
        if len(said) == 2:
            schema.delete(path)
        feed = Feed(path, kafka.bootstrap, catalogue, codec)
        await feed.start()
        if not said:
            with pytest.raises(LedgerInUse, match="stop that one"):
                await Feed(path, kafka.bootstrap, catalogue, codec).start()
        await _settled(feed)
        await feed.close()
        with Reader(path) as reader:
            said.append((reader.conservation(), reader.offsets(), reader.holds()))
    assert said[0] == said[1] == said[2]
    assert said[0][0]["patient"]["source"] == 300
    assert said[0][0]["patient"]["loaded"] == 200
    assert said[0][0]["patient"]["in_flight"] == 100


@pytest.mark.kafka
async def test_a_file_that_is_ahead_of_its_topics_is_built_anew(
    kafka: LocalKafka, topic_prefix: str, tmp_path: Path
) -> None:
    catalogue = Catalogue(topic_prefix, partitions=2)
    await apply(kafka.bootstrap, catalogue)
    path = tmp_path / "ledger.sqlite3"
    connection = schema.open_to_write(path)
    connection.execute("INSERT INTO offsets VALUES (?, 0, 77)", (catalogue.audit,))
    connection.execute("INSERT INTO counts VALUES ('patient', 'source', 77)")
    connection.close()
    feed = Feed(path, kafka.bootstrap, catalogue, codec)
    await feed.start()
    await _settled(feed)
    await feed.close()
    with Reader(path) as reader:
        assert reader.conservation() == {}
