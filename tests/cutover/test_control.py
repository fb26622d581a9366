"""The control process on a real broker: it counts what the topics tell and measures lag from the broker alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from cutover import census, control
from cutover.control import Control, PortInUse
from cutover.settings import ControlSettings, CutoverSettings, KafkaSettings, Settings, SourceSettings
from ops.kafka import LocalKafka
from tests.conftest import ReadTopic, commit_offset
from tests.cutover.records import codec, operation, version
from topics.provision import apply

pytestmark = pytest.mark.kafka


@pytest.fixture
async def settings(kafka: LocalKafka, topic_prefix: str, tmp_path: Path) -> Settings:
    found = Settings(
        cutover=CutoverSettings(data_dir=tmp_path),
        kafka=KafkaSettings(bootstrap=kafka.bootstrap, prefix=topic_prefix, partitions=2),
        control=ControlSettings(port=0),
    )
    await apply(kafka.bootstrap, found.catalogue)
    return found


@contextlib.asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[tuple[Control, httpx.AsyncClient]]:
    running = Control(settings)
    serving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(running.run(serving.set_result))
    done, _ = await asyncio.wait([task, serving], return_when=asyncio.FIRST_COMPLETED)
    if task in done:
        await task
    async with httpx.AsyncClient(base_url=await serving) as client:
        yield running, client
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _until(client: httpx.AsyncClient, what: Any) -> dict[str, Any]:
    for _ in range(200):
        found: dict[str, Any] = (await client.get("/api/status")).json()
        if what(found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(found)


async def test_it_counts_measures_and_serves(
    settings: Settings, kafka: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MEASURE_SECONDS", 0.2)
    catalogue = settings.catalogue
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    headers = [("version", version(1).encode()), ("op", b"upsert"), ("origin", b"snapshot")]
    for number in range(10):
        key = str(number).encode()
        await producer.send_and_wait(catalogue.vp("patient"), b"sealed", key=key, headers=headers, partition=0)
        value = codec.encode("operation", operation(f"patient:{number}", 1))
        await producer.send_and_wait(catalogue.audit, value, key=b"patient:" + key)
    await producer.stop()
    part = TopicPartition(catalogue.vp("patient"), 0)
    await commit_offset(kafka.bootstrap, catalogue.group("ingest"), part, 4)
    async with _running(settings) as (_, client):
        found = await _until(client, lambda s: s["groups"] and s["objects"].get("patient", {}).get("loaded") == 10)
        assert found["groups"][catalogue.group("ingest")]["lag"] == 6
        assert found["objects"]["patient"]["conserved"]
        metrics = (await client.get("/metrics")).text
        labels = f'consumergroup="{catalogue.group("ingest")}",partition="0",topic="{part.topic}"'
        lines = {
            line.split("}")[1].strip()
            for line in metrics.splitlines()
            if line.startswith("kafka_consumergroup_lag{") and all(label in line for label in labels.split(","))
        }
        assert lines == {"6.0"}
        assert (await client.get("/healthz")).status_code == 200
        page = (await client.get("/")).text
        assert "patient" in page
        busy = settings.model_copy(
            update={
                "control": ControlSettings(port=client.base_url.port or 0),
                "cutover": CutoverSettings(data_dir=settings.cutover.data_dir / "other"),
            }
        )
        with pytest.raises(PortInUse, match=r"set control\.port to another one"):
            await Control(busy).run()


async def test_a_census_asks_for_each_id_that_differs(
    settings: Settings, kafka: LocalKafka, read_topic: ReadTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {"practices": {"7"}, "patients": {"1", "2", "3"}}

    async def list_ids(_: Any, object_: str) -> set[str]:
        return listed.get(census.RESOURCES[object_], set())

    monkeypatch.setattr(census, "list_ids", list_ids)
    with_source = settings.model_copy(
        update={"source": SourceSettings.model_validate({"url": "http://x", "api_key": "k"})}
    )
    catalogue = settings.catalogue
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    headers = [("version", version(1).encode()), ("op", b"upsert"), ("origin", b"snapshot")]
    for object_, vp_id in (("practice", "7"), ("patient", "1"), ("patient", "9")):
        await producer.send_and_wait(catalogue.vp(object_), b"sealed", key=vp_id.encode(), headers=headers)
    await producer.stop()
    async with _running(with_source) as (_, client):
        await _until(client, lambda s: s["objects"].get("patient", {}).get("source") == 2)
        await client.post("/api/census")
        found = await _until(client, lambda s: (s["objects"]["patient"]["census"] or {}).get("listed") == 3)
        assert found["objects"]["patient"]["conserved"] is False
        assert found["objects"]["practice"]["conserved"] is True
    asked = [codec.decode(record.value)[1] for record in await read_topic(catalogue.extract)]
    assert [(item["kind"], item["object"], item["vp_id"]) for item in asked] == [
        ("census", "patient", "2"),
        ("census", "patient", "3"),
        ("census", "patient", "9"),
    ]


class _Page:
    def __init__(self, ids: list[int], following: str | None) -> None:
        self.records = [{"id": id_} for id_ in ids]
        self.next = following


class _Source:
    async def page(
        self, resource: str, *, after: str | None = None, sort: str = "", fields: tuple[str, ...] | None = None
    ) -> _Page:
        assert (resource, sort, fields) == ("patients", "id", ("id",))
        return _Page([2, 3], None) if after else _Page([1, 2], "second")

    async def feed(self, resource: str, which: str, since: None, *, after: str | None = None) -> _Page:
        assert (resource, which) == ("patients", "archived")
        return _Page([5], None) if after else _Page([4], "second")


async def test_ids_are_listed_over_all_pages_and_the_archive_and_each_once() -> None:
    assert await census.list_ids(_Source(), "patient") == {"1", "2", "3", "4", "5"}
