"""What the next owner did is told from what the org saw, not from what the product says of itself."""

from __future__ import annotations

import pytest

from tests.crash.cases import Way
from tests.crash.org import Moment, deed

BEFORE = Moment({"old": "JobComplete"}, 100, 4)


@pytest.mark.parametrize(
    ("way", "death", "after", "told"),
    [
        ("bulk", Moment({}, 0, 0), Moment({"new": "JobComplete"}, 64, 2), "new job"),
        (
            "bulk",
            Moment({"one": "Open"}, 0, 0),
            Moment({"one": "Open", "two": "JobComplete"}, 64, 2),
            "left open, new job",
        ),
        (
            "bulk",
            Moment({"one": "Open"}, 0, 0),
            Moment({"one": "Aborted", "two": "JobComplete"}, 64, 2),
            "aborted, new job",
        ),
        ("bulk", Moment({"one": "UploadComplete"}, 0, 0), Moment({"one": "JobComplete"}, 64, 2), "job adopted"),
        ("bulk", Moment({"one": "JobComplete"}, 64, 2), Moment({"one": "JobComplete"}, 67, 2), "settled"),
        ("collections", Moment({}, 0, 0), Moment({}, 212, 0), "sent"),
        ("collections", Moment({}, 200, 0), Moment({}, 412, 0), "sent again"),
        ("collections", Moment({}, 212, 0), Moment({}, 215, 0), "settled"),
    ],
)
def test_it_is_told_from_jobs_and_rows(way: Way, death: Moment, after: Moment, told: str) -> None:
    def since(moment: Moment) -> Moment:
        return Moment(BEFORE.jobs | moment.jobs, BEFORE.written + moment.written, BEFORE.results + moment.results)

    assert deed(way, 100, BEFORE, since(death), since(after)) == told
