"""What the demo says before it has started anything."""

from __future__ import annotations

import contextlib
import socket

import pytest
from click.testing import CliRunner

from cutover.demo import _free_port, demo
from cutover.settings import ControlSettings


def test_another_port_is_taken_when_something_has_the_usual_one() -> None:
    usual = ControlSettings()
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # something has it already
            other.bind((usual.host, usual.port))
            other.listen()
        assert _free_port() not in {0, usual.port}


@pytest.mark.parametrize("wrong", [["--dirty", "mud"], ["--files", "-1"], ["--files", "many"]])
def test_what_can_not_be_meant_is_refused_at_once(wrong: list[str]) -> None:
    ran = CliRunner().invoke(demo, wrong)
    assert ran.exit_code == 2
    assert wrong[0] in ran.output
