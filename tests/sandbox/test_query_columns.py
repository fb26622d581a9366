from __future__ import annotations

from tests.sandbox.conftest import Org


def test_a_query_tells_its_columns(org: Org) -> None:
    soql = "SELECT Id, Name, Owner.Name, Owner.Email, (SELECT LastName FROM Contacts) FROM Account"
    told = org.http.get("/query", params={"q": soql, "columns": "true"}).raise_for_status().json()
    assert (told["entityName"], told["idSelected"], told["groupBy"], told["keyPrefix"]) == (
        "Account",
        True,
        False,
        "001",
    )
    columns = {column["columnName"]: column for column in told["columnMetadata"]}
    assert list(columns) == ["Id", "Name", "Owner", "Contacts"]
    assert [column["columnName"] for column in columns["Owner"]["joinColumns"]] == ["Name", "Email"]
    assert (columns["Contacts"]["aggregate"], columns["Owner"]["aggregate"]) == (True, False)
    assert [column["columnName"] for column in columns["Contacts"]["joinColumns"]] == ["LastName"]


def test_a_wrong_query_has_no_columns(org: Org) -> None:
    refused = org.http.get("/query", params={"q": "SELECT Nope FROM Account", "columns": "true"})
    assert org.refusal(refused)[:2] == (400, "INVALID_FIELD")
