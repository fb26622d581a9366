"""A fetched run becomes chunks that Faust lets through, within bounds, with nothing lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.chunks import Record, assignment, chunk
from transport.chunk import MAX_BYTES, MAX_RECORDS, Chunk, split

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


def following(made: Chunk, count: int, value: bytes = b"") -> list[Record]:
    return [Record(made.last + 1 + number, value, partition=made.tp.partition) for number in range(count)]


def test_what_follows_joins_a_chunk() -> None:
    under = assignment("in", 3)
    made = chunk(under, 7, 11, partition=3)
    mark = under.watermarks[made.tp]
    assert made.append(following(made, 2))
    assert made.append(following(made, 1))
    assert [record.offset for record in made.records] == [*range(7, 15)]
    assert (mark.unfinished, mark.unfinished_records) == (1, 8)
    made.done()
    assert mark.committable() == 15
    assert mark.unfinished_records == 0


@pytest.mark.parametrize(("count", "value"), [(MAX_RECORDS - 4, b""), (2, bytes(MAX_BYTES // 2))])
def test_a_chunk_takes_no_more_along_than_a_chunk_may_hold(count: int, value: bytes) -> None:
    under = assignment()
    made = chunk(under, 0, 4)
    assert not made.append(following(made, count, value))
    assert made.last == 4
    assert made.append(following(made, count - 1, value))
    made.done()
    assert under.watermarks[made.tp].committable() == count + 4


def test_only_the_newest_chunk_grows() -> None:
    under = assignment()
    older = chunk(under, 0, 4)
    chunk(under, 5, 9)
    with pytest.raises(ValueError, match="not the newest"):
        older.append([Record(10)])
