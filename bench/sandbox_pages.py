"""What the sandbox's Visual Practice costs: pages of patients against the least that anything could cost, and its memory.

The least is `json.dumps` of the same rows, page by page, in a process of its own. Run by `bench.sandbox`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from bench.measure import cpu_seconds, memory
from sandbox.process import SandboxProcess

_PER_PAGE: Final = 100
_TURNS: Final = 5  # walks over all pages while the memory is watched
PROFILES: Final = ("page", "cursor")


def measure(patients: int) -> dict[str, Any]:
    """Walks over all pages of a new practice, in each profile.

    Returns:
        By profile: `pages`, `rows`, `cpu` (seconds of the server for one walk), `least` (seconds of `json.dumps` of the
        same rows), `rss_first` and `rss_last` (bytes after the first and after the last of five walks).
    """
    found: dict[str, Any] = {}
    with SandboxProcess(
        only="visual-practice", patients=patients, practices=max(20, patients // 250), resources="core"
    ) as sandbox:
        card = sandbox.visual_practice
        with httpx.Client(base_url=card["url"], auth=(card["api_key"], ""), timeout=60) as client:
            for profile in PROFILES:
                client.post("/__admin/profile", json={"profile": profile}).raise_for_status()
                found[profile] = _walks(client, sandbox.pid, _WALKS[profile])
    return found


def _walks(client: httpx.Client, pid: int, walk: Callable[[httpx.Client], list[bytes]]) -> dict[str, Any]:
    pages = walk(client)
    first = memory(pid).now
    spent = []
    for _ in range(_TURNS - 1):
        began = cpu_seconds(pid)
        walk(client)
        spent.append(cpu_seconds(pid) - began)
    last = memory(pid).now
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pages.jsonl"
        path.write_bytes(b"\n".join(pages))
        least = bare(path)
    rows = sum(len(_rows(json.loads(page))) for page in pages)
    return {
        "pages": len(pages),
        "rows": rows,
        "cpu": min(spent),
        "least": least,
        "rss_first": first,
        "rss_last": last,
    }


def _rows(page: dict[str, Any]) -> list[Any]:
    return next(value for value in page.values() if isinstance(value, list))


def _by_page(client: httpx.Client) -> list[bytes]:
    pages: list[bytes] = []
    while True:
        query = {"per_page": _PER_PAGE, "page": len(pages) + 1, "sort": "updated_at"}
        pages.append(client.get("/v1/patients", params=query).raise_for_status().content)
        if b'"next":' not in pages[-1][-400:]:
            return pages


def _by_cursor(client: httpx.Client) -> list[bytes]:
    pages: list[bytes] = []
    query: dict[str, Any] = {"per_page": _PER_PAGE, "sort": "updated_at"}
    while True:
        pages.append(client.get("/v1/patients", params=query).raise_for_status().content)
        tail = json.loads(b"{" + pages[-1].rpartition(b"],")[2])
        if not tail["has_next_page"]:
            return pages
        query["cursor"] = tail["next"]


_WALKS: Final = {"page": _by_page, "cursor": _by_cursor}


def bare(path: Path) -> float:
    """CPU seconds of `json.dumps` of the pages in a file; run in a process of its own."""
    code = f"from bench.sandbox_pages import _least; _least({str(path)!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(ran.stdout)


def _least(path: str) -> None:
    with Path(path).open() as file:
        pages = [json.loads(line) for line in file]
    spent = []
    for _ in range(3):
        began = time.process_time()
        for page in pages:
            json.dumps(page)
        spent.append(time.process_time() - began)
    print(min(spent))
