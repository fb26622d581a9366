"""Reads a practice from Synthea's CSV files: organizations as practices, patients, providers as providers and users.

Owns the translation of these; `synthea_history` has that of the rest. A patient's primary practice is the organization
of their most recent encounter, their provider the provider of that encounter. What Synthea lacks (e-mails, phones of
patients, parents of organizations, times of change) is derived from the ids, so that every run makes the same. The
files here are cut down from the project's Synthea sample to the columns and rows that are read.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sandbox.visual_practice import synthea_history
from sandbox.visual_practice.clinic import TIME_ZONE
from sandbox.visual_practice.derived import SAMPLED_AT, number, stamps
from sandbox.visual_practice.schema import PATIENT, PRACTICE, PROVIDER, RESOURCES, USER, Record
from sandbox.visual_practice.storage import Storage
from sandbox.visual_practice.synthea_history import rows

FILES = Path(__file__).parent.parent / "synthea"
ALL = frozenset(resource.name for resource in RESOURCES)
GENDERS = {"F": "female", "M": "male"}


def write(storage: Storage, folder: Path = FILES, resources: frozenset[str] = ALL) -> None:
    """Writes the whole sample practice, or the resources named, in one transaction."""
    latest = _latest_encounters(folder)
    everyone = list(_users(folder, {row["PROVIDER"] for row in rows(folder, "encounters")}))
    with storage.writing() as connection:
        for resource, records in (
            (USER, everyone),
            (PRACTICE, list(_practices(folder))),
            (PROVIDER, list(_providers(folder, everyone))),
            (PATIENT, list(_patients(folder, latest))),
            *synthea_history.everything(folder, latest, SAMPLED_AT),
        ):
            if resource.name in resources:
                storage.create(connection, resource, records)


def _latest_encounters(folder: Path) -> dict[str, dict[str, str]]:
    latest: dict[str, dict[str, str]] = {}
    for row in rows(folder, "encounters"):
        known = latest.get(row["PATIENT"])
        if known is None or row["START"] > known["START"]:
            latest[row["PATIENT"]] = row
    return latest


def _bare(name: str) -> str:
    return name.rstrip("0123456789")


def _users(folder: Path, treating: set[str]) -> Iterator[Record]:
    for row in rows(folder, "providers"):
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
            **stamps(row["Id"]),
        }


def _providers(folder: Path, users: list[Record]) -> Iterator[Record]:
    known = {user["id"]: user for user in users}
    for row in rows(folder, "providers"):
        user = known.get(row["Id"])
        if user is not None:
            yield {
                "id": row["Id"],
                "user_id": row["Id"],
                "title": "Dr",
                **{name: user[name] for name in ("first_name", "last_name", "active", "created_at", "updated_at")},
                "specialty": row["SPECIALITY"],
                "npi": f"1{number(row['Id'], 'npi') % 10**9:09d}",
                "practice_id": row["ORGANIZATION"],
                "time_zone": TIME_ZONE,
            }


def _practices(folder: Path) -> Iterator[Record]:
    specialties: dict[str, Counter[str]] = {}
    for row in rows(folder, "providers"):
        specialties.setdefault(row["ORGANIZATION"], Counter())[row["SPECIALITY"]] += 1
    for row in rows(folder, "organizations"):
        known = specialties.get(row["Id"])
        yield {
            "id": row["Id"],
            "name": row["NAME"],
            "specialty": known.most_common(1)[0][0] if known else None,
            "phone": row["PHONE"],
            "npi": f"1{number(row['Id'], 'npi') % 10**9:09d}",
            "tax_id": f"{number(row['Id'], 'tax') % 10**9:09d}",
            "address_1": row["ADDRESS"],
            "city": row["CITY"],
            "state": row["STATE"],
            "postcode": row["ZIP"],
            "country": "US",
            **stamps(row["Id"]),
        }


def _patients(folder: Path, latest: dict[str, dict[str, str]]) -> Iterator[Record]:
    for position, row in enumerate(rows(folder, "patients"), 1):
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
            "mobile_phone": f"(617) 555-{number(row['Id'], 'phone') % 10_000:04d}",
            "address_1": row["ADDRESS"],
            "city": row["CITY"],
            "state": row["STATE"],
            "postcode": row["ZIP"],
            "country": "US",
            "practice_id": seen.get("ORGANIZATION"),
            "provider_id": seen.get("PROVIDER"),
            **stamps(row["Id"]),
        }
