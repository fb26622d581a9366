"""How a command ends: the exit codes, and the errors that an operator can do something about.

Owns the translation of errors into one line each. Anything else is a defect, told without its values: they could be a
patient's. `CARRYOVER_DEBUG=1` shows the traceback of either.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path

from aiokafka.errors import KafkaError

from connectors.errors import ConnectorError
from cutover.control import PortInUse
from cutover.ledger.consume import LedgerInUse, TopicsMissing
from cutover.ledger.schema import LedgerMissing
from cutover.settings import SettingsError
from cutover.supervise import ChildFailed
from mapping.map_errors import MapErrors
from ops.kafka.broker import BrokerError
from topics.broker import KafkaUnreachable
from topics.provision import ProvisionError

FINE = 0
FAILED = 1
WRONG_USAGE = 2
REFUSED = 3
"""A gate said no: nothing was done."""

DIFFERENT = 4
"""The command worked, and what it compared differs."""


class Refused(Exception):
    """A gate said no; the text says which, and what opens it."""


class Failed(Exception):
    """A command could not do what was asked; the text is one sentence with the way out."""


EXPECTED: tuple[type[BaseException], ...] = (
    *(Failed, KafkaUnreachable, ProvisionError, TopicsMissing, LedgerMissing, LedgerInUse, PortInUse, ChildFailed),
    *(ConnectorError, BrokerError),
)


def explain(error: BaseException) -> tuple[str, int]:
    """What to tell the operator, and the exit code."""
    for inner in _leaves(error):
        if isinstance(inner, SettingsError | MapErrors):
            return str(inner), WRONG_USAGE
        if isinstance(inner, Refused):
            return str(inner), REFUSED
        if isinstance(inner, EXPECTED):
            return str(inner), FAILED
        if isinstance(inner, KafkaError):
            return f"Kafka refused ({type(inner).__name__}): look at the broker's log, then try again.", FAILED
        if isinstance(inner, sqlite3.Error):
            return f"The ledger can't be used ({inner}): check its disk, or delete the file to have it rebuilt.", FAILED
    inner = next(_leaves(error))
    where = traceback.extract_tb(inner.__traceback__)
    place = f" at {Path(where[-1].filename).name}:{where[-1].lineno}" if where else ""
    return (
        f"Carryover met a defect of its own ({type(inner).__name__}{place}): "
        "please report it; CARRYOVER_DEBUG=1 shows more."
    ), FAILED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
