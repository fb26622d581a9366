"""What the broker says tells whether further rows of an object are on their way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from agents.upstream import Arrivals, Look, Route, Upstream, routes
from mapping.document import default_map
from ops.kafka import LocalKafka
from tests.conftest import commit_offset
from tests.transport.waiting import eventually
from topics.catalogue import Catalogue
from topics.provision import apply

REFS = TopicPartition("refs", 0)
ROUTES = {"Account": Route({"vp.practice"}, set()), "Contact": Route({"vp.patient"}, {"Account"})}


class Broker:
    """Looks at a broker that is told what to say."""

    def __init__(self) -> None:
        self.arrivals = Arrivals(ROUTES, {"Account": "sf.Account", "Contact": "sf.Contact"}, ["replay"], "refs", 1)
        self.now = 0.0

    def looks(self, *moving: str, resolver: int = 0, ends: int = 0, after: float = 1) -> set[str]:
        """The objects whose rows have all come, after one more look."""
        self.now += after
        self.arrivals.note(Look(self.now, {*moving}, {REFS: resolver}, {REFS: ends}, {}))
        return {name for name in ROUTES if self.arrivals.complete(name, self.now)}


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_rows_have_come_when_nothing_moves_before_them(broker: Broker) -> None:
    assert not broker.arrivals.complete("Account", 0), "nobody has looked"
    assert broker.looks("sf.Contact") == {"Account", "Contact"}


def test_changes_that_are_not_mapped_or_have_just_come_keep_their_own_rows_and_those_of_children_coming(
    broker: Broker,
) -> None:
    assert broker.looks("vp.patient") == {"Account"}
    assert broker.looks("vp.practice") == set()
    assert broker.looks("replay") == set()
    assert broker.looks() == {"Account", "Contact"}


def test_rows_that_wait_come_when_their_parents_have_landed(broker: Broker) -> None:
    assert broker.looks("sf.Account") == {"Account"}
    assert broker.looks() == {"Account", "Contact"}


def test_children_are_coming_while_their_parents_land_or_the_resolver_reads(broker: Broker) -> None:
    def coming(*moving: str) -> set[str]:
        broker.looks(*moving)
        return {name for name in ROUTES if broker.arrivals.coming(name, broker.now)}

    assert coming() == set()
    assert coming("sf.Contact", "vp.practice") == set()
    assert coming("sf.Account") == {"Contact"}
    assert coming("refs") == {"Contact"}
    assert not broker.arrivals.coming("Contact", broker.now + 5)


def test_as_many_changes_as_fill_a_page_are_a_burst_of_what_is_made_of_them(broker: Broker) -> None:
    def bursts(**fresh: int) -> set[str]:
        broker.now += 1
        found = {f"vp.{name}": count for name, count in fresh.items()}
        broker.arrivals.note(Look(broker.now, set(), {}, {}, found))
        return {name for name in ROUTES if broker.arrivals.burst(name, broker.now)}

    assert bursts() == set()
    assert bursts(patient=99, practice=100) == {"Account"}
    assert bursts(patient=100) == {"Contact"}
    assert bursts(patient=99) == set()
    assert bursts(patient=500) == {"Contact"}
    assert not broker.arrivals.burst("Contact", broker.now + 5)


def test_the_resolver_need_not_read_more_than_it_had_been_sent_when_the_last_row_was_mapped(broker: Broker) -> None:
    assert broker.looks("vp.patient", resolver=5, ends=90) == set()
    assert broker.looks("vp.patient", resolver=89, ends=200) == set()
    assert broker.looks("vp.patient", resolver=90, ends=300) == {"Account"}
    assert broker.looks(resolver=250, ends=350) == {"Account"}
    assert broker.looks(resolver=349, ends=400) == {"Account"}
    assert broker.looks(resolver=350, ends=500) == {"Account", "Contact"}


def test_what_was_seen_long_ago_counts_no_more(broker: Broker) -> None:
    assert broker.looks(resolver=5, ends=10) == set()
    assert broker.looks(resolver=10, ends=20, after=5) == set()
    assert broker.looks(resolver=20, ends=30) == {"Account"}
    assert broker.looks(resolver=30, ends=40) == {"Account", "Contact"}
    assert not broker.arrivals.complete("Account", broker.now + 5)


def test_every_object_of_the_map_comes_after_its_parents() -> None:
    found = routes(default_map(), Catalogue())
    assert next(iter(found)) == "Account"
    assert {"Account", "Contact"} <= {*found["Opportunity"].parents}
    assert {*found["Contact"].sources} >= {"vp.patient", "vp.insurance_policy", "vp.intake_form"}
    assert "ContentVersion" in found["Task"].parents, "a note waits for its images"
    for number, (name, route) in enumerate(found.items()):
        assert {*route.parents} <= {*list(found)[:number]}, name


@pytest.fixture
async def catalogue(kafka: LocalKafka, topic_prefix: str) -> Catalogue:
    made = Catalogue(topic_prefix, partitions=1)
    await apply(kafka.bootstrap, made)
    return made


@pytest.fixture
async def upstream(kafka: LocalKafka, catalogue: Catalogue) -> AsyncIterator[Upstream]:
    made = Upstream(kafka.bootstrap, catalogue, default_map(), quiet_seconds=1, burst_seconds=0.5, look_seconds=0.1)
    following = asyncio.create_task(made.follow())
    yield made
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


@pytest.mark.kafka
async def test_a_row_is_followed_from_its_change_to_its_loader(
    kafka: LocalKafka, catalogue: Catalogue, upstream: Upstream
) -> None:
    async def sent(topic: str) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            await producer.send_and_wait(topic, b"any", key=b"1", partition=0)

    async def becomes(*, accounts: bool, contacts: bool) -> None:
        async def said() -> bool:
            return (upstream.complete("Account"), upstream.complete("Contact")) == (accounts, contacts)

        await eventually(said, within=20, every=0.05)

    async def committed(stage: str, topic: str) -> None:
        await commit_offset(kafka.bootstrap, catalogue.group(stage), TopicPartition(topic, 0), 1)

    await becomes(accounts=True, contacts=True)
    await sent(catalogue.vp("practice"))
    await becomes(accounts=False, contacts=False)
    await committed("ingest", catalogue.vp("practice"))
    await becomes(accounts=True, contacts=True)  # once the change is a second old
    await sent(catalogue.refs)
    await asyncio.sleep(1)  # what was seen is forgotten: the mark is set anew
    await becomes(accounts=False, contacts=False)
    await committed("resolve", catalogue.refs)
    await becomes(accounts=True, contacts=True)
    await sent(catalogue.sf("Account"))
    await becomes(accounts=True, contacts=False)
    await committed("deliver", catalogue.sf("Account"))
    await becomes(accounts=True, contacts=True)


@pytest.mark.kafka
async def test_a_page_of_changes_is_a_burst_until_it_is_a_moment_old(
    kafka: LocalKafka, catalogue: Catalogue, upstream: Upstream
) -> None:
    async def becomes(burst: tuple[bool, bool]) -> None:
        async def said() -> bool:
            return (upstream.burst("Account"), upstream.burst("Contact")) == burst

        await eventually(said, within=20, every=0.05)

    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for _ in range(100):
            await producer.send(catalogue.vp("patient"), b"new", partition=0)
        await producer.flush()
        await becomes((False, True))
        await becomes((False, False))
