"""Makes a practice up: the same one for the same seed and sizes, written as it is made, never held in memory.

Owns staff, practices and patients and the order of writing; `history` makes what hangs on a patient, `dirt` spoils.
Dates lie in fixed past years, so that a run today equals one next year. Called once, when the data directory is new.
"""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from sandbox import clock
from sandbox.staff import STAFF
from sandbox.visual_practice import dirt, names
from sandbox.visual_practice.calendar import (
    IMPORT_EVERY,
    IMPORT_MAX,
    IMPORT_MIN,
    NEWEST,
    OLDEST,
    day_of,
)
from sandbox.visual_practice.clinic import (
    FIRST_PATIENT,
    carriers,
    demographics,
    providers,
    referring_physicians,
    troubled_staff,
)
from sandbox.visual_practice.history import HANGING, PER_PATIENT, History
from sandbox.visual_practice.memberships import Memberships
from sandbox.visual_practice.schema import (
    BY_PLURAL,
    CORE,
    INSURANCE_CARRIER,
    PATIENT,
    PRACTICE,
    PRACTICE_MEMBERSHIP,
    PROVIDER,
    REFERRING_PHYSICIAN,
    RESOURCES,
    USER,
    Record,
    Resource,
)
from sandbox.visual_practice.soil import soil
from sandbox.visual_practice.spoilers import Spoilers
from sandbox.visual_practice.storage import Storage
from sandbox.visual_practice.tangles import Tangles

FIRST_RUN = 150  # the patient with which the first run of an import begins
MISSING_PRACTICE = 900_000  # ids from here on belong to no practice
YEAR = 31_557_600
WITHOUT_PRACTICE, DANGLING = 0.010, 0.005
BATCH = 5_000  # records written at once
PATIENTS_AT_ONCE = 500  # patients whose records are written in one transaction
FEWEST_PRACTICES, PATIENTS_PER_PRACTICE = 5, 250  # when only a total of records is given


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big the practice is and what its data is like; all of it is part of what makes it repeatable.

    `dirty` is True for the usual dirt, False for none that anyone would call so, or the kinds by name (`dirt.chosen`).
    A `wide` practice has more fields in patients, practices and invoices; some kinds of dirt need them and make it so.
    `resources` are the names of what is made.
    """

    patients: int = 500
    practices: int = 20
    seed: int = 7
    dirty: bool | frozenset[str] = True
    wide: bool = False
    resources: frozenset[str] = frozenset(resource.name for resource in RESOURCES)

    @classmethod
    def of_records(cls, records: int, **given: Any) -> "Sizes":
        """Sizes that make about that many records of all kinds together."""
        patients = max(4, round(records / (PER_PATIENT + 1)))
        return cls(patients, max(FEWEST_PRACTICES, patients // PATIENTS_PER_PRACTICE), **given)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of dirt, by name."""
        if isinstance(self.dirty, frozenset):
            return self.dirty
        return dirt.USUAL if self.dirty else dirt.CLEAN

    @property
    def is_wide(self) -> bool:
        """Whether records have the fields of a wide practice."""
        return self.wide or not dirt.WIDE.isdisjoint(self.kinds)


def resources(text: str) -> frozenset[str]:
    """The names of resources that a comma-separated list of paths, and of `all` and `core`, means.

    Raises:
        ValueError: One is unknown; the text says which.
    """
    sets = {"all": RESOURCES, "core": CORE}
    found: set[str] = set()
    for part in filter(None, (each.strip() for each in text.split(","))):
        if part not in sets and part not in BY_PLURAL:
            raise ValueError(f"there is no resource called {part}")
        found |= {each.name for each in sets.get(part, (BY_PLURAL[part],) if part in BY_PLURAL else ())}
    return frozenset(found)


def write(storage: Storage, sizes: Sizes) -> None:
    """Writes a whole generated practice, one transaction per few thousand records."""
    spoilers = Spoilers(sizes.kinds, sizes.seed)
    storage.set_wide(wide=sizes.is_wide)
    everyone = list(users())
    everyone += troubled_staff(sizes.kinds, len(everyone))
    with storage.filling():
        for resource, records in (
            (USER, iter(everyone)),
            (PRACTICE, practices(sizes)),
            (PROVIDER, providers(everyone, sizes.practices, sizes.seed)),
            (REFERRING_PHYSICIAN, referring_physicians(sizes.patients, sizes.seed)),
            (INSURANCE_CARRIER, carriers()),
        ):
            if resource.name in sizes.resources:
                _write(storage, resource, records)
        _write_patients(storage, sizes, spoilers)
    with storage.writing() as connection:
        Tangles(storage, connection, sizes.kinds).tangle()


def _write(storage: Storage, resource: Resource, records: Iterator[Record]) -> None:
    while batch := list(islice(records, BATCH)):
        with storage.writing() as connection:
            storage.create(connection, resource, batch)


def _write_patients(storage: Storage, sizes: Sizes, spoilers: Spoilers) -> None:
    """Patients and what hangs on them, some hundred patients at a time."""
    history, memberships = History(sizes.seed), Memberships(sizes.seed, sizes.practices)
    wanted = {each.name for each in (*HANGING, PRACTICE_MEMBERSHIP)} & sizes.resources
    everyone = patients(sizes)
    while batch := list(islice(everyone, PATIENTS_AT_ONCE if wanted else BATCH)):
        hanging: dict[Resource, list[Record]] = {}
        for patient in batch if wanted else ():
            made = chain(history.of(patient, day_of(patient["created_at"])), memberships.of(patient))
            for resource, record in made:
                if resource.name in wanted:
                    spoilers.spoil(resource.name, record)
                    hanging.setdefault(resource, []).append(record)
        with storage.writing() as connection:
            if PATIENT.name in sizes.resources:
                storage.create(connection, PATIENT, batch)
            for resource, records in hanging.items():
                storage.create(connection, resource, records)


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
    dice, kinds = random.Random(f"patients {sizes.seed}"), sizes.kinds
    further = _Further(sizes)
    position, import_left, import_at = 0, 0, 0
    while position < sizes.patients:
        family = _family(dice, sizes)
        for _ in range(min(dice.choice((1, 1, 1, 2, 2, 3, 4, 5)), sizes.patients - position)):
            created = dice.randint(OLDEST, NEWEST)
            updated = dice.randint(created, NEWEST)
            if (import_left == 0 and dice.random() < 1 / IMPORT_EVERY) or position == FIRST_RUN:
                import_left, import_at = dice.randint(IMPORT_MIN, IMPORT_MAX), updated
            if import_left:
                import_left -= 1
                created = updated = import_at
            record = family | _person(dice, position)
            record["created_at"], record["updated_at"] = clock.practice_text(created), clock.practice_text(updated)
            if further.soils:
                soil(record, position, dice, kinds)
            further.apply(record, position)
            yield record
            position += 1


class _Further:
    """What is done to a patient beyond the usual; dice of its own, so that the rest stays as it is."""

    def __init__(self, sizes: Sizes) -> None:
        self._kinds, self._sizes = sizes.kinds, sizes
        self.soils = not dirt.USUAL_KINDS.keys().isdisjoint(sizes.kinds)
        self._spoilers = Spoilers(sizes.kinds, sizes.seed)
        self._wide = random.Random(f"wide {sizes.seed}") if sizes.is_wide else None

    def apply(self, record: Record, position: int) -> None:
        """Completes and spoils one patient in place."""
        if "accents" not in self._kinds:
            for field in ("first_name", "middle_name", "last_name", "preferred_name", "city", "address_1"):
                if isinstance(record[field], str):
                    record[field] = _plain(record[field])
        if "family_emails" not in self._kinds and record["email"]:
            record["email"] = f"{position}.{record['email']}"
        if self._wide is not None:
            record |= demographics(self._wide, record, self._sizes.patients)
        self._spoilers.spoil(PATIENT.name, record)


def _plain(text: str) -> str:
    """A text without any letter beyond ASCII; those that are no accented ones go."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() or "X"


def new_patient(dice: random.Random, position: int, practice_count: int) -> Record:
    """One patient more, as the desk enters it; `position` 0 is the first one ever. The stamps are left to the caller."""
    family = _family(dice, Sizes(practices=practice_count))
    return family | _person(dice, position)


def _family(dice: random.Random, sizes: Sizes) -> dict[str, Any]:
    last = dice.choice(names.LAST)
    fate = dice.random()
    if fate < WITHOUT_PRACTICE and "no_practice" in sizes.kinds:
        practice = None
    elif fate < WITHOUT_PRACTICE + DANGLING and "dangling_practices" in sizes.kinds:
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
