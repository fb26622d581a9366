"""Reads uploaded CSV files under the rules of Bulk 2.0.

Owns line endings, the byte order mark, delimiters and what a broken file says. Called by `ingest`.
"""

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from sandbox.salesforce.errors import JobError

DELIMITERS = {"COMMA": ",", "BACKQUOTE": "`", "CARET": "^", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
BLOCK = 1 << 20
MOST_HEADER = 32_000  # characters
MOST_FIELD = 131_072  # characters
MOST_RECORD = 400_000  # characters
UNREADABLE = "InvalidBatch : Failed to parse CSV. {}"
UNESCAPED = "Found unescaped quote. A value with quote should be within a quote"
UNCLOSED = "EOF reached before closing an opened quote"
csv.field_size_limit(MOST_FIELD * 8)  # longer ones are refused row by row, not by the reader


def check(path: Path, line_ending: str) -> None:
    """Raises JobError when the file has line endings of the other kind anywhere, quoted fields included."""
    newlines = pairs = 0
    last = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            newlines += block.count(b"\n")
            pairs += (last + block).count(b"\r\n")
            last = block[-1:]
    wrong = pairs > 0 if line_ending == "LF" else pairs != newlines
    if wrong:
        raise JobError(
            f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {line_ending}"
        )


def rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The rows of the file, the header first; raises JobError when it is no CSV."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        start = file.read(2)
        if start == '\ufeff"':
            raise JobError(UNREADABLE.format(UNESCAPED))
        file.seek(0)
        between = DELIMITERS[delimiter]
        try:
            for line in file:
                if '"' in line:  # the reader takes the lines that belong to a quoted value, and no more
                    yield next(csv.reader(chain((line,), file), delimiter=between, strict=True))
                elif bare := line.rstrip("\r\n"):
                    yield bare.split(between)
        except csv.Error as error:
            raise JobError(UNREADABLE.format(UNCLOSED if "unexpected end" in str(error) else UNESCAPED)) from error
