"""The command line: what each command prints, its exit code, and one sentence instead of a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from cutover import cli, outcome
from cutover.ledger import schema
from cutover.ledger.apply import Writer
from ops.kafka import LocalKafka
from tests.cutover.records import Log, codec
from topics.catalogue import Catalogue

TOPICS = len(Catalogue().topics)


class Shell:
    """Runs `carryover` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        said = self._capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out, _ = self(*arguments, "--json")
        return code, json.loads(out)


@pytest.fixture
def carryover(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    for name in list(os.environ):
        if name.startswith("CARRYOVER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / ".local/data/ledger.sqlite3"
    connection = schema.open_to_write(path)
    log = Log()
    for number in (1, 2, 3):
        log.change(f"patient:{number}", 1)
    log.operation("patient:1", 1)
    log.operation("patient:2", 1, what="hold", outcome="held", code="parent_missing", detail="practice:7")
    log.operation("patient:3", 1, what="reject", outcome="rejected", code="too_long")
    value = {"reference": "patient:3", "stage": "map", "code": "too_long", "message": "LastName is too long.", "at": 5}
    log.add("rejects", codec.encode("reject", {**value, "input": b""}), b"patient:3")
    Writer(connection, Catalogue(), codec).apply(log.batch())
    connection.close()
    return path


def test_status_holds_and_rejects_are_read_from_the_ledger(
    carryover: Shell, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRYOVER_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    code, status = carryover.json("status")
    assert code == 0
    assert (status["objects"]["patient"]["loaded"], status["groups"]) == (1, None)
    assert "Kafka does not answer" in carryover("status")[1]
    assert "practice:7" in carryover("holds")[1]
    assert carryover.json("holds", "--object", "practice") == (0, [])
    assert carryover("holds", "--code", "other")[1] == "Nothing is held.\n"
    _, out, _ = carryover("rejects")
    assert "LastName is too long." in out
    assert carryover.json("rejects", "--stage", "map")[1][0]["open"] == 1


def test_config_check_tells_what_is_missing_then_what_is_in_force(
    carryover: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = carryover("config", "check")
    assert code == outcome.WRONG_USAGE
    assert "source.url is missing: set it in carryover.toml or as CARRYOVER_SOURCE__URL." in err
    for name in ("SOURCE__URL", "SOURCE__API_KEY", "TARGET__URL", "TARGET__CLIENT_ID", "TARGET__CLIENT_SECRET"):
        monkeypatch.setenv(f"CARRYOVER_{name}", "hunter2-http://x")
    code, out, _ = carryover("config", "check")
    assert code == 0
    assert "source.api_key = **********" in out
    assert set(carryover.json("config", "check")[1]["map_hash"]) <= set("0123456789abcdef")


@pytest.mark.parametrize("arguments", [("topics", "check"), ("topics", "apply"), ("control",)])
def test_an_unreachable_kafka_is_one_line(
    carryover: Shell, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRYOVER_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    code, out, err = carryover(*arguments)
    assert (code, out) == (outcome.FAILED, "")
    assert err == "Kafka does not answer at 127.0.0.1:1: start it, or correct kafka.bootstrap.\n"
    assert carryover.json(*arguments)[1]["exit"] == outcome.FAILED


def test_an_operator_does_not_see_what_aiokafka_says_of_each_attempt(tmp_path: Path) -> None:
    """In a process of its own: pytest takes what libraries log."""
    environment = _unset() | {"CARRYOVER_KAFKA__BOOTSTRAP": "127.0.0.1:1"}
    command = [sys.executable, "-m", "cutover.cli", "topics", "check"]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stderr == "Kafka does not answer at 127.0.0.1:1: start it, or correct kafka.bootstrap.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("bogus",), 2, "No such command 'bogus'"),
        (("worker", "--stage", "bogus"), 2, "'bogus' is not one of"),
        (("status",), 1, "start `carryover control`"),
        (("status", "--url", "http://127.0.0.1:1"), 1, "No control process answers at http://127.0.0.1:1"),
        (("status", "--config", "nowhere.toml"), 2, "There is no settings file nowhere.toml"),
        (("run",), 2, "source.url is missing"),
    ],
)
def test_a_mistake_is_a_sentence_and_a_code(carryover: Shell, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended, _, err = carryover(*arguments)
    assert ended == code
    assert said in err
    assert "Traceback" not in err


def test_a_defect_is_told_without_its_values(carryover: Shell, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("Zoe-Canary")

    monkeypatch.setattr("cutover.commands.look.gather", broken)
    code, _, err = carryover("status")
    assert code == outcome.FAILED
    assert "KeyError at test_cli.py" in err
    assert "Canary" not in err
    monkeypatch.setenv("CARRYOVER_DEBUG", "1")
    assert "Traceback" in carryover("status")[2]


@pytest.mark.kafka
def test_topics_are_applied_then_checked_and_differences_have_their_own_code(
    carryover: Shell, kafka: LocalKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRYOVER_KAFKA__BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("CARRYOVER_KAFKA__PREFIX", topic_prefix)
    code, found = carryover.json("topics", "check")
    assert (code, found["ok"], len(found["errors"])) == (outcome.DIFFERENT, False, TOPICS)
    assert len(carryover.json("topics", "apply")[1]["applied"]) == TOPICS
    assert carryover("topics", "apply")[1] == f"All {TOPICS} topics are there.\n"
    assert carryover("topics", "check")[0] == outcome.FINE


def _unset() -> dict[str, str]:
    """The environment without settings, whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CARRYOVER_")}


def _environment(kafka: LocalKafka, prefix: str) -> dict[str, str]:
    return {
        **_unset(),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "CARRYOVER_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "CARRYOVER_KAFKA__PREFIX": prefix,
        "CARRYOVER_CONTROL__PORT": "0",
    }


@pytest.mark.kafka
def test_control_serves_until_it_is_asked_to_end(
    carryover: Shell, kafka: LocalKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = _environment(kafka, topic_prefix)
    for name in ("CARRYOVER_KAFKA__BOOTSTRAP", "CARRYOVER_KAFKA__PREFIX"):
        monkeypatch.setenv(name, environment[name])
    assert carryover("control")[2].endswith("missing: run `carryover topics apply`.\n")
    carryover("topics", "apply")
    with subprocess.Popen(
        [sys.executable, "-m", "cutover.cli", "control", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(url + "healthz").json() == {"ok": True, "problem": None}
        code, status = carryover.json("status", "--url", url)
        assert (code, status["objects"]) == (0, {})
        assert carryover.json("holds", "--url", url, "--object", "patient") == (0, [])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()
