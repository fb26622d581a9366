"""Whoever asks for how much: what is given never exceeds what there is, and what there is never reaches into the reserve."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.shares import AT_ONCE, Reserve, divide, shares

NAMES = st.text("abcdefgh", min_size=1, max_size=2)
WANTS = st.dictionaries(NAMES, st.integers(-5, 500), max_size=8)
ROOM = st.integers(-50, 2000)
RESERVES = st.builds(Reserve, st.floats(0, 0.95, allow_nan=False), st.one_of(st.none(), st.integers(0, 100_000)))


@given(ROOM, WANTS)
def test_shares_never_exceed_the_room_nor_what_is_wanted(room: int, wants: dict[str, int]):
    found = shares(room, wants)
    assert found.keys() == wants.keys()
    assert all(0 <= found[name] <= max(0, wants[name]) for name in wants)
    assert sum(found.values()) == min(max(0, room), sum(max(0, want) for want in wants.values()))


@given(ROOM, WANTS)
def test_who_gets_less_than_he_wants_gets_as_much_as_anybody(room: int, wants: dict[str, int]):
    found = shares(room, wants)
    short = [found[name] for name in wants if found[name] < wants[name]]
    assert not short or max(found.values()) <= min(short) + 1


@given(ROOM, st.integers(0, 300), WANTS, WANTS)
def test_verifiers_get_nothing_of_what_is_kept_for_loading(
    room: int, kept: int, loading: dict[str, int], checking: dict[str, int]
):
    checking = {f"verify-{name}": want for name, want in checking.items()}
    found = divide(room, kept, loading, checking)
    assert sum(found.values()) <= max(0, room)
    assert sum(found[name] for name in checking) <= max(0, room - kept)
    assert {name: found[name] for name in loading} == shares(room, loading)


@given(RESERVES, st.integers(0, 5_000_000), st.integers(0, 40))
def test_the_line_lies_before_the_reserve_by_what_may_be_under_way(reserve: Reserve, most: int, workers: int):
    ours = most - reserve.of(most)
    line = reserve.line(most, workers)
    assert 0 <= line <= ours
    assert ours - line <= AT_ONCE * max(workers, 2)
    assert line >= int(0.9 * ours) - 1
    assert reserve.kept_for_loading(most) <= ours


def test_a_reserve_is_a_share_or_a_number():
    assert Reserve(0.2).of(15_000) == 3_000
    assert Reserve(0.2, calls=1_000).of(15_000) == 1_000
    assert Reserve(0.2, calls=20_000).of(15_000) == 15_000
    assert Reserve(0.2).line(15_000, 2) == 12_000 - 2 * AT_ONCE
