"""The local file: pairs, prefix scans and how far it is, in one batch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.store import Mark, Store, StoreLocked


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "0")
    yield made
    made.close()


def test_a_new_file_stands_at_the_beginning(store: Store) -> None:
    assert store.mark() == Mark(0, 0)
    assert list(store.scan(b"")) == []


def test_pairs_and_mark_are_written_together_and_survive_closing(tmp_path: Path) -> None:
    store = Store(tmp_path / "0")
    store.write({b"a": b"1", b"b": b"2"}, next_offset=7, epoch=3)
    store.write({b"a": None, b"b": b""}, next_offset=9, epoch=4)
    store.close()
    again = Store(tmp_path / "0")
    assert (again.get(b"a"), again.get(b"b"), again.mark()) == (None, b"", Mark(9, 4))
    again.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(st.binary(min_size=1, max_size=4).filter(lambda key: key[:1] != b"\xff"), st.binary(max_size=3)),
    st.binary(max_size=2).filter(lambda key: key[:1] != b"\xff"),
    st.one_of(st.none(), st.binary(max_size=2)),
)
def test_a_scan_is_what_a_sorted_dict_would_give(
    store: Store, pairs: dict[bytes, bytes], prefix: bytes, rest: bytes | None
) -> None:
    store.wipe()
    store.write(pairs, 1, 1)
    after = None if rest is None else prefix + rest
    found = [pair for pair in store.scan(prefix, after) if pair[0][:2] != b"\xff\xff"]
    wanted = [(key, value) for key, value in sorted(pairs.items()) if key.startswith(prefix)]
    assert found == [(key, value) for key, value in wanted if after is None or key > after]


def test_a_wiped_file_knows_nothing(store: Store) -> None:
    store.write({b"a": b"1"}, 5, 2)
    store.wipe()
    assert (store.get(b"a"), store.mark()) == (None, Mark(0, 0))


def test_two_processes_cannot_share_a_file(store: Store, tmp_path: Path) -> None:
    script = f"from pathlib import Path; from state.store import Store; Store(Path({str(tmp_path / '0')!r}))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert other.returncode != 0
    assert "is another worker running with the same data directory?" in other.stderr
    assert StoreLocked.__name__ in other.stderr


def test_the_file_is_for_its_owner_alone(store: Store, tmp_path: Path) -> None:
    assert (tmp_path / "0").stat().st_mode & 0o077 == 0
