"""Records that each kind of dirt has struck, as the source's API would give them, and the same records without it.

Made by the generator's own parts, one record at a time, so that a sample costs milliseconds and no server.
"""

from __future__ import annotations

import copy
import random
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from sandbox.visual_practice import dirt
from sandbox.visual_practice.calendar import day_of
from sandbox.visual_practice.generator import Sizes, new_patient, patients, write
from sandbox.visual_practice.history import History
from sandbox.visual_practice.schema import BY_NAME, RESOURCES, complete
from sandbox.visual_practice.soil import soil
from sandbox.visual_practice.spoilers import RULES
from sandbox.visual_practice.storage import Storage

Record = dict[str, Any]

BASE: Final = 150
PATIENTS: Final = 60
ENOUGH: Final = 12
MOST_THROWS: Final = 20_000
STAMPS: Final = {"created_at": "2020-01-02T03:04:05Z", "updated_at": "2021-01-02T03:04:05Z"}


class Struck(NamedTuple):
    """A record of the source.

    Attributes:
        resource: its plural, e.g. `patients`.
        record: with the dirt.
        clean: without it; None when there is no such record then.
    """

    resource: str
    record: Record
    clean: Record | None


@cache
def struck(kind: str) -> tuple[Struck, ...]:
    """Records that have this kind of dirt and no other; those of deleted records are in no listing and so not among them."""
    if kind in {"no_practice", "dangling_practices"}:
        return tuple(islice(_without_practice(kind), ENOUGH))
    if kind in dirt.USUAL_KINDS:
        return tuple(islice(_soiled(kind), ENOUGH))
    rules = [rule for rule in RULES if rule.kind == kind]
    if rules:
        return tuple(one for rule in rules for one in _spoiled(kind, rule.resource))
    return _whole(kind)


def _json(resource: str, record: Record) -> Record:
    """As it goes over the wire."""
    found: Record = orjson.loads(orjson.dumps(complete(BY_NAME[resource], record, wide=True)))
    return found


def _soiled(kind: str) -> Iterator[Struck]:
    for position in range(MOST_THROWS):
        one = new_patient(random.Random(f"one {position % 997}"), position, 5) | STAMPS
        clean, record = copy.deepcopy(one), copy.deepcopy(one)
        soil(clean, position, random.Random(position), frozenset())
        soil(record, position, random.Random(position), frozenset({kind}))
        if record != clean:
            yield Struck("patients", _json("patient", record), _json("patient", clean))


def _without_practice(kind: str) -> Iterator[Struck]:
    """Whether a family has a practice is decided before the family is made: there is no such record without the dirt."""
    known = {str(number) for number in range(1, 6)}
    for record in patients(Sizes(4_000, 5, 7, frozenset({kind}))):
        if record["practice_id"] not in known:
            yield Struck("patients", _json("patient", record), None)


@cache
def _base() -> dict[str, list[Record]]:
    """What a small clean practice has, by resource."""
    found: dict[str, list[Record]] = {}
    history = History(7)
    for position, patient in enumerate(patients(Sizes(BASE, 5, 7, frozenset(), wide=True))):
        member = {"id": str(position + 1), "patient_id": patient["id"], "practice_id": "1", "role": "Second opinion"}
        found.setdefault("practice_membership", []).append({**member, **STAMPS})
        found.setdefault("patient", []).append(patient)
        for resource, record in history.of(patient, day_of(patient["created_at"])):
            found.setdefault(resource.name, []).append(record)
    return found


def _spoiled(kind: str, resource: str) -> Iterator[Struck]:
    (spoil,) = (rule.spoil for rule in RULES if (rule.kind, rule.resource) == (kind, resource))
    dice, count = random.Random(f"{kind} {resource}"), 0
    for clean in _base()[resource]:
        record = copy.deepcopy(clean)
        spoil(record, dice)
        before, after = _json(resource, clean), _json(resource, record)
        if before != after:
            yield Struck(BY_NAME[resource].plural, after, before)
            count += 1
        if count == ENOUGH:
            return


@cache
def practice(kinds: frozenset[str]) -> dict[str, list[Record]]:
    """Everything of a small practice with these kinds; archived and deleted records as `<resource>_archived`, `_deleted`."""
    with tempfile.TemporaryDirectory(prefix="carryover-dirt-") as folder:
        storage = Storage(Path(folder) / "practice.sqlite")
        try:
            write(storage, Sizes(PATIENTS, 8, 7, kinds, wide=True))
            dump: dict[str, list[Record]] = orjson.loads(b"".join(storage.dump()))
            return dump
        finally:
            storage.close()


def _whole(kind: str) -> tuple[Struck, ...]:
    """For what lies between records: those that a whole practice has, and a clean one has not; some of each resource."""
    clean, dirty = practice(frozenset()), practice(frozenset({kind}))
    return tuple(one for resource in RESOURCES for one in islice(_differ(clean, dirty, resource.plural), ENOUGH))


def _differ(clean: dict[str, list[Record]], dirty: dict[str, list[Record]], plural: str) -> Iterator[Struck]:
    before = {record["id"]: record for record in clean[plural]}
    for record in dirty[plural] + dirty[f"{plural}_archived"]:
        if record != before.get(record["id"]):
            yield Struck(plural, record, before.get(record["id"]))
