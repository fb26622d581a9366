"""What a process writes to its log: no traceback and no exception's text but our own, because either can hold a patient's data.

Our exceptions name fields, codes and systems, never values; a library's `ValueError` quotes what it could not parse. `CARRYOVER_DEBUG=1` lets
everything through.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any, Final

LEVEL: Final = "CARRYOVER_LOG"
DEBUG: Final = "CARRYOVER_DEBUG"
FORM: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"

CHATTY: Final = ("aiokafka", "faust", "mode", "transport.app", "transport.consumer", "httpx")
"""Libraries whose INFO is of no use to an operator."""

OURS: Final = frozenset({"agents", "connectors", "cutover", "mapping", "ops", "state", "topics", "transport"})
"""Packages whose exceptions say nothing of a record's values."""

SAFE: Final = frozenset({"aiokafka"})
"""Libraries whose exceptions speak of brokers and topics only."""


class WithoutValues(logging.Filter):
    """Replaces exceptions in a record by their type and place, unless they are ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            record.msg = f"{record.getMessage() if not record.args else _message(record)} [{said(record.exc_info[1])}]"
            record.args = ()
        elif record.args:
            record.msg, record.args = _message(record), ()
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def said(error: BaseException) -> str:
    """An exception as it may be told: its text if it is ours, else its type and the line that raised it."""
    package = type(error).__module__.partition(".")[0]
    if package in OURS or package in SAFE:
        return str(error) or type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class _Said:
    """Stands for an exception among a message's arguments, for `%s` and `%r` alike."""

    def __init__(self, error: BaseException) -> None:
        self._text = said(error)

    def __repr__(self) -> str:
        return self._text


def _message(record: logging.LogRecord) -> str:
    args: Any = record.args
    if isinstance(args, tuple):
        args = tuple(_Said(one) if isinstance(one, BaseException) else one for one in args)
    return str(record.msg) % args if args else str(record.msg)


def start() -> None:
    """Sets up logging for a process of the cutover: to stderr, at the level that ``CARRYOVER_LOG`` names (INFO)."""
    level = os.environ.get(LEVEL, "INFO").upper()
    level = level if level in logging.getLevelNamesMapping() else "INFO"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORM))
    if os.environ.get(DEBUG) != "1":
        handler.addFilter(WithoutValues())
    logging.basicConfig(level=level, handlers=[handler])
    if level != "DEBUG":
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
