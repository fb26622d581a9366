"""A log never quotes a record."""

from __future__ import annotations

import logging

import pytest

from connectors.errors import BadCredentials
from transport.worker import without_values


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def logger(lines: list[str]) -> logging.Logger:
    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Keep()
    handler.addFilter(without_values)
    logger = logging.getLogger("tests.cutover.logs")
    logger.handlers.clear()
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return logger


def test_a_librarys_exception_is_named_and_placed_and_not_quoted(logger: logging.Logger, lines: list[str]) -> None:
    try:
        int("Maynard46")
    except ValueError as error:
        logger.exception("Crashed reason=%r", error)  # noqa: TRY401 - as mode says it
    assert "ValueError at test_logs.py:" in lines[0]
    assert "Maynard46" not in lines[0]
    assert "Traceback" not in lines[0]


def test_our_own_exceptions_are_told_in_full(logger: logging.Logger, lines: list[str]) -> None:
    logger.warning("waiting: %s", BadCredentials("Salesforce", "login failed"))
    assert "login failed" in lines[0]
    assert "client id and secret" in lines[0]


def test_other_messages_pass_as_they_are(logger: logging.Logger, lines: list[str]) -> None:
    logger.info("%d rows of %s, %s%%", 3, "Contact", 50)
    logger.info("50 % done")
    assert lines == ["3 rows of Contact, 50%", "50 % done"]
