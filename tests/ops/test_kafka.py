"""The local broker: it keeps its data over a kill, can be frozen, and says in a sentence what a machine lacks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ops.kafka import BrokerError, LocalKafka, jars
from ops.kafka import local as local_module
from ops.kafka.container import ContainerBroker
from topics.broker import open_broker


async def _send(bootstrap: str, topic: str, value: bytes) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=2000, retry_backoff_ms=50)
    try:
        await producer.start()
        return int((await producer.send_and_wait(topic, value, partition=0)).offset)
    finally:
        await producer.stop()


@pytest.mark.kafka
async def test_a_killed_broker_comes_back_with_its_data_and_a_frozen_one_goes_on(own_kafka: LocalKafka) -> None:
    if own_kafka.kind == "given":
        pytest.skip("a given broker can't be killed")
    bootstrap = own_kafka.bootstrap
    async with open_broker(bootstrap) as broker:
        from aiokafka.admin.new_topic import NewTopic

        await broker.admin.create_topics([NewTopic("kept", 1, 1)])
    assert await _send(bootstrap, "kept", b"before") == 0
    await asyncio.to_thread(own_kafka.kill)
    with pytest.raises(KafkaError):
        await _send(bootstrap, "kept", b"during")
    await asyncio.to_thread(own_kafka.restart)
    assert own_kafka.bootstrap == bootstrap
    assert await _send(bootstrap, "kept", b"after") == 1
    own_kafka.pause()
    frozen = asyncio.create_task(_send(bootstrap, "kept", b"slow"))
    await asyncio.sleep(0.5)
    assert not frozen.done()
    own_kafka.resume()
    assert await frozen == 2


@pytest.mark.kafka
async def test_topics_are_not_made_by_being_named(kafka: LocalKafka, topic_prefix: str) -> None:
    async with open_broker(kafka.bootstrap) as broker:
        await broker.admin.describe_topics([topic_prefix + "misspelt"])
        assert topic_prefix + "misspelt" not in await broker.admin.list_topics()


def test_a_given_broker_is_used_and_never_hurt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "somewhere:9092")
    with LocalKafka() as broker:
        assert (broker.bootstrap, broker.kind, broker.log) == ("somewhere:9092", "given", None)
        for act in (broker.kill, broker.restart, broker.pause, broker.resume):
            with pytest.raises(BrokerError, match="unset the variable"):
                act()


class _Works:
    def __init__(self, name: str) -> None:
        self.bootstrap = name

    def start(self) -> None: ...

    def stop(self) -> None: ...


class _Fails(_Works):
    def start(self) -> None:
        raise BrokerError(f"{self.bootstrap} does not start")


@pytest.mark.parametrize(
    ("docker", "java", "bootstrap"),
    [(_Works, _Works, "docker"), (_Fails, _Works, "java"), (None, _Works, "java"), (_Works, None, "docker")],
)
def test_docker_is_taken_before_java_and_gives_way_when_it_fails(
    monkeypatch: pytest.MonkeyPatch, docker: type[_Works] | None, java: type[_Works] | None, bootstrap: str
) -> None:
    _machine(monkeypatch, docker, java)
    assert LocalKafka().start().bootstrap == bootstrap


def test_when_no_way_works_the_last_problem_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, _Fails, _Fails)
    with pytest.raises(BrokerError, match="java does not start"):
        LocalKafka().start()
    _machine(monkeypatch, None, None)
    with pytest.raises(BrokerError, match="install Java 17 or newer and Maven"):
        LocalKafka().start()


def _machine(monkeypatch: pytest.MonkeyPatch, docker: type[_Works] | None, java: type[_Works] | None) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setattr(local_module, "docker_answers", lambda: docker is not None)
    monkeypatch.setattr(local_module, "ContainerBroker", lambda **_: docker("docker") if docker else None)
    monkeypatch.setattr(jars, "find_java", lambda: "/usr/bin/java" if java else None)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/mvn")
    monkeypatch.setattr(local_module, "JavaBroker", lambda *_, **__: java("java") if java else None)


def test_a_container_gets_its_settings_as_the_image_takes_them() -> None:
    environment = ContainerBroker(port=12345).environment()
    assert environment["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://localhost:12345"
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_a_machine_with_nothing_is_told_so_in_one_line(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"KAFKA_BOOTSTRAP", "JAVA_HOME"}}
    done = subprocess.run(
        [sys.executable, "-m", "ops.kafka", "up"],
        env={**environment, "PATH": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "install Java 17 or newer and Maven" in done.stderr


@pytest.mark.parametrize(("said", "version"), [("17.0.15", 17), ("1.8.0_402", 8), ("25-ea", 25)])
def test_javas_version_is_read_whatever_its_scheme(tmp_path: Path, said: str, version: int) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{said}\" 2025-01-01' >&2\n")
    java.chmod(0o755)
    assert jars.java_version(str(java)) == version


@pytest.mark.kafka
@pytest.mark.faults
def test_no_broker_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    if os.environ.get("KAFKA_BOOTSTRAP") or not jars.find_java():
        pytest.skip("needs a Java broker of its own")
    code = "import time; from ops.kafka import LocalKafka; k = LocalKafka(kind='java').start(); "
    code += "print(k.broker.pid, k.broker.data_dir, flush=True); time.sleep(600)"
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    assert owner.stdout
    *_, pid, data_dir = owner.stdout.readline().split()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    deadline = time.monotonic() + 10
    left = [Path(f"/proc/{pid}"), Path(data_dir)]
    while any(path.exists() for path in left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(path.exists() for path in left)
