"""What may be committed: the contiguous done prefix of what was delivered, under the assignment it was delivered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.chunks import assignment, chunk
from transport.assignment import StaleAssignment, TopicPartition, Watermark

ENDS = st.lists(st.integers(0, 10_000), unique=True, min_size=1, max_size=40).map(sorted)
IN = TopicPartition("in", 0)


@given(ENDS, st.data())
def test_nothing_unfinished_is_ever_committable(ends: list[int], data: st.DataObject) -> None:
    mark = Watermark(ends[0])
    waiting, finished = list(ends), set()
    delivered: list[int] = []
    while waiting or set(delivered) - finished:
        open_ = [end for end in delivered if end not in finished]
        if waiting and (not open_ or data.draw(st.booleans(), label="deliver")):
            delivered.append(waiting.pop(0))
            mark.deliver(delivered[-1], records=3)
        else:
            end = data.draw(st.sampled_from(open_), label="done")
            mark.done(end)
            finished.add(end)
        open_ = [end for end in delivered if end not in finished]
        done_before = [end for end in delivered if end in finished and (not open_ or end < open_[0])]
        still = [end for end in done_before if end >= mark.committed]
        assert mark.committable() == (still[-1] + 1 if still else None)
        assert mark.unfinished == len(open_)
        assert mark.unfinished_records == 3 * len(open_)
        offset = mark.committable()
        if offset is not None and data.draw(st.booleans(), label="commit"):
            mark.advance(offset)
            assert mark.committed == offset
            assert mark.committable() is None
    if (offset := mark.committable()) is not None:
        mark.advance(offset)
    assert mark.committed == ends[-1] + 1


def test_offsets_never_delivered_are_not_waited_for() -> None:
    mark = Watermark(0)
    for end in (4, 90, 91):
        mark.deliver(end)
    mark.done(91)
    mark.done(4)
    assert mark.committable() == 5
    mark.done(90)
    assert mark.committable() == 92


def test_a_chunk_may_say_twice_that_it_is_done() -> None:
    mark = Watermark(0)
    mark.deliver(4, records=5)
    mark.deliver(9, records=5)
    mark.done(4)
    mark.done(4)
    assert mark.unfinished_records == 5
    mark.advance(5)
    mark.done(4)
    assert mark.unfinished_records == 5
    assert mark.committable() is None


def test_an_offset_never_delivered_cannot_be_done() -> None:
    mark = Watermark(0)
    mark.deliver(9)
    mark.done(5)
    assert mark.committable() is None
    assert mark.unfinished_records == 1


def test_delivering_backwards_is_refused() -> None:
    mark = Watermark(0)
    mark.deliver(9)
    with pytest.raises(ValueError, match="delivered after 9"):
        mark.deliver(9)


def test_a_stale_chunk_counts_for_nobody() -> None:
    first = assignment()
    late = chunk(first, 0, 4)
    first.close()
    second = assignment()
    chunk(second, 0, 4)
    late.done()
    assert not late.live
    assert first.watermarks[IN].committable() is None
    assert second.watermarks[IN].committable() is None
    with pytest.raises(StaleAssignment):
        first.check()


def test_a_finished_chunk_wakes_the_drain_loop_unless_it_is_stale() -> None:
    woken = []
    current = assignment()
    current.on_done = lambda: woken.append(1)
    one, two = chunk(current, 0), chunk(current, 1)
    one.done()
    current.close()
    two.done()
    assert woken == [1]
