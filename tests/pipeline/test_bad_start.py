"""A worker that can't work says why in one sentence, and ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cutover.outcome import FAILED, REFUSED, WRONG_USAGE
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.kafka

LOGGED = re.compile(r"\d{4}-\d\d-\d\d \S+ [A-Z]+ ")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def bare() -> Iterator[SandboxProcess]:
    """A sandbox whose org has none of the custom fields."""
    with SandboxProcess.start(patients=10, practices=2, without_fields=True) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
async def start(
    kafka: LocalKafka, bare: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pipeline]:
    """A cutover that has begun, without any process."""
    pipeline = Pipeline(kafka.bootstrap, f"start.{uuid4().hex[:6]}.", bare, tmp_path_factory.mktemp("start"))
    await pipeline.begin()
    yield pipeline
    pipeline.kill()


def run(pipeline: Pipeline, stage: str, **environment: str) -> tuple[int, list[str]]:
    """Exit code of a worker and what it said beside its log."""
    done = subprocess.run(
        [sys.executable, "-m", "cutover.cli", "worker", "--stage", stage],
        env=os.environ | pipeline.environment | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, [line for line in done.stderr.splitlines() if not LOGGED.match(line)]


@pytest.mark.parametrize(
    ("stage", "variable", "value", "sentence"),
    [
        ("ingest", "SOURCE__API_KEY", "wrong", "Visual Practice: the API key is refused [401]."),
        ("ingest", "SOURCE__URL", NOBODY, "Visual Practice: no whole answer (ConnectError)."),
        ("ingest", "SOURCE__URL", "nonsense", "Visual Practice: no whole answer"),
        ("deliver", "TARGET__CLIENT_SECRET", "wrong", "Salesforce: the org doesn't accept the client"),
        ("verify", "TARGET__CLIENT_SECRET", "wrong", "Salesforce: the org doesn't accept the client"),
        ("deliver", "TARGET__URL", NOBODY, "Salesforce: no whole answer (ConnectError)."),
        ("resolve", "KAFKA__BOOTSTRAP", "127.0.0.1:9", "Kafka does not answer at 127.0.0.1:9: start it, or correct"),
    ],
)
def test_what_is_wrong_at_the_start_is_one_sentence(
    start: Pipeline, stage: str, variable: str, value: str, sentence: str
) -> None:
    code, said = run(start, stage, **{f"CARRYOVER_{variable}": value})
    assert code == FAILED
    assert len(said) == 1, said
    assert said[0].startswith(sentence)
    assert "wrong" not in said[0], "a secret is no part of the sentence"


def test_missing_credentials_are_named_with_the_variable_to_set(start: Pipeline) -> None:
    code, said = run(start, "deliver", CARRYOVER_TARGET__CLIENT_SECRET="", CARRYOVER_TARGET__URL="")
    assert code == WRONG_USAGE
    assert [line.partition(" is missing")[0] for line in said] == ["target.url", "target.client_secret"]
    assert "CARRYOVER_TARGET__CLIENT_SECRET" in said[1]


def test_topics_that_are_not_there_are_named(start: Pipeline) -> None:
    code, said = run(start, "ingest", CARRYOVER_KAFKA__PREFIX="elsewhere.")
    assert code == FAILED
    assert len(said) == 1
    assert said[0].startswith("The topic elsewhere.extract is missing: run `carryover topics apply`.")


def test_an_org_without_the_fields_is_refused_and_every_field_is_named(start: Pipeline) -> None:
    code, said = run(start, "deliver")
    assert code == REFUSED
    assert said[0] == "The map does not fit this org:"
    named = {line.partition(":")[0].strip() for line in said[1:]}
    assert {f"patient.{name}" for name in ("VP_Id__c", "MRN__c", "Gender__c", "VP_Run_Id__c")} <= named
    assert {f"practice.{name}" for name in ("VP_Id__c", "NPI__c", "VP_Deleted_At__c")} <= named
    assert "patient.LastName" not in named
    assert not start.org.rows("Contact")


def test_a_map_that_is_none_is_refused_with_its_line(start: Pipeline, tmp_path: Path) -> None:
    wrong = tmp_path / "map.yaml"
    wrong.write_text("map: 1\nobjects: {practice: {target: Account}}\n")
    code, said = run(start, "resolve", CARRYOVER_CUTOVER__MAP=str(wrong))
    assert code == WRONG_USAGE
    assert all(line.startswith(f"{wrong}:") for line in said), said
