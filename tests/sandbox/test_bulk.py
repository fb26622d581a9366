from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.sandbox.conftest import Org


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_job_goes_from_open_to_complete(org: Org) -> None:
    body = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "VP_Id__c"}
    created = org.http.post("/jobs/ingest", json=body)
    job = created.json()
    assert created.status_code == 200
    assert (job["state"], job["apiVersion"], job["id"][:3]) == ("Open", 62.0, "750")
    assert job["contentUrl"] == f"services/data/v62.0/jobs/ingest/{job['id']}/batches"
    path = f"/jobs/ingest/{job['id']}"
    assert "numberRecordsProcessed" not in org.http.get(path).json()
    put = org.http.put(f"{path}/batches", content=b"VP_Id__c,LastName\nb:1,One\n", headers={"Content-Type": "text/csv"})
    assert (put.status_code, put.content) == (201, b"")
    assert org.http.get(path).json()["numberRecordsProcessed"] == 0
    closed = org.http.patch(path, json={"state": "UploadComplete"}).json()
    assert closed["state"] == "UploadComplete"
    assert "contentUrl" not in closed
    assert "lineEnding" not in closed
    done = org.finished(job["id"])
    assert (done["state"], done["numberRecordsProcessed"], done["numberRecordsFailed"]) == ("JobComplete", 1, 0)
    assert done["jobType"] == "V2Ingest"
    assert job["id"] in {each["id"] for each in org.http.get("/jobs/ingest").json()["records"]}
    assert org.http.delete(path).status_code == 204
    assert org.refusal(org.http.get(path))[:2] == (404, "NOT_FOUND")


def test_results_name_each_row_once(org: Org) -> None:
    rows = 'VP_Id__c,LastName,Description\nres:1,Ok,"two\nlines"\nres:2,,no name\nres:3,"Qu""ote",x\n'
    identity = org.job(rows)
    job = org.finished(identity)
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (3, 1)
    successful, failed = org.results(identity, "successfulResults/"), org.results(identity, "failedResults")
    assert successful.splitlines()[0] == '"sf__Id","sf__Created",VP_Id__c,LastName,Description'
    assert [(row["VP_Id__c"], row["sf__Created"]) for row in table(successful)] == [
        ("res:1", "true"),
        ("res:3", "true"),
    ]
    assert table(successful)[0]["Description"] == "two\nlines"
    error = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
    assert failed.splitlines()[1] == f'"","{error}","res:2","","no name"'
    for name in ("unprocessedrecords", "unprocessedRecords/"):
        assert org.results(identity, name) == "VP_Id__c,LastName,Description\n"


def test_an_upsert_updates_what_is_there_and_leaves_empty_cells_alone(org: Org) -> None:
    org.finished(org.job("VP_Id__c,LastName,FirstName,Title\nup:1,One,Ann,Boss\nup:2,Two,Bob,\n"))
    identity = org.job("VP_Id__c,LastName,FirstName,Title\nup:1,,Eve,#N/A\nup:2,Zwei,,New\nup:3,Three,,\n")
    assert org.finished(identity)["numberRecordsFailed"] == 0
    assert [row["sf__Created"] for row in table(org.results(identity, "successfulResults"))] == [
        "false",
        "false",
        "true",
    ]
    records = org.query(
        "SELECT LastName, FirstName, Title FROM Contact WHERE VP_Id__c IN ('up:1','up:2','up:3') ORDER BY VP_Id__c"
    )
    assert [[record[name] for name in ("LastName", "FirstName", "Title")] for record in records] == [
        ["One", "Eve", None],
        ["Zwei", "Bob", "New"],
        ["Three", None, None],
    ]


def test_update_and_delete_go_by_id(org: Org) -> None:
    made = table(
        org.results(finished(org, "LastName\nTo change\nTo delete\n", operation="insert"), "successfulResults")
    )
    first, second = (row["sf__Id"] for row in made)
    changed = finished(
        org, f"Id,Title\n{first},Changed\n0035fzzzzzzzzzz,Nobody\n{'001' + first[3:15]},x\n", operation="update"
    )
    errors = [row["sf__Error"] for row in table(org.results(changed, "failedResults"))]
    assert errors[0] == "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"
    assert errors[1].startswith("MALFORMED_ID:Contact ID: id value of incorrect type: 001")
    deleted = finished(org, f"Id\n{second}\n", operation="delete")
    assert table(org.results(deleted, "successfulResults"))[0]["sf__Created"] == "false"
    again = finished(org, f"Id\n{second}\n", operation="delete")
    assert table(org.results(again, "failedResults"))[0]["sf__Error"] == "ENTITY_IS_DELETED:entity is deleted:--"
    assert org.query(f"SELECT Title FROM Contact WHERE Id = '{first}'")[0]["Title"] == "Changed"


def finished(org: Org, content: str, **given: Any) -> str:
    identity = org.job(content, **{"externalIdFieldName": None, **given})
    assert org.finished(identity)["state"] == "JobComplete"
    return identity


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("VP_Id__c,LastName,Foo__c,Bar__c\nx,y,z,z\n", "InvalidBatch : Field name not found : Foo__c"),
        (
            "VP_Id__c,LastName\r\nx,y\r\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        (
            'VP_Id__c,LastName\nx,"a\r\nb"\n',
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        ('\ufeff"VP_Id__c",LastName\nx,y\n', "InvalidBatch : Failed to parse CSV. Found unescaped quote."),
        ('VP_Id__c,LastName\nx,"a"b\n', "InvalidBatch : Failed to parse CSV. Found unescaped quote."),
        (
            'VP_Id__c,LastName\nx,"open\n',
            "InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote",
        ),
        ("VP_Id__c,LastName,Account.Nope\nx,y,z\n", "InvalidBatch : Field name not found : Account.Nope"),
        ("VP_Id__c,LastName,Nope.VP_Id__c\nx,y,z\n", "InvalidBatch : Field name not found : Nope.VP_Id__c"),
        (
            "VP_Id__c,LastName,Account:Account.VP_Id__c\nx,y,z\n",
            "InvalidBatch : type is not needed for non polymorphic foreign key references: Account",
        ),
        ("VP_Id__c,LastName,Account:Parent.VP_Id__c\nx,y,z\n", "InvalidBatch : Unable to find relationship: Parent"),
        ("VP_Id__c,LastName,A:B:C\nx,y,z\n", "InvalidBatch : Field name not found : A:B:C"),
    ],
)
def test_a_bad_file_fails_the_job_when_it_is_processed(org: Org, content: str, message: str) -> None:
    job = org.finished(org.job(content))
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("Failed", 0, 0)
    assert job["errorMessage"].startswith(message)


def test_crlf_jobs_take_only_crlf(org: Org) -> None:
    good = org.finished(org.job("VP_Id__c,LastName\r\ncr:1,One\r\n", lineEnding="CRLF"))
    bad = org.finished(org.job("VP_Id__c,LastName\ncr:2,One\n", lineEnding="CRLF"))
    assert (good["state"], bad["state"]) == ("JobComplete", "Failed")


def test_a_parent_is_found_by_its_external_id_or_the_row_fails(org: Org) -> None:
    org.upsert("Account", {"VP_Id__c": "bp:1", "Name": "P"})
    identity = org.job("VP_Id__c,LastName,Account.VP_Id__c\nbc:1,A,bp:1\nbc:2,B,bp:none\nbc:3,C,\n")
    assert org.finished(identity)["numberRecordsFailed"] == 1
    error = "INVALID_FIELD:Foreign key external ID: bp:none not found for field VP_Id__c in entity Account:--"
    assert [row["sf__Error"] for row in table(org.results(identity, "failedResults"))] == [error]
    assert org.query("SELECT Account.Name FROM Contact WHERE VP_Id__c = 'bc:1'")[0]["Account"]["Name"] == "P"


def test_an_external_id_twice_in_a_chunk_fails_both_rows(org: Org) -> None:
    identity = org.job("VP_Id__c,LastName\ndup:1,A\ndup:2,B\ndup:1,C\n")
    assert org.finished(identity)["numberRecordsFailed"] == 2
    errors = {row["sf__Error"] for row in table(org.results(identity, "failedResults"))}
    assert errors == {"DUPLICATE_VALUE:Duplicate external id specified: dup:1:VP_Id__c --"}


def test_bad_values_fail_their_rows_only(org: Org) -> None:
    rows = [
        "v:1,A,1990-02-30,,,",
        "v:2,A,,yesterday,,",
        "v:3,A,,,a@b,",
        "v:4,A,,,,maybe",
        "v:5,A,1990-02-28,2026-01-02T03:04:05Z,a@b.co,true",
        "v:6",
        "v:7,A,0001-01-01,,,",
        ",A,,,,",
    ]
    identity = org.job("VP_Id__c,LastName,Birthdate,VP_Created_At__c,Email,DoNotCall\n" + "\n".join(rows) + "\n")
    assert org.finished(identity)["numberRecordsFailed"] == 7
    errors = {row["VP_Id__c"]: row["sf__Error"] for row in table(org.results(identity, "failedResults"))}
    assert (
        errors["v:1"]
        == "INVALID_TYPE_ON_FIELD_IN_RECORD:Birthdate: value not of required type: 1990-02-30:Birthdate --"
    )
    assert errors["v:2"].startswith(
        "INVALID_TYPE_ON_FIELD_IN_RECORD:VP Created At: value not of required type: yesterday"
    )
    assert errors["v:3"] == "INVALID_EMAIL_ADDRESS:Email: invalid email address: a@b:Email --"
    assert errors["v:4"].startswith("INVALID_TYPE_ON_FIELD_IN_RECORD:Do Not Call")
    assert errors["v:7"].startswith("FIELD_INTEGRITY_EXCEPTION:Birthdate: invalid date")
    assert errors[""].startswith("MISSING_ARGUMENT:VP_Id__c not specified")


def test_numbers_come_back_in_javas_words(org: Org) -> None:
    identity = org.job("VP_Id__c,Name,AnnualRevenue,NumberOfEmployees\nnum:1,N,912260031,800\n", object="Account")
    assert org.finished(identity)["numberRecordsFailed"] == 0
    row = table(org.results(identity, "successfulResults"))[0]
    assert (row["AnnualRevenue"], row["NumberOfEmployees"]) == ("9.12260031E8", "800")


def test_a_second_upload_makes_the_close_fail(org: Org) -> None:
    body = {"object": "Contact", "operation": "insert"}
    path = f"/jobs/ingest/{org.http.post('/jobs/ingest', json=body).json()['id']}"
    for _ in range(2):
        assert (
            org.http.put(f"{path}/batches", content=b"LastName\nX\n", headers={"Content-Type": "text/csv"}).status_code
            == 201
        )
    status, code, message = org.refusal(org.http.patch(path, json={"state": "UploadComplete"}))
    assert (status, code) == (400, "INVALIDJOBSTATE")
    assert message.startswith("Found multiple contents for job")
    assert org.http.patch(path, json={"state": "Aborted"}).json()["state"] == "Aborted"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"operation": "Upsert"}, "INVALIDJOB"),
        ({"operation": "upsert"}, "INVALIDJOB"),
        ({"operation": "hardDelete"}, "FEATURENOTENABLED"),
        ({"operation": "insert", "object": "Nothing"}, "INVALIDENTITY"),
        ({"operation": "insert", "columnDelimiter": "DOT"}, "INVALIDJOB"),
    ],
)
def test_a_job_that_cannot_be_is_refused(org: Org, given: dict[str, str], code: str) -> None:
    answer = org.http.post("/jobs/ingest", json={"object": "Contact", **given})
    assert list(answer.json()[0]) == ["errorCode", "message"]
    assert org.refusal(answer)[:2] == (400, code)


def test_a_finished_job_cannot_be_aborted_nor_an_open_one_deleted(org: Org) -> None:
    done = finished(org, "LastName\nX\n", operation="insert")
    text = "Aborting already Completed Job not allowed"
    assert org.refusal(org.http.patch(f"/jobs/ingest/{done}", json={"state": "Aborted"})) == (
        400,
        "INVALIDJOBSTATE",
        text,
    )
    fresh = org.http.post("/jobs/ingest", json={"object": "Contact", "operation": "insert"}).json()["id"]
    assert org.refusal(org.http.delete(f"/jobs/ingest/{fresh}"))[:2] == (400, "API_ERROR")


def test_an_aborted_job_keeps_what_it_committed(org: Org) -> None:
    org.admin.post("/speed", json={"bulk_chunk_seconds": 0.1})
    try:
        identity = org.job("LastName\n" + "Abort me\n" * 2000, operation="insert", externalIdFieldName=None)
        while org.http.get(f"/jobs/ingest/{identity}").json()["numberRecordsProcessed"] < 400:
            pass
        org.http.patch(f"/jobs/ingest/{identity}", json={"state": "Aborted"}).raise_for_status()
        job = org.finished(identity)
    finally:
        org.admin.post("/speed", json={"bulk_chunk_seconds": 0})
    committed = len(table(org.results(identity, "successfulResults")))
    assert job["state"] == "Aborted"
    assert 400 <= committed == job["numberRecordsProcessed"] < 2000
    assert len(table(org.results(identity, "unprocessedrecords"))) == 2000 - committed
    assert (
        org.http.get("/query", params={"q": "SELECT COUNT() FROM Contact WHERE LastName = 'Abort me'"}).json()[
            "totalSize"
        ]
        == committed
    )


def test_a_small_job_can_come_in_one_request(org: Org) -> None:
    job = '{"object": "Contact", "operation": "upsert", "externalIdFieldName": "VP_Id__c"}'
    parts = {
        "job": (None, job, "application/json"),
        "content": ("content", "VP_Id__c,LastName\nmulti:1,One\n", "text/csv"),
    }
    answer = org.http.post("/jobs/ingest", files=parts)
    assert answer.json()["state"] == "UploadComplete"
    assert org.finished(answer.json()["id"])["numberRecordsProcessed"] == 1


def test_a_query_job_is_read_in_pages(org: Org) -> None:
    org.finished(org.job("VP_Id__c,LastName,Description\n" + "".join(f'q:{n},Queried,"é\n{n}"\n' for n in range(25))))
    soql = "SELECT VP_Id__c, Description, Account.Name, CreatedDate, IsDeleted FROM Contact WHERE LastName = 'Queried' ORDER BY VP_Id__c"
    created = org.http.post("/jobs/query", json={"operation": "query", "query": soql}).json()
    assert created["state"] == "UploadComplete"
    assert org.finished(created["id"], "query")["numberRecordsProcessed"] == 25
    rows: list[dict[str, str]] = []
    locator, pages = "", 0
    while locator != "null":
        params: dict[str, str] = {"maxRecords": "10"} | ({"locator": locator} if locator else {})
        page = org.http.get(f"/jobs/query/{created['id']}/results", params=params)
        assert page.text.startswith('"VP_Id__c","Description","Account.Name","CreatedDate","IsDeleted"\n')
        rows += table(page.text)
        assert int(page.headers["Sforce-NumberOfRecords"]) == len(table(page.text))
        locator, pages = page.headers["Sforce-Locator"], pages + 1
    assert pages == 3
    assert [row["VP_Id__c"] for row in rows] == sorted(f"q:{n}" for n in range(25))
    assert rows[0]["Description"] == "é\n0"
    assert rows[0]["CreatedDate"].endswith(".000Z")
    assert rows[0]["IsDeleted"] == "false"
    other = org.http.get(f"{org.card['url']}/services/data/v61.0/jobs/query/{created['id']}/results")
    assert other.status_code == 409
    assert len(org.http.get(f"/jobs/query/{created['id']}/resultPages").json()["resultPages"]) == 1


@pytest.mark.parametrize(
    "soql", ["SELECT COUNT() FROM Contact", "SELECT Id FROM Contact OFFSET 5", "SELECT MailingAddress FROM Contact"]
)
def test_bulk_refuses_queries_that_only_rest_takes(org: Org, soql: str) -> None:
    assert org.http.post("/jobs/query", json={"operation": "query", "query": soql}).status_code == 400


def test_an_org_without_the_fields_fails_the_job_with_the_first_of_them() -> None:
    from sandbox.process import SandboxProcess

    with SandboxProcess.start(only="salesforce", without_fields=True) as process:
        org = Org(process.salesforce)
        job = org.finished(org.job("VP_Id__c,LastName,MRN__c\nx,y,z\n"))
        assert job["errorMessage"] == "InvalidBatch : Field name not found : VP_Id__c"
        org.close()


def test_a_hard_delete_needs_its_permission_and_leaves_nothing(org: Org) -> None:
    body = {"object": "Contact", "operation": "hardDelete"}
    assert org.refusal(org.http.post("/jobs/ingest", json=body))[:2] == (400, "FEATURENOTENABLED")
    given = {"Name": "Hard", "Label": "Hard", "PermissionsBulkApiHardDelete": True}
    allowed = org.http.post("/sobjects/PermissionSet", json=given).json()["id"]
    me = org.http.get(f"{org.card['url']}/services/oauth2/userinfo").json()["user_id"]
    org.http.post(
        "/sobjects/PermissionSetAssignment", json={"PermissionSetId": allowed, "AssigneeId": me}
    ).raise_for_status()
    made = org.http.post("/sobjects/Contact", json={"LastName": "Hard"}).json()["id"]
    gone = finished(org, f"Id\n{made}\n", operation="hardDelete")
    assert [row["sf__Id"] for row in table(org.results(gone, "successfulResults"))] == [made]
    assert org.query(f"SELECT Id FROM Contact WHERE Id = '{made}'", "queryAll") == []
    org.http.delete(f"/sobjects/PermissionSet/{allowed}")


def test_events_find_whom_they_are_about_by_type_and_external_id(org: Org) -> None:
    field = {
        "object": "Activity",
        "name": "VP_Id__c",
        "type": "Text",
        "length": 64,
        "unique": True,
        "external_id": True,
    }
    org.admin.post("/fields", json=field).raise_for_status()
    org.upsert("Account", {"VP_Id__c": "ev:place", "Name": "Place"})
    org.upsert("Contact", {"VP_Id__c": "ev:who", "LastName": "Who"})
    username = org.query("SELECT Username FROM User WHERE IsActive = true LIMIT 1")[0]["Username"]
    header = "VP_Id__c,Subject,StartDateTime,DurationInMinutes,Contact:Who.VP_Id__c,Account:What.VP_Id__c,User:Owner.Username"
    rows = [
        f"ev:1,Check,2026-01-02T03:04:05Z,30,ev:who,ev:place,{username}",
        f"ev:2,Check,2026-01-02T03:04:05Z,30,ev:nobody,ev:place,{username}",
    ]
    identity = org.job("\n".join([header, *rows]) + "\n", object="Event")
    job = org.finished(identity)
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 2, 1)
    error = "INVALID_FIELD:Foreign key external ID: ev:nobody not found for field VP_Id__c in entity Contact:--"
    assert table(org.results(identity, "failedResults"))[0]["sf__Error"] == error
    event = org.query("SELECT Who.Name, What.Name, Owner.Name FROM Event WHERE VP_Id__c = 'ev:1'")[0]
    assert (event["Who"]["Name"], event["What"]["Name"]) == ("Who", "Place")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Who.Email", "Field name not found : Who.Email"),
        ("Contact:Whom.Email", "Unable to find relationship: Whom"),
        ("Who:Contact.Email", "Unable to find relationship: Contact"),
        ("Contact:Who.Nothing__c", "Field name not found : Contact:Who.Nothing__c"),
        ("Account:Who.Name", "Field name not found : Account:Who.Name"),
        ("Contact:Who", "Field name not found : Contact:Who"),
    ],
)
def test_a_polymorphic_header_must_be_right(org: Org, header: str, text: str) -> None:
    job = org.finished(
        org.job(f"Subject,{header}\nx,y\n", object="Event", operation="insert", externalIdFieldName=None)
    )
    assert (job["state"], job["errorMessage"]) == ("Failed", f"InvalidBatch : {text}")


def test_rows_before_a_broken_one_are_written(org: Org) -> None:
    content = "LastName,Title\n" + "Whole,x\n" * 450 + '"Broken"row,x\n' + "After,x\n" * 10
    identity = org.job(content, operation="insert", externalIdFieldName=None)
    job = org.finished(identity)
    assert (job["state"], job["numberRecordsProcessed"]) == ("Failed", 400)
    assert job["errorMessage"].startswith("InvalidBatch : Failed to parse CSV. Found unescaped quote.")
    assert len(table(org.results(identity, "successfulResults"))) == 400
