"""Waiting for what other processes do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], *, within: float = 60, every: float = 0.1) -> T:
    """What `look` finds as soon as it is truthy; fails with the last finding (or its AssertionError) when it never is."""
    deadline = time.monotonic() + within
    while True:
        error: AssertionError | None = None
        found: T | None = None
        try:
            if found := await look():
                return found
        except AssertionError as exc:
            error = exc
        if time.monotonic() > deadline:
            raise error or AssertionError(f"still {found!r} after {within} s")
        await asyncio.sleep(every)
