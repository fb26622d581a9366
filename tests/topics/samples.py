"""One value of every message and the bytes that version 1 of its schema wrote for it; `written_v1.json` never changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STORED = json.loads((Path(__file__).parent / "written_v1.json").read_text(encoding="utf-8"))


LATER: dict[str, dict[str, Any]] = {
    "ready": {"members": []},
    "operation": {"members": [], "origin": None, "row_version": None},
    "landed": {"account": None, "version": None, "document": None},
}
"""Fields that newer versions of a schema have, and how version 1's bytes are read."""

BYTES = {"reject": "input", "member": "values"}


def value(message: str) -> dict[str, Any]:
    found = LATER.get(message, {}) | STORED[message]["value"]
    if message in BYTES:
        found[BYTES[message]] = bytes.fromhex(found[BYTES[message]])
    if message == "waiting":
        found["row"] = LATER["ready"] | found["row"]
    return found


def written(message: str) -> bytes:
    return bytes.fromhex(STORED[message]["bytes"])


MESSAGES = sorted(STORED)
