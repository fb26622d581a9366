"""As many documents as somebody asked for, of sizes that can be moved in minutes.

Owns which documents of a practice stay, those that are made beyond them, and how large they may be. Works on a practice that is written; called when
a data directory is filled.
"""

import random
import sqlite3

import orjson

from sandbox.staff import STAFF
from sandbox.visual_practice import vocabulary as words
from sandbox.visual_practice.calendar import NEWEST_DAY, OLDEST_DAY, day_text
from sandbox.visual_practice.schema import DOCUMENT, IMAGING_RECORD, LAB_RESULT, PATIENT, Record, Resource
from sandbox.visual_practice.storage import Storage

MOST_OF_SALESFORCE = 2**31  # bytes; what is larger is so for that reason, and stays so


def fit(storage: Storage, count: int, largest: int, seed: int) -> None:
    """Leaves a practice with `count` live documents of at most `largest` bytes each, but for those that no org takes.

    Those with the lowest numbers stay; what referred to one that goes refers to none. A practice without patients gets none.
    """
    with storage.writing() as connection:
        known = _all(connection, DOCUMENT)
        kept, gone = known[:count], {record["id"] for record in known[count:]}
        storage.forget(connection, DOCUMENT, gone)
        for resource in (LAB_RESULT, IMAGING_RECORD):
            loose = [record for record in _all(connection, resource) if record.get("document_id") in gone]
            storage.put(connection, resource, [record | {"document_id": None} for record in loose])
        large = [record for record in kept if largest < record["size"] <= MOST_OF_SALESFORCE]
        storage.put(connection, DOCUMENT, [record | {"size": largest} for record in large])
        storage.create(connection, DOCUMENT, _further(storage, connection, count - len(kept), largest, seed))


def _all(connection: sqlite3.Connection, resource: Resource) -> list[Record]:
    """The live records of a resource, those whose ids are no numbers last."""
    rows = connection.execute(f"SELECT body FROM {resource.name} ORDER BY number < 0, number, id")  # noqa: S608
    return [orjson.loads(body) for (body,) in rows]


def _further(storage: Storage, connection: sqlite3.Connection, count: int, largest: int, seed: int) -> list[Record]:
    patients = [row[0] for row in connection.execute(f"SELECT id FROM {PATIENT.name} ORDER BY number, id")]  # noqa: S608
    if not patients:
        return []
    dice, first = random.Random(f"papers {seed}"), storage.highest(connection, DOCUMENT) + 1
    return [_paper(dice, number, dice.choice(patients), largest) for number in range(first, first + count)]


def _paper(dice: random.Random, number: int, patient: str, largest: int) -> Record:
    name, content_type, category, least, most = dice.choice(words.PAPERS)
    stem, _, suffix = name.rpartition(".")
    at = f"{day_text(dice.randint(OLDEST_DAY, NEWEST_DAY - 1))}T15:00:00Z"
    return {
        "id": str(number),
        "patient_id": patient,
        "filename": f"{stem}-{number}.{suffix}",
        "content_type": content_type,
        "size": min(largest, int(least * (most / least) ** (dice.random() ** 2))),
        "category": category,
        "user_id": str(dice.randint(1, len(STAFF))),
        "processing_completed": True,
        "content": {"link": f"/v1/documents/{number}/content"},
        "created_at": at,
        "updated_at": at,
    }
