"""Dirty values: the kinds of nonsense that a practice's own data holds after years of use.

Owns which values and how often. Rates are per record and small; a few extreme ones are placed by position, so that
even a small practice has one. Called by the generator, only when dirt is asked for.
"""

import random
from collections.abc import Callable

from sandbox.visual_practice.schema import Record

Spoiler = Callable[[Record, random.Random], None]

LONG_NOTE = 40_000  # characters; a Salesforce long text field of the usual size takes 32,000
ODD_NOTES = (
    'Said "no", twice',
    "line one\nline two\r\nline three",
    "a, b; c\td | e",
    "happy 😀 patient 👩‍👩‍👧",
    "  leading and trailing  ",
    "<p>Seen <b>today</b> &amp; well</p>",
    "=1+1",
    "-",
    "null",
    "#N/A",
    "'; DROP TABLE patients; --",
    "right-to-left: مرحبا, and a zero\u200bwidth blank",
    "\\N \\n backslashes \\",
    "",
)
ODD_EMAILS = (
    "none@none.com",
    "n/a",
    "unknown",
    "not an e-mail",
    "a@b",
    "two@x.example;three@x.example",
    " spaced@mail.example ",
)
ODD_PHONES = ("n/a", "call mum", "+61 (0)2 9999 0000 ext. 12", "0000000000", "02 9999 0000 / 02 9999 0001", "")
NO_DATE = "0001-01-01"
NUL_AT, LONG_AT = 37, (53, 1_753)  # positions (0-based) of the records that get the extreme notes


def _of(field: str, values: tuple[str | None, ...]) -> Spoiler:
    def spoil(record: Record, dice: random.Random) -> None:
        record[field] = dice.choice(values)

    return spoil


def _around(field: str, pattern: str) -> Spoiler:
    def spoil(record: Record, _: random.Random) -> None:
        record[field] = pattern.format(record[field])

    return spoil


SPOILERS: tuple[tuple[float, Spoiler], ...] = (  # share of the records, what happens to them
    (0.05, _of("notes", ODD_NOTES)),
    (0.015, _of("email", ODD_EMAILS)),
    (0.015, _of("mobile_phone", ODD_PHONES)),
    (0.002, _of("last_name", ("", None, "   "))),
    (0.003, _of("date_of_birth", (NO_DATE,))),
    (0.005, _of("date_of_birth", (None,))),
    (0.01, _around("first_name", " {} ")),
    (0.005, _around("last_name", '{} "Junior"')),
    (0.005, _around("address_1", "{},\nrear entrance")),
    (0.005, _of("preferred_name", ("😀", "Bob, the", "<b>Al</b>"))),
    (0.0003, _of("last_name", ("Wolfeschlegelsteinhausenbergerdorff" * 3,))),
)


def soil(record: Record, position: int, dice: random.Random) -> None:
    """Spoils a patient in place, or leaves it; a dozen in a hundred get something."""
    roll = dice.random()
    for share, spoil in SPOILERS:
        roll -= share
        if roll < 0:
            spoil(record, dice)
            break
    if position == NUL_AT:
        record["notes"] = "before\x00after"
    elif position in LONG_AT:
        record["notes"] = ("Long history. " * (LONG_NOTE // 14 + 1))[:LONG_NOTE]
