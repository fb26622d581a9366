import asyncio
import csv
import io
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.salesforce.csv_rows import NULL, CellRefused, CsvRows, read_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(" \"',\n\r#N/A\u2028\x85é", max_size=8)
CELL = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT


def expected(value: object) -> str:
    if value is None or value == "":
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("\r\n", "\n").replace("\r", "\n")


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=8))
@settings(max_examples=300, deadline=None)
def test_rows_come_back_from_a_csv_reader_as_they_went_in(rows: list[tuple[object, ...]]):
    upload = CsvRows(["A", "B__c", "C"])
    kept = []
    for row in rows:
        try:
            assert upload.add(dict(zip(upload.columns, row, strict=True)))  # type: ignore[arg-type]
            kept.append(row)
        except CellRefused as refused:
            assert refused.code == "LITERAL_NULL_MARK"  # noqa: PT017
    text = upload.data().decode()
    assert upload.size == len(upload.data())
    assert "\r" not in text
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert read[0] == ["A", "B__c", "C"]
    assert len(read) - 1 == len(kept) == upload.rows
    for cells, row in zip(read[1:], kept, strict=True):
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, float):
                assert float(cell) == value
                assert "e" not in cell.lower()
            else:
                assert cell == expected(value)


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=6), st.integers(1, 7))
@settings(max_examples=200, deadline=None)
def test_a_result_cut_anywhere_is_read_by_name(rows: list[list[str]], step: int):
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["sf__Id", "Name"], *rows])
    data = sink.getvalue().encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), step):
            yield data[start : start + step]

    async def read() -> list[dict[str, str]]:
        return [row async for row in read_rows(pieces())]

    assert asyncio.run(read()) == [{"sf__Id": first, "Name": second} for first, second in rows]


@pytest.mark.parametrize("text", ['"a","b"\n"1"\n', '"a"\n"1', '"a"\n"1"2"\n', '"a"\n\xff'])
async def test_what_is_no_csv_is_refused(text: str):
    async def pieces() -> AsyncIterator[bytes]:
        yield text.encode("latin-1")

    with pytest.raises(ValueError):  # noqa: PT011
        [row async for row in read_rows(pieces())]


def test_an_absent_column_is_left_alone_and_none_clears():
    upload = CsvRows(["A", "B"])
    upload.add({"B": None})
    assert upload.data() == b"A,B\n,#N/A\n"


def test_an_insert_has_nothing_to_clear():
    upload = CsvRows(["A", "B"], clears=False)
    upload.add({"A": "x", "B": None})
    assert upload.data() == b"A,B\nx,\n"


@pytest.mark.parametrize(
    ("value", "cell"),
    [(True, "true"), (False, "false"), (1e22, "10000000000000000000000"), (1e-7, "0.0000001"), (0.1, "0.1"),
     (-0.0, "-0.0"), (5, "5"), ("a,b", '"a,b"'), ('say "x"', '"say ""x"""'), ("a\r\nb", '"a\nb"')],
)  # fmt: skip
def test_values_are_written_as_salesforce_reads_them(value: object, cell: str):
    upload = CsvRows(["A"])
    upload.add({"A": value})  # type: ignore[dict-item]
    assert upload.data().decode() == f"A\n{cell}\n"


@pytest.mark.parametrize(
    ("value", "code"),
    [(NULL, "LITERAL_NULL_MARK"), (float("nan"), "NOT_FINITE"), ("x" * 131_073, "TOO_LONG"), ("\ud800", "NOT_UNICODE")],
)
def test_a_value_that_cannot_travel_is_refused_and_the_rest_stays(value: object, code: str):
    upload = CsvRows(["A", "B"])
    upload.add({"A": "before"})
    with pytest.raises(CellRefused) as caught:
        upload.add({"A": value})  # type: ignore[dict-item]
    assert caught.value.code == code
    upload.add({"A": "after"})
    assert upload.data() == b"A,B\nbefore,\nafter,\n"


def test_a_record_that_is_too_long_is_refused():
    upload = CsvRows(["A", "B", "C", "D"])
    with pytest.raises(CellRefused, match="TOO_LONG"):
        upload.add(dict.fromkeys("ABCD", "x" * 110_000))
    assert (upload.rows, upload.data()) == (0, b"A,B,C,D\n")


def test_a_full_upload_takes_no_more():
    few = CsvRows(["A"], most_rows=1)
    assert few.add({"A": "x"})
    assert not few.add({"A": "y"})
    small = CsvRows(["A"], most_bytes=6)
    assert small.add({"A": "é"})
    assert not small.add({"A": "y"})
    assert small.data() == "A\né\n".encode()
    assert small.size == 5
