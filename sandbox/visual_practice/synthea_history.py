"""Reads what happened to Synthea's patients: visits, claims, coverage, results, and what intake would have asked.

Owns the translation of encounters, claims with their transactions, payers and payer transitions, laboratory
observations, imaging studies, careplans, allergies, conditions and procedures. What Synthea lacks (cancelled and coming
visits, papers, forms) is derived from the ids. Called by `synthea`.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from sandbox import clock
from sandbox.visual_practice import vocabulary as words
from sandbox.visual_practice.derived import derived_id, number, stamps
from sandbox.visual_practice.history import money
from sandbox.visual_practice.schema import (
    APPOINTMENT,
    DOCUMENT,
    IMAGING_RECORD,
    INSURANCE_CARRIER,
    INSURANCE_POLICY,
    INTAKE_FORM,
    INVOICE,
    LAB_RESULT,
    NOTE,
    PAYMENT,
    Record,
    Resource,
)

METHODS = {"CC": "card", "CASH": "cash", "CHECK": "cheque", "ECHECK": "transfer", "COPAY": "cash"}
OWNERS = {"Self": "self", "Guardian": "child", "Spouse": "spouse"}
NO_YEAR = "9999"
DAY = 86_400
Row = dict[str, str]


def rows(folder: Path, name: str) -> Iterator[Row]:
    """The rows of one of Synthea's files; none when the file is not there."""
    path = folder / f"{name}.csv"
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def everything(folder: Path, latest: dict[str, Row], sampled_at: int) -> Iterator[tuple[Resource, list[Record]]]:
    """Each resource with all its records; `latest` is the last encounter of each patient."""
    visits = {row["Id"]: row for row in rows(folder, "encounters")}
    policies = list(_policies(folder))
    yield INSURANCE_CARRIER, list(_carriers(folder))
    yield INSURANCE_POLICY, policies
    yield APPOINTMENT, [*map(_visit, visits.values()), *_further_visits(latest, sampled_at)]
    bills, payments = _bills(folder, visits, policies)
    yield INVOICE, bills
    yield PAYMENT, payments
    results = list(_results(folder))
    studies = [_study(row, visits) for row in rows(folder, "imaging_studies")]
    yield DOCUMENT, [*(_paper(row["Id"], row["PATIENT"], row["DATE"]) for row in rows(folder, "imaging_studies"))]
    yield LAB_RESULT, results
    yield IMAGING_RECORD, studies
    yield INTAKE_FORM, list(_forms(folder, latest))
    yield NOTE, list(_notes(folder, visits))


def _instant(text: str) -> str:
    """An instant from a date or an instant."""
    return text if "T" in text else f"{text}T12:00:00Z"


def _carriers(folder: Path) -> Iterator[Record]:
    for row in rows(folder, "payers"):
        yield {
            "id": row["Id"],
            "name": row["NAME"],
            "payer_code": f"S{number(row['Id'], 'payer') % 100_000:05d}",
            "phone": row["PHONE"] or None,
            "address_1": row["ADDRESS"],
            "city": row["CITY"],
            "state": row["STATE_HEADQUARTERED"],
            "postcode": row["ZIP"],
            "country": "US",
            **stamps(row["Id"]),
        }


def _policies(folder: Path) -> Iterator[Record]:
    """One policy for each period with a payer, and one more for a secondary payer."""
    for place, row in zip(count(), rows(folder, "payer_transitions"), strict=False):
        identity = derived_id("policy", row["PATIENT"], row["START_YEAR"], str(place))
        ends = row["END_YEAR"]
        policy: Record = {
            "id": identity,
            "patient_id": row["PATIENT"],
            "carrier_id": row["PAYER"],
            "policy_number": row["MEMBERID"] or None,
            "subscriber_id": row["MEMBERID"][:8] or None,
            "relationship": OWNERS.get(row["OWNERSHIP"], "other"),
            "priority": 1,
            "starts_on": row["START_YEAR"][:10],
            "ends_on": None if ends.startswith(NO_YEAR) or not ends else ends[:10],
            **stamps(identity),
        }
        yield policy
        if row["SECONDARY_PAYER"]:
            second = derived_id("second", identity)
            yield policy | {"id": second, "carrier_id": row["SECONDARY_PAYER"], "priority": 2}


def _visit(row: Row) -> Record:
    starts, ends = clock.practice_instant(row["START"]), clock.practice_instant(row["STOP"])
    booked = starts - (1 + number(row["Id"], "booked") % 30) * DAY
    return {
        "id": row["Id"],
        "patient_id": row["PATIENT"],
        "provider_id": row["PROVIDER"],
        "practice_id": row["ORGANIZATION"],
        "appointment_type": row["DESCRIPTION"],
        "starts_at": row["START"],
        "ends_at": row["STOP"],
        "duration_minutes": (ends - starts) // 60,
        "status": "completed",
        "did_not_arrive": False,
        "patient_arrived": True,
        "notes": f"<p>{row['ENCOUNTERCLASS']}</p>",
        "created_at": clock.practice_text(booked),
        "updated_at": row["STOP"],
    }


def _further_visits(latest: dict[str, Row], sampled_at: int) -> Iterator[Record]:
    """What Synthea has none of: a visit to come for each patient, and a cancelled one for every third."""
    for patient, row in latest.items():
        seed = number(patient, "next")
        starts = (sampled_at // DAY + 3 + seed % 60) * DAY + 14 * 3600 + seed % 20 * 900
        visit = _visit(row | {"START": clock.practice_text(starts), "STOP": clock.practice_text(starts + 1800)}) | {
            "status": "booked",
            "patient_arrived": False,
            "updated_at": clock.practice_text(sampled_at),
        }
        yield visit | {"id": derived_id("next", patient)}
        if seed % 3 == 0:
            yield visit | {
                "id": derived_id("cancelled", patient),
                "status": "cancelled",
                "cancelled_at": clock.practice_text(sampled_at - DAY),
                "cancellation_reason": "20",
                "cancellation_note": "Sick",
            }


def _bills(folder: Path, visits: dict[str, Row], policies: list[Record]) -> tuple[list[Record], list[Record]]:
    charges: defaultdict[str, list[Row]] = defaultdict(list)
    paid: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows(folder, "claims_transactions"):
        {"CHARGE": charges, "PAYMENT": paid}.get(row["TYPE"], defaultdict(list))[row["CLAIMID"]].append(row)
    held: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
    for policy in policies:
        held[policy["patient_id"], policy["carrier_id"]].append(policy)
    bills, payments = [], []
    for place, row in enumerate(rows(folder, "claims"), 1):
        bill = _bill(row, place, charges[row["Id"]], paid[row["Id"]])
        payer, day = row["PRIMARYPATIENTINSURANCEID"], bill["issue_date"]
        covering = [
            each["id"]
            for each in held[row["PATIENTID"], payer]
            if each["starts_on"] <= day and (each["ends_on"] is None or day < each["ends_on"])
        ]
        bill["insurance_policy_id"] = "0" if payer == "0" else covering[0] if covering else None
        bill["practice_id"] = visits.get(row["APPOINTMENTID"], {}).get("ORGANIZATION")
        bills.append(bill)
        payments += [_payment(each, row) for each in paid[row["Id"]]]
    return bills, payments


def _cents(text: str) -> int:
    return round(float(text or 0) * 100)


def _bill(row: Row, place: int, charges: list[Row], paid: list[Row]) -> Record:
    total, received = sum(_cents(each["AMOUNT"]) for each in charges), sum(_cents(each["PAYMENTS"]) for each in paid)
    last = max((each["FROMDATE"] for each in paid), default=row["SERVICEDATE"])
    status = "paid" if received >= total else "partially_paid" if received else "open"
    return {
        "id": row["Id"],
        "number": f"SYN-{place:06d}",
        "patient_id": row["PATIENTID"],
        "provider_id": row["PROVIDERID"],
        "appointment_id": row["APPOINTMENTID"],
        "issue_date": row["SERVICEDATE"][:10],
        "status": status,
        "total_amount": money(total),
        "tax_amount": money(0),
        "net_amount": money(total),
        "balance": money(total - received),
        "closed_at": last if status == "paid" else None,
        "items": [
            {
                "code": each["PROCEDURECODE"],
                "description": each["NOTES"],
                "quantity": int(each["UNITS"] or 1),
                "unit_price": money(_cents(each["UNITAMOUNT"])),
                "net_price": money(_cents(each["AMOUNT"])),
                "tax_rate": "0.0",
                "discount": money(0),
            }
            for each in charges
        ],
        "created_at": row["SERVICEDATE"],
        "updated_at": max(last, row["SERVICEDATE"]),
    }


def _payment(row: Row, claim: Row) -> Record:
    return {
        "id": row["ID"],
        "invoice_id": row["CLAIMID"],
        "patient_id": claim["PATIENTID"],
        "amount": money(_cents(row["PAYMENTS"])),
        "method": METHODS.get(row["METHOD"], "insurance"),
        "paid_at": row["FROMDATE"],
        "created_at": row["FROMDATE"],
        "updated_at": row["FROMDATE"],
    }


def _results(folder: Path) -> Iterator[Record]:
    found = [row for row in rows(folder, "observations") if row["CATEGORY"] == "laboratory"]
    for place, row in enumerate(found):
        yield {
            "id": derived_id("lab", row["PATIENT"], row["DATE"], row["CODE"], str(place)),
            "patient_id": row["PATIENT"],
            "appointment_id": row["ENCOUNTER"] or None,
            "test_code": row["CODE"],
            "test_name": row["DESCRIPTION"],
            "status": "F",
            "value": row["VALUE"],
            "value_is_numeric": row["TYPE"] == "numeric",
            "unit": row["UNITS"] or None,
            "abnormal": "",
            "collected_at": row["DATE"],
            "reported_at": row["DATE"],
            "created_at": row["DATE"],
            "updated_at": row["DATE"],
        }


def _study(row: Row, visits: dict[str, Row]) -> Record:
    return {
        "id": row["Id"],
        "patient_id": row["PATIENT"],
        "provider_id": visits.get(row["ENCOUNTER"], {}).get("PROVIDER"),
        "document_id": derived_id("paper", row["Id"]),
        "modality": row["MODALITY_CODE"],
        "body_site": row["BODYSITE_DESCRIPTION"],
        "study_uid": row["INSTANCE_UID"],
        "status": "reported",
        "taken_at": row["DATE"],
        "report": f"<p>{row['SOP_DESCRIPTION']}</p>",
        "created_at": row["DATE"],
        "updated_at": row["DATE"],
    }


def _paper(study: str, patient: str, at: str) -> Record:
    identity = derived_id("paper", study)
    name, content_type, category, least, most = words.STUDY
    return {
        "id": identity,
        "patient_id": patient,
        "filename": name,
        "content_type": content_type,
        "size": least + number(study, "size") % (most - least),
        "category": category,
        "processing_completed": True,
        "content": {"link": f"/v1/documents/{identity}/content"},
        "created_at": at,
        "updated_at": at,
    }


def _forms(folder: Path, latest: dict[str, Row]) -> Iterator[Record]:
    """One intake form for each patient, with their allergies and careplans as its answers."""
    flags: defaultdict[str, list[str]] = defaultdict(list)
    plans: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows(folder, "allergies"):
        flags[row["PATIENT"]].append(row["DESCRIPTION"])
    for row in rows(folder, "careplans"):
        plans[row["PATIENT"]].append(row["DESCRIPTION"])
    for patient, row in latest.items():
        identity = derived_id("form", patient)
        questions: list[dict[str, Any]] = [
            {
                "name": "Any allergies?",
                "type": "checkboxes",
                "required": False,
                "answers": [{"value": each, "selected": True} for each in flags[patient]],
            },
            {"name": "Plans of care", "type": "paragraph", "required": False, "answer": "\n".join(plans[patient])},
        ]
        yield {
            "id": identity,
            "patient_id": patient,
            "appointment_id": row["Id"],
            "template_id": "1",
            "name": words.FORMS[0]["name"],
            "completed_at": row["START"],
            "content": {"sections": [{"name": "Allergies", "questions": questions}]},
            "created_at": row["START"],
            "updated_at": row["STOP"],
        }


def _notes(folder: Path, visits: dict[str, Row]) -> Iterator[Record]:
    """Conditions and procedures, as the clinical notes of the visit."""
    for kind, name in (("Condition", "conditions"), ("Procedure", "procedures")):
        for place, row in enumerate(rows(folder, name)):
            at = _instant(row["START"])
            yield {
                "id": derived_id(name, row["PATIENT"], row["START"], str(place)),
                "patient_id": row["PATIENT"],
                "provider_id": visits.get(row["ENCOUNTER"], {}).get("PROVIDER"),
                "appointment_id": row["ENCOUNTER"] or None,
                "title": kind,
                "body": f"<p>{row['DESCRIPTION']}</p>",
                "draft": False,
                "created_at": at,
                "updated_at": at,
            }
