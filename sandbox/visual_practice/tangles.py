"""The dirt between records: merges, duplicates, circles, deleted and archived ones, a patient with too many visits.

Owns which records are tangled and how. Works on a practice that is written, by ids in order, so that the same practice
is tangled the same way. Called by the generator, last.
"""

import sqlite3
from collections.abc import Iterable

import orjson

from sandbox.visual_practice.calendar import DAY, NEWEST, instant_text
from sandbox.visual_practice.schema import (
    APPOINTMENT,
    PATIENT,
    PRACTICE,
    PRACTICE_MEMBERSHIP,
    RESOURCES,
    Record,
    Resource,
)
from sandbox.visual_practice.storage import ORDINARY_IDS, Storage

TOO_MANY = 11_000
DELETED_EVERY, MOST_DELETED = 40, 500
ARCHIVED_EVERY, MOST_ARCHIVED = 30, 500
MERGES = 3
TANGLED_MEMBERSHIPS = 3


class Tangles:
    """Tangles one practice inside one transaction."""

    def __init__(self, storage: Storage, connection: sqlite3.Connection, kinds: frozenset[str]) -> None:
        self._storage, self._connection, self._kinds = storage, connection, kinds

    def tangle(self) -> None:
        """Does everything that was chosen, in a fixed order."""
        for kind, work in (
            ("practice_cycles", self._practice_cycle),
            ("self_parents", self._self_parent),
            ("guarantor_cycles", self._guarantors),
            ("duplicate_patients", self._duplicates),
            ("merged_patients", self._merges),
            ("merge_chains", self._chain),
            ("many_children", self._children),
            ("own_practices", self._own_practices),
            ("repeated_practices", self._repeated_practices),
            ("undeleted_records", self._undeleted),
            ("deleted_records", self._deleted),
            ("archived_records", self._archived),
        ):
            if kind in self._kinds:
                work()

    def _some(self, resource: Resource, count: int, skip: int = 0) -> list[Record]:
        found = self._connection.execute(
            f"SELECT body FROM {resource.name} ORDER BY number, id LIMIT ? OFFSET ?",  # noqa: S608
            (count, skip),
        )
        return [orjson.loads(body) for (body,) in found]

    def _put(self, resource: Resource, *records: Record) -> None:
        self._storage.put(self._connection, resource, records)

    def _next_id(self, resource: Resource) -> int:
        return self._storage.highest(self._connection, resource) + 1

    def _practice_cycle(self) -> None:
        circle = self._some(PRACTICE, 3)
        for place, record in enumerate(circle):
            record["parent_id"] = circle[(place + 1) % len(circle)]["id"]
        self._put(PRACTICE, *circle)

    def _self_parent(self) -> None:
        for record in self._some(PRACTICE, 1, skip=3):
            self._put(PRACTICE, record | {"parent_id": record["id"]})

    def _guarantors(self) -> None:
        circle = self._some(PATIENT, 2, skip=10)
        for place, record in enumerate(circle):
            record["guarantor_id"] = circle[(place + 1) % len(circle)]["id"]
        own = [record | {"guarantor_id": record["id"]} for record in self._some(PATIENT, 1, skip=12)]
        self._put(PATIENT, *circle, *own)

    def _duplicates(self) -> None:
        for record in self._some(PATIENT, MERGES, skip=14):
            number = self._next_id(PATIENT)
            self._put(PATIENT, record | {"id": str(number), "mrn": f"MRN-{number:06d}-2", "preferred_name": None})

    def _bury(self, record: Record, into: str) -> str:
        """A copy of a patient under a new id, deleted, that points to where it went."""
        identity = str(self._next_id(PATIENT))
        self._put(PATIENT, record | {"id": identity, "merged_into_id": into})
        self._storage.delete(self._connection, PATIENT, identity, record["updated_at"])
        return identity

    def _merges(self) -> None:
        for record in self._some(PATIENT, MERGES, skip=17):
            self._bury(record, record["id"])

    def _chain(self) -> None:
        for record in self._some(PATIENT, 1, skip=20):
            self._bury(record, self._bury(record, record["id"]))

    def _children(self) -> None:
        patients, visits = self._some(PATIENT, 1, skip=21), self._some(APPOINTMENT, 1)
        if not patients or not visits:
            return
        first = self._next_id(APPOINTMENT)

        def made() -> Iterable[Record]:
            for place in range(TOO_MANY):
                starts = NEWEST - place * DAY // 4
                yield visits[0] | {
                    "id": str(first + place),
                    "patient_id": patients[0]["id"],
                    "starts_at": instant_text(starts),
                    "ends_at": instant_text(starts + 1800),
                }

        self._storage.create(self._connection, APPOINTMENT, list(made()))

    def _memberships(self, skip: int) -> list[tuple[Record, str]]:
        """Some memberships, each with the practice that its patient's record names."""
        found = self._connection.execute(
            "SELECT m.body, json_extract(CAST(p.body AS TEXT), '$.practice_id') FROM practice_membership m JOIN patient p"
            " ON p.id = json_extract(CAST(m.body AS TEXT), '$.patient_id') ORDER BY m.number, m.id LIMIT ? OFFSET ?",
            (TANGLED_MEMBERSHIPS, skip),
        )
        return [(orjson.loads(body), practice) for body, practice in found if practice]

    def _own_practices(self) -> None:
        self._put(
            PRACTICE_MEMBERSHIP, *(record | {"practice_id": practice} for record, practice in self._memberships(4))
        )

    def _repeated_practices(self) -> None:
        for record, _ in self._memberships(8):
            self._put(PRACTICE_MEMBERSHIP, record | {"id": str(self._next_id(PRACTICE_MEMBERSHIP))})

    def _every(self, resource: Resource, every: int, most: int, start: int) -> list[tuple[str, str]]:
        found = self._connection.execute(
            f"SELECT id, updated_at FROM {resource.name} WHERE number % ? = ? AND number < ? ORDER BY number LIMIT ?",  # noqa: S608
            (every, start, ORDINARY_IDS, most),
        )
        return found.fetchall()

    def _undeleted(self) -> None:
        for resource in (PATIENT, APPOINTMENT):
            for identity, _ in self._every(resource, DELETED_EVERY, MOST_DELETED, 7):
                self._storage.delete(self._connection, resource, identity, instant_text(NEWEST))
                self._storage.undelete(self._connection, resource, identity, instant_text(NEWEST))

    def _deleted(self) -> None:
        for resource in RESOURCES:
            for identity, at in self._every(resource, DELETED_EVERY, MOST_DELETED, 5):
                self._storage.delete(self._connection, resource, identity, at)

    def _archived(self) -> None:
        for identity, at in self._every(PATIENT, ARCHIVED_EVERY, MOST_ARCHIVED, 13):
            self._storage.archive(self._connection, PATIENT, identity, at)
