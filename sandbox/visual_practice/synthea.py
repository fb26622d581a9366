"""Reads a practice from Synthea's CSV files: organizations as practices, patients, providers as users.

Owns the translation. A patient's primary practice is the organization of their most recent encounter, their provider
the provider of that encounter. What Synthea lacks (e-mails, phones of patients, parents of organizations, times of
change) is derived from the ids, so that every run makes the same. The files here are cut down from the project's
Synthea sample to the columns and rows that are read.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sandbox import clock
from sandbox.visual_practice.schema import PATIENT, PRACTICE, USER, Record
from sandbox.visual_practice.storage import Storage

FILES = Path(__file__).parent.parent / "synthea"
SAMPLED_AT = clock.practice_instant("2024-02-02T20:27:14Z")  # the last encounter of the sample
FIVE_YEARS = 5 * 31_557_600
GENDERS = {"F": "female", "M": "male"}


def write(storage: Storage, folder: Path = FILES) -> None:
    """Writes the whole sample practice in one transaction."""
    latest = _latest_encounters(folder)
    with storage.writing() as connection:
        storage.create(connection, USER, list(_users(folder, {row["PROVIDER"] for row in latest.values()})))
        storage.create(connection, PRACTICE, list(_practices(folder)))
        storage.create(connection, PATIENT, list(_patients(folder, latest)))


def _rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _latest_encounters(folder: Path) -> dict[str, dict[str, str]]:
    latest: dict[str, dict[str, str]] = {}
    for row in _rows(folder, "encounters"):
        known = latest.get(row["PATIENT"])
        if known is None or row["START"] > known["START"]:
            latest[row["PATIENT"]] = row
    return latest


def _number(identity: str, purpose: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{purpose} {identity}".encode(), digest_size=6).digest(), "big")


def _stamps(identity: str) -> dict[str, str]:
    created = SAMPLED_AT - FIVE_YEARS - _number(identity, "created") % FIVE_YEARS
    updated = SAMPLED_AT - _number(identity, "updated") % FIVE_YEARS
    return {"created_at": clock.practice_text(created), "updated_at": clock.practice_text(updated)}


def _bare(name: str) -> str:
    return name.rstrip("0123456789")


def _users(folder: Path, treating: set[str]) -> Iterator[Record]:
    for row in _rows(folder, "providers"):
        if row["Id"] not in treating:
            continue
        first, _, last = row["NAME"].partition(" ")
        first, last = _bare(first), _bare(last)
        yield {
            "id": row["Id"],
            "first_name": first,
            "last_name": last,
            "email": f"{first}.{last}@harbour-clinic.example".lower(),
            "role": "practitioner",
            "active": True,
            **_stamps(row["Id"]),
        }


def _practices(folder: Path) -> Iterator[Record]:
    specialties: dict[str, Counter[str]] = {}
    for row in _rows(folder, "providers"):
        specialties.setdefault(row["ORGANIZATION"], Counter())[row["SPECIALITY"]] += 1
    for row in _rows(folder, "organizations"):
        known = specialties.get(row["Id"])
        yield {
            "id": row["Id"],
            "name": row["NAME"],
            "specialty": known.most_common(1)[0][0] if known else None,
            "phone": row["PHONE"],
            "npi": f"1{_number(row['Id'], 'npi') % 10**9:09d}",
            "tax_id": f"{_number(row['Id'], 'tax') % 10**9:09d}",
            "address_1": row["ADDRESS"],
            "city": row["CITY"],
            "state": row["STATE"],
            "postcode": row["ZIP"],
            "country": "US",
            **_stamps(row["Id"]),
        }


def _patients(folder: Path, latest: dict[str, dict[str, str]]) -> Iterator[Record]:
    for position, row in enumerate(_rows(folder, "patients"), 1):
        seen = latest.get(row["Id"], {})
        first, last = _bare(row["FIRST"]), _bare(row["LAST"])
        yield {
            "id": row["Id"],
            "mrn": f"SYN-{position:06d}",
            "title": row["PREFIX"],
            "first_name": first,
            "last_name": last,
            "date_of_birth": row["BIRTHDATE"],
            "gender": GENDERS.get(row["GENDER"], row["GENDER"]),
            "email": f"{first}.{last}@mail.example".lower(),
            "mobile_phone": f"(617) 555-{_number(row['Id'], 'phone') % 10_000:04d}",
            "address_1": row["ADDRESS"],
            "city": row["CITY"],
            "state": row["STATE"],
            "postcode": row["ZIP"],
            "country": "US",
            "practice_id": seen.get("ORGANIZATION"),
            "provider_id": seen.get("PROVIDER"),
            **_stamps(row["Id"]),
        }
