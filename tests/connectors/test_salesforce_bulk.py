from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.errors import NotFound, RequestRefused, SessionExpired
from connectors.salesforce import Bulk, Collections, CsvRows, Handling, JobFailed, JobInfo, Salesforce, handling
from connectors.salesforce.bulk import Operation
from tests.connectors.conftest import Break

ODD = 'a,b; "c"\nd\té😀 \u2028 =1+1'


@pytest.fixture
def bulk(org: Salesforce) -> Bulk:
    return Bulk(org)


async def load(
    bulk: Bulk,
    rows: list[dict[str, Any]],
    operation: Operation = "upsert",
    columns: list[str] | None = None,
    sobject: str = "Contact",
) -> JobInfo:
    upload = CsvRows(columns or list(rows[0]))
    for row in rows:
        assert upload.add(row)
    job = await bulk.create(sobject, operation, "VP_Id__c" if operation == "upsert" else None)
    await bulk.upload(job, upload.data())
    await bulk.close(job)
    return await bulk.wait(job)


async def test_rows_land_and_come_back_by_name(bulk: Bulk, org: Salesforce):
    rows = [{"VP_Id__c": f"b:{number}", "LastName": f"Last {number}", "Description": ODD} for number in range(450)]
    rows.append({"VP_Id__c": "b:bad", "LastName": None, "Description": "x"})
    info = await load(bulk, rows)
    assert (info.state, info.processed, info.failed, info.reason) == ("JobComplete", 451, 1, "")
    landed = [row async for row in bulk.successful(info.id)]
    assert {row.columns["VP_Id__c"] for row in landed} == {f"b:{number}" for number in range(450)}
    assert all(row.created and row.columns["Description"] == ODD for row in landed)
    (failed,) = [row async for row in bulk.failed(info.id)]
    assert (failed.columns["VP_Id__c"], failed.error.code) == ("b:bad", "REQUIRED_FIELD_MISSING")
    assert [row async for row in bulk.unprocessed(info.id)] == []
    (stored,) = await org.query("SELECT Description FROM Contact WHERE VP_Id__c = 'b:7'")
    assert stored["Description"] == ODD


async def test_none_clears_and_an_absent_column_is_left_alone(bulk: Bulk, org: Salesforce):
    await load(bulk, [{"VP_Id__c": "n:1", "LastName": "A", "FirstName": "x", "Title": "y"}])
    await load(bulk, [{"VP_Id__c": "n:1", "FirstName": None}], columns=["VP_Id__c", "FirstName", "Title"])
    (stored,) = await org.query("SELECT FirstName, Title FROM Contact WHERE VP_Id__c = 'n:1'")
    assert (stored["FirstName"], stored["Title"]) == (None, "y")


async def test_errors_of_rows_carry_no_values(bulk: Bulk):
    rows = [
        {"VP_Id__c": "e:1", "LastName": "Quixotic" * 11, "Email": None},
        {"VP_Id__c": "e:2", "LastName": "A", "Email": "quixotic@@x"},
    ]
    info = await load(bulk, rows)
    failed = {row.columns["VP_Id__c"]: row async for row in bulk.failed(info.id)}
    assert failed["e:1"].error.code == "STRING_TOO_LONG"
    assert failed["e:2"].error.fields == ("Email",)
    assert "quixotic" not in repr(failed).lower()


async def test_updates_and_deletes_go_by_id(bulk: Bulk, org: Salesforce):
    (made,) = await Collections(org).insert("Contact", [{"VP_Id__c": "u:1", "LastName": "A"}])
    info = await load(bulk, [{"Id": made.id, "LastName": "B"}], "update")
    (landed,) = [row async for row in bulk.successful(info.id)]
    assert (landed.id, landed.created) == (made.id, False)
    await load(bulk, [{"Id": made.id}], "delete")
    info = await load(bulk, [{"Id": made.id, "LastName": "C"}], "update")
    (failed,) = [row async for row in bulk.failed(info.id)]
    assert handling(failed.error, "VP_Id__c") is Handling.GONE


async def test_a_wrong_column_fails_the_job_and_is_named(bulk: Bulk):
    info = await load(bulk, [{"VP_Id__c": "w:1", "LastName": "A", "Shoe__c": "x"}])
    assert (info.state, info.processed) == ("Failed", 0)
    assert info.reason == "InvalidBatch: Field name not found: Shoe__c"
    assert [row["VP_Id__c"] async for row in bulk.unprocessed(info.id)] in (["w:1"], [])


async def test_an_upload_can_come_in_pieces(bulk: Bulk):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"VP_Id__c,LastName\n"
        for number in range(300):
            yield f"p:{number},A\n".encode()

    job = await bulk.create("Contact", "upsert", "VP_Id__c")
    await bulk.upload(job, pieces())
    await bulk.close(job)
    assert (await bulk.wait(job)).processed == 300


async def test_an_iterator_is_not_sent_twice_and_the_next_call_has_a_session(bulk: Bulk, break_org: Break):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"VP_Id__c,LastName\np:once,A\n"

    job = await bulk.create("Contact", "upsert", "VP_Id__c")
    break_org("expire_session", count=1, route="PUT")
    with pytest.raises(SessionExpired):
        await bulk.upload(job, pieces())
    assert (await bulk.abort(job)).state == "Aborted"


async def test_a_job_can_be_aborted_listed_and_deleted(bulk: Bulk):
    job = await bulk.create("Contact", "insert")
    assert (await bulk.info(job)).state == "Open"
    assert job in [info.id async for info in bulk.jobs()]
    info = await bulk.abort(job)
    assert info.state == "Aborted"
    assert info.done
    await bulk.delete(job)
    with pytest.raises(NotFound):
        await bulk.info(job)


async def test_a_finished_job_cannot_be_aborted(bulk: Bulk):
    info = await load(bulk, [{"VP_Id__c": "f:1", "LastName": "A"}])
    with pytest.raises(RequestRefused, match="INVALIDJOBSTATE"):
        await bulk.abort(info.id)


async def test_an_open_job_is_not_waited_for_longer_than_asked(bulk: Bulk):
    job = await bulk.create("Contact", "insert")
    with pytest.raises(TimeoutError):
        await bulk.wait(job, first=0.01, timeout=0.2)
    await bulk.abort(job)


async def test_locked_rows_are_to_be_tried_again(bulk: Bulk, break_org: Break):
    break_org("lock", count=2)
    info = await load(bulk, [{"VP_Id__c": f"l:{number}", "LastName": "A"} for number in range(5)])
    failed = [row async for row in bulk.failed(info.id)]
    assert [handling(row.error, "VP_Id__c") for row in failed] == [Handling.RETRY_LOCK] * 2


async def test_a_job_that_fails_tells_what_was_not_looked_at(bulk: Bulk, break_org: Break):
    break_org("job_failed", count=1)
    info = await load(bulk, [{"VP_Id__c": f"j:{number}", "LastName": "A"} for number in range(500)])
    landed = [row async for row in bulk.successful(info.id)]
    left = [row async for row in bulk.unprocessed(info.id)]
    assert info.state == "Failed"
    assert len(landed) + len(left) + (info.failed or 0) == 500


async def test_an_expired_session_is_renewed_in_the_middle_of_a_job(bulk: Bulk, break_org: Break):
    info = await load(bulk, [{"VP_Id__c": "s:1", "LastName": "A"}])
    break_org("expire_session", count=1, route="successfulResults")
    assert len([row async for row in bulk.successful(info.id)]) == 1
    break_org("expire_session", count=1, route="PUT")
    assert (await load(bulk, [{"VP_Id__c": "s:2", "LastName": "A"}])).processed == 1


@pytest.mark.parametrize("kind", ["503", "drop", "429"])
async def test_a_passing_fault_of_a_result_is_not_noticed(bulk: Bulk, break_org: Break, kind: str):
    info = await load(bulk, [{"VP_Id__c": "r:1", "LastName": "A"}])
    break_org(kind, count=2, route="Results", retry_after=0.01)
    assert len([row async for row in bulk.successful(info.id)]) == 1


async def test_a_large_query_comes_page_by_page(bulk: Bulk):
    rows = [{"VP_Id__c": f"q:{number}", "LastName": ODD, "FirstName": None} for number in range(1_100)]
    await load(bulk, rows)
    text = "SELECT Id, VP_Id__c, LastName, FirstName FROM Contact WHERE VP_Id__c LIKE 'q:%'"
    found = [row async for row in bulk.query_job(text, page_rows=500)]
    assert {row["VP_Id__c"] for row in found} == {row["VP_Id__c"] for row in rows}
    assert {(row["LastName"], row["FirstName"]) for row in found} == {(ODD, "")}


async def test_a_query_job_that_is_refused_says_so(bulk: Bulk):
    with pytest.raises((RequestRefused, JobFailed)):
        [row async for row in bulk.query_job("SELECT Shoe__c FROM Contact")]
