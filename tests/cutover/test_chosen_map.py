"""Which Salesforce object an object may become, and what the ledger makes of the choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.chosen_map import chosen_catalogue, read_map
from cutover.demo_attachments import write_map
from cutover.ledger import schema
from cutover.ledger.apply import Writer
from cutover.ledger.read import Reader
from cutover.settings import CutoverSettings, Settings, SettingsError
from tests.cutover.records import Log, codec
from tests.mapping.test_messages import EVENT, event_map
from topics.catalogue import Catalogue


def settings_with(directory: Path, text: str | None) -> Settings:
    path = None
    if text is not None:
        path = directory / "map.yaml"
        path.write_text(text)
    return Settings(cutover=CutoverSettings(map=path))


def test_a_map_may_turn_communications_into_events(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, event_map())
    assert read_map(settings)[0].rows["communication"].target == "Event"
    chosen = chosen_catalogue(settings)
    assert (chosen.target("communication"), chosen.target("note")) == ("Event", "Task")
    assert chosen.topics == settings.catalogue.topics, "the topics are the same whatever the map chooses"


def test_nothing_is_chosen_by_the_default_map_and_while_the_map_cannot_be_read(tmp_path: Path) -> None:
    for text in (None, "map: 1\nobjects: x\n"):
        assert chosen_catalogue(settings_with(tmp_path, text)) == Catalogue()


@pytest.mark.parametrize("target", ["Note", "Case"])
def test_an_object_that_no_topic_is_for_is_refused_by_name(tmp_path: Path, target: str) -> None:
    settings = settings_with(tmp_path, event_map(EVENT.replace("target: Event", f"target: {target}")))
    told = rf"`communication` to {target} has no topics.*communication \(to Task or Event\)"
    with pytest.raises(SettingsError, match=told):
        read_map(settings)


def test_a_record_that_becomes_another_object_is_one_delivery(tmp_path: Path) -> None:
    catalogue = chosen_catalogue(settings_with(tmp_path, event_map()))
    path = tmp_path / "ledger.sqlite3"
    connection = schema.open_to_write(path)
    log = Log()
    log.change("communication:1", 1)
    log.operation("communication:1", 1, sobject="Event", row_id="00UA")
    Writer(connection, catalogue, codec).apply(log.batch())
    with Reader(path) as reader:
        counts = reader.conservation()["communication"]
    connection.close()
    assert (counts["source"], counts["loaded"], counts["in_flight"]) == (1, 1, 0)


def test_a_document_is_two_deliveries_only_where_the_map_has_attachments(tmp_path: Path) -> None:
    settings = Settings(cutover=CutoverSettings(map=write_map(tmp_path, 1000)))
    chosen = chosen_catalogue(settings)
    assert chosen.topics == settings.catalogue.topics
    topic = chosen.vp("document")
    assert (Catalogue().changes[topic], chosen.changes[topic]) == (("document",), ("document", "attachment"))
    connection = schema.open_to_write(tmp_path / "ledger.sqlite3")
    log = Log()
    log.change("document:1", 1)
    log.operation("document:1", 1, sobject="ContentVersion", outcome="skipped", row_id=None)
    log.operation("attachment:1", 1, sobject="Attachment", row_id="00PA")
    Writer(connection, chosen, codec).apply(log.batch())
    with Reader(tmp_path / "ledger.sqlite3") as reader:
        counts = reader.conservation()
    connection.close()
    assert (counts["document"]["skipped"], counts["attachment"]["loaded"]) == (1, 1)
    assert {one["in_flight"] for one in counts.values()} == {0}
