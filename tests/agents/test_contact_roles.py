"""Contact roles in an org over HTTP: looked at in one query, changed 200 a call, and only as far as something is to be changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from agents.contact_roles import COLUMN, ROLE, Carried, ContactRoles, Wish
from connectors.errors import Unreachable
from connectors.retry import Retry
from connectors.salesforce.collections import Collections
from connectors.salesforce.session import Salesforce
from sandbox.process import SandboxProcess
from tests.pipeline.person import Person

SALE = {"Name": "Bill", "StageName": "Prospecting", "CloseDate": "2026-01-01"}
NOTE = {
    "FullName": f"{ROLE}.Note__c",
    "Metadata": {"label": "Note", "type": "Text", "length": 80, "required": False},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(only="salesforce") as process:
        card = process.salesforce
        url, token = f"{card['url']}/services/data/v62.0/tooling/sobjects/CustomField", card["access_token"]
        httpx.post(url, json=NOTE, headers={"Authorization": f"Bearer {token}"}).raise_for_status()
        yield process


@pytest.fixture
def alex(sandbox: SandboxProcess) -> Iterator[Person]:
    with Person(sandbox) as person:
        yield person


@pytest.fixture
async def org(sandbox: SandboxProcess) -> AsyncIterator[Salesforce]:
    card = sandbox.salesforce
    quick = Retry(first=0.02, most=0.1, max_elapsed=5.0)
    async with Salesforce(card["url"], card["client_id"], card["client_secret"], retry=quick) as salesforce:
        yield salesforce


@pytest.fixture
def fault(sandbox: SandboxProcess) -> Iterator[Callable[..., None]]:
    url = f"{sandbox.salesforce['url']}/__admin/faults"

    def add(**rule: Any) -> None:
        httpx.post(url, json=rule).raise_for_status()

    yield add
    httpx.delete(url).raise_for_status()


@pytest.fixture
async def roles(org: Salesforce) -> ContactRoles:
    return ContactRoles(org, await org.describe(ROLE))


async def made(org: Salesforce, sobject: str, *records: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(records), 200):
        results = await Collections(org).insert(sobject, records[start : start + 200])
        assert all(one.success for one in results), results
        found += [one.id or "" for one in results]
    return found


async def people(org: Salesforce) -> tuple[str, str, str]:
    ann, ben, cleo = await made(org, "Contact", *({"LastName": name} for name in ("ann", "ben", "cleo")))
    return ann, ben, cleo


async def there(org: Salesforce, *sales: str) -> dict[str, set[tuple[str, bool]]]:
    """Contact of each role and whether it is primary, by opportunity; fails when a contact has two."""
    found: dict[str, set[tuple[str, bool]]] = {sale: set() for sale in sales}
    rows = await org.query_in(f"SELECT OpportunityId, ContactId, IsPrimary FROM {ROLE}", "OpportunityId", sales)
    for row in rows:
        found[row["OpportunityId"]].add((row["ContactId"], row["IsPrimary"]))
    assert sum(map(len, found.values())) == len(rows)
    return found


async def test_each_opportunity_gets_the_contact_that_is_wanted_in_few_calls(
    org: Salesforce, roles: ContactRoles
) -> None:
    ann, ben, _ = await people(org)
    sales = await made(org, "Opportunity", *({**SALE, "ContactId": ann} for _ in range(250)))
    assert await roles.carry([]) == {}
    before = org.api_calls
    done = await roles.carry(
        [Wish(sale, ben, ann, ours=True) for sale in sales[:-1]] + [Wish(sales[-1], ann, ann, ours=True)]
    )
    assert org.api_calls - before <= 8, "a look at 250 rows, two calls that make and two that remove"
    assert done == {**dict.fromkeys(sales, Carried(changed=True)), sales[-1]: Carried()}
    after = await there(org, *sales)
    assert after == {**{sale: {(ben, True)} for sale in sales[:-1]}, sales[-1]: {(ann, True)}}
    again = await roles.carry([Wish(sale, ben, ann, ours=True) for sale in sales[:-1]])
    assert set(again.values()) == {Carried()}


async def test_nobody_is_the_contact_when_none_is_wanted(org: Salesforce, roles: ContactRoles, alex: Person) -> None:
    ann, ben, _ = await people(org)
    ours, theirs = await made(org, "Opportunity", *[{**SALE, "ContactId": ann}] * 2)
    alex.create(ROLE, OpportunityId=theirs, ContactId=ben, IsPrimary=True)
    await roles.carry([Wish(ours, "", ann, ours=True), Wish(theirs, "", ann, ours=True)])
    assert await there(org, ours, theirs) == {ours: set(), theirs: {(ann, False), (ben, True)}}


async def test_a_role_in_which_a_person_has_filled_in_a_column_of_the_orgs_own_stays(
    org: Salesforce, roles: ContactRoles, alex: Person
) -> None:
    ann, ben, cleo = await people(org)
    (sale,) = await made(org, "Opportunity", {**SALE, "ContactId": ann})
    (role,) = await org.query(f"SELECT Id FROM {ROLE} WHERE OpportunityId = '{sale}'")
    alex.edit(ROLE, role["Id"], Note__c="pays in cash")
    for wanted, former in ((ben, ann), (cleo, ben), (ann, cleo), (ben, ann)):
        await roles.carry([Wish(sale, wanted, former, ours=True)])
    assert await there(org, sale) == {sale: {(ann, False), (ben, True)}}


async def test_a_contact_that_is_gone_is_refused_by_name_and_the_others_go_on(
    org: Salesforce, roles: ContactRoles
) -> None:
    ann, ben, cleo = await people(org)
    first, second = await made(org, "Opportunity", *[{**SALE, "ContactId": ann}] * 2)
    await Collections(org).delete([cleo])
    done = await roles.carry([Wish(first, cleo, ann, ours=True), Wish(second, ben, ann, ours=True)])
    refused = done[first]
    assert refused.error is not None
    assert (refused.error.fields, refused.again) == ((COLUMN,), False)
    assert done[second] == Carried(changed=True)
    assert await there(org, first, second) == {first: {(ann, True)}, second: {(ben, True)}}, "what was there stays"


@pytest.mark.faults
async def test_a_lock_passes_and_a_lost_answer_is_looked_after(
    org: Salesforce, roles: ContactRoles, fault: Callable[..., None]
) -> None:
    ann, ben, _ = await people(org)
    (sale,) = await made(org, "Opportunity", {**SALE, "ContactId": ann})
    wish = [Wish(sale, ben, ann, ours=True)]
    fault(route=f"{ROLE} insert", kind="lock", count=1)
    locked = (await roles.carry(wish))[sale]
    assert locked.again
    fault(route="POST .*/composite/sobjects$", kind="drop", after=True, count=1)
    with pytest.raises(Unreachable):
        await roles.carry(wish)
    assert await there(org, sale) == {sale: {(ann, False), (ben, True)}}
    await roles.carry(wish)
    assert await there(org, sale) == {sale: {(ben, True)}}


async def test_an_org_that_hides_its_roles_says_so(org: Salesforce, roles: ContactRoles) -> None:
    assert roles.lacking == ""
    assert ContactRoles(org, None).lacking == "is not there for us"
