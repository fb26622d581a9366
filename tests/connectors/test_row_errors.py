import pytest

from connectors.salesforce.row_errors import Handling, RowError, handling, parse_bulk_error, row_error


@pytest.mark.parametrize(
    ("code", "fields", "message", "what"),
    [
        ("UNABLE_TO_LOCK_ROW", (), "unable to obtain exclusive access to this record: 001x", Handling.RETRY_LOCK),
        ("SERVER_UNAVAILABLE", (), "x", Handling.RETRY_LATER),
        ("DUPLICATE_VALUE", (), "duplicate value found: VP_Id__c duplicates value on record with id: 001000000000001AAA", Handling.DUPLICATE_OWN_ID),
        ("DUPLICATE_VALUE", (), "duplicate value found: NPI__c duplicates value on record with id: 001000000000001AAA", Handling.REJECT),
        ("DUPLICATE_VALUE", ("VP_Id__c",), "Duplicate external id specified: patient:5", Handling.DUPLICATE_OWN_ID),
        ("DUPLICATE_VALUE", (), "Duplicate external id specified: patient:5", Handling.DUPLICATE_OWN_ID),
        ("ENTITY_IS_DELETED", (), "entity is deleted", Handling.GONE),
        ("INVALID_CROSS_REFERENCE_KEY", ("Id",), "invalid cross reference id", Handling.GONE),
        ("INVALID_CROSS_REFERENCE_KEY", ("AccountId",), "invalid cross reference id", Handling.PARENT_GONE),
        ("REQUEST_LIMIT_EXCEEDED", (), "x", Handling.QUOTA),
        ("STORAGE_LIMIT_EXCEEDED", (), "x", Handling.STORAGE),
        ("REQUIRED_FIELD_MISSING", ("LastName",), "x", Handling.REJECT),
        ("SOMETHING_NEW", (), "x", Handling.REJECT),
    ],
)  # fmt: skip
def test_a_row_error_says_what_to_do(code: str, fields: tuple[str, ...], message: str, what: Handling):
    assert handling(row_error(code, fields, message, []), "VP_Id__c") is what


def test_an_upserted_row_is_never_gone_itself():
    error = row_error("ENTITY_IS_DELETED", [], "entity is deleted", [])
    assert handling(error, "VP_Id__c", by_id=False) is Handling.PARENT_GONE


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
            ("Name",),
            "Required fields are missing",
        ),
        ("INVALID_EMAIL_ADDRESS:Email: invalid email address: jo@@x.org:Email --", ("Email",), "invalid email address"),
        (
            "STRING_TOO_LONG:A: data value too large: x (max length=80):A --",
            ("A",),
            "data value too large (max length=80)",
        ),
        ("UNABLE_TO_LOCK_ROW:unable to obtain: 001a,001b:--", (), "unable to obtain exclusive access to this record"),
        ("X_Y:bad thing:A__c,B__c --", ("A__c", "B__c"), "bad thing"),
        ("X_Y:one: two three:--", (), "one: two three"),
        ("nonsense", (), ""),
        ("", (), ""),
    ],
)
def test_a_bulk_error_is_taken_apart(text: str, fields: tuple[str, ...], message: str):
    assert parse_bulk_error(text, []) == RowError(text.partition(":")[0] or "UNKNOWN", fields, message)


def test_a_validation_message_keeps_its_words_and_loses_the_rows_values():
    error = row_error(
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        [],
        "Maynard O'Hara born 1980-02-03 (maynard@x.org) needs a practice in Ward 7",
        ["Maynard", "O'Hara", "1980-02-03", "maynard@x.org", None, 5],
    )
    assert error.message == "… … born … (…) needs a practice in Ward …"


@pytest.mark.parametrize(
    "code", ["INVALID_EMAIL_ADDRESS", "STRING_TOO_LONG", "DUPLICATE_VALUE", "MALFORMED_ID", "NEW_ONE"]
)
def test_no_message_repeats_what_was_sent(code: str):
    for message in ("Name: wrong: Quixotic", "duplicate value found: Quixotic", "QUIXOTIC", "x=Quixotic;"):
        assert "quixotic" not in str(row_error(code, ["Name"], message, ["Quixotic"])).lower()
