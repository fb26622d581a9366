"""The catalogue's names and rules."""

from __future__ import annotations

from topics import registry
from topics.catalogue import Catalogue


def test_all_topics_have_the_prefix_and_one_partition_count() -> None:
    catalogue = Catalogue("acme.", partitions=6)
    names = [topic.name for topic in catalogue.topics]
    assert len(set(names)) == len(names) == 64
    assert all(name.startswith("acme.") for name in (*names, *catalogue.groups))
    assert {topic.partitions for topic in catalogue.topics} == {6}
    assert {name for group in catalogue.sources.values() for name in group} < set(names)
    assert set(catalogue.ledger) < set(names)


def test_state_and_journals_are_compacted_and_everything_else_is_kept() -> None:
    for topic in Catalogue().topics:
        compacted = topic.name.startswith(("state.", "bulk.", "owners", "calls"))
        assert topic.configs["cleanup.policy"] == ("compact" if compacted else "delete")
        assert topic.configs["retention.ms"] == "-1"


def test_every_message_has_a_topic_and_a_reject_has_room_for_what_it_wraps() -> None:
    catalogue = Catalogue()
    carried = {message for topic in catalogue.topics for message in topic.messages}
    assert carried == {item.message for item in registry.published()}
    largest = {topic.name: int(topic.configs["max.message.bytes"]) for topic in catalogue.topics}
    assert largest[catalogue.rejects] > largest[catalogue.vp("patient")] + 64 * 1024
