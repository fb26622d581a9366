"""Encoded versions sort as the versions do, and nothing but an encoded version is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topics.reference import BadReference, join, key, split
from topics.version import LENGTH, Version, VersionError

versions = st.builds(
    Version,
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]), min_value=datetime(2, 1, 1)),  # noqa: DTZ001
    st.booleans(),
    st.booleans(),
    st.integers(0, 9999),
    st.integers(0, 9999),
)


@given(versions, versions)
def test_strings_sort_as_versions_do(one: Version, other: Version) -> None:
    assert (one < other) == (one.encode() < other.encode())
    assert Version.decode(one.encode()) == one
    assert len(one.encode()) == LENGTH


def test_the_parts_count_in_order() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ordered = [
        Version(at, closed=False, deleted=True, sequence=9),
        Version(at),
        Version(at, resolution=1),
        Version(at, sequence=1),
        Version(at, deleted=True),
        Version(at + timedelta(microseconds=1), closed=False),
    ]
    texts = [version.encode() for version in ordered]
    assert texts == sorted(texts)
    assert texts[1] == "2026-01-02T03:04:05.000000Z/1/0/0000/000000000000000000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05.000000Z/1/0/0001/00000000000000000",
        "2026-01-02T03:04:05.000000Z/1/0/0001/000000000000000000 ",
        "2026-01-02T03:04:05.000000Z/2/0/0001/000000000000000000",
        "2026-01-02T03:04:05.000000Z/1/0/+001/000000000000000000",
        "2026-13-02T03:04:05.000000Z/1/0/0001/000000000000000000",
        "2026-01-02T03:04:05.000000+01:00/1/0/0001/000000",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        Version.decode(text)


def test_a_time_without_zone_and_a_number_out_of_range_are_refused() -> None:
    with pytest.raises(VersionError, match="time zone"):
        Version(datetime(2026, 1, 1)).encode()  # noqa: DTZ001
    with pytest.raises(VersionError, match="9999"):
        Version(datetime(2026, 1, 1, tzinfo=UTC), sequence=10_000).encode()


def test_a_reference_is_joined_and_split_at_its_first_colon() -> None:
    assert split(join("patient", "a:b")) == ("patient", "a:b")
    assert key("patient:é") == "patient:é".encode()
    for bad in ("patient", "patient:", ":1"):
        with pytest.raises(BadReference):
            split(bad)
    for object_, vp_id in (("", "1"), ("patient", ""), ("a:b", "1")):
        with pytest.raises(BadReference):
            join(object_, vp_id)
