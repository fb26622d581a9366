"""What the ledger knows of where rows came from: a rollback is planned from that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cutover.ledger import schema
from cutover.ledger.apply import Writer
from cutover.ledger.read import Reader
from tests.cutover.records import Log, codec, mapped
from topics.catalogue import Catalogue

SOURCE = {"topic": "vp.patient", "partition": 1, "offset": 7}


class Ledger(Log):
    """A log, and the ledger that is made of it when it is asked."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._connection = schema.open_to_write(path)
        self._writer = Writer(self._connection, Catalogue(), codec)

    def reader(self) -> Reader:
        self._writer.apply(self.batch())
        return Reader(self.path)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger(tmp_path / "ledger.sqlite3")
    yield found
    found.close()


def image(log: Ledger, reference: str, row_id: str) -> None:
    value = {
        "reference": reference,
        "object": "patient",
        "sobject": "Contact",
        "row_id": row_id,
        "version": mapped(1),
        "run": "r1",
        "at": 5,
        "modified_by": "005",
        "modstamp": None,
        "columns": {"LastName": "Canary"},
    }
    log.add("images", codec.encode("image", value), reference.encode())


def test_rows_are_told_apart_by_who_made_them_and_know_their_source(log: Ledger) -> None:
    log.operation("patient:1", 1, row_id="003A", origin="absent", source=SOURCE)
    log.operation("patient:1", 2, row_id="003A", origin="ours", what="update", source={**SOURCE, "offset": 9})
    log.operation("patient:2", 1, row_id="003B", origin="foreign", what="adopt", source=SOURCE)
    log.operation("patient:3", 1, what="hold", outcome="held", code="MATCH_AMBIGUOUS")
    image(log, "patient:2", "003B")
    with log.reader() as read:
        (ours,) = read.rows("Contact", origin="absent")
        assert (ours["reference"], ours["row_id"], ours["landed_source"]) == ("patient:1", "003A", "vp.patient/1/9")
        (theirs,) = read.rows("Contact", origin="foreign")
        assert (theirs["reference"], theirs["image_topic"]) == ("patient:2", "images")
        assert (theirs["image_partition"], theirs["image_offset"]) == (1, 0)
        assert read.rows("Contact", origin="foreign", after="patient:2") == []


def test_the_newest_image_of_a_row_counts_and_one_of_another_row_does_not(log: Ledger) -> None:
    log.operation("patient:2", 1, row_id="003B", origin="foreign", what="adopt")
    for row_id in ("003B", "003B", "003C"):
        image(log, "patient:2", row_id)
    with log.reader() as read:
        (theirs,) = read.rows("Contact", origin="foreign")
        assert theirs["image_offset"] == 1


def test_a_row_of_unknown_origin_is_named_but_not_what_counts_in_a_known_one(log: Ledger) -> None:
    log.operation("patient:1", 1, row_id="003A")
    log.operation("patient:2", 1, row_id="003B", origin="absent")
    log.operation("practice:9", 1, row_id="003B", sobject="Contact")
    log.operation("practice:8", 1, row_id="005A", sobject="User")
    with log.reader() as read:
        assert [row["reference"] for row in read.rows("Contact", origin="absent")] == ["patient:2"]
        assert [row["reference"] for row in read.rows_of_unknown_origin(["Contact"])] == ["patient:1"]
        assert read.owners_of_rows(["003A", "003B", "003X"]) == {"003A": "patient:1", "003B": "patient:2"}
        assert [row["reference"] for row in read.counted_in(["003B"])] == ["practice:9"]


@pytest.mark.parametrize(
    ("what", "outcome", "state"), [("undo_delete", "deleted", "deleted"), ("undo_restore", "skipped", "skipped")]
)
def test_what_was_taken_back_is_no_longer_there_and_stays_known(
    log: Ledger, what: str, outcome: str, state: str
) -> None:
    log.change("patient:1", 1)
    log.operation("patient:1", 1, row_id="003A", origin="absent")
    log.operation("patient:1", 1, what=what, outcome=outcome, code="ROLLED_BACK", row_id="003A", at=9999)
    with log.reader() as read:
        (row,) = read.rows("Contact", origin="absent")
        assert row["code"] == "ROLLED_BACK"
        counts = read.conservation()["patient"]
        assert (counts[state], counts["present"], counts["conserved"]) == (1, 0, True)


def test_why_a_row_was_kept_changes_nothing(log: Ledger) -> None:
    log.change("patient:1", 1)
    log.operation("patient:1", 1, row_id="003A", origin="absent")
    log.operation("patient:1", 1, what="undo_keep", outcome=None, code="EDITED", row_id="003A", at=9999)
    with log.reader() as read:
        counts = read.conservation()["patient"]
        assert (counts["loaded"], counts["present"]) == (1, 1)


def test_what_is_not_as_it_should_be_is_listed_with_its_state(log: Ledger) -> None:
    for number in range(1, 5):
        log.change(f"patient:{number}", 1)
    log.operation("patient:1", 1, what="hold", outcome="held", code="MATCH_TAKEN")
    log.operation("patient:2", 1, what="reject", outcome="rejected", code="too_long")
    log.operation("patient:3", 1, row_id="003C", origin="absent")
    log.operation("patient:3", 1, what="mismatch", outcome=None, columns=["Phone"])
    with log.reader() as read:
        assert [(row["reference"], row["state"], row["code"]) for row in read.unsettled()] == [
            ("patient:1", "held", "MATCH_TAKEN"),
            ("patient:2", "rejected", "too_long"),
            ("patient:3", "loaded", "MISMATCH"),
            ("patient:4", "in_flight", None),
        ]


def test_no_value_of_an_image_is_in_the_ledger(log: Ledger, tmp_path: Path) -> None:
    image(log, "patient:2", "003B")
    with log.reader() as read:
        assert read.unreadable() == 0
        for path in tmp_path.iterdir():
            assert b"Canary" not in path.read_bytes()
