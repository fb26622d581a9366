"""What a process holds while it streams one large document from Visual Practice to Salesforce and reads it back.

`python -m bench.files`. The sandboxes are processes of their own; the streaming is done in a child, whose resident memory before the document is its "idle",
measured after a small document has gone the same way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any, Final

import httpx

from bench.measure import machine, memory, verdict
from connectors.salesforce import Salesforce
from connectors.salesforce.files import VERSION, Files
from connectors.visual_practice import VisualPractice
from connectors.visual_practice.content import open_content
from sandbox.process import SandboxProcess

_MEGABYTE: Final = 1024 * 1024
_TARGET: Final = 64
_SMALL, _LARGE = "910001", "910002"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.files", description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=500, help="size of the document (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the measurement as JSON too")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(asyncio.run(_stream(json.loads(given.child)))))
        return 0
    print(machine())
    found = measured(given.megabytes)
    more = found["peak_mb"] - found["idle_mb"]
    print(
        f"{given.megabytes} MB up in {found['up_seconds']:.1f} s, read back in {found['back_seconds']:.1f} s; "
        f"idle {found['idle_mb']:.0f} MB, at most {found['peak_mb']:.0f} MB: {more:.1f} MB more"
    )
    if given.json:
        print(json.dumps(found))
    print(verdict("MB above idle", more, _TARGET, at_most=True))
    return 0 if more <= _TARGET else 1


def measured(megabytes: int) -> dict[str, Any]:
    """Streams a document of that size in a child process; what it held and how long it took."""
    with SandboxProcess.start(patients=5, practices=1, clean=True) as sandbox:
        sizes = {_SMALL: _MEGABYTE, _LARGE: megabytes * _MEGABYTE}
        records = [
            {
                "id": vp_id,
                "filename": f"{vp_id}.dcm",
                "size": size,
                "content": {"link": f"/v1/documents/{vp_id}/content"},
            }
            for vp_id, size in sizes.items()
        ]
        body = {"object": "document", "put": records}
        httpx.post(f"{sandbox.visual_practice['url']}/__admin/records", json=body, timeout=60).raise_for_status()
        card = {"practice": sandbox.visual_practice, "org": sandbox.salesforce, "sizes": sizes}
        command = [sys.executable, "-m", "bench.files", "--child", json.dumps(card)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


async def _stream(card: dict[str, Any]) -> dict[str, Any]:
    practice, org = card["practice"], card["org"]
    async with (
        VisualPractice(practice["url"], practice["api_key"]) as source,
        Salesforce(org["url"], org["client_id"], org["client_secret"]) as salesforce,
    ):
        files = Files(salesforce)
        await _one(source, files, _SMALL, card["sizes"][_SMALL])
        idle = memory(os.getpid()).now
        up, back = await _one(source, files, _LARGE, card["sizes"][_LARGE])
        peak = memory(os.getpid()).peak
    return {
        "idle_mb": idle / _MEGABYTE,
        "peak_mb": peak / _MEGABYTE,
        "up_seconds": up,
        "back_seconds": back,
    }


async def _one(source: VisualPractice, files: Files, vp_id: str, size: int) -> tuple[float, float]:
    began = time.monotonic()
    async with open_content(source, vp_id, size) as content:
        row = await files.upload(VERSION, {"PathOnClient": f"{vp_id}.dcm", "Title": vp_id}, content.blocks(), size)
    sent = time.monotonic()
    stored = await files.stored(VERSION, row)
    if (stored.size, stored.sha256) != (size, content.sha256):
        raise SystemExit("what came back is not what was sent")
    return sent - began, time.monotonic() - sent


if __name__ == "__main__":
    sys.exit(main())
