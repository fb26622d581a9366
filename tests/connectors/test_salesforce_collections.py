import pytest

from connectors.errors import Unreachable
from connectors.salesforce import Collections, Handling, RowResult, Salesforce, handling
from tests.connectors.conftest import Break


@pytest.fixture
def rows(org: Salesforce) -> Collections:
    return Collections(org)


def kinds(results: list[RowResult]) -> list[Handling | None]:
    return [None if result.success else handling(result.errors[0], "VP_Id__c") for result in results]


async def test_an_upsert_creates_and_then_updates(rows: Collections):
    record = {"VP_Id__c": "c:1", "LastName": "Smith", "FirstName": "Ann", "Birthdate": "1980-02-03"}
    (first,) = await rows.upsert("Contact", "VP_Id__c", [record])
    (second,) = await rows.upsert("Contact", "VP_Id__c", [{**record, "FirstName": None}])
    assert (first.created, second.created) == (True, False)
    assert first.id == second.id
    (stored,) = await rows.retrieve("Contact", [first.id or ""], ["LastName", "FirstName", "Birthdate"])
    assert stored is not None
    assert (stored["LastName"], stored["FirstName"], stored["Birthdate"]) == ("Smith", None, "1980-02-03")


async def test_each_row_has_its_own_answer_in_order(rows: Collections):
    results = await rows.upsert(
        "Contact",
        "VP_Id__c",
        [
            {"VP_Id__c": "c:10", "LastName": "Good"},
            {"VP_Id__c": "c:11"},
            {"VP_Id__c": "c:12", "LastName": "Quixotic" * 11},
            {"VP_Id__c": "c:13", "LastName": "Mail", "Email": "quixotic@@x"},
            {"VP_Id__c": "c:14", "LastName": "Lost", "AccountId": "001000000000ZZZAAA"},
            {"VP_Id__c": "c:15", "LastName": "#N/A"},
        ],
    )
    assert [result.success for result in results] == [True, False, False, False, False, True]
    codes = [result.errors[0].code for result in results if not result.success]
    assert codes[:3] == ["REQUIRED_FIELD_MISSING", "STRING_TOO_LONG", "INVALID_EMAIL_ADDRESS"]
    assert results[1].errors[0].fields == ("LastName",)
    assert results[2].errors[0].message == "data value too large (max length=80)"
    assert "quixotic" not in repr(results).lower()
    (stored,) = await rows.retrieve("Contact", [results[5].id or ""], ["LastName"])
    assert stored is not None
    assert stored["LastName"] == "#N/A"


async def test_the_same_external_id_twice_is_our_own_duplicate(rows: Collections):
    twice = [{"VP_Id__c": "c:20", "LastName": "A"}, {"VP_Id__c": "c:20", "LastName": "B"}]
    assert set(kinds(await rows.upsert("Contact", "VP_Id__c", twice))) == {Handling.DUPLICATE_OWN_ID}


async def test_inserting_an_external_id_that_is_there_is_our_own_duplicate(rows: Collections):
    record = {"VP_Id__c": "c:21", "LastName": "A"}
    assert kinds(await rows.insert("Contact", [record])) == [None]
    assert kinds(await rows.insert("Contact", [record])) == [Handling.DUPLICATE_OWN_ID]


async def test_a_deleted_row_is_gone(rows: Collections):
    (made,) = await rows.insert("Contact", [{"VP_Id__c": "c:30", "LastName": "A"}])
    key = made.id or ""
    assert kinds(await rows.delete([key])) == [None]
    assert kinds(await rows.delete([key])) == [Handling.GONE]
    assert kinds(await rows.update("Contact", [{"Id": key, "LastName": "B"}])) == [Handling.GONE]
    assert await rows.retrieve("Contact", [key], ["Id"]) == [None]


async def test_a_locked_row_is_to_be_tried_again(rows: Collections, break_org: Break):
    break_org("lock", count=1)
    results = await rows.upsert(
        "Contact", "VP_Id__c", [{"VP_Id__c": f"c:4{number}", "LastName": "A"} for number in range(3)]
    )
    assert sorted(map(str, kinds(results))) == ["None", "None", "retry_lock"]


async def test_a_write_whose_answer_gets_lost_may_have_arrived(rows: Collections, break_org: Break):
    break_org("drop", count=1, route="PATCH", after=True)
    with pytest.raises(Unreachable) as caught:
        await rows.upsert("Contact", "VP_Id__c", [{"VP_Id__c": "c:50", "LastName": "A"}])
    assert caught.value.may_have_arrived
    (again,) = await rows.upsert("Contact", "VP_Id__c", [{"VP_Id__c": "c:50", "LastName": "A"}])
    assert again.created is False


async def test_nothing_to_do_makes_no_call(rows: Collections, org: Salesforce):
    assert await rows.upsert("Contact", "VP_Id__c", []) == []
    assert await rows.delete([]) == []
    assert await rows.retrieve("Contact", [], ["Id"]) == []
    assert org.api_calls == 0


async def test_too_many_rows_are_a_mistake_of_the_caller(rows: Collections):
    with pytest.raises(ValueError, match="at most 200"):
        await rows.upsert("Contact", "VP_Id__c", [{}] * 201)
    with pytest.raises(ValueError, match="at most 2000"):
        await rows.retrieve("Contact", ["003"] * 2001, ["Id"])


async def test_two_hundred_rows_go_at_once(rows: Collections):
    records = [{"VP_Id__c": f"c:many{number}", "LastName": "A"} for number in range(200)]
    results = await rows.upsert("Contact", "VP_Id__c", records)
    ids = [result.id or "" for result in results]
    found = await rows.retrieve("Contact", ids, ["VP_Id__c"])
    assert [row["VP_Id__c"] for row in found if row] == [record["VP_Id__c"] for record in records]
    assert kinds(await rows.delete(ids)) == [None] * 200
