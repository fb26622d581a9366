"""A made-up practice as change records, for benchmarks that begin behind the extract: staff, practices, patients, their visits, bills and payments.

Every patient belongs to a practice that exists, so that the bare pipe of `bench.bare`, which can't wait for anything, gets through too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final

from bench.topics import Record
from connectors.visual_practice.change import ChangeReader
from mapping.source_fields import SOURCE_FIELDS
from sandbox.visual_practice import clinic, generator
from sandbox.visual_practice.calendar import day_of
from sandbox.visual_practice.history import History
from sandbox.visual_practice.schema import (
    APPOINTMENT,
    INVOICE,
    PATIENT,
    PAYMENT,
    PRACTICE,
    PROVIDER,
    USER,
    Resource,
    complete,
)
from topics.catalogue import Catalogue
from topics.codec import Codec
from topics.version import Version

RUN: Final = "run-bench"
_READ_AT: Final = 1_760_000_000_000


def practices_for(patients: int) -> int:
    """How many practices that many patients have."""
    return max(20, patients // 250)


ROWS: Final = ("practice", "patient", "appointment", "invoice")
"""The objects that have rows of their own."""


def records(catalogue: Catalogue, patients: int, seed: int = 7) -> Iterator[Record]:
    """What the extract would have written to ``vp.*``, object by object."""
    sizes = generator.Sizes(patients, practices_for(patients), seed, dirty=False)
    codec = Codec()
    staff = list(generator.users())
    yield from _changes(catalogue, codec, USER, iter(staff))
    yield from _changes(catalogue, codec, PROVIDER, clinic.providers(staff, sizes.practices, seed))
    yield from _changes(catalogue, codec, PRACTICE, generator.practices(sizes))
    yield from _changes(catalogue, codec, PATIENT, _at_home(generator.patients(sizes), sizes.practices))
    for resource in (APPOINTMENT, PAYMENT, INVOICE):
        yield from _changes(catalogue, codec, resource, _hanging(resource, sizes))


def accounts(catalogue: Catalogue, practices: int, seed: int = 7) -> Iterator[Record]:
    """Practices that have no parents: rows that nothing waits for."""
    sizes = generator.Sizes(1, practices, seed, dirty=False)
    alone = (one | {"parent_id": None} for one in generator.practices(sizes))
    yield from _changes(catalogue, Codec(), PRACTICE, alone)


def count(catalogue: Catalogue, patients: int) -> dict[str, int]:
    """How many of `records` there are of each object."""
    found: Counter[str] = Counter()
    for topic, *_ in records(catalogue, patients):
        found[topic.removeprefix(catalogue.vp(""))] += 1
    return dict(found)


def _hanging(resource: Resource, sizes: generator.Sizes) -> Iterator[dict[str, Any]]:
    """Everything of one resource that hangs on the patients."""
    history = History(sizes.seed)
    for patient in _at_home(generator.patients(sizes), sizes.practices):
        for kind, record in history.of(patient, day_of(patient["created_at"])):
            if kind is resource:
                yield record


def _at_home(patients: Iterator[dict[str, Any]], practices: int) -> Iterator[dict[str, Any]]:
    for patient in patients:
        yield patient if patient["practice_id"] else patient | {"practice_id": str(int(patient["id"]) % practices + 1)}


def _changes(
    catalogue: Catalogue, codec: Codec, resource: Resource, rows: Iterator[dict[str, Any]]
) -> Iterator[Record]:
    read, topic, message = (
        ChangeReader(SOURCE_FIELDS[resource.plural]).read,
        catalogue.vp(resource.name),
        f"change.{resource.name}",
    )
    for row in rows:
        found = read(complete(resource, row))
        version = Version(found.modified.astimezone(UTC)).encode()
        change = {"op": "upsert", "version": version, "run": RUN, "origin": "snapshot", "read_at": _READ_AT}
        key = found.vp_id.encode()
        value = codec.encode(message, {**change, "fields": found.fields, "custom": found.custom}, topic=topic, key=key)
        yield topic, key, value, (("version", version.encode()), ("op", b"upsert"), ("origin", b"snapshot"))
