"""What insurance policies become, written down a second time for a few columns; nothing is shared with the product's mapping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = dict[str, list[Record]]

TEXTS = {"policy_number": "Policy_Number__c", "group_number": "Group_Number__c", "subscriber_id": "Subscriber_ID__c"}


def check_plans(source: Records, plans: dict[str, Record], reference_of: dict[str, str]) -> None:
    """Every policy of a patient who is in the org is a plan, linked to the patient and to the carrier's account, and no other is."""
    there = set(reference_of.values())
    live = {f"insurance_policy:{one['id']}": one for one in source.get("insurance-policies", ())}
    wanted = {ref: one for ref, one in live.items() if f"patient:{one['patient_id']}" in there}
    assert wanted.keys() <= plans.keys(), f"missing {sorted(wanted.keys() - plans.keys())[:10]}"
    extra = {ref for ref in plans.keys() - live.keys() if not plans[ref].get("VP_Deleted_At__c")}
    assert not extra, f"not in the source: {sorted(extra)[:10]}"
    for reference, record in wanted.items():
        row = plans[reference]
        assert reference_of.get(row["Contact__c"]) == f"patient:{record['patient_id']}", f"Contact__c of {reference}"
        carrier = f"insurance_carrier:{record['carrier_id']}" if record["carrier_id"] else None
        assert reference_of.get(row.get("Carrier__c") or "") == carrier, f"Carrier__c of {reference}"
        for field, column in TEXTS.items():
            assert row.get(column) == (record[field] or None), f"{column} of {reference}"
        assert row.get("Starts_On__c") == record["starts_on"], f"Starts_On__c of {reference}"
        assert row.get("Ends_On__c") == record["ends_on"], f"Ends_On__c of {reference}"
        assert row.get("Plan_Order__c") == record["priority"], f"Plan_Order__c of {reference}"


def primary(policies: list[Record]) -> Record | None:
    """The policy that a patient's row names: of those that had not ended by the day on which one of them was last written."""
    written = (datetime.fromisoformat(one["updated_at"]).astimezone(UTC) for one in policies)
    known = max((f"{at:%Y-%m-%d}" for at in written), default="")
    going_on = [one for one in policies if not one["ends_on"] or one["ends_on"] > known]
    rank = lambda one: (one["priority"], tuple(-ord(sign) for sign in one["starts_on"]), int(one["id"]))  # noqa: E731
    return min(going_on, key=rank, default=None)


def check_facets(source: Records, contacts: dict[str, Record], wanted: Iterable[str]) -> None:
    """Every patient's row names the primary policy, and none where there is none."""
    of: dict[str, list[Record]] = defaultdict(list)
    for one in source.get("insurance-policies", ()):
        of[f"patient:{one['patient_id']}"].append(one)
    for reference in wanted:
        first = primary(of[reference]) or {}
        for field, column in TEXTS.items():
            assert contacts[reference].get(column) == (first.get(field) or None), f"{column} of {reference}"


def policy(vp_id: str, of: str, **more: Any) -> Record:
    """A policy as tests put it into the practice."""
    return {
        "id": vp_id,
        "patient_id": of,
        "carrier_id": "1",
        "plan_name": "Gold PPO",
        "policy_number": f"P-{vp_id}",
        "group_number": f"G-{vp_id}",
        "subscriber_id": f"S-{vp_id}",
        "relationship": "self",
        "priority": 1,
        "starts_on": "2024-01-01",
        "copay": "20.00",
        **more,
    }
