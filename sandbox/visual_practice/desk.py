"""Works in the practice the way a reception desk does: corrects, moves, enters and deletes patients.

Owns what a change looks like and the list of changes made, which a test compares with what arrived elsewhere. One
call is one transaction. Called by the admin API.
"""

import random
import sqlite3
from typing import Any, NamedTuple

import orjson

from sandbox import clock
from sandbox.visual_practice import generator, names
from sandbox.visual_practice.schema import PATIENT, PRACTICE, Record, Resource
from sandbox.visual_practice.storage import Storage

PRACTICE_SHARE = 0.05  # of the edits


class Work(NamedTuple):
    """How many changes of each kind one call makes."""

    edits: int = 0
    creates: int = 0
    deletes: int = 0
    undeletes: int = 0


class Desk:
    """The desk of one practice; its dice go on from call to call unless a call brings a seed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._dice = random.Random()

    def work(self, work: Work, seed: int | None = None) -> list[dict[str, Any]]:
        """Makes the changes and tells them; fewer than asked when the practice runs out of records to change."""
        dice = self._dice if seed is None else random.Random(seed)
        changes: list[dict[str, Any]] = []
        with self._storage.writing() as connection:
            at_ms = int(clock.practice_now() * 1000)
            shift = _Shift(self._storage, connection, dice, clock.practice_text(at_ms / 1000))
            jobs = [
                *(shift.edit for _ in range(work.edits)),
                *(shift.create for _ in range(work.creates)),
                *(shift.delete for _ in range(work.deletes)),
                *(shift.undelete for _ in range(work.undeletes)),
            ]
            dice.shuffle(jobs)
            for job in jobs:
                done = job()
                if done is not None:
                    resource, identity, operation = done
                    changes.append({"object": resource.name, "id": identity, "op": operation, "at_ms": at_ms})
        return changes


Done = tuple[Resource, str, str]


class _Shift:
    """One call's worth of work: a transaction, dice and the second in which everything happens."""

    def __init__(self, storage: Storage, connection: sqlite3.Connection, dice: random.Random, at: str) -> None:
        self._storage, self._connection, self._dice, self._at = storage, connection, dice, at

    def edit(self) -> Done | None:
        resource = PRACTICE if self._dice.random() < PRACTICE_SHARE else PATIENT
        record = self._pick(resource.name)
        if record is None:
            return None
        self._change(resource, record)
        self._storage.put(self._connection, resource, [record | {"updated_at": self._at}])
        return resource, record["id"], "update"

    def _change(self, resource: Resource, record: Record) -> None:
        dice = self._dice
        kind = dice.choice(("phone", "address", "name", "practice", "notes"))
        if resource is PRACTICE or kind == "phone":
            field = "phone" if resource is PRACTICE else "mobile_phone"
            record[field] = f"({dice.randint(200, 989)}) 555-{dice.randrange(10_000):04d}"
        elif kind == "address":
            record["address_1"] = f"{dice.randint(1, 999)} {dice.choice(names.STREETS)}"
        elif kind == "name":
            record["last_name"] = dice.choice(names.LAST)
        elif kind == "practice" and (practice := self._pick("practice")):
            record["practice_id"] = practice["id"]
        else:
            record["notes"] = f"{dice.choice(names.NOTES)} ({dice.randrange(10**6)})"

    def create(self) -> Done:
        highest = self._connection.execute(
            "SELECT max(n) FROM (SELECT max(number) AS n FROM patient UNION ALL SELECT max(number) FROM patient_deleted)"
        ).fetchone()[0]
        position = max(0, (highest or 0) - generator.FIRST_PATIENT + 1)
        record = generator.new_patient(self._dice, position, 0)
        practice = self._pick("practice")
        record["practice_id"] = (
            practice["id"] if practice and self._dice.random() > generator.WITHOUT_PRACTICE else None
        )
        record["created_at"] = record["updated_at"] = self._at
        self._storage.create(self._connection, PATIENT, [record])
        return PATIENT, record["id"], "create"

    def delete(self) -> Done | None:
        record = self._pick("patient")
        if record is None:
            return None
        self._storage.delete(self._connection, PATIENT, record["id"], self._at)
        return PATIENT, record["id"], "delete"

    def undelete(self) -> Done | None:
        record = self._pick("patient_deleted")
        if record is None:
            return None
        self._storage.undelete(self._connection, PATIENT, record["id"], self._at)
        return PATIENT, record["id"], "undelete"

    def _pick(self, table: str) -> Record | None:
        highest = self._connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0]  # noqa: S608
        if highest is None:
            return None
        row = self._connection.execute(
            f"SELECT body FROM {table} WHERE rowid >= ? ORDER BY rowid LIMIT 1",  # noqa: S608
            (self._dice.randint(1, highest),),
        ).fetchone()
        record: Record = orjson.loads(row[0])
        return record
