"""Whether further rows of a Salesforce object are on their way to its loader: rows that wait for company wait for nobody when none are.

What a loader can't know by itself, the broker does: which changes of the source are mapped, how far the resolver has come, which parents have still to land.
All rows of an object have come when its changes are mapped and no new ones have come for a while, when the same is true of its parents, when those have landed,
and when the resolver has read what it had been sent by then. It is only a reason to leave earlier, nothing depends on it: a row that comes after all makes
another batch. Not known: rows that somebody's decision will release, and parents that the source is still being asked for.

It also tells whether somebody is changing many records at once: the first few of them do well to wait for the others.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from mapping.rules import MapDocument
from topics.broker import Broker, KafkaUnreachable, open_broker
from topics.catalogue import Catalogue
from topics.whole import followed

_FORGET_AFTER: Final = 4
"""Looks; what was seen longer ago is seen no more."""
_PAGE: Final = 100
"""Entries of a full page of Visual Practice, see `connectors.visual_practice.client`."""


@dataclass(frozen=True)
class Route:
    """The way of a Salesforce object's rows.

    Attributes:
        sources: topics of the changes that they are made of.
        parents: Salesforce objects whose rows they wait for.
    """

    sources: Collection[str]
    parents: Collection[str]


def routes(document: MapDocument, catalogue: Catalogue) -> dict[str, Route]:
    """By Salesforce object, each after its parents; of a circle of parents one link doesn't count, of a parent of its own kind none does."""
    parents: dict[str, set[str]] = {}
    found: dict[str, Route] = {}
    objects = {
        sobject: {name: rule for name, rule in document.objects.items() if rule.target == sobject}
        for sobject in catalogue.sobjects
    }
    for sobject, rules in objects.items():
        columns = [column for rule in rules.values() for column in rule.columns.values()]
        links = {name for column in columns for name in (column.parent, *(column.images or ())) if name is not None}
        parents[sobject] = {document.objects[name].target for name in links} & objects.keys() - {sobject}
    left = [sobject for sobject, rules in objects.items() if rules]
    while left:
        sobject = next((one for one in left if parents[one] <= found.keys()), left[0])
        left.remove(sobject)
        sources = {catalogue.vp(name) for name in objects[sobject]}
        found[sobject] = Route(sources, parents[sobject] & found.keys())
    return found


@dataclass(frozen=True)
class Look:
    """What the broker has said at one moment.

    Attributes:
        at: when, monotonic seconds.
        moving: topics that hold what their group has not committed, or changes that have just come.
        resolver: committed offsets of ``refs``.
        ends: its log ends, read after all others.
        fresh: by topic, how many changes were published in the last moments.
    """

    at: float
    moving: AbstractSet[str]
    resolver: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    fresh: Mapping[str, int]


class Arrivals:
    """Which objects' rows have all come, by one look after the other. Pure.

    Arguments:
        found: the ways, parents first.
        sf: the topic of a Salesforce object's rows, by its name.
        always: topics that concern all objects.
        refs: the resolver's topic.
        look_seconds: between two looks.
    """

    def __init__(
        self,
        found: Mapping[str, Route],
        sf: Mapping[str, str],
        always: Collection[str],
        refs: str,
        look_seconds: float,
    ) -> None:
        self._routes = found
        self._sf = sf
        self._always = always
        self._refs = refs
        self._forget_seconds = _FORGET_AFTER * look_seconds
        self._at = float("-inf")
        self._marks: dict[str, Mapping[TopicPartition, int]] = {}
        self._complete: set[str] = set()
        self._coming: set[str] = set()
        self._burst: set[str] = set()

    def complete(self, sobject: str, now: float) -> bool:
        """Whether all rows of the object had come at the last look, if that was not long ago."""
        return sobject in self._complete and now - self._at <= self._forget_seconds

    def coming(self, sobject: str, now: float) -> bool:
        """Whether, at the last look, parents were being loaded whose children may follow at once, or the resolver had something to read."""
        return sobject in self._coming and now - self._at <= self._forget_seconds

    def burst(self, sobject: str, now: float) -> bool:
        """Whether, at the last look, as many changes of the object had just been published as fill a page of the source: more pages follow."""
        return sobject in self._burst and now - self._at <= self._forget_seconds

    def note(self, look: Look) -> None:
        """Learns from a look."""
        if look.at - self._at > self._forget_seconds:
            self._marks.clear()
        self._at = look.at
        self._complete.clear()
        self._coming = {
            sobject
            for sobject, route in self._routes.items()
            if route.parents and not look.moving.isdisjoint([self._refs, *(self._sf[name] for name in route.parents)])
        }
        self._burst = {
            sobject
            for sobject, route in self._routes.items()
            if sum(look.fresh.get(topic, 0) for topic in route.sources) >= _PAGE
        }
        for sobject, route in self._routes.items():
            if not self._sent(route, look):
                self._marks.pop(sobject, None)
                continue
            # Whatever concerns these rows has been in the resolver's topic since the first look that said so.
            mark = self._marks.setdefault(sobject, look.ends)
            if all(look.resolver.get(tp, 0) >= end for tp, end in mark.items()):
                self._complete.add(sobject)

    def _sent(self, route: Route, look: Look) -> bool:
        """Whether the rows have been mapped, and their parents have landed."""
        if not look.moving.isdisjoint([*self._always, *route.sources]):
            return False
        return all(name in self._complete and self._sf[name] not in look.moving for name in route.parents)


class Upstream:
    """Asks the broker, while somebody asks it.

    Arguments:
        bootstrap: Kafka.
        catalogue: the cutover's topics.
        document: the map.
        quiet_seconds: so long ago must the newest change of an object have been published, by the broker's record of it.
        burst_seconds: what was published in the last so many seconds counts as one burst.
        look_seconds: between two looks.
    """

    def __init__(
        self,
        bootstrap: str,
        catalogue: Catalogue,
        document: MapDocument,
        *,
        quiet_seconds: float,
        burst_seconds: float,
        look_seconds: float,
    ) -> None:
        self._bootstrap = bootstrap
        self._quiet_ms = int(quiet_seconds * 1000)
        self._burst_ms = int(burst_seconds * 1000)
        self._look_seconds = look_seconds
        found = routes(document, catalogue)
        self._sources = sorted({topic for route in found.values() for topic in route.sources})
        self._refs = catalogue.refs
        always = (catalogue.extract, catalogue.replay)
        sf = {name: catalogue.sf(name) for name in found}
        self._stages = {
            "ingest": (*self._sources, *always),
            "resolve": (self._refs,),
            "deliver": tuple(sf.values()),
        }
        self._groups = {stage: catalogue.group(stage) for stage in self._stages}
        self._arrivals = Arrivals(found, sf, always, self._refs, look_seconds)
        self._asked = asyncio.Event()

    def complete(self, sobject: str) -> bool:
        """Whether all rows of the object had come a moment ago; False while that isn't known."""
        self._asked.set()
        return self._arrivals.complete(sobject, time.monotonic())

    def coming(self, sobject: str) -> bool:
        """Whether rows of the object's parents were being loaded a moment ago; False while that isn't known."""
        self._asked.set()
        return self._arrivals.coming(sobject, time.monotonic())

    def burst(self, sobject: str) -> bool:
        """Whether many records of the object were being changed a moment ago; False while that isn't known."""
        self._asked.set()
        return self._arrivals.burst(sobject, time.monotonic())

    async def follow(self) -> None:
        """Looks whenever it has been asked since the last look; runs until cancelled."""
        await followed(self._follow, "what is on its way can't be seen")

    async def _follow(self) -> None:
        await self._asked.wait()
        try:
            async with open_broker(self._bootstrap) as broker:
                names = {topic for topics in self._stages.values() for topic in topics}
                counts = await broker.partitions(names)
                while True:
                    await self._asked.wait()
                    self._asked.clear()
                    self._arrivals.note(await self._look(broker, counts))
                    await asyncio.sleep(self._look_seconds)
        except KafkaUnreachable as exc:
            raise KafkaConnectionError from exc

    async def _look(self, broker: Broker, counts: Mapping[str, int]) -> Look:
        """Log ends are read after what is committed: nothing that was on its way meanwhile is missed."""
        at, now = time.monotonic(), int(time.time() * 1000)
        sources = _partitions(self._sources, counts)
        recent = await broker.consumer.offsets_for_times(dict.fromkeys(sources, now - self._quiet_ms))
        burst = await broker.consumer.offsets_for_times(dict.fromkeys(sources, now - self._burst_ms))
        moving = {tp.topic for tp, found in recent.items() if found is not None}
        committed = {stage: await broker.committed(group) for stage, group in self._groups.items()}
        everything = [(stage, tp) for stage, topics in self._stages.items() for tp in _partitions(topics, counts)]
        ends = await broker.consumer.end_offsets([tp for _, tp in everything])
        moving |= {tp.topic for stage, tp in everything if ends[tp] > committed[stage].get(tp, 0)}
        fresh = Counter[str]()
        for tp, found in burst.items():
            fresh[tp.topic] += ends[tp] - found.offset if found is not None else 0
        refs = {tp: end for tp, end in ends.items() if tp.topic == self._refs}
        return Look(at, moving, committed["resolve"], refs, fresh)


def _partitions(topics: Iterable[str], counts: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in topics for number in range(counts.get(topic, 0))]
