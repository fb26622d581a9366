"""Apache Kafka's own jars on this machine: finds Java, copies the jars once by Maven, and knows the class path.

Called by `ops.kafka.java` only. Downloads go through Maven, so its settings (mirrors, proxies) apply.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ops.kafka.broker import KAFKA_VERSION, BrokerError

OLDEST_JAVA = 17
"""Kafka 4 brokers need Java 17 (Kafka documentation, "Java Version")."""

POM = Path(__file__).with_name("pom.xml")
HOME = Path(__file__).resolve().parents[2] / ".local" / f"kafka-{KAFKA_VERSION}"


def find_java() -> str | None:
    """Path of a `java` that is new enough, from `JAVA_HOME` or the PATH; None if there is none."""
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home) / "bin" / "java")] if home else []
    candidates.append("java")
    for candidate in candidates:
        path = shutil.which(candidate)
        if path and (java_version(path) or 0) >= OLDEST_JAVA:
            return path
    return None


def java_version(java: str) -> int | None:
    """Major version that `java -version` reports, or None if it doesn't run or says something else."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found.group(1)) if found else None


def class_path() -> str:
    """The class path of the broker, as `java -cp` takes it; copies the jars on first use (about 45 MB, seconds).

    Several processes may ask at once: one copies, the others wait.

    Raises:
        BrokerError: Maven is missing or could not get the jars.
    """
    libs = HOME / "libs"
    if not libs.is_dir():
        HOME.mkdir(parents=True, exist_ok=True)
        with (HOME / "copying.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not libs.is_dir():
                _copy_to(libs)
    return str(libs / "*")


def _copy_to(libs: Path) -> None:
    mvn = shutil.which("mvn")
    if not mvn:
        raise BrokerError(
            "Maven (mvn) is not on the PATH, and the local Kafka's jars come by it: install Maven, "
            "or start Docker, or set KAFKA_BOOTSTRAP to a running broker."
        )
    print(f"Fetching Apache Kafka {KAFKA_VERSION} by Maven (once, about 45 MB) ...", flush=True)
    with tempfile.TemporaryDirectory(dir=libs.parent) as scratch:
        target = Path(scratch) / "libs"
        done = subprocess.run(  # noqa: S603
            [mvn, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={target}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not any(target.glob("kafka_2.13-*.jar")):
            lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            said = lines[0].strip() if lines else "no reason given"
            raise BrokerError(
                f"Maven could not fetch Apache Kafka ({said}): check the network and Maven's settings, "
                "or set KAFKA_BOOTSTRAP to a running broker."
            )
        target.rename(libs)
