"""What the sandbox's Salesforce costs: Bulk ingest of contacts against the least that anything could cost, and its memory.

The least is `csv.reader` → SQLite `executemany` of the same rows, in a process of its own. Run by `bench.sandbox`.
"""

from __future__ import annotations

import csv
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx

from bench.measure import cpu_seconds, memory
from sandbox.process import SandboxProcess
from sandbox.visual_practice import names

_PRACTICES: Final = 40
_PER_JOB: Final = 10_000  # rows, as the loader sends them
_COLUMNS: Final = (
    *("VP_Id__c", "LastName", "FirstName", "Salutation", "Email", "Phone", "MobilePhone", "Birthdate", "Gender__c"),
    *("MRN__c", "Description", "MailingStreet", "MailingCity", "VP_Created_At__c", "VP_Modified_At__c"),
    "Account.VP_Id__c",
)


def upload(path: Path, rows: int) -> None:
    """Writes a file of made-up contacts of 16 columns, without a newline in any value."""
    dice = random.Random(7)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for number in range(rows):
            writer.writerow(_contact(number, dice))


def _contact(number: int, dice: random.Random) -> tuple[str, ...]:
    first, last = dice.choice(names.FIRST), dice.choice(names.LAST)
    birth = f"{dice.randint(1930, 2020)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
    return (
        *(f"patient:{number}", last, first, "Ms.", f"patient.{number}@mail.example"),
        *(f"(617) 555-{number % 10_000:04d}", f"(617) 556-{number % 10_000:04d}", birth, "female", f"MRN-{number:07d}"),
        *("Prefers mornings; asks for the same hygienist.", f"{number % 999} Harbour Street", "Boston"),
        *("2021-03-04T05:06:07Z", "2025-06-07T08:09:10Z", f"practice:{number % _PRACTICES}"),
    )


def bare(path: Path) -> float:
    """CPU seconds of the least that anything could do with the file; run in a process of its own."""
    code = f"from bench.sandbox_bulk import _least; _least({str(path)!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(ran.stdout)


def _least(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Path(path).open(newline="") as file:
        began = time.process_time()
        reader = csv.reader(file)
        header = next(reader)
        connection = sqlite3.connect(Path(folder) / "bare.sqlite", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        columns = ", ".join(f'"{name}" TEXT' for name in header)
        connection.execute(f"CREATE TABLE contact ({columns})")
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO contact VALUES ({', '.join('?' * len(header))})", reader)
        connection.execute("COMMIT")
        connection.close()
        print(time.process_time() - began)


def ingest(path: Path, rows: int) -> dict[str, Any]:
    """Loads the file into a new org in jobs of 10,000 rows; CPU seconds of the server, and its memory in bytes."""
    with SandboxProcess.start(only="salesforce") as process:
        card = process.salesforce
        headers = {"Authorization": f"Bearer {card['access_token']}"}
        with httpx.Client(base_url=f"{card['url']}/services/data/v62.0", headers=headers, timeout=60) as http:
            _parents(http)
            began, cpu = time.monotonic(), cpu_seconds(process.pid)
            done = sum(_finished(http, job)["numberRecordsProcessed"] for job in _jobs(http, path))
            used = {"cpu": cpu_seconds(process.pid) - cpu, "seconds": time.monotonic() - began}
            if done != rows:
                raise RuntimeError(f"{done} rows of {rows} were processed")
            now, peak = memory(process.pid)
            return {"rows": rows, **used, "rss": now, "peak": peak}


def _parents(http: httpx.Client) -> None:
    records = [
        {"attributes": {"type": "Account"}, "VP_Id__c": f"practice:{number}", "Name": f"Practice {number}"}
        for number in range(_PRACTICES)
    ]
    http.patch("/composite/sobjects/Account/VP_Id__c", json={"records": records}).raise_for_status()


def _jobs(http: httpx.Client, path: Path) -> list[str]:
    jobs = []
    with path.open("rb") as file:
        header = file.readline()
        while lines := [line for _, line in zip(range(_PER_JOB), file, strict=False)]:
            body = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "VP_Id__c"}
            job = http.post("/jobs/ingest", json=body).raise_for_status().json()["id"]
            content = header + b"".join(lines)
            http.put(f"/jobs/ingest/{job}/batches", content=content, headers={"Content-Type": "text/csv"})
            http.patch(f"/jobs/ingest/{job}", json={"state": "UploadComplete"}).raise_for_status()
            jobs.append(job)
    return jobs


def _finished(http: httpx.Client, job: str) -> dict[str, Any]:
    while True:
        info: dict[str, Any] = http.get(f"/jobs/ingest/{job}").raise_for_status().json()
        if info["state"] in {"JobComplete", "Failed", "Aborted"}:
            if info["state"] != "JobComplete" or info["numberRecordsFailed"]:
                raise RuntimeError(json.dumps(info))
            return info
        time.sleep(0.1)


def measure(rows: int, *, rounds: int = 5, more: int = 10) -> dict[str, Any]:
    """Everything this module measures: `rounds` of both sides in turn at `rows`, and memory at `more` times as many.

    A processor's speed changes from minute to minute here: what is told is the ratio within each round.
    """
    with tempfile.TemporaryDirectory(prefix="carryover-bench-") as folder:
        small, large = Path(folder) / "small.csv", Path(folder) / "large.csv"
        upload(small, rows)
        turns = [{"least": bare(small), "ingest": ingest(small, rows)} for _ in range(rounds)]
        upload(large, rows * more)
        return {"turns": turns, "large": ingest(large, rows * more)}
