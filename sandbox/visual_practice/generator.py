"""Makes a practice up: the same one for the same seed and sizes, written as it is made, never held in memory.

Owns what a generated practice looks like. Dates lie in fixed past years, so that a run today equals one next year.
Called once, when the data directory is new.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sandbox import clock
from sandbox.staff import STAFF
from sandbox.visual_practice import dirt, names
from sandbox.visual_practice.schema import PATIENT, PRACTICE, USER, Record, Resource
from sandbox.visual_practice.storage import Storage

FIRST_PATIENT = 1001
MISSING_PRACTICE = 900_000  # ids from here on belong to no practice
OLDEST = clock.practice_instant("2016-01-04T08:00:00Z")
NEWEST = clock.practice_instant("2025-06-30T18:00:00Z")
YEAR = 31_557_600
WITHOUT_PRACTICE, DANGLING = 0.010, 0.005
BATCH = 5_000  # records written at once
IMPORT_EVERY, IMPORT_MIN, IMPORT_MAX = 1_500, 120, 450  # runs of records that one import wrote within one second


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big the practice is and whether its data is dirty; part of what makes it repeatable."""

    patients: int = 500
    practices: int = 20
    seed: int = 7
    dirty: bool = True


def write(storage: Storage, sizes: Sizes) -> None:
    """Writes a whole generated practice, one transaction per few thousand records."""
    for resource, records in (
        (USER, users()),
        (PRACTICE, practices(sizes)),
        (PATIENT, patients(sizes)),
    ):
        _write(storage, resource, records)


def _write(storage: Storage, resource: Resource, records: Iterator[Record]) -> None:
    while batch := list(islice(records, BATCH)):
        with storage.writing() as connection:
            storage.create(connection, resource, batch)


def users() -> Iterator[Record]:
    """The staff, with ids from 1."""
    for number, person in enumerate(STAFF, 1):
        yield {
            "id": str(number),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "role": person.role,
            "active": person.active,
            "created_at": clock.practice_text(OLDEST + number * 3600),
            "updated_at": clock.practice_text(OLDEST + number * 7200),
        }


def practices(sizes: Sizes) -> Iterator[Record]:
    """Practices with ids from 1; a third belongs to another one, whose id may well be higher. No cycles."""
    dice = random.Random(f"practices {sizes.seed}")
    rank = list(range(1, sizes.practices + 1))
    dice.shuffle(rank)
    seniority = {identity: place for place, identity in enumerate(rank)}
    for number in range(1, sizes.practices + 1):
        place = seniority[number]
        parent = rank[dice.randrange(place)] if place and dice.random() < 0.34 else None
        name = f"{dice.choice(names.PRACTICE_STEMS)} {dice.choice(names.PRACTICE_KINDS)}"
        if number > len(names.PRACTICE_STEMS):
            name += f" {number}"
        created = dice.randint(OLDEST, NEWEST - YEAR)
        yield {
            "id": str(number),
            "name": name,
            "specialty": dice.choice(names.SPECIALTIES),
            "phone": _phone(dice),
            "website": f"www.practice-{number}.example" if dice.random() < 0.6 else "",
            "npi": f"1{dice.randrange(10**9):09d}",
            "tax_id": f"{dice.randrange(100):02d}-{dice.randrange(10**7):07d}",
            **_address(dice),
            "parent_id": str(parent) if parent else None,
            "created_at": clock.practice_text(created),
            "updated_at": clock.practice_text(dice.randint(created, NEWEST)),
        }


def patients(sizes: Sizes) -> Iterator[Record]:
    """Patients with ids from 1001, family by family: the members share a name, an address, a phone and an e-mail."""
    dice = random.Random(f"patients {sizes.seed}")
    position, import_left, import_at = 0, 0, 0
    while position < sizes.patients:
        family = _family(dice, sizes)
        for _ in range(min(dice.choice((1, 1, 1, 2, 2, 3, 4, 5)), sizes.patients - position)):
            created = dice.randint(OLDEST, NEWEST)
            updated = dice.randint(created, NEWEST)
            if (import_left == 0 and dice.random() < 1 / IMPORT_EVERY) or position == 150:
                import_left, import_at = dice.randint(IMPORT_MIN, IMPORT_MAX), updated
            if import_left:
                import_left -= 1
                created = updated = import_at
            record = family | _person(dice, position)
            record["created_at"], record["updated_at"] = clock.practice_text(created), clock.practice_text(updated)
            if sizes.dirty:
                dirt.soil(record, position, dice)
            yield record
            position += 1


def new_patient(dice: random.Random, position: int, practice_count: int) -> Record:
    """One patient more, as the desk enters it; `position` 0 is the first one ever. The stamps are left to the caller."""
    family = _family(dice, Sizes(practices=practice_count))
    return family | _person(dice, position)


def _family(dice: random.Random, sizes: Sizes) -> dict[str, Any]:
    last = dice.choice(names.LAST)
    fate = dice.random()
    if fate < WITHOUT_PRACTICE:
        practice = None
    elif sizes.dirty and fate < WITHOUT_PRACTICE + DANGLING:
        practice = str(MISSING_PRACTICE + dice.randrange(50))
    else:
        practice = str(dice.randint(1, sizes.practices)) if sizes.practices else None
    mailbox = "".join(letter for letter in last.lower() if "a" <= letter <= "z") or "family"
    return {
        "last_name": last,
        "email": f"{mailbox}{dice.randrange(100_000)}@mail.example" if dice.random() < 0.85 else None,
        "home_phone": _phone(dice) if dice.random() < 0.6 else None,
        **_address(dice),
        "practice_id": practice,
        "provider_id": str(dice.randint(1, len(STAFF))),
    }


def _person(dice: random.Random, position: int) -> dict[str, Any]:
    born = dice.randint(-1_000_000_000, NEWEST)
    return {
        "id": str(FIRST_PATIENT + position),
        "mrn": f"MRN-{position + 1:06d}",
        "title": dice.choice(names.TITLES),
        "first_name": dice.choice(names.FIRST),
        "middle_name": dice.choice(names.FIRST) if dice.random() < 0.2 else None,
        "preferred_name": dice.choice(names.FIRST) if dice.random() < 0.1 else None,
        "date_of_birth": clock.practice_text(born)[:10],
        "gender": dice.choice(names.GENDERS),
        "mobile_phone": _phone(dice) if dice.random() < 0.8 else None,
        "notes": dice.choice(names.NOTES) if dice.random() < 0.3 else None,
        "custom_fields": {"referral_source": dice.choice(names.REFERRALS)} if dice.random() < 0.4 else {},
    }


def _phone(dice: random.Random) -> str:
    return f"({dice.randint(200, 989)}) 555-{dice.randrange(10_000):04d}"


def _address(dice: random.Random) -> dict[str, Any]:
    city, state, country, pattern = dice.choice(names.PLACES)
    postcode = "".join(
        str(dice.randrange(10)) if mark == "#" else dice.choice("ABDEFGHJ") if mark == "@" else mark for mark in pattern
    )
    return {
        "address_1": f"{dice.randint(1, 999)} {dice.choice(names.STREETS)}",
        "address_2": f"Unit {dice.randint(1, 60)}" if dice.random() < 0.15 else None,
        "city": city,
        "state": state,
        "postcode": postcode,
        "country": country,
    }
