"""What is known of a document before its content is fetched."""

from __future__ import annotations

from typing import Any

import pytest

from agents.papers import EMPTY, TOO_LARGE, Paper


@pytest.mark.parametrize(
    ("record", "size", "processed"),
    [
        ({"size": 5, "processing_completed": True}, 5, True),
        ({"size": "5", "processing_completed": "false"}, 5, False),
        ({"size": None, "processing_completed": False}, None, False),
        ({"size": "about 5 MB", "processing_completed": None}, None, True),
        ({"size": True}, None, True),
        ({"size": -1}, None, True),
    ],
)
def test_a_size_that_is_none_is_not_known_and_an_unknown_state_is_done(
    record: dict[str, Any], size: int | None, processed: bool
) -> None:
    assert Paper.of(record) == (size, processed)


@pytest.mark.parametrize(
    ("said", "announced", "code"),
    [
        (0, None, EMPTY),
        (None, 0, EMPTY),
        (11, None, TOO_LARGE),
        (None, 11, TOO_LARGE),
        (10, 10, None),
        (None, None, None),
    ],
)
def test_what_the_server_announces_counts_before_what_the_record_says(
    said: int | None, announced: int | None, code: str | None
) -> None:
    refused = Paper(said, processed=True).refused(announced, 10)
    assert (refused and refused[0]) == code
