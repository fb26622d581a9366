"""The contact of an opportunity follows from its primary contact role, as in a real org."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.conftest import Org

SALE = {"Name": "Bill", "StageName": "Prospecting", "CloseDate": "2026-01-01"}
ROLE = "OpportunityContactRole"


@pytest.fixture(scope="module")
def own() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(only="salesforce") as process:
        yield process


@pytest.fixture
def org(own: SandboxProcess, connect: Callable[[SandboxProcess], Org]) -> Org:
    return connect(own)


def made(org: Org, sobject: str, **values: Any) -> str:
    answer = org.http.post(f"/sobjects/{sobject}", json=values)
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["id"]
    return identity


def edit(org: Org, role: str, **values: Any) -> None:
    org.http.patch(f"/sobjects/{ROLE}/{role}", json=values).raise_for_status()


def people(org: Org, count: int = 2) -> list[str]:
    return [made(org, "Contact", LastName=f"Person {number}") for number in range(count)]


def contact(org: Org, sale: str) -> str | None:
    found: str | None = org.http.get(f"/sobjects/Opportunity/{sale}").raise_for_status().json()["ContactId"]
    return found


def roles(org: Org, sale: str) -> dict[str, bool]:
    """Contact of each live role, and whether it is primary; fails when a contact has two."""
    rows = org.query(f"SELECT ContactId, IsPrimary FROM {ROLE} WHERE OpportunityId = '{sale}'")
    found = {row["ContactId"]: row["IsPrimary"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_an_opportunity_made_with_a_contact_gets_its_primary_role(org: Org) -> None:
    first, _ = people(org)
    sale = made(org, "Opportunity", **SALE, ContactId=first)
    assert roles(org, sale) == {first: True}
    (role,) = org.query(f"SELECT Id, CreatedById, LastModifiedById, Role FROM {ROLE} WHERE OpportunityId = '{sale}'")
    me = org.query(f"SELECT CreatedById FROM Opportunity WHERE Id = '{sale}'")[0]["CreatedById"]
    assert (role["CreatedById"], role["LastModifiedById"], role["Role"]) == (me, me, None)
    assert roles(org, made(org, "Opportunity", **SALE)) == {}


def test_the_contact_of_an_opportunity_that_is_there_cannot_be_set(org: Org) -> None:
    first, second = people(org)
    sale = made(org, "Opportunity", **SALE, ContactId=first)
    refused = org.refusal(org.http.patch(f"/sobjects/Opportunity/{sale}", json={"ContactId": second}))
    assert refused[:2] == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert contact(org, sale) == first


def test_a_new_primary_role_takes_over_and_the_contact_follows(org: Org) -> None:
    first, second = people(org)
    sale = made(org, "Opportunity", **SALE, ContactId=first)
    other = made(org, ROLE, OpportunityId=sale, ContactId=second)
    assert (contact(org, sale), roles(org, sale)) == (first, {first: True, second: False})
    edit(org, other, IsPrimary=True)
    assert (contact(org, sale), roles(org, sale)) == (second, {first: False, second: True})
    third = people(org, 1)[0]
    made(org, ROLE, OpportunityId=sale, ContactId=third, IsPrimary=True)
    assert (contact(org, sale), roles(org, sale)) == (third, {first: False, second: False, third: True})


def test_of_several_primary_roles_in_one_call_the_last_one_is_left(org: Org) -> None:
    first, second = people(org)
    sale = made(org, "Opportunity", **SALE)
    rows = [
        {"attributes": {"type": ROLE}, "OpportunityId": sale, "ContactId": one, "IsPrimary": True}
        for one in (first, second)
    ]
    answer = org.http.post("/composite/sobjects", json={"records": rows}).raise_for_status().json()
    assert [one["success"] for one in answer] == [True, True]
    assert (contact(org, sale), roles(org, sale)) == (second, {first: False, second: True})


def test_without_a_primary_role_there_is_no_contact(org: Org) -> None:
    first, second = people(org)
    sale = made(org, "Opportunity", **SALE, ContactId=first)
    (role,) = org.query(f"SELECT Id FROM {ROLE} WHERE OpportunityId = '{sale}'")
    edit(org, role["Id"], IsPrimary=False)
    assert contact(org, sale) is None
    other = made(org, ROLE, OpportunityId=sale, ContactId=second, IsPrimary=True)
    org.http.delete(f"/sobjects/{ROLE}/{other}").raise_for_status()
    assert (contact(org, sale), roles(org, sale)) == (None, {first: False})


def test_the_contact_of_a_role_may_change_and_its_opportunity_may_not(org: Org) -> None:
    first, second = people(org)
    sale, other = made(org, "Opportunity", **SALE, ContactId=first), made(org, "Opportunity", **SALE)
    (role,) = org.query(f"SELECT Id FROM {ROLE} WHERE OpportunityId = '{sale}'")
    edit(org, role["Id"], ContactId=second)
    assert contact(org, sale) == second
    refused = org.refusal(org.http.patch(f"/sobjects/{ROLE}/{role['Id']}", json={"OpportunityId": other}))
    assert refused[:2] == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")


def test_a_contact_that_goes_takes_its_roles_along_and_empties_the_opportunity(org: Org) -> None:
    first, _ = people(org)
    sale = made(org, "Opportunity", **SALE, ContactId=first)
    org.http.delete(f"/sobjects/Contact/{first}").raise_for_status()
    assert (contact(org, sale), roles(org, sale)) == (None, {})
    assert org.admin.post("/undelete", json={"ids": [first]}).json()["undeleted"] == 2
    assert (contact(org, sale), roles(org, sale)) == (first, {first: True})


def test_an_upsert_makes_the_role_once(org: Org) -> None:
    first, second = people(org)
    row = {"attributes": {"type": "Opportunity"}, **SALE, "VP_Id__c": "invoice:roles", "ContactId": first}
    path = "/composite/sobjects/Opportunity/VP_Id__c"
    (new,) = org.http.patch(path, json={"records": [row]}).raise_for_status().json()
    assert new["created"] is True
    (again,) = org.http.patch(path, json={"records": [{**row, "ContactId": second}]}).raise_for_status().json()
    assert again["errors"][0]["statusCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    del row["ContactId"]
    (updated,) = org.http.patch(path, json={"records": [row]}).raise_for_status().json()
    assert updated["success"]
    assert roles(org, new["id"]) == {first: True}
