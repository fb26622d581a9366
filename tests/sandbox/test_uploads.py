"""Uploaded files are read record by record, whatever is quoted in them."""

import csv
import io
import random
from pathlib import Path

import pytest

from sandbox.salesforce import uploads
from sandbox.salesforce.errors import JobError

PIECES = ("a", "é", ",", ",", '"', '"', '""', "\n", "\n", "\r\n", "\r", " ", ";")


def read(path: Path) -> tuple[list[list[str]], bool]:
    """The rows up to the end or to the error, and whether it was one."""
    rows: list[list[str]] = []
    try:
        rows.extend(uploads.rows(path, "COMMA"))
    except JobError:
        return rows, True
    return rows, False


def expected(content: str) -> tuple[list[list[str]], bool]:
    """What one `csv.reader` makes of the whole."""
    rows: list[list[str]] = []
    try:
        rows.extend(filter(None, csv.reader(io.StringIO(content, newline=""), strict=True)))
    except csv.Error:
        return rows, True
    return rows, False


@pytest.mark.parametrize("seed", range(20))
def test_any_text_is_read_as_the_csv_reader_reads_it(tmp_path: Path, seed: int) -> None:
    dice, path = random.Random(seed), tmp_path / "upload.csv"
    for _ in range(50):
        content = "".join(dice.choices(PIECES, k=dice.randint(1, 40)))
        path.write_bytes(content.encode())
        assert read(path) == expected(content), repr(content)


def test_quoted_lines_stand_among_bare_ones(tmp_path: Path) -> None:
    path = tmp_path / "upload.csv"
    path.write_bytes(b'Id,Name\n1,Ann\n2,"Lee, ""Bo""\nthe second"\n\n3,Cy\n')
    assert list(uploads.rows(path, "COMMA")) == [
        ["Id", "Name"],
        ["1", "Ann"],
        ["2", 'Lee, "Bo"\nthe second'],
        ["3", "Cy"],
    ]
