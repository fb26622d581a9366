from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sandbox.salesforce.soql import dates
from tests.sandbox.conftest import Org


@pytest.fixture(scope="module", autouse=True)
def people(sandbox: Any) -> None:
    org = Org(sandbox.salesforce)
    org.upsert("Account", {"VP_Id__c": "soql:p", "Name": "Soql Practice", "Industry": "Healthcare"})
    rows = [
        {
            "VP_Id__c": "soql:1",
            "LastName": "Soql Ash",
            "FirstName": "Amy",
            "Birthdate": "1980-05-01",
            "Account": {"VP_Id__c": "soql:p"},
        },
        {"VP_Id__c": "soql:2", "LastName": "Soql Birch", "Birthdate": "1990-05-01", "DoNotCall": True},
        {"VP_Id__c": "soql:3", "LastName": "Soql Elm", "FirstName": "O'Neil", "Department": "100% sure_ly"},
    ]
    assert all(each["success"] for each in org.upsert("Contact", *rows))
    org.close()


def found(org: Org, condition: str, tail: str = "") -> list[str]:
    soql = f"SELECT VP_Id__c FROM Contact WHERE VP_Id__c LIKE 'soql:%' AND {condition} {tail or 'ORDER BY VP_Id__c'}"
    return [record["VP_Id__c"][5:] for record in org.query(soql)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("LastName = 'soql ASH'", "1"),
        ("FirstName != 'Amy'", "23"),
        ("FirstName = null", "2"),
        ("FirstName != null", "13"),
        ("FirstName = 'O\\'Neil'", "3"),
        ("Birthdate >= 1985-01-01", "2"),
        ("(Birthdate < 1985-01-01 OR FirstName = 'O\\'Neil')", "13"),
        ("NOT LastName LIKE '%Birch'", "13"),
        ("(NOT FirstName = 'Amy')", "23"),
        ("LastName IN ('Soql Ash', 'Soql Elm')", "13"),
        ("LastName NOT IN ('Soql Ash', 'Soql Elm')", "2"),
        ("VP_Id__c IN ('SOQL:1')", ""),
        ("DoNotCall = TRUE", "2"),
        ("Department LIKE '%0\\% sure\\_%'", "3"),
        ("Account.VP_Id__c = 'soql:p'", "1"),
        ("Account.Name = null", "23"),
        ("CreatedDate > 2020-01-01T00:00:00Z", "123"),
        ("SystemModstamp < 2020-01-01T00:00:00.000+02:00", ""),
        ("CreatedDate >= LAST_N_DAYS:2", "123"),
    ],
)
def test_conditions_select_what_salesforce_would(org: Org, condition: str, expected: str) -> None:
    assert "".join(found(org, condition)) == expected


def test_nulls_come_first_unless_told_otherwise(org: Org) -> None:
    named = "VP_Id__c != null"
    assert found(org, named, "ORDER BY FirstName") == ["2", "1", "3"]
    assert found(org, named, "ORDER BY FirstName DESC") == ["2", "3", "1"]
    assert found(org, named, "ORDER BY FirstName DESC NULLS LAST, VP_Id__c LIMIT 2") == ["3", "1"]
    assert found(org, named, "ORDER BY VP_Id__c LIMIT 5 OFFSET 2") == ["3"]


def test_a_parent_comes_along_or_is_null(org: Org) -> None:
    records = org.query(
        "SELECT Id, Account.Name, account.industry FROM Contact WHERE VP_Id__c IN ('soql:1', 'soql:2') ORDER BY VP_Id__c"
    )
    assert list(records[0]) == ["attributes", "Id", "Account"]
    assert {key: value for key, value in records[0]["Account"].items() if key != "attributes"} == {
        "Name": "Soql Practice",
        "Industry": "Healthcare",
    }
    assert records[0]["Account"]["attributes"]["type"] == "Account"
    assert records[1]["Account"] is None


def test_counting(org: Org) -> None:
    answer = org.http.get("/query", params={"q": "select count() from Contact where VP_Id__c like 'soql:%'"}).json()
    assert answer == {"totalSize": 3, "done": True, "records": []}
    grouped = org.query(
        "SELECT Account.VP_Id__c, COUNT(Id) n FROM Contact WHERE VP_Id__c LIKE 'soql:%' GROUP BY Account.VP_Id__c HAVING COUNT(Id) > 1"
    )
    assert grouped == [{"attributes": {"type": "AggregateResult"}, "VP_Id__c": None, "n": 2}]
    assert org.query("SELECT COUNT(Id), MAX(LastName) FROM Contact WHERE VP_Id__c LIKE 'soql:%'")[0]["expr0"] == 3


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT Id FROM Nothing", "INVALID_TYPE", "sObject type 'Nothing' is not supported."),
        ("SELECT Foo FROM Contact", "INVALID_FIELD", "No such column 'Foo' on entity 'Contact'."),
        ("SELECT Nope.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Nope' in field path."),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Contact WHERE Id = '1' garbage", "MALFORMED_QUERY", "unexpected token: 'garbage'"),
        ("SELECT Id, Birthdate FROM Contact WHERE Birthdate = '1990'", "INVALID_FIELD", "must be of type date"),
        ("SELECT LastName, COUNT(Id) FROM Contact", "MALFORMED_QUERY", "Field must be grouped or aggregated: LastName"),
        (
            "SELECT Id FROM ContentDocumentLink",
            "MALFORMED_QUERY",
            "requires a filter by a single Id on ContentDocumentId",
        ),
    ],
)
def test_a_wrong_query_is_refused_in_salesforces_words(org: Org, soql: str, code: str, text: str) -> None:
    status, told, message = org.refusal(org.http.get("/query", params={"q": soql}))
    assert (status, told) == (400, code)
    assert text in message


def test_the_caret_points_at_what_is_wrong(org: Org) -> None:
    message = org.refusal(org.http.get("/query", params={"q": "select count() from XYZZY"}))[2]
    assert message.startswith(
        "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY'"
    )


def test_a_long_result_is_paged_and_keeps_its_rows(org: Org) -> None:
    lines = "".join(f"page:{number},Paged\n" for number in range(4100))
    org.finished(org.job(f"VP_Id__c,LastName\n{lines}"))
    first = org.http.get(
        "/query", params={"q": "SELECT VP_Id__c FROM Contact WHERE LastName = 'Paged' ORDER BY VP_Id__c DESC"}
    ).json()
    assert (first["totalSize"], first["done"], len(first["records"])) == (4100, False, 2000)
    assert first["nextRecordsUrl"].endswith("-2000")
    org.http.patch("/sobjects/Contact/VP_Id__c/page:0", json={"LastName": "Moved"})
    records = org.query("SELECT VP_Id__c FROM Contact WHERE VP_Id__c LIKE 'page:%' ORDER BY VP_Id__c DESC")
    assert [record["VP_Id__c"] for record in records] == sorted((f"page:{n}" for n in range(4100)), reverse=True)
    rest = org.http.get(f"{org.card['url']}{first['nextRecordsUrl']}").json()
    assert len(rest["records"]) == 2000
    unknown = org.http.get("/query/0r8000000000000AAA-2000")
    assert org.refusal(unknown)[1] == "INVALID_QUERY_LOCATOR"


def test_500_values_fit_into_one_query(org: Org) -> None:
    listed = ",".join(f"'page:{number}'" for number in range(500))
    assert len(org.query(f"SELECT Id FROM Contact WHERE VP_Id__c IN ({listed})")) == 500
    endless = ",".join(f"'page:{number}'" for number in range(2000))
    assert (
        org.http.get("/query", params={"q": f"SELECT Id FROM Contact WHERE VP_Id__c IN ({endless})"}).status_code == 414
    )


# -- children, parents of parents, semi-joins, functions -----------------------------------------------------------------


def test_children_come_as_a_result_of_their_own_or_as_null(org: Org) -> None:
    rows = [{"VP_Id__c": f"kids:{place}", "Name": f"Kids {place}"} for place in "ab"]
    account = org.upsert("Account", *rows)[0]["id"]
    people = [{"VP_Id__c": f"kids:{n}", "LastName": f"Kid {n}", "AccountId": account} for n in range(3)]
    org.upsert("Contact", *people)
    soql = (
        "SELECT Name, (SELECT LastName, Account.Name FROM Contacts WHERE LastName != 'Kid 1' ORDER BY LastName DESC LIMIT 2)"
        " FROM Account WHERE VP_Id__c LIKE 'kids:%' ORDER BY Name"
    )
    found = org.query(soql)
    assert found[1]["Contacts"] is None
    children = found[0]["Contacts"]
    assert (children["totalSize"], children["done"]) == (2, True)
    assert [child["LastName"] for child in children["records"]] == ["Kid 2", "Kid 0"]
    assert children["records"][0]["attributes"]["type"] == "Contact"
    assert children["records"][0]["Account"]["Name"] == "Kids a"
    refused = org.http.get("/query", params={"q": "SELECT (SELECT Id FROM Nothings) FROM Account"})
    assert org.refusal(refused)[1] == "INVALID_TYPE"
    assert "Didn't understand relationship 'Nothings' in FROM part of query call." in org.refusal(refused)[2]


def test_a_parent_of_a_parent_comes_along(org: Org) -> None:
    condition = "WHERE VP_Id__c IN ('soql:1', 'soql:2') ORDER BY VP_Id__c"
    first, second = org.query(f"SELECT Account.Owner.Name, Owner.Email FROM Contact {condition}")
    assert first["Account"]["Owner"]["Name"] == first["Account"]["Owner"]["Name"].strip() != ""
    assert first["Account"]["Owner"]["attributes"]["type"] == "User"
    assert second["Account"] is None
    assert second["Owner"]["Email"].endswith(".example")


def test_a_lookup_to_several_objects_shows_what_they_share(org: Org) -> None:
    contact = org.query("SELECT Id FROM Contact WHERE VP_Id__c = 'soql:1'")[0]["Id"]
    event = {"Subject": "Poly", "StartDateTime": "2026-03-02T09:00:00Z", "DurationInMinutes": 5, "WhoId": contact}
    org.http.post("/sobjects/Event", json=event).raise_for_status()
    found = org.query("SELECT Who.Name, Who.Type, What.Name FROM Event WHERE Who.Type = 'Contact' AND Subject = 'Poly'")
    who = found[0]["Who"]
    assert (who["Name"], who["Type"], who["attributes"]["type"]) == ("Amy Soql Ash", "Contact", "Contact")
    assert found[0]["What"] is None
    refused = org.http.get("/query", params={"q": "SELECT Who.VP_Id__c FROM Event"})
    assert "No such column 'VP_Id__c' on entity 'Name'" in org.refusal(refused)[2]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("AccountId IN (SELECT Id FROM Account WHERE Name = 'Soql Practice')", "1"),
        ("AccountId NOT IN (SELECT Id FROM Account WHERE Name = 'Soql Practice')", "23"),
        ("Id IN (SELECT WhoId FROM Event)", "1"),
        ("CreatedDate = TODAY", "123"),
        ("CreatedDate > TODAY", ""),
        ("CreatedDate <= TODAY", "123"),
        ("CreatedDate != LAST_MONTH", "123"),
        ("CreatedDate = THIS_YEAR AND CreatedDate = LAST_N_DAYS:1", "123"),
        ("CreatedDate < N_DAYS_AGO:1", ""),
        ("CALENDAR_YEAR(Birthdate) = 1980", "1"),
        ("DAY_IN_MONTH(Birthdate) = 1 AND CALENDAR_MONTH(Birthdate) = 5", "12"),
        ("DAY_ONLY(CreatedDate) = TODAY", "123"),
        ("Contact.FirstName = 'Amy'", "1"),
    ],
)
def test_semi_joins_date_literals_and_functions(org: Org, condition: str, expected: str) -> None:
    assert "".join(found(org, condition)) == expected


def test_multi_select_picklists_are_searched_by_their_values(org: Org) -> None:
    given = {"object": "Contact", "name": "Tags__c", "type": "MultiselectPicklist", "picklist": ["a", "b", "c"]}
    org.admin.post("/fields", json=given).raise_for_status()
    org.http.patch("/sobjects/Contact/VP_Id__c/soql:1", json={"Tags__c": "a;b"}).raise_for_status()
    org.http.patch("/sobjects/Contact/VP_Id__c/soql:2", json={"Tags__c": "c"}).raise_for_status()
    assert found(org, "Tags__c INCLUDES ('a;b', 'c')") == ["1", "2"]
    assert found(org, "Tags__c INCLUDES ('a;c')") == []
    assert found(org, "Tags__c EXCLUDES ('a')") == ["2", "3"]


def test_groups_of_functions_with_names_and_an_order(org: Org) -> None:
    grouped = org.query(
        "SELECT CALENDAR_YEAR(Birthdate) year, COUNT(Id) n FROM Contact WHERE VP_Id__c LIKE 'soql:%' AND Birthdate != null"
        " GROUP BY CALENDAR_YEAR(Birthdate) ORDER BY CALENDAR_YEAR(Birthdate) DESC"
    )
    assert [(each["year"], each["n"]) for each in grouped] == [(1990, 1), (1980, 1)]
    assert org.query("SELECT COUNT(Id) n, Industry FROM Account GROUP BY Industry ORDER BY n DESC LIMIT 1")[0]["n"] > 0


def test_all_fields_come_with_a_limit_only(org: Org) -> None:
    record = org.query("SELECT FIELDS(ALL) FROM Contact WHERE VP_Id__c = 'soql:1' LIMIT 1")[0]
    assert {"VP_Id__c", "LastName", "MailingAddress"} <= record.keys()
    refused = org.http.get("/query", params={"q": "SELECT FIELDS(ALL) FROM Contact"})
    assert org.refusal(refused)[2] == "The SOQL FIELDS function must have a LIMIT of at most 200"
    alias = org.query("SELECT c.LastName FROM Contact c WHERE c.VP_Id__c = 'soql:1' WITH USER_MODE LIMIT 1 FOR VIEW")
    assert alias[0]["LastName"] == "Soql Ash"


@pytest.mark.parametrize(
    ("word", "first", "after"),
    [  # for Wednesday, 15 May 2024
        ("TODAY", "2024-05-15", "2024-05-16"),
        ("YESTERDAY", "2024-05-14", "2024-05-15"),
        ("THIS_WEEK", "2024-05-12", "2024-05-19"),
        ("LAST_WEEK", "2024-05-05", "2024-05-12"),
        ("NEXT_MONTH", "2024-06-01", "2024-07-01"),
        ("THIS_QUARTER", "2024-04-01", "2024-07-01"),
        ("LAST_QUARTER", "2024-01-01", "2024-04-01"),
        ("LAST_FISCAL_YEAR", "2023-01-01", "2024-01-01"),
        ("LAST_N_DAYS:3", "2024-05-12", "2024-05-16"),
        ("NEXT_N_DAYS:3", "2024-05-15", "2024-05-19"),
        ("LAST_90_DAYS", "2024-02-15", "2024-05-16"),
        ("LAST_N_MONTHS:6", "2023-11-01", "2024-05-01"),
        ("NEXT_N_YEARS:2", "2025-01-01", "2027-01-01"),
        ("LAST_N_WEEKS:2", "2024-04-28", "2024-05-12"),
        ("N_DAYS_AGO:10", "2024-05-05", "2024-05-06"),
        ("N_MONTHS_AGO:5", "2023-12-01", "2024-01-01"),
    ],
)
def test_a_date_literal_means_days(word: str, first: str, after: str) -> None:
    assert dates.span(word, date(2024, 5, 15)) == (date.fromisoformat(first), date.fromisoformat(after))


@pytest.mark.parametrize("word", ["SOON", "LAST_N_DAYS", "N_DAYS:3", "LAST_N_DAYS_AGO:3", "THIS_DAY"])
def test_other_words_are_no_date_literals(word: str) -> None:
    assert dates.span(word, date(2024, 5, 15)) is None
