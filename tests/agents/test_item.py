"""A waiting row is small, and loses nothing by it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.item import Items
from tests.agents.rows import item, row

COLUMNS = st.dictionaries(
    st.text(max_size=4), st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-1e6, 1e6), st.text())
)


@given(COLUMNS, COLUMNS)
def test_a_row_comes_out_as_it_went_in(columns: dict[str, Any], insert_only: dict[str, Any]) -> None:
    made = row("patient:1", 7)
    made["columns"], made["insert_only"] = columns, insert_only
    kept = item(made)
    assert kept.ready == made
    assert kept.columns == columns
    assert kept.row == {name: made[name] for name in kept.row}  # type: ignore[literal-required]


@given(st.dictionaries(st.text(max_size=4), st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text())))
def test_the_digest_of_a_row_tells_content_apart_whatever_its_order(columns: dict[str, Any]) -> None:
    content = {"LastName": "x"} | columns
    first = item({**row("patient:1"), "columns": content})
    backwards = dict(reversed(list(content.items())))
    assert item({**row("patient:1"), "columns": backwards}).digest == first.digest
    assert item({**row("patient:1"), "columns": {**content, "LastName": "y"}}).digest != first.digest
    assert first.columns == content


def test_what_rows_have_in_common_is_kept_once() -> None:
    items = Items(["AccountId"])
    packed = {**row("patient:1"), "columns": b'{"AccountId":"001A","LastName":"x"}', "insert_only": b"{}"}
    first, second = (
        items.make({**packed, "reference": f"patient:{number}"}, number, [])  # type: ignore[typeddict-item]
        for number in (1, 2)
    )
    assert first.layout is second.layout
    assert first.parents == ("001A",)
    assert items.make({**packed, "op": "flag"}, 3, []).layout is not first.layout  # type: ignore[typeddict-item]


@pytest.mark.parametrize("broken", [b"[1]", b'{"a"', b"1"])
def test_columns_that_are_no_object_are_refused(broken: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        Items().make({**row("patient:1"), "columns": broken, "insert_only": b"{}"}, 1, [])  # type: ignore[typeddict-item]
