import asyncio

import pytest

from agents.apps import described
from connectors.errors import BadCredentials, NotFound, QuotaExhausted, RequestRefused, ServerFault, Untrusted
from connectors.salesforce import Collections, Salesforce, soql
from mapping.check import SETTING_OFF, check_map, insert_only_columns
from mapping.document import default_map
from sandbox.process import SandboxProcess
from tests.connectors.conftest import Break


async def test_a_describe_has_the_orgs_fields(org: Salesforce):
    describe = await org.describe("Contact")
    assert {"LastName", "VP_Id__c", "MRN__c"} <= {field["name"] for field in describe["fields"]}
    with pytest.raises(NotFound):
        await org.describe("Unicorn__c")


async def test_the_default_map_fits_the_sandbox(org: Salesforce):
    describes = await described(org, default_map())
    found = [finding for finding in check_map(default_map(), describes) if finding.severity != "info"]
    assert {(finding.object, finding.code) for finding in found} <= {("practice_membership", SETTING_OFF)}
    insert_only = insert_only_columns(default_map(), describes)
    assert {name: columns for name, columns in insert_only.items() if columns} == {
        "invoice": {"ContactId"},
        "document": {"FirstPublishLocationId", "PathOnClient"},
        "note_image": {"FirstPublishLocationId", "PathOnClient"},
        "note": {"TaskSubtype"},
        "communication": {"TaskSubtype"},
    }


async def test_calls_and_limits_are_counted(org: Salesforce):
    await org.query("SELECT Id FROM Account LIMIT 1")
    used = org.api_used
    await org.query("SELECT Id FROM Account LIMIT 1")
    assert org.api_calls == 2
    assert used is not None
    assert org.api_used == used + 1
    assert org.api_max is not None
    assert "DailyApiRequests" in await org.limits()


async def test_https_works_with_the_authority_given(sandbox: SandboxProcess):
    card = sandbox.salesforce
    keys = (card["client_id"], card["client_secret"])
    async with Salesforce(card["https_url"], *keys, ca_file=card["ca_file"]) as org:
        assert (await org.describe("Account"))["name"] == "Account"


async def test_https_without_the_authority_is_not_trusted(sandbox: SandboxProcess):
    card = sandbox.salesforce
    async with Salesforce(card["https_url"], card["client_id"], card["client_secret"]) as stranger:
        with pytest.raises(Untrusted, match="ca_file"):
            await stranger.describe("Account")


async def test_a_wrong_secret_is_told_at_once(sandbox: SandboxProcess):
    card = sandbox.salesforce
    async with Salesforce(card["url"], card["client_id"], "wrong-secret") as org:
        with pytest.raises(BadCredentials) as caught:
            await org.describe("Account")
    assert "wrong-secret" not in str(caught.value)


async def test_an_expired_session_is_renewed_unnoticed(org: Salesforce, break_org: Break):
    await org.query("SELECT Id FROM Account LIMIT 1")
    break_org("expire_session", count=1)
    results = await asyncio.gather(*(org.query("SELECT Id FROM Account LIMIT 1") for _ in range(8)))
    assert len(results) == 8


async def test_a_write_survives_an_expired_session(org: Salesforce, break_org: Break):
    await org.query("SELECT Id FROM Account LIMIT 1")
    break_org("expire_session", count=1, route="PATCH")
    (result,) = await Collections(org).upsert("Account", "VP_Id__c", [{"VP_Id__c": "t:session", "Name": "A"}])
    assert result.success


async def test_queries_follow_their_pages(org: Salesforce):
    rows = [{"Name": f"Page {number}", "VP_Id__c": f"page:{number}"} for number in range(2_100)]
    for start in range(0, len(rows), 200):
        results = await Collections(org).upsert("Account", "VP_Id__c", rows[start : start + 200])
        assert all(result.success for result in results)
    found = await org.query("SELECT VP_Id__c FROM Account WHERE VP_Id__c LIKE 'page:%'")
    assert sorted(row["VP_Id__c"] for row in found) == sorted(row["VP_Id__c"] for row in rows)


async def test_long_lists_are_asked_for_in_parts(org: Salesforce):
    rows = [{"Name": 'O\'Hara & Sons, "Ltd" \\ 100%', "VP_Id__c": f"o'list \\ {number}"} for number in range(200)]
    await Collections(org).upsert("Account", "VP_Id__c", rows)
    wanted = [row["VP_Id__c"] for row in rows] + [f"absent {number} " + "é" * 20 for number in range(400)]
    before = org.api_calls
    found = await org.query_in("SELECT Id, VP_Id__c, Name FROM Account", "VP_Id__c", wanted)
    assert {row["VP_Id__c"] for row in found} == {row["VP_Id__c"] for row in rows}
    assert org.api_calls - before == 1
    assert await org.query_in("SELECT Id FROM Account", "VP_Id__c", []) == []


async def test_what_several_queries_find_is_read_to_its_last_page(org: Salesforce):
    for start in range(0, 2_400, 200):
        rows = [{"Name": "Branch", "Site": f"{start % 400}", "VP_Id__c": f"branch:{start + n}"} for n in range(200)]
        assert all(result.success for result in await Collections(org).upsert("Account", "VP_Id__c", rows))
    wanted = ["0", "200", *(f"absent {number:020}" for number in range(900))]
    before = org.api_calls
    assert len(await org.query_in("SELECT VP_Id__c FROM Account", "Site", wanted)) == 2_400
    assert org.api_calls - before == 2


async def test_more_queries_than_one_call_takes_go_by_several(org: Salesforce):
    wanted = [f"{number:0200}" for number in range(500)]
    before = org.api_calls
    assert await org.query_in("SELECT Id FROM Account", "VP_Id__c", wanted) == []
    assert org.api_calls - before == 2


async def test_one_of_several_queries_that_is_wrong_names_the_column_and_no_value(org: Salesforce):
    with pytest.raises(RequestRefused) as caught:
        await org.query_in(
            "SELECT Shoe__c FROM Contact", "LastName", ["Quixotic" * 10] + [f"{n:0100}" for n in range(500)]
        )
    assert "Shoe__c" in str(caught.value)
    assert "Quixotic" not in str(caught.value)


async def test_a_passing_fault_of_several_queries_is_not_noticed(org: Salesforce, break_org: Break):
    break_org("503", count=2, route="POST /services/data", retry_after=0.01)
    assert await org.query_in("SELECT Id FROM Account", "VP_Id__c", [f"{n:0100}" for n in range(300)]) == []


async def test_a_quoted_value_finds_exactly_itself(org: Salesforce):
    name = "\\' OR Name != '\n\t\"x\" é😀"
    await Collections(org).upsert("Account", "VP_Id__c", [{"VP_Id__c": "quoted:1", "Name": name}])
    found = await org.query(f"SELECT VP_Id__c FROM Account WHERE Name = {soql.quoted(name)}")
    assert [row["VP_Id__c"] for row in found] == ["quoted:1"]


async def test_a_query_that_is_wrong_names_the_column_and_no_value(org: Salesforce):
    with pytest.raises(RequestRefused) as caught:
        await org.query("SELECT Shoe__c FROM Contact WHERE LastName = 'Quixotic'")
    assert "Shoe__c" in str(caught.value)
    assert "Quixotic" not in str(caught.value)


@pytest.mark.parametrize("kind", ["503", "drop", "truncate", "not_json", "429"])
async def test_a_passing_fault_of_a_read_is_not_noticed(org: Salesforce, break_org: Break, kind: str):
    break_org(kind, count=2, route="GET /services/data", retry_after=0.01)
    assert (await org.describe("Account"))["name"] == "Account"


async def test_a_failing_token_call_is_tried_again(org: Salesforce, break_org: Break):
    break_org("503", count=2, route="oauth2/token")
    assert (await org.describe("Account"))["name"] == "Account"


async def test_an_exhausted_quota_is_no_reason_to_try_again(org: Salesforce, break_org: Break):
    break_org("request_limit", route="/query")
    with pytest.raises(QuotaExhausted, match="pauses"):
        await org.query("SELECT Id FROM Account LIMIT 1")
    assert org.api_calls == 1


async def test_a_write_is_not_tried_again(org: Salesforce, break_org: Break):
    await org.query("SELECT Id FROM Account LIMIT 1")
    break_org("503", route="PATCH")
    before = org.api_calls
    with pytest.raises(ServerFault):
        await Collections(org).update("Account", [{"Id": "001000000000001AAA", "Name": "A"}])
    assert org.api_calls == before + 1
