"""A cutover as an operator runs it: topics, control and workers as processes of the command line, on a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from agents.ownership import FALLBACK
from cutover import phase
from cutover.census import RESOURCES
from cutover.chosen_map import read_map
from cutover.owners import decide
from cutover.settings import CutoverSettings, KafkaSettings, Settings
from cutover.supervise import PARENT
from sandbox.process import SandboxProcess
from tests.pipeline import visits
from tests.pipeline.practice import Org, Practice, check_equal
from tests.transport.waiting import eventually
from topics import provision
from topics.broker import open_broker
from topics.catalogue import ALSO, STAGES
from topics.codec import Codec
from topics.version import Version
from transport import failpoint

CODEC = Codec()


class Pipeline:
    """One cutover from a sandbox to the same sandbox.

    Arguments:
        bootstrap: Kafka.
        prefix: of its topics and groups.
        sandbox: running.
        directory: data, logs and settings.
        partitions: of every topic.
        environment: ``CARRYOVER_…`` for every process, over the defaults.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        sandbox: SandboxProcess,
        directory: Path,
        *,
        partitions: int = 2,
        **environment: str,
    ) -> None:
        self.directory = directory
        self.sandbox = sandbox
        self.practice, self.org = Practice(sandbox), Org(sandbox)
        chosen = environment.get("CARRYOVER_CUTOVER__MAP")
        self.settings = Settings(
            cutover=CutoverSettings(data_dir=directory / "data", map=Path(chosen) if chosen else None),
            kafka=KafkaSettings(bootstrap=bootstrap, prefix=prefix, partitions=partitions),
        )
        self.catalogue = self.settings.catalogue
        self.environment = {
            "CARRYOVER_CUTOVER__DATA_DIR": str(directory / "data"),
            "CARRYOVER_KAFKA__BOOTSTRAP": bootstrap,
            "CARRYOVER_KAFKA__PREFIX": prefix,
            "CARRYOVER_KAFKA__PARTITIONS": str(partitions),
            "CARRYOVER_SOURCE__URL": sandbox.visual_practice["url"],
            "CARRYOVER_SOURCE__API_KEY": sandbox.visual_practice["api_key"],
            "CARRYOVER_SOURCE__POLL_SECONDS": "0.5",
            "CARRYOVER_SOURCE__OVERLAP_SECONDS": "2",
            "CARRYOVER_TARGET__URL": sandbox.salesforce["url"],
            "CARRYOVER_TARGET__CLIENT_ID": sandbox.salesforce["client_id"],
            "CARRYOVER_TARGET__CLIENT_SECRET": sandbox.salesforce["client_secret"],
            "CARRYOVER_LOAD__IDLE_SECONDS": "0.2",
            "CARRYOVER_VERIFY__IDLE_SECONDS": "0.2",
            "CARRYOVER_RESOLVE__LOOKUP_AFTER_SECONDS": "0.5",
            "CARRYOVER_RESOLVE__HOLD_AFTER_SECONDS": "2",
            "CARRYOVER_CONTROL__PORT": "0",
            **environment,
        }
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._logs: list[TextIO] = []
        self.url = ""

    # -- processes ---------------------------------------------------------------------------------------------------------

    async def begin(self, *, fallback: bool = True) -> None:
        """Makes the topics, says who owns what belongs to nobody with a login (``fallback``), and begins the snapshot."""
        await provision.apply(self.settings.kafka.bootstrap, self.catalogue)
        if fallback:
            users = await asyncio.to_thread(self.org.users)
            await decide(self.settings, read_map(self.settings)[0], CODEC, FALLBACK, users[visits.FALLBACK])
        await phase.begin(self.settings, CODEC, read_map(self.settings)[1])

    def start(self, stage: str, **environment: str) -> subprocess.Popen[str]:
        """Starts the worker of a stage; it logs to a file of that name."""
        return self._run(stage, ["worker", "--stage", stage], environment)

    def start_another(self, stage: str) -> subprocess.Popen[str]:
        """Starts a second worker of a stage, called e.g. ``deliver-2``."""
        return self._run(f"{stage}-2", ["worker", "--stage", stage], {})

    async def start_all(self) -> None:
        """Starts a worker of each stage, and the control process."""
        for stage in STAGES:
            self.start(stage)
        await self.start_control()

    async def start_control(self) -> None:
        """Starts the control process and waits for its address."""
        process = self._run("control", ["control", "--json"], {}, stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        self.url = json.loads(line)["url"]

    def _run(
        self, name: str, arguments: list[str], environment: dict[str, str], stdout: int | None = None
    ) -> subprocess.Popen[str]:
        assert name not in self.processes or self.processes[name].poll() is not None, f"{name} runs already"
        self.logs.mkdir(exist_ok=True)
        log = (self.logs / f"{name}.log").open("a")
        self._logs.append(log)
        process = subprocess.Popen(
            [sys.executable, "-m", "cutover.cli", *arguments],
            env=os.environ | self.environment | environment | {PARENT: str(os.getpid())},
            stdout=log if stdout is None else stdout,
            stderr=log,
            text=True,
        )
        self.processes[name] = process
        return process

    async def carryover(self, *arguments: str, **environment: str) -> tuple[int, Any]:
        """Runs a command with --json; returns its exit code and what it printed, None when it died before."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "cutover.cli", *arguments, "--json"],
            env=os.environ | self.environment | environment | {PARENT: str(os.getpid())},
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def begin_command(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts a command that is to be killed; it logs to a file of that name."""
        return self._run(name, list(arguments), environment)

    async def ended(self, name: str) -> int:
        """The exit code of a process that ends by itself."""
        return await asyncio.to_thread(self.processes[name].wait, 90)

    async def end(self, name: str) -> int:
        self.processes[name].send_signal(signal.SIGTERM)
        return await self.ended(name)

    async def murder(self, name: str) -> None:
        """SIGKILL to one process, which is forgotten: another one may be started under its name."""
        process = self.processes.pop(name)
        process.kill()
        await asyncio.to_thread(process.wait)
        if process.stdout is not None:
            process.stdout.close()

    def kill(self) -> None:
        """Ends everything that still runs, and shows what it said last."""
        for name, process in self.processes.items():
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            print(f"--- {name}\n{(self.logs / f'{name}.log').read_text(errors='replace')[-3000:]}")
        for log in self._logs:
            log.close()
        self.practice.http.close()
        self.org.http.close()

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    # -- what is there -----------------------------------------------------------------------------------------------------

    def check_alive(self) -> None:
        for name, process in self.processes.items():
            if process.poll() not in {None, 0, failpoint.EXIT_CODE}:
                raise RuntimeError(f"{name} has ended with {process.poll()}")

    async def equal(self, within: float = 60) -> None:
        """Waits until the org holds what the practice does."""

        async def look() -> bool:
            self.check_alive()
            await asyncio.to_thread(check_equal, self.practice, self.org)
            return True

        try:
            await eventually(look, within=within, every=0.3)
        except AssertionError as exc:
            raise AssertionError(f"{exc} (lag {await self.lag()})") from None

    async def idle(self, within: float = 60, *, stages: Sequence[str] = STAGES) -> None:
        """Waits until none of these stages has anything left to read, twice in a row."""
        quiet = 0

        async def look() -> bool:
            nonlocal quiet
            self.check_alive()
            lags = {stage: lag for stage, lag in (await self.lag()).items() if stage in stages}
            quiet = quiet + 1 if not any(lags.values()) else 0
            assert quiet >= 2, f"lag {lags}"
            return True

        await eventually(look, within=within, every=0.2)

    async def at_rest(self, within: float = 60) -> None:
        """As `idle`, and nothing will come by itself: what was read within the second it was changed has been read again."""

        async def look() -> bool:
            self.check_alive()
            for object_ in self.catalogue.targets:
                newest: dict[bytes, Version] = {}
                for record in await self.records(self.catalogue.vp(object_)):
                    version = Version.decode(dict(record.headers)["version"].decode())
                    newest[record.key] = max(version, newest.get(record.key, version))
                assert all(version.closed for version in newest.values()), f"provisional: {object_}"
            return True

        await eventually(look, within=within, every=0.3)
        await self.idle(within)

    async def lag(self) -> dict[str, int]:
        """Records that each stage has not committed."""
        found: dict[str, int] = {}
        async with open_broker(self.settings.kafka.bootstrap) as broker:
            for stage, names in self.catalogue.sources.items():
                starts, ends = await broker.bounds(dict.fromkeys(names, self.catalogue.partitions))
                committed = await broker.committed(self.catalogue.group(stage))
                found[stage] = sum(end - committed.get(part, starts[part]) for part, end in ends.items())
        return found

    async def status(self) -> dict[str, Any]:
        """What the control process knows."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            found: dict[str, Any] = (await client.get("/api/status")).raise_for_status().json()
            return found

    async def page(self, path: str) -> str:
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            return (await client.get(path)).raise_for_status().text

    async def conserved(self, within: float = 60) -> dict[str, Any]:
        """Waits until nothing is in flight and everything that landed is verified; returns the counts of each object."""

        async def look() -> dict[str, Any]:
            status = await self.status()
            counts: dict[str, Any] = status["objects"]
            dump = await asyncio.to_thread(self.practice.dump)
            taking = {name: RESOURCES[of] for name, of in ALSO.items() if name in counts}
            for object_, plural in {**RESOURCES, **taking}.items():
                if object_ not in counts and not dump[plural]:
                    continue
                count, checked = counts[object_], status["verification"][object_]
                assert count["in_flight"] == 0, f"{object_}: {count}"
                assert count["conserved"], f"{object_}: {count}"
                assert count["source"] >= len(dump[plural])
                assert checked["mismatched"] == 0, f"{object_}: {status['mismatches']}"
                assert checked["verified"] >= count["loaded"], f"{object_}: {checked} of {count}"
            return counts

        return await eventually(look, within=within, every=0.5)

    async def send(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> ConsumerRecord:
        """Writes a record as a stranger would; returns where it lies."""
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap, max_request_size=4 << 20)
        await producer.start()
        try:
            return await producer.send_and_wait(topic, value, key=key, partition=partition)
        finally:
            await producer.stop()

    async def records(self, topic: str) -> list[ConsumerRecord]:
        """Everything a topic holds now."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        await consumer.start()
        try:
            parts = [TopicPartition(topic, number) for number in range(self.catalogue.partitions)]
            ends = await consumer.end_offsets(parts)
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            found: list[ConsumerRecord] = []
            while any([await consumer.position(part) < ends[part] for part in parts]):
                for part, records in (await consumer.getmany(timeout_ms=200)).items():
                    found += [record for record in records if record.offset < ends[part]]
            return found
        finally:
            await consumer.stop()

    async def rejects(self) -> list[dict[str, Any]]:
        """All rejects, each with its headers as ``headers``."""
        return [
            {**CODEC.decode(record.value)[1], "headers": dict(record.headers)}
            for record in await self.records(self.catalogue.rejects)
        ]

    async def rejected(self, reference: str, code: str, within: float = 60) -> dict[str, Any]:
        """Waits for a reject; returns the newest."""

        async def look() -> dict[str, Any]:
            found = await self.rejects()
            mine = [one for one in found if (one["reference"], one["code"]) == (reference, code)]
            assert mine, f"no {code} of {reference}: {sorted({(r['reference'], r['code']) for r in found})}"
            return mine[-1]

        return await eventually(look, within=within, every=0.3)

    async def operations(self, reference: str) -> list[dict[str, Any]]:
        """What the audit says of one record, in order."""
        found = [CODEC.decode(record.value)[1] for record in await self.records(self.catalogue.audit)]
        return [one for one in found if one["reference"] == reference]
