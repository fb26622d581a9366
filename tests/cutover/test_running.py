"""`carryover run` begins a snapshot once, goes on where it was, and refuses another map."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import cast

import pytest

from cutover import phase, running
from cutover.outcome import Refused
from cutover.settings import ControlSettings, CutoverSettings, KafkaSettings, Settings
from cutover.supervise import command
from dashboard.status import Status
from ops.kafka import LocalKafka
from tests.conftest import ReadTopic
from tests.cutover.records import codec
from topics.provision import apply

pytestmark = pytest.mark.kafka


def _command(*arguments: str) -> list[str]:
    if arguments[0] == "worker":
        return [sys.executable, "-c", "import time; time.sleep(600)"]
    return command(*arguments)


async def _run_for_a_while(settings: Settings, map_hash: str, capsys: pytest.CaptureFixture[str]) -> list[Status]:
    config = settings.cutover.data_dir / "c.toml"
    config.write_text(
        f'[kafka]\nbootstrap = "{settings.kafka.bootstrap}"\nprefix = "{settings.kafka.prefix}"\npartitions = 2\n'
        f'[cutover]\ndata_dir = "."\n[control]\nport = 0\n'
    )
    task = asyncio.create_task(running.run(settings, map_hash, config=config, as_json=True))
    said = ""
    for _ in range(200):
        await asyncio.sleep(0.1)
        said += capsys.readouterr().out
        if task.done() or any(json.loads(line)["phase"] for line in said.splitlines()):
            break
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return [json.loads(line) for line in said.splitlines()]


async def test_a_snapshot_begins_once_and_another_map_is_refused(
    kafka: LocalKafka,
    topic_prefix: str,
    tmp_path: Path,
    read_topic: ReadTopic,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(running, "command", _command)
    settings = Settings(
        cutover=CutoverSettings(data_dir=tmp_path),
        kafka=KafkaSettings(bootstrap=kafka.bootstrap, prefix=topic_prefix, partitions=2),
        control=ControlSettings(port=0),
    )
    await apply(kafka.bootstrap, settings.catalogue)
    assert await phase.newest(settings, codec) is None
    for _ in range(2):
        statuses = await _run_for_a_while(settings, "ab12", capsys)
        assert statuses[-1]["phase"]
        assert statuses[-1]["phase"]["phase"] == "SNAPSHOT"
    (record,) = await read_topic(settings.catalogue.control)
    name, transition = codec.decode(record.value)
    assert (name, transition["map_hash"], record.key) == ("transition", "ab12", b"cutover")
    with pytest.raises(Refused, match="put the old one back"):
        await running.run(settings, "cd34", config=None, as_json=True)


def _status(in_flight: dict[str, int], rate: float = 250.0) -> Status:
    objects = {
        name: {"source": 300, "in_flight": moving, "held": 0, "rejected": 0} for name, moving in in_flight.items()
    }
    return cast("Status", {"objects": objects, "progress": {name: {"settled_rate": rate} for name in objects}})


def test_progress_is_a_line_where_there_is_no_terminal() -> None:
    status = _status({"patient": 200})
    status["objects"]["patient"] |= {"held": 3, "rejected": 1}
    assert running.line(status) == "100 of 300 settled, 3 held, 1 rejected (250/s); on its way: 200 patient"
    assert running.line(_status({})) == "nothing read yet"


def test_the_line_names_what_most_is_on_its_way_of_and_counts_the_rest() -> None:
    status = _status({"note": 0, "visit": 1, "payment": 2, "patient": 9, "invoice": 4, "document": 1}, rate=2.0)
    said = "1,783 of 1,800 settled (12/s); on its way: 9 patient, 4 invoice, 2 payment, 2 others"
    assert running.line(status) == said


def test_records_that_are_looked_at_again_are_no_negative_progress() -> None:
    assert running.line(_status({"patient": 0}, rate=-3.0)) == "300 of 300 settled (0/s)"
