"""What further practices become, written down a second time; nothing is shared with the product's mapping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

import httpx

from sandbox.process import SandboxProcess

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = dict[str, list[Record]]


def let_contacts_have_several_accounts(sandbox: SandboxProcess) -> None:
    """Switches the setting on, as an administrator does in Setup."""
    url = f"{sandbox.salesforce['url']}/__admin/settings"
    httpx.post(url, json={"contacts_to_multiple_accounts": True}).raise_for_status()


def check_memberships(
    source: Records, relations: list[Record], contacts: dict[str, Record], reference_of: dict[str, str]
) -> None:
    """Every further practice is an indirect relation, no patient's own is; every contact has the direct relation that Salesforce makes.

    Arguments:
        source: what the practice holds.
        relations: the live rows, Salesforce's own too.
        contacts: our contacts, by reference.
        reference_of: of accounts and contacts, by Salesforce id.
    """
    direct = {row["ContactId"]: row for row in relations if row["IsDirect"]}
    for reference, contact in contacts.items():
        has = direct.get(contact["Id"], {}).get("AccountId")
        assert has == contact.get("AccountId"), f"the direct relation of {reference}"
    assert not [row for row in direct.values() if row.get("VP_Id__c")], "a direct relation carries our external id"
    rows = {row["VP_Id__c"]: row for row in relations if row.get("VP_Id__c")}
    assert len(rows) == len([row for row in relations if row.get("VP_Id__c")]), "an external id is there twice"
    accounts, pairs = set(reference_of.values()), set[tuple[str, str]]()
    wanted: dict[str, Record] = {}
    for record in sorted(source.get("practice-memberships", ()), key=lambda one: int(one["id"])):
        patient, practice = f"patient:{record['patient_id']}", f"practice:{record['practice_id']}"
        if patient in contacts and practice in accounts:
            own = reference_of.get(contacts[patient].get("AccountId") or "")
            if own != practice and (patient, practice) not in pairs:
                pairs.add((patient, practice))
                wanted[f"practice_membership:{record['id']}"] = record
    found = {
        (reference_of.get(row["ContactId"]), reference_of.get(row["AccountId"]))
        for row in rows.values()
        if not row.get("VP_Deleted_At__c")
    }
    assert pairs == found, (
        f"missing {sorted(pairs - found)[:10]}, not in the source {sorted(map(str, found - pairs))[:10]}"
    )
    for reference, record in wanted.items():
        row = rows.get(reference)
        if row is None:  # the same practice twice: the other record has the row
            continue
        assert row.get("Roles") == (record["role"] or None), f"Roles of {reference}"
        assert (row.get("StartDate"), row.get("EndDate")) == (record["starts_on"], record["ends_on"]), (
            f"days of {reference}"
        )
        written = f"{datetime.fromisoformat(record['updated_at']).astimezone(UTC):%Y-%m-%d}"
        assert row["IsActive"] == (not record["ends_on"] or record["ends_on"] > written), f"IsActive of {reference}"


def membership(vp_id: int, of: int, practice: str, **more: Any) -> Record:
    """A further practice of a patient, as tests put it into the practice."""
    row = {"id": str(vp_id), "patient_id": str(of), "practice_id": practice, "role": "Dental"}
    return row | {"starts_on": "2024-01-01"} | more
