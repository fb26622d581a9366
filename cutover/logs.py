"""What a process writes to its log: no traceback and no exception's text but our own, because either can hold a patient's data.

Our exceptions name fields, codes and systems, never values; a library's `ValueError` quotes what it could not parse. `CARRYOVER_DEBUG=1` lets
everything through.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

from transport.worker import without_values

LEVEL: Final = "CARRYOVER_LOG"
DEBUG: Final = "CARRYOVER_DEBUG"
FORM: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"

CHATTY: Final = ("aiokafka", "faust", "mode", "transport.app", "transport.consumer", "httpx")
"""Libraries whose INFO is of no use to an operator."""


def start() -> None:
    """Sets up logging for a process of the cutover: to stderr, at the level that ``CARRYOVER_LOG`` names (INFO)."""
    level = os.environ.get(LEVEL, "INFO").upper()
    level = level if level in logging.getLevelNamesMapping() else "INFO"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORM))
    if os.environ.get(DEBUG) != "1":
        handler.addFilter(without_values)
    logging.basicConfig(level=level, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "DEBUG" else logging.WARNING)


def tell_sentences_only() -> None:
    """For a command: aiokafka is silent, which tells of each attempt that it repeats. What comes of them becomes a sentence (`cutover.outcome`)."""
    if os.environ.get(DEBUG) != "1":
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
