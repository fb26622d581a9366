"""The usual dirt of a patient.

Owns which values and how often. Rates are per record and small; a few extreme ones are placed by position, so that
even a small practice has one. A kind that is not asked for leaves the record alone but costs the same dice, so that
switching one off changes nothing else. Called by the generator.
"""

import random
from collections.abc import Callable

from sandbox.visual_practice.schema import Record

Spoiler = Callable[[Record, random.Random, frozenset[str]], None]

LONG_NOTE = 40_000  # characters; a Salesforce long text field of the usual size takes 32,000
ODD_NOTES = (
    ("quotes_in_text", 'Said "no", twice'),
    ("mixed_line_ends", "line one\nline two\r\nline three"),
    ("quotes_in_text", "a, b; c\td | e"),
    ("emoji", "happy 😀 patient 👩‍👩‍👧"),
    ("blank_texts", "  leading and trailing  "),
    ("html_notes", "<p>Seen <b>today</b> &amp; well</p>"),
    ("formulas", "=1+1"),
    ("null_words", "-"),
    ("null_words", "null"),
    ("null_words", "#N/A"),
    ("formulas", "'; DROP TABLE patients; --"),
    ("odd_scripts", "right-to-left: مرحبا, and a zero\u200bwidth blank"),
    ("quotes_in_text", "\\N \\n backslashes \\"),
    ("blank_texts", ""),
)
ODD_EMAILS = (
    ("placeholder_emails", "none@none.com"),
    ("placeholder_emails", "n/a"),
    ("placeholder_emails", "unknown"),
    ("invalid_emails", "not an e-mail"),
    ("invalid_emails", "a@b"),
    ("several_emails", "two@x.example;three@x.example"),
    ("spaced_emails", " spaced@mail.example "),
)
ODD_PHONES = (
    ("worded_phones", "n/a"),
    ("worded_phones", "call mum"),
    ("phone_extensions", "+61 (0)2 9999 0000 ext. 12"),
    ("placeholder_phones", "0000000000"),
    ("several_phones", "02 9999 0000 / 02 9999 0001"),
    ("empty_phones", ""),
)
ODD_NAMES = (
    ("odd_preferred_names", "😀"),
    ("odd_preferred_names", "Bob, the"),
    ("odd_preferred_names", "<b>Al</b>"),
)
NO_DATE = "0001-01-01"
NUL_AT, LONG_AT = 37, (53, 1_753)  # positions (0-based) of the records that get the extreme notes


def _of(field: str, values: tuple[tuple[str, str | None], ...]) -> Spoiler:
    def spoil(record: Record, dice: random.Random, kinds: frozenset[str]) -> None:
        kind, value = dice.choice(values)
        if kind in kinds:
            record[field] = value

    return spoil


def _around(kind: str, field: str, pattern: str) -> Spoiler:
    def spoil(record: Record, _: random.Random, kinds: frozenset[str]) -> None:
        if kind in kinds:
            record[field] = pattern.format(record[field])

    return spoil


SPOILERS: tuple[tuple[float, Spoiler], ...] = (  # share of the records, what happens to them
    (0.05, _of("notes", ODD_NOTES)),
    (0.015, _of("email", ODD_EMAILS)),
    (0.015, _of("mobile_phone", ODD_PHONES)),
    (0.002, _of("last_name", tuple(("missing_surnames", value) for value in ("", None, "   ")))),
    (0.003, _of("date_of_birth", (("zero_dates", NO_DATE),))),
    (0.005, _of("date_of_birth", (("no_birth_date", None),))),
    (0.01, _around("spaced_names", "first_name", " {} ")),
    (0.005, _around("quoted_names", "last_name", '{} "Junior"')),
    (0.005, _around("multiline_addresses", "address_1", "{},\nrear entrance")),
    (0.005, _of("preferred_name", ODD_NAMES)),
    (0.0003, _of("last_name", (("endless_names", "Wolfeschlegelsteinhausenbergerdorff" * 3),))),
)


def soil(record: Record, position: int, dice: random.Random, kinds: frozenset[str]) -> None:
    """Spoils a patient in place, or leaves it; a dozen in a hundred get something when all is usual."""
    roll = dice.random()
    for share, spoil in SPOILERS:
        roll -= share
        if roll < 0:
            spoil(record, dice, kinds)
            break
    if position == NUL_AT and "control_characters" in kinds:
        record["notes"] = "before\x00after"
    elif position in LONG_AT and "endless_notes" in kinds:
        record["notes"] = ("Long history. " * (LONG_NOTE // 14 + 1))[:LONG_NOTE]
