"""A fetched run becomes chunks that Faust lets through, within bounds, with nothing lost."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.transport.chunks import Record, assignment, chunk
from transport.chunk import split

RECORDS = st.lists(
    st.tuples(st.one_of(st.none(), st.binary(max_size=60)), st.one_of(st.none(), st.binary(max_size=10))), max_size=50
).map(lambda pairs: [Record(offset, value, key) for offset, (value, key) in enumerate(pairs)])


def weight(record: Record) -> int:
    return len(record.value or b"") + len(record.key or b"")


@given(RECORDS, st.integers(1, 12), st.integers(1, 120))
def test_a_split_keeps_every_record_in_order_and_both_bounds(
    records: list[Record], max_records: int, max_bytes: int
) -> None:
    runs = list(split(records, max_records, max_bytes))
    assert [record for run in runs for record in run] == records
    for run in runs:
        assert 1 <= len(run) <= max_records
        assert len(run) == 1 or sum(map(weight, run)) <= max_bytes
    for run, following in pairwise(runs):
        assert len(run) == max_records or sum(map(weight, run)) + weight(following[0]) > max_bytes, "cut too early"


def test_a_chunk_is_bytes_to_faust_and_records_to_us() -> None:
    made = chunk(assignment("in", 3), 7, 11, partition=3)
    assert isinstance(made, bytes)
    assert (made.first, made.last, made.tp) == (7, 11, ("in", 3))
    assert [record.offset for record in made.records] == [7, 8, 9, 10, 11]
    assert made.live
