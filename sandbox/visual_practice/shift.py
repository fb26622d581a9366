"""What one change at the desk does to the records.

Owns the changes of patients, practices, visits, bills and papers, inside the caller's transaction. The same dice make
the same changes of the same practice. Called by `desk`.
"""

import random
import sqlite3
from typing import Any

import orjson

from sandbox import clock
from sandbox.visual_practice import generator, names
from sandbox.visual_practice import vocabulary as words
from sandbox.visual_practice.clinic import FIRST_PATIENT
from sandbox.visual_practice.history import money
from sandbox.visual_practice.schema import (
    APPOINTMENT,
    DOCUMENT,
    INVOICE,
    PATIENT,
    PAYMENT,
    PRACTICE,
    PRACTICE_MEMBERSHIP,
    RESOURCES,
    Record,
    Resource,
)
from sandbox.visual_practice.storage import Storage

Done = tuple[Resource, str, str]  # what, its id, and `create`, `update`, `delete`, `undelete` or `archive`

PRACTICE_SHARE = 0.05  # of the edits
TRIES = 20  # records looked at for one that a change fits
MOVED = 200  # records of one resource that move along in a merge, at most
QUARTER, DAY = 900, 86_400


class Shift:
    """One call's worth of work: a transaction, dice and the second (since 1970) in which everything happens."""

    def __init__(self, storage: Storage, connection: sqlite3.Connection, dice: random.Random, at: int) -> None:
        self._storage, self._connection, self._dice = storage, connection, dice
        self._seconds, self._at = at, clock.practice_text(at)

    # -- patients and practices ---------------------------------------------------------------------------------

    def edit(self) -> list[Done]:
        resource = PRACTICE if self._dice.random() < PRACTICE_SHARE else PATIENT
        record = self._pick(resource.name)
        if record is None:
            return []
        self._change(resource, record)
        return self._update(resource, record)

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

    def create(self) -> list[Done]:
        position = max(0, self._storage.highest(self._connection, PATIENT) - FIRST_PATIENT + 1)
        record = generator.new_patient(self._dice, position, 0)
        practice = self._pick("practice")
        record["practice_id"] = (
            practice["id"] if practice and self._dice.random() > generator.WITHOUT_PRACTICE else None
        )
        record["created_at"] = record["updated_at"] = self._at
        self._storage.create(self._connection, PATIENT, [record])
        return [(PATIENT, record["id"], "create")]

    def delete(self) -> list[Done]:
        record = self._pick("patient")
        if record is None:
            return []
        self._storage.delete(self._connection, PATIENT, record["id"], self._at)
        return [(PATIENT, record["id"], "delete")]

    def undelete(self) -> list[Done]:
        record = self._pick("patient_deleted")
        if record is None:
            return []
        self._storage.undelete(self._connection, PATIENT, record["id"], self._at)
        return [(PATIENT, record["id"], "undelete")]

    def archive(self) -> list[Done]:
        record = self._pick("patient")
        if record is None:
            return []
        self._storage.archive(self._connection, PATIENT, record["id"], self._at)
        return [(PATIENT, record["id"], "archive")]

    def merge(self) -> list[Done]:
        """Two patients were one: what hangs on the old one moves to the new one, and the old one is deleted."""
        old, new = self._pick("patient"), self._pick("patient")
        if old is None or new is None or old["id"] == new["id"]:
            return []
        done: list[Done] = []
        for resource in RESOURCES:
            if "patient_id" not in resource.fields:
                continue
            for record in self._of(resource, old["id"]):
                done += self._update(resource, record | {"patient_id": new["id"]})
        done += self._update(PATIENT, new)
        if self._storage.wide:
            self._storage.put(self._connection, PATIENT, [old | {"merged_into_id": new["id"]}])
        self._storage.delete(self._connection, PATIENT, old["id"], self._at)
        return [*done, (PATIENT, old["id"], "delete")]

    def _of(self, resource: Resource, patient: str) -> list[Record]:
        key = "json_extract(CAST(body AS TEXT), '$.patient_id')"
        name = resource.name
        # made by the first merge, which reads everything once; most practices never need it
        self._connection.execute(f"CREATE INDEX IF NOT EXISTS {name}_by_patient ON {name} ({key})")
        found = self._connection.execute(
            f"SELECT body FROM {name} WHERE {key} = ? ORDER BY rowid LIMIT ?",  # noqa: S608
            (patient, MOVED),
        )
        return [orjson.loads(body) for (body,) in found.fetchall()]

    # -- visits -------------------------------------------------------------------------------------------------

    def book(self) -> list[Done]:
        patient = self._pick("patient")
        if patient is None:
            return []
        kind, minutes, _ = self._dice.choice(words.VISITS)
        starts = (self._seconds // QUARTER + self._dice.randint(4, 60 * DAY // QUARTER)) * QUARTER
        return self._enter(
            APPOINTMENT,
            {
                "patient_id": patient["id"],
                "provider_id": patient["provider_id"],
                "practice_id": patient["practice_id"],
                "appointment_type": kind,
                "starts_at": clock.practice_text(starts),
                "ends_at": clock.practice_text(starts + minutes * 60),
                "duration_minutes": minutes,
                "status": "booked",
                "did_not_arrive": False,
                "patient_arrived": False,
            },
        )

    def cancel(self) -> list[Done]:
        visit = self._pick("appointment", status=("booked", "confirmed"))
        if visit is None:
            return []
        told = {
            "status": "cancelled",
            "cancelled_at": self._at,
            "cancellation_reason": self._dice.choice(("10", "20", "30", "40", "50")),
            "cancellation_note": self._dice.choice(words.CANCELLED_BECAUSE),
        }
        return self._update(APPOINTMENT, visit | told)

    def visit(self) -> list[Done]:
        """A patient comes, or does not; who came gets a bill."""
        visit = self._pick("appointment", status=("booked", "confirmed"))
        if visit is None:
            return []
        if self._dice.random() < 0.1:
            return self._update(APPOINTMENT, visit | {"status": "no_show", "did_not_arrive": True})
        done = self._update(APPOINTMENT, visit | {"status": "completed", "patient_arrived": True})
        code, what, price = self._dice.choice(words.PROCEDURES)
        item = {"code": code, "description": what, "quantity": 1, "unit_price": money(price), "net_price": money(price)}
        number = self._storage.highest(self._connection, INVOICE) + 1
        bill = {
            "number": f"INV-{number:07d}",
            **{name: visit.get(name) for name in ("patient_id", "practice_id", "provider_id")},
            "appointment_id": visit["id"],
            "issue_date": self._at[:10],
            "status": "open",
            **dict.fromkeys(("total_amount", "net_amount", "balance"), money(price)),
            "tax_amount": money(0),
            "items": [item | {"tax_rate": "0.0", "discount": money(0)}],
        }
        return done + self._enter(INVOICE, bill)

    def pay(self) -> list[Done]:
        bill = self._pick("invoice", status=("open", "partially_paid"))
        if bill is None:
            return []
        done = self._enter(
            PAYMENT,
            {
                "invoice_id": bill["id"],
                "patient_id": bill["patient_id"],
                "amount": bill["balance"],
                "method": self._dice.choice(words.METHODS),
                "paid_at": self._at,
            },
        )
        return done + self._update(INVOICE, bill | {"status": "paid", "balance": money(0), "closed_at": self._at})

    def rebill(self) -> list[Done]:
        """A bill was made out to the wrong patient, most often to somebody of the same name; what was paid goes along."""
        bill, patient = self._pick("invoice"), self._pick("patient")
        if bill is None or patient is None or bill["patient_id"] == patient["id"]:
            return []
        done = self._update(INVOICE, bill | {"patient_id": patient["id"]})
        for payment in self._of(PAYMENT, bill["patient_id"]) if bill["patient_id"] else ():
            if payment["invoice_id"] == bill["id"]:
                done += self._update(PAYMENT, payment | {"patient_id": patient["id"]})
        return done

    def scan(self) -> list[Done]:
        patient = self._pick("patient")
        if patient is None:
            return []
        name, content_type, category, least, most = self._dice.choice(words.PAPERS)
        number = self._storage.highest(self._connection, DOCUMENT) + 1
        return self._enter(
            DOCUMENT,
            {
                "patient_id": patient["id"],
                "filename": name,
                "content_type": content_type,
                "size": self._dice.randint(least, most),
                "category": category,
                "processing_completed": True,
                "content": {"link": f"/v1/documents/{number}/content"},
            },
        )

    def relate(self) -> list[Done]:
        """A patient goes to a further practice, to another one instead, or no more; or it was entered by mistake."""
        dice, known = self._dice, self._pick("practice_membership")
        practice = self._pick("practice")
        act = dice.choice(("enter", "enter", "end", "move", "delete")) if known is not None else "enter"
        if known is None or act == "enter":
            patient = self._pick("patient")
            if patient is None or practice is None or patient["practice_id"] == practice["id"]:
                return []
            if any(one["practice_id"] == practice["id"] for one in self._of(PRACTICE_MEMBERSHIP, patient["id"])):
                return []
            values = {"patient_id": patient["id"], "practice_id": practice["id"], "starts_on": self._at[:10]}
            return self._enter(PRACTICE_MEMBERSHIP, values | {"role": dice.choice(words.MEMBERSHIP_ROLES)})
        if act == "delete":
            self._storage.delete(self._connection, PRACTICE_MEMBERSHIP, known["id"], self._at)
            return [(PRACTICE_MEMBERSHIP, known["id"], "delete")]
        if act == "move" and practice is not None:
            others = self._of(PRACTICE_MEMBERSHIP, known["patient_id"]) if known["patient_id"] else []
            if any(one["practice_id"] == practice["id"] for one in others):
                return []
            return self._update(PRACTICE_MEMBERSHIP, known | {"practice_id": practice["id"]})
        return self._update(PRACTICE_MEMBERSHIP, known | {"ends_on": self._at[:10]})

    # -- records ------------------------------------------------------------------------------------------------

    def _enter(self, resource: Resource, values: dict[str, Any]) -> list[Done]:
        identity = str(self._storage.highest(self._connection, resource) + 1)
        stamps = {"id": identity, "created_at": self._at, "updated_at": self._at}
        self._storage.create(self._connection, resource, [values | stamps])
        return [(resource, identity, "create")]

    def _update(self, resource: Resource, record: Record) -> list[Done]:
        self._storage.put(self._connection, resource, [record | {"updated_at": self._at}])
        return [(resource, record["id"], "update")]

    def _pick(self, table: str, **wanted: tuple[str, ...]) -> Record | None:
        """A record by the dice; with `wanted`, one whose fields have one of these values, if it is soon found."""
        highest = self._connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0]  # noqa: S608
        if highest is None:
            return None
        for _ in range(TRIES):
            row = self._connection.execute(
                f"SELECT body FROM {table} WHERE rowid >= ? ORDER BY rowid LIMIT 1",  # noqa: S608
                (self._dice.randint(1, highest),),
            ).fetchone()
            record: Record = orjson.loads(row[0])
            if all(record.get(field) in values for field, values in wanted.items()):
                return record
        return None
