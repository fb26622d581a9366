"""Who and what a made-up practice works with: providers, referring physicians, carriers, a patient's further facts.

Owns these records. Called by the generator.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.visual_practice import names
from sandbox.visual_practice import vocabulary as words
from sandbox.visual_practice.calendar import OLDEST, instant_text
from sandbox.visual_practice.schema import Record

FIRST_PATIENT = 1001
PATIENTS_PER_PHYSICIAN = 40
FEWEST_PHYSICIANS, MOST_PHYSICIANS = 5, 2_000
TIME_ZONE = "America/New_York"
MARITAL = ("single", "married", "divorced", "widowed", "", "S", "M")
ALLERGIES = ("none known", "latex", "penicillin", "")


def _stamps(number: int) -> dict[str, str]:
    return {"created_at": instant_text(OLDEST + number * 3600), "updated_at": instant_text(OLDEST + number * 7200)}


def troubled_staff(kinds: frozenset[str], known: int) -> list[Record]:
    """Users whom no e-mail leads to; they follow the `known` ones by id."""
    mailboxes: list[tuple[str, str | None]] = []
    if "providers_without_email" in kinds:
        mailboxes += [("Nameless", None), ("Blank", "")]
    if "shared_provider_emails" in kinds:
        mailboxes += [("Left", "rooms@harbour-clinic.example"), ("Right", "rooms@harbour-clinic.example")]
    return [
        {
            "id": str(known + place),
            "first_name": "Dr",
            "last_name": name,
            "email": email,
            "role": "practitioner",
            "active": True,
            **_stamps(known + place),
        }
        for place, (name, email) in enumerate(mailboxes, 1)
    ]


def providers(users: Sequence[Record], practices: int, seed: int) -> Iterator[Record]:
    """One provider for each user, with the user's id; the e-mail is only to be had from the user."""
    dice = random.Random(f"providers {seed}")
    for number, user in enumerate(users, 1):
        yield {
            "id": str(number),
            "user_id": user["id"],
            "title": dice.choice(("Dr", "Dr", "", "Ms", "Mr")),
            "first_name": user["first_name"],
            "last_name": user["last_name"],
            "specialty": dice.choice(names.SPECIALTIES),
            "npi": f"1{dice.randrange(10**9):09d}",
            "practice_id": str(dice.randint(1, practices)) if practices else None,
            "time_zone": TIME_ZONE,
            "active": user["active"],
            **_stamps(number),
        }


def physicians(patients: int) -> int:
    """How many referring physicians send that many patients."""
    return min(max(FEWEST_PHYSICIANS, patients // PATIENTS_PER_PHYSICIAN), MOST_PHYSICIANS)


def referring_physicians(patients: int, seed: int) -> Iterator[Record]:
    """The physicians who send patients, with ids from 1."""
    dice = random.Random(f"physicians {seed}")
    for number in range(1, physicians(patients) + 1):
        last, place = dice.choice(names.LAST), dice.choice(names.PLACES)
        yield {
            "id": str(number),
            "title": "Dr",
            "first_name": dice.choice(names.FIRST),
            "last_name": last,
            "organization": dice.choice(words.ORGANIZATIONS),
            "specialty": dice.choice(names.SPECIALTIES),
            "npi": f"1{dice.randrange(10**9):09d}",
            "phone": f"({dice.randint(200, 989)}) 555-{dice.randrange(10_000):04d}",
            "fax": f"({dice.randint(200, 989)}) 555-{dice.randrange(10_000):04d}" if dice.random() < 0.5 else None,
            "email": f"office{number}@physicians.example" if dice.random() < 0.6 else None,
            "address_1": f"{dice.randint(1, 999)} {dice.choice(names.STREETS)}",
            "city": place[0],
            "state": place[1],
            "country": place[2],
            **_stamps(number),
        }


def carriers() -> Iterator[Record]:
    """The insurance carriers, with ids from 1."""
    for number, name in enumerate(words.CARRIERS, 1):
        yield {
            "id": str(number),
            "name": name,
            "payer_code": f"P{number * 7919 % 100_000:05d}",
            "phone": f"(800) 555-{number * 101 % 10_000:04d}",
            "address_1": f"{number * 17} Carrier Plaza",
            "city": "Hartford",
            "state": "CT",
            "postcode": f"061{number:02d}",
            "country": "US",
            **_stamps(number),
        }


def demographics(dice: random.Random, patient: Record, patients: int) -> dict[str, Any]:
    """The fields that only a patient of a wide practice has."""
    consent = dice.choice((True, True, False, None))
    return {
        "suffix": dice.choice(("", "", "", "Jr.", "III")),
        "work_phone": f"({dice.randint(200, 989)}) 555-{dice.randrange(10_000):04d}" if dice.random() < 0.2 else None,
        "marital_status": dice.choice(MARITAL),
        "ssn": f"9{dice.randrange(100):02d}-{dice.randint(70, 99)}-{dice.randrange(10_000):04d}",
        "time_zone": TIME_ZONE,
        "old_reference_id": f"L{dice.randrange(10**6):06d}" if dice.random() < 0.3 else None,
        "guarantor_id": str(int(patient["id"]) - 1)
        if dice.random() < 0.1 and int(patient["id"]) > FIRST_PATIENT
        else None,  # mostly of the same family
        "referring_physician_id": str(dice.randint(1, physicians(patients))) if dice.random() < 0.4 else None,
        "accepted_privacy_policy": dice.choice((True, True, None, False)),
        "accepted_email_marketing": consent,
        "accepted_sms_marketing": dice.choice((True, False, None)),
        "no_marketing_mail": None if consent is None else not consent,
        "allergy_flag": dice.choice(ALLERGIES),
        "balance": f"{dice.choice((0, 0, 0, dice.randint(-50, 900)))}.00",
    }
