"""Both systems of a sandbox as a test looks at them, and what the target must hold for what the source holds.

The expectation is written down a second time here, for a few columns, and shares nothing with the product's mapping.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import httpx

from cutover.census import RESOURCES
from sandbox.process import SandboxProcess
from tests.pipeline.findings import check_images, check_results
from tests.pipeline.insurance import check_facets, check_plans
from tests.pipeline.intake import check_answers
from tests.pipeline.memberships import check_memberships
from tests.pipeline.messages import check_messages, check_notes
from tests.pipeline.visits import check_bills, check_visits

Record: TypeAlias = dict[str, Any]

RECORDS = ",".join(dict.fromkeys(name for name in RESOURCES.values() if name != "documents"))
"""All resources that are moved but documents, whose contents would be most of what a test waits for."""
STAND_IN = "practice:~unassigned"
MOVED = (
    "Account",
    "AccountContactRelation",
    "Contact",
    "Event",
    "Insurance_Plan__c",
    "Lab_Result__c",
    "Imaging_Record__c",
    "Opportunity",
    "OpportunityContactRole",
    "Task",
)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
TEXTS = {
    "last_name": ("LastName", 80),
    "first_name": ("FirstName", 40),
    "middle_name": ("MiddleName", 40),
    "preferred_name": ("Preferred_Name__c", 80),
    "mrn": ("MRN__c", 64),
    "mobile_phone": ("MobilePhone", 40),
    "city": ("MailingCity", 40),
    "notes": ("Description", 32000),
}


class Practice:
    """The Visual Practice of a sandbox, by its admin doors."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.http = httpx.Client(base_url=f"{sandbox.visual_practice['url']}/__admin", timeout=60)

    def put(self, object_: str, *records: Record) -> None:
        self._post("records", object=object_, put=list(records))

    def delete(self, object_: str, *ids: str) -> None:
        self._post("records", object=object_, delete=list(ids))

    def undelete(self, object_: str, *ids: str) -> None:
        self._post("records", object=object_, undelete=list(ids))

    def archive(self, object_: str, *ids: str) -> None:
        self._post("records", object=object_, archive=list(ids))

    def unarchive(self, object_: str, *ids: str) -> None:
        self._post("records", object=object_, unarchive=list(ids))

    def mutate(self, **work: int) -> list[Record]:
        changes: list[Record] = self._post("mutate", **work)["changes"]
        return changes

    def fault(self, **fault: Any) -> None:
        self._post("faults", **fault)

    def struck(self) -> list[int]:
        """How often each fault has struck."""
        return [fault.get("struck", 0) for fault in self.http.get("/faults").raise_for_status().json()["faults"]]

    def clear_faults(self) -> None:
        self.http.delete("/faults").raise_for_status()

    def dump(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = self.http.get("/dump").raise_for_status().json()
        return found

    def patients(self) -> dict[str, Record]:
        return {record["id"]: record for record in present(self.dump(), "patients")}

    def _post(self, door: str, **body: Any) -> Any:
        return self.http.post(f"/{door}", json=body).raise_for_status().json()


class Org:
    """The Salesforce of a sandbox, by its admin doors."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.http = httpx.Client(base_url=f"{sandbox.salesforce['url']}/__admin", timeout=60)
        self._rest = f"{sandbox.salesforce['url']}/services/data/v62.0"
        self._token = sandbox.salesforce["access_token"]

    def dump(self) -> dict[str, list[Record]]:
        """Everything of the objects that are moved, the deleted ones too."""
        response = self.http.get("/dump", params={"sObjects": ",".join(MOVED)}).raise_for_status()
        found: dict[str, list[Record]] = response.json()
        return found

    def rows(self, sobject: str) -> dict[str, Record]:
        """The live rows that are ours, by external id; fails when one is there twice."""
        found = self.http.get("/dump", params={"sObjects": sobject}).raise_for_status().json()
        return ours(found[sobject])

    def users(self) -> dict[str, str]:
        """The active users who may own records: id by e-mail in lower case."""
        found = self.http.get("/dump", params={"sObjects": "User"}).raise_for_status().json()["User"]
        return {row["Email"].lower(): row["Id"] for row in found if row["IsActive"] and row["UserType"] == "Standard"}

    def make_user(self, first: str, last: str, email: str) -> str:
        """A new active user, as an administrator makes one; returns the id."""
        headers = {"Authorization": f"Bearer {self._token}"}
        found = httpx.get(f"{self._rest}/query", params={"q": "SELECT Id FROM Profile LIMIT 1"}, headers=headers).json()
        body = {
            "FirstName": first,
            "LastName": last,
            "Email": email,
            "Username": email,
            "Alias": last[:8],
            "IsActive": True,
            "ProfileId": found["records"][0]["Id"],
            "TimeZoneSidKey": "America/New_York",
            "LocaleSidKey": "en_US",
            "EmailEncodingKey": "UTF-8",
            "LanguageLocaleKey": "en_US",
        }
        made = httpx.post(f"{self._rest}/sobjects/User", json=body, headers=headers)
        assert made.is_success, made.text
        return str(made.json()["id"])

    def relates(self) -> bool:
        """Whether contacts may have several accounts."""
        found = self.http.get("/settings").raise_for_status().json()
        return bool(found["contacts_to_multiple_accounts"])

    def fault(self, **fault: Any) -> None:
        self.http.post("/faults", json=fault).raise_for_status()

    def struck(self) -> list[int]:
        return [fault.get("struck", 0) for fault in self.http.get("/faults").raise_for_status().json()["faults"]]

    def clear_faults(self) -> None:
        self.http.delete("/faults").raise_for_status()

    def calls_a_day(self, most: int) -> None:
        """Gives the org so many API calls for 24 hours."""
        self.http.post("/settings", json={"api_calls": most}).raise_for_status()

    def calls(self) -> int:
        """API calls that the org has counted."""
        return int(self.http.get("/stats").raise_for_status().json()["api_calls_total"])

    def expire_sessions(self) -> None:
        self.http.post("/sessions/expire").raise_for_status()


def tidy(text: str | None) -> str | None:
    """A text as Salesforce can store it."""
    if text is None:
        return None
    return CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip() or None


def present(dump: dict[str, list[Record]], plural: str) -> list[Record]:
    """The records of a resource that are there, those in the archive too."""
    return [*dump[plural], *dump.get(f"{plural}_archived", [])]


def refusable(patient: Record) -> bool:
    """Whether a patient can't become a Contact."""
    values = {name: tidy(patient[name]) for name in TEXTS}
    return values["last_name"] is None or any(len(values[n] or "") > most for n, (_, most) in TEXTS.items())


def ours(rows: list[Record]) -> dict[str, Record]:
    """The live rows that are ours, by external id; fails when one is there twice."""
    live = [row for row in rows if not row.get("IsDeleted") and row.get("VP_Id__c")]
    found = {row["VP_Id__c"]: row for row in live}
    assert len(found) == len(live), "an external id is there twice"
    return found


def check_equal(practice: Practice, org: Org) -> None:
    """Fails unless the org holds what the practice does: every record once, with its values and its links, and no other."""
    source, dump = practice.dump(), org.dump()
    accounts, contacts = ours(dump["Account"]), ours(dump["Contact"])
    reference_of = {row["Id"]: reference for reference, row in (*accounts.items(), *contacts.items())}
    _check_accounts(source, accounts, reference_of)
    wanted = {f"patient:{record['id']}": record for record in present(source, "patients") if not refusable(record)}
    assert wanted.keys() <= contacts.keys(), f"missing {sorted(wanted.keys() - contacts.keys())[:10]}"
    extra = contacts.keys() - wanted.keys() - {f"patient:{record['id']}" for record in present(source, "patients")}
    left = {reference for reference in extra if not contacts[reference].get("VP_Deleted_At__c")}
    assert not left, f"neither in the source nor flagged: {sorted(left)[:10]}"
    for reference, record in wanted.items():
        row = contacts[reference]
        assert row.get("VP_Deleted_At__c") is None, f"{reference} is flagged as deleted"
        for name, (column, _) in TEXTS.items():
            assert row.get(column) == tidy(record[name]), f"{column} of {reference}"
        assert reference_of.get(row.get("AccountId") or "") == account_of(record, accounts), f"Account of {reference}"
    check_visits(source, ours(dump["Event"]), reference_of, org.users())
    check_facets(source, contacts, wanted)
    check_answers(source, contacts, wanted)
    check_plans(source, ours(dump["Insurance_Plan__c"]), reference_of)
    check_results(source, ours(dump["Lab_Result__c"]), reference_of)
    check_images(source, ours(dump["Imaging_Record__c"]), reference_of)
    if org.relates():
        live = [row for row in dump["AccountContactRelation"] if not row["IsDeleted"]]
        check_memberships(source, live, contacts, reference_of)
    check_bills(source, ours(dump["Opportunity"]), reference_of, org.users())
    tasks, users = ours(dump["Task"]), org.users()
    check_notes(source, tasks, reference_of, users)
    check_messages(source, tasks, reference_of, users)


def account_of(record: Record, accounts: dict[str, Record]) -> str:
    """The reference of the account that a record belongs to."""
    own = f"practice:{record['practice_id']}" if record["practice_id"] else None
    return own if own in accounts else STAND_IN


def _check_accounts(source: dict[str, list[Record]], accounts: dict[str, Record], reference_of: dict[str, str]) -> None:
    live = {f"practice:{record['id']}": record for record in present(source, "practices")}
    physicians = {f"referring_physician:{one['id']}": one for one in source.get("referring-physicians", ())}
    carriers = {f"insurance_carrier:{one['id']}": one for one in source.get("insurance-carriers", ())}
    there = {**live, **physicians, **carriers}
    deleted = {
        f"{object_}:{record['id']}"
        for object_ in ("practice", "referring_physician", "insurance_carrier")
        for record in source.get(f"{RESOURCES[object_]}_deleted", ())
    }
    assert there.keys() <= accounts.keys(), f"missing {sorted(there.keys() - accounts.keys())}"
    extra = accounts.keys() - there.keys() - deleted - {STAND_IN}
    assert not extra, f"not in the source: {sorted(extra)[:10]}"
    for reference in there:
        assert accounts[reference].get("VP_Deleted_At__c") is None, f"{reference} is flagged as deleted"
    for reference in deleted & accounts.keys():
        assert accounts[reference].get("VP_Deleted_At__c"), f"{reference} is not flagged as deleted"
    for reference, record in live.items():
        row = accounts[reference]
        assert row["Name"] == tidy(record["name"]), f"Name of {reference}"
        parent = record["parent_id"]
        assert reference_of.get(row.get("ParentId") or "") == (f"practice:{parent}" if parent else None), (
            f"ParentId of {reference}"
        )
    for reference, record in physicians.items():
        row = accounts[reference]
        assert row["Name"] == f"{record['title']} {record['first_name']} {record['last_name']}", f"Name of {reference}"
        assert row["Referring_Physician__c"], f"Referring_Physician__c of {reference}"
        assert not row["Insurance_Carrier__c"], f"Insurance_Carrier__c of {reference}"
    for reference, record in carriers.items():
        row = accounts[reference]
        assert row["Name"] == tidy(record["name"]), f"Name of {reference}"
        assert row["Insurance_Carrier__c"], f"Insurance_Carrier__c of {reference}"
        assert row.get("Payer_Code__c") == tidy(record["payer_code"]), f"Payer_Code__c of {reference}"


DESK = {
    "edits": 6,
    "creates": 3,
    "deletes": 1,
    "undeletes": 1,
    "bookings": 2,
    "cancellations": 1,
    "visits": 2,
    "payments": 2,
    "rebills": 1,
    "memberships": 2,
}
"""What people at the desk do at a time while a long test runs (`Practice.mutate`); `check_equal` must know all that it touches."""
