"""What visits and bills become, written down a second time for a few columns; nothing is shared with the product's mapping."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from sandbox.staff import STAFF

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = dict[str, list[Record]]

FALLBACK = STAFF[7].email.lower()
"""Who owns what belongs to nobody with a login."""

VISIT: Record = {
    "appointment_type": "Check-up",
    "starts_at": "2026-05-04T09:00:00Z",
    "duration_minutes": 30,
    "status": "booked",
}
BILL: Record = {
    "practice_id": "1",
    "provider_id": "1",
    "issue_date": "2026-01-05",
    "status": "open",
    "total_amount": "90.00",
    "items": [],
}
"""A visit and a bill as tests put them into the practice; whose they are, they add."""

STAGES = {
    "paid": "Closed Won",
    "open": "Proposal/Price Quote",
    "partially_paid": "Negotiation/Review",
    "void": "Closed Lost",
    "written_off": "Closed Lost",
}


def owner_of(source: Records, record: Record, users: dict[str, str]) -> str:
    """The Salesforce id of whoever treats."""
    user_of = {provider["id"]: provider["user_id"] for provider in source.get("providers", ())}
    email_of = {user["id"]: (user["email"] or "").lower() for user in source.get("users", ())}
    email = email_of.get(user_of.get(record["provider_id"], ""), "")
    return users.get(email, users[FALLBACK])


def seconds(text: str) -> datetime:
    return datetime.fromisoformat(text[:19])


def check_visits(
    source: Records, events: dict[str, Record], reference_of: dict[str, str], users: dict[str, str]
) -> None:
    """Every visit of a patient who is in the org is an event, and no other."""
    there = set(reference_of.values())
    live = {f"appointment:{one['id']}": one for one in source.get("appointments", ())}
    wanted = {ref: one for ref, one in live.items() if f"patient:{one['patient_id']}" in there}
    assert wanted.keys() <= events.keys(), f"missing {sorted(wanted.keys() - events.keys())[:10]}"
    extra = {ref for ref in events.keys() - live.keys() if not events[ref].get("VP_Deleted_At__c")}
    assert not extra, f"not in the source: {sorted(extra)[:10]}"
    for reference, record in wanted.items():
        row = events[reference]
        assert row.get("Subject") == record["appointment_type"], f"Subject of {reference}"
        start = seconds(record["starts_at"])
        assert seconds(row["StartDateTime"]) == start, f"start of {reference}"
        assert seconds(row["EndDateTime"]) == start + timedelta(minutes=record["duration_minutes"]), (
            f"EndDateTime of {reference}"
        )
        assert bool(row["Cancelled__c"]) is (record["status"] == "cancelled"), f"status of {reference}"
        assert reference_of.get(row["WhoId"]) == f"patient:{record['patient_id']}", f"WhoId of {reference}"
        assert row["OwnerId"] == owner_of(source, record, users), f"owner of {reference}"


def check_bills(
    source: Records, opportunities: dict[str, Record], reference_of: dict[str, str], users: dict[str, str]
) -> None:
    """Every bill of a patient who is in the org is an opportunity of what was paid, and no other."""
    there = set(reference_of.values())
    paid: dict[str, list[Record]] = defaultdict(list)
    for payment in source.get("payments", ()):
        paid[payment["invoice_id"]].append(payment)
    live = {f"invoice:{one['id']}": one for one in source.get("invoices", ())}
    wanted = {ref: one for ref, one in live.items() if f"patient:{one['patient_id']}" in there}
    assert wanted.keys() <= opportunities.keys(), f"missing {sorted(wanted.keys() - opportunities.keys())[:10]}"
    extra = {ref for ref in opportunities.keys() - live.keys() if not opportunities[ref].get("VP_Deleted_At__c")}
    assert not extra, f"not in the source: {sorted(extra)[:10]}"
    for reference, record in wanted.items():
        row, payments = opportunities[reference], paid[record["id"]]
        amount = sum((Decimal(one["amount"]) for one in payments), Decimal()) if payments else record["total_amount"]
        closes = max(one["paid_at"] for one in payments) if payments else record["issue_date"]
        assert Decimal(str(row["Amount"])) == Decimal(amount), f"amount of {reference}"
        assert row["CloseDate"] == closes[:10], f"close date of {reference}"
        assert row["StageName"] == STAGES[record["status"]], f"stage of {reference}"
        assert row["Invoice_Number__c"] == record["number"], f"Invoice_Number__c of {reference}"
        assert (row.get("Procedure_Code__c") or "") == ", ".join(
            dict.fromkeys(item["code"] for item in record["items"])
        ), f"Procedure_Code__c of {reference}"
        assert reference_of.get(row.get("ContactId") or "") == f"patient:{record['patient_id']}", (
            f"ContactId of {reference}"
        )
        assert row["OwnerId"] == owner_of(source, record, users), f"owner of {reference}"
