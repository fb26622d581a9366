"""One value of every message and the bytes that version 1 of its schema wrote for it; `written_v1.json` never changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STORED = json.loads((Path(__file__).parent / "written_v1.json").read_text(encoding="utf-8"))


def value(message: str) -> dict[str, Any]:
    found = dict(STORED[message]["value"])
    if message == "reject":
        found["input"] = bytes.fromhex(found["input"])
    return found


def written(message: str) -> bytes:
    return bytes.fromhex(STORED[message]["bytes"])


MESSAGES = sorted(STORED)
