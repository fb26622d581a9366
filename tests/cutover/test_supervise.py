"""Children are started again, given up after repeated ends, and never outlive their parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cutover import supervise
from cutover.supervise import ChildFailed, Supervisor

SLEEPS = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


async def _pid(supervisor: Supervisor, name: str, other_than: int | None = None) -> int:
    for _ in range(500):
        pid = supervisor.pids.get(name)
        if pid and pid != other_than:
            return pid
        await asyncio.sleep(0.02)
    raise AssertionError("the child never started")


async def test_a_killed_child_is_started_again_and_all_end_on_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "FIRST_WAIT", 0.05)
    supervisor = Supervisor({"one": SLEEPS, "two": SLEEPS}, tmp_path)
    task = asyncio.create_task(supervisor.run())
    first, other = await _pid(supervisor, "one"), await _pid(supervisor, "two")
    os.kill(first, signal.SIGKILL)
    second = await _pid(supervisor, "one", other_than=first)
    assert supervisor.pids["two"] == other
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    for pid in (second, other):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_child_that_ends_again_and_again_is_given_up_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "FIRST_WAIT", 0.01)
    supervisor = Supervisor({"bad": [sys.executable, "-c", "print('reason'); raise SystemExit(3)"]}, tmp_path)
    with pytest.raises(ExceptionGroup) as caught:
        await supervisor.run()
    (error,) = caught.value.exceptions
    assert isinstance(error, ChildFailed)
    assert str(error).endswith(f"its reason is at the end of {tmp_path / 'bad.log'}.")
    assert (tmp_path / "bad.log").read_text().count("reason") == supervise.MOST_ENDS


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal is Linux's")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    child = "import time; from cutover.supervise import end_with_parent; end_with_parent(); time.sleep(600)"
    parent = (
        "import asyncio, sys; from pathlib import Path; from cutover.supervise import Supervisor\n"
        f"s = Supervisor({{'c': [sys.executable, '-c', {child!r}]}}, Path({str(tmp_path)!r}))\n"
        "async def main():\n"
        "    t = asyncio.create_task(s.run())\n"
        "    while not s.pids: await asyncio.sleep(0.01)\n"
        "    await asyncio.sleep(0.5)\n"
        "    print(s.pids['c'], flush=True)\n"
        "    await t\n"
        "asyncio.run(main())\n"
    )
    import subprocess

    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    ) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
