"""What is kept of a landed row until it has been verified."""

from __future__ import annotations

from typing import Any

from agents.landing import Landing
from tests.topics import samples
from topics.messages import Operation

SOURCE: Any = {"topic": "vp.invoice", "partition": 1, "offset": 7}


def operation(**changed: Any) -> Operation:
    found: Any = {**samples.value("operation"), "outcome": "loaded", "source": SOURCE, "row_id": "006A", **changed}
    return found


def member(reference: str, op: str) -> dict[str, Any]:
    place = {"topic": "vp.payment", "partition": 0, "offset": 3}
    return {"reference": reference, "object": "payment", "version": "v", "op": op, "source": place}


def test_it_tells_its_row_again_with_all_that_counts_in_it() -> None:
    told = operation(members=[member("payment:1", "upsert"), member("payment:2", "delete")])
    landing = Landing.of(told)
    assert landing is not None
    assert [part.reference for part in landing.parts] == ["payment:1"]
    row = landing.row()
    for name in ("reference", "object", "sobject", "facet", "version", "run", "source", "members"):
        assert row[name] == told[name], name  # type: ignore[literal-required]
    assert landing.row(members=False)["members"] == []


def test_what_has_no_source_record_can_not_be_compared() -> None:
    assert Landing.of(operation(source=None)) is None
    assert Landing.of(operation(source={**SOURCE, "offset": -1})) is None
