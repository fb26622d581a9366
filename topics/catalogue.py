"""Every topic of a cutover: its name, key, messages, partitions, retention, and who writes and reads it.

Owns names and configurations; `topics.provision` creates them on a broker. All topics have the same partition count, so
that a record and everything that follows from it can stay in one partition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

STAGES = ("ingest", "resolve", "deliver", "verify")
"""The consumer groups, one per stage, in the order a record passes them."""

TARGETS: Mapping[str, str] = MappingProxyType(
    {
        "user": "User",
        "provider": "User",
        "practice": "Account",
        "referring_physician": "Account",
        "insurance_carrier": "Account",
        "coverage": "Contact",
        "intake_form": "Contact",
        "patient": "Contact",
        "practice_membership": "AccountContactRelation",
        "insurance_policy": "Insurance_Plan__c",
        "lab_result": "Lab_Result__c",
        "imaging_record": "Imaging_Record__c",
        "appointment": "Event",
        "payment": "Opportunity",
        "invoice": "Opportunity",
        "note": "Task",
        "note_image": "ContentVersion",
        "communication": "Task",
        "document": "ContentVersion",
        "attachment": "Attachment",
    }
)
"""Objects of the source, parents first, and the Salesforce object each one becomes, or (payments, coverages) counts in."""

INSTEAD: Mapping[str, frozenset[str]] = MappingProxyType(
    {"note": frozenset({"Event"}), "communication": frozenset({"Event"})}
)
"""Salesforce objects that a map may choose for an object instead of the usual one; each has topics already."""

ALSO: Mapping[str, str] = MappingProxyType({"coverage": "insurance_policy", "attachment": "document"})
"""Objects that take the records of another one, which are read once and have one topic: a policy is a row, and counts in its patient's; a document becomes one
of two rows."""

UNUSUAL: frozenset[str] = frozenset({"attachment"})
"""Those of them that only some maps have: the usual one does not."""

TAKEN_FROM: Mapping[str, str] = MappingProxyType({"note_image": "note"})
"""Objects whose records stand in those of another one, out of which the extract takes them: the source has no list of them, and an id is the other record's and
a place in it (`7.0`)."""

OWNER = "User"
"""The one Salesforce object that is never written: who owns records is matched or decided."""

STATES = ("extract", "refs", "owners")
"""State tables besides the one that each Salesforce object that is written has (`rows.<sobject>`)."""

MEGABYTE = 1024 * 1024
SOURCE_BYTES = MEGABYTE
"""Most that a record of `vp.*` and `replay` may take; Kafka's own default is 12 bytes more."""

DERIVED_BYTES = 2 * MEGABYTE
"""Most that any other record may take: a reject carries a source record whole, and needs room around it."""

TEN_YEARS_MS = 10 * 365 * 24 * 3600 * 1000

KEPT: Mapping[str, str] = MappingProxyType(
    {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"},
)
"""Kept until the topic is deleted: a cutover can be replayed from its start at any time."""

COMPACT: Mapping[str, str] = MappingProxyType(
    {
        "cleanup.policy": "compact",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        # A worker that comes back with an old local file reads only the changelog's tail: were tombstones dropped after
        # Kafka's default of one day, what they deleted would live again.
        "delete.retention.ms": str(TEN_YEARS_MS),
        # Compaction would keep a zombie's late record and drop the valid one before it (`state.changelog`): a day's respite.
        "min.compaction.lag.ms": str(24 * 3600 * 1000),
        "min.cleanable.dirty.ratio": "0.1",
        "segment.bytes": str(64 * MEGABYTE),  # the active segment is never compacted, and is read at each recovery
    }
)

NEWEST: Mapping[str, str] = MappingProxyType(
    {
        **COMPACT,
        # A few records a minute, of which only each key's newest means anything, and no table: compacted soon, so that it is always read in a moment.
        "delete.retention.ms": str(24 * 3600 * 1000),
        "min.compaction.lag.ms": "0",
        "segment.ms": str(3600 * 1000),
        "segment.bytes": str(MEGABYTE),
    }
)


@dataclass(frozen=True)
class Topic:
    """One topic.

    Attributes:
        name: As the broker has it, prefix included.
        key: What the key holds, for people.
        messages: Names of the messages it carries; empty when the values are the writer's own format.
        partitions: How many.
        configs: Topic settings, names as Kafka has them; ours are checked, others are left alone.
        writers: Who publishes to it.
        readers: Who consumes it.
    """

    name: str
    key: str
    messages: tuple[str, ...]
    partitions: int
    configs: Mapping[str, str]
    writers: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """The topics of one cutover.

    Args:
        prefix: Put before every topic and group name, e.g. `acme.`.
        partitions: Of every topic.
        replication: Copies of every topic.
        min_insync: Copies that must have a record before it counts as written.
        targets: Source objects and the Salesforce object each becomes.
        also: Those of them that take the records of another one, and which.
        chosen: Objects that the map turns into another Salesforce object than `targets` says, one of `INSTEAD`. The topics are the same.
        without: Objects of ``also`` that the map does not have: no change is on its way to a row of theirs. The topics are the same.
    """

    prefix: str = ""
    partitions: int = 4
    replication: int = 1
    min_insync: int = 1
    targets: Mapping[str, str] = field(default_factory=lambda: TARGETS)
    also: Mapping[str, str] = field(default_factory=lambda: ALSO)
    chosen: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = UNUSUAL

    def target(self, object_: str) -> str:
        """The Salesforce object that an object becomes under this cutover's map.

        Raises:
            KeyError: No such object.
        """
        return self.chosen.get(object_) or self.targets[object_]

    def vp(self, object_: str) -> str:
        """Changes of an object as the source has them; of one that takes another's records, that one's."""
        return f"{self.prefix}vp.{self.extracted(object_)}"

    def extracted(self, object_: str) -> str:
        """The object that is read from the source for this one: itself, or the one whose records it takes."""
        return self.also.get(object_, object_)

    @property
    def changes(self) -> Mapping[str, tuple[str, ...]]:
        """Topics of changes -> the objects that follow from them, in the order of the objects."""
        found: dict[str, tuple[str, ...]] = {}
        for name in self.targets:
            if name not in self.without:
                found[self.vp(name)] = (*found.get(self.vp(name), ()), name)
        return found

    def sf(self, sobject: str) -> str:
        """Rows ready for a Salesforce object."""
        return f"{self.prefix}sf.{sobject}"

    def bulk(self, sobject: str) -> str:
        """Journal of the batches of a Salesforce object."""
        return f"{self.prefix}bulk.{sobject}"

    def state(self, name: str) -> str:
        """Changelog of a state table, e.g. `refs` or `rows.Contact`."""
        return f"{self.prefix}state.{name}"

    @property
    def extract(self) -> str:
        """Requests to the extract."""
        return f"{self.prefix}extract"

    @property
    def replay(self) -> str:
        """Changes issued again."""
        return f"{self.prefix}replay"

    @property
    def refs(self) -> str:
        """Parents' fates and the rows that wait for them."""
        return f"{self.prefix}refs"

    @property
    def owners(self) -> str:
        """Who owns the records of each user of the source."""
        return f"{self.prefix}owners"

    @property
    def calls(self) -> str:
        """Who uses how many of the org's API calls, and may use how many more."""
        return f"{self.prefix}calls"

    @property
    def images(self) -> str:
        """Rows of others as they were before we wrote them."""
        return f"{self.prefix}images"

    @property
    def audit(self) -> str:
        """Every operation."""
        return f"{self.prefix}audit"

    @property
    def rejects(self) -> str:
        """Every input that can't go on."""
        return f"{self.prefix}rejects"

    @property
    def control(self) -> str:
        """Transitions of the cutover."""
        return f"{self.prefix}control"

    def group(self, stage: str) -> str:
        """Consumer group of a stage."""
        return f"{self.prefix}{stage}"

    @property
    def groups(self) -> tuple[str, ...]:
        """Consumer groups of all stages."""
        return tuple(self.group(stage) for stage in STAGES)

    @property
    def sobjects(self) -> tuple[str, ...]:
        """Salesforce objects that are written, parents first, each once."""
        return tuple(name for name in dict.fromkeys(self.targets.values()) if name != OWNER)

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """Topics that each stage consumes by its group (changelogs and `control` are read without one)."""
        return {
            "ingest": (self.extract, *self.changes, self.replay),
            "resolve": (self.refs,),
            "deliver": (self.sf(OWNER), *(self.sf(name) for name in self.sobjects)),
            "verify": (self.audit,),
        }

    @property
    def ledger(self) -> tuple[str, ...]:
        """Topics that the ledger reads from their start."""
        journals = (self.bulk(name) for name in self.sobjects)
        return (*self.changes, self.audit, self.images, self.rejects, *journals, self.control, self.calls)

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic, in the order a record passes them."""
        return tuple(self._topics())

    def topic(self, name: str) -> Topic:
        """The topic of that name.

        Raises:
            KeyError: No such topic.
        """
        return {topic.name: topic for topic in self.topics}[name]

    def _topics(self) -> Iterator[Topic]:
        reference = "own reference"
        yield self._kept(self.extract, "object", ("extract",), ("control", "cli", "resolve"), ("extract",))
        objects = tuple(dict.fromkeys(self.extracted(name) for name in self.targets))
        for object_ in objects:
            change = (f"change.{object_}",)
            yield self._kept(self.vp(object_), "VP id", change, ("extract",), ("map", "ledger"), SOURCE_BYTES)
        changes = tuple(f"change.{object_}" for object_ in objects)
        yield self._kept(self.replay, "VP id", changes, ("replay",), ("map",), SOURCE_BYTES)
        yield self._kept(
            self.refs,
            "reference of the parent waited for",
            ("waiting", "base", "member", "landed", "rejected", "gone", "doubted", "absent", "unlink", "release"),
            ("extract", "map", "resolve", "load", "control"),
            ("resolve",),
        )
        to_owners = ("ready", "decision")
        yield self._kept(self.sf(OWNER), reference, to_owners, ("map", "resolve", "cli"), ("owners",))
        for sobject in self.sobjects:
            yield self._kept(self.sf(sobject), reference, ("ready",), ("map", "resolve"), ("load",))
        yield self._kept(self.images, reference, ("image",), ("load",), ("ledger", "rollback"))
        stages = ("extract", "map", "resolve", "owners", "load", "verify")
        yield self._kept(self.audit, reference, ("operation",), (*stages, "rollback"), ("ledger", "verify"))
        yield self._kept(self.rejects, reference, ("reject",), stages, ("ledger", "replay"))
        yield self._kept(
            self.control, "cutover id", ("transition", "drift"), ("cli", "control", "extract"), ("ledger", "load")
        )
        for sobject in self.sobjects:
            yield self._compact(self.bulk(sobject), "batch and page", ("batch", "batch_rows"), "load", "ledger")
        yield self._compact(self.owners, reference, ("owner",), "owners", "verify")
        yield Topic(
            self.calls,
            "worker, `lease:` and worker, or `org`",
            ("spending", "lease", "org_limits"),
            self.partitions,
            self._configs(NEWEST, DERIVED_BYTES),
            ("load", "verify", "control"),
            ("load", "verify", "control", "ledger"),
        )
        for name in (*STATES, *(f"rows.{sobject}" for sobject in self.sobjects)):
            yield self._compact(self.state(name), "key in the table", (), "state", "state")

    def _kept(
        self,
        name: str,
        key: str,
        messages: tuple[str, ...],
        writers: tuple[str, ...],
        readers: tuple[str, ...],
        largest: int = DERIVED_BYTES,
    ) -> Topic:
        return Topic(name, key, messages, self.partitions, self._configs(KEPT, largest), writers, readers)

    def _compact(self, name: str, key: str, messages: tuple[str, ...], writer: str, reader: str) -> Topic:
        configs = self._configs(COMPACT, DERIVED_BYTES)
        return Topic(name, key, messages, self.partitions, configs, (writer,), (reader,))

    def _configs(self, cleanup: Mapping[str, str], largest: int) -> Mapping[str, str]:
        return {**cleanup, "max.message.bytes": str(largest), "min.insync.replicas": str(self.min_insync)}
