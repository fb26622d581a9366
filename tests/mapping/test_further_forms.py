"""Amounts, days, lists, ends without a duration, what counts in a row, what is left out: each implementation, and one against the other."""

import json
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapping.comparators import compile_comparison
from mapping.document import MapErrors, default_map, default_map_text, load_map
from mapping.owner_comparison import OwnerComparison
from mapping.parts import Counted, Counting
from mapping.plan import MappingRejected, Reference, Repair, compile_plan
from tests.mapping.stored import as_stored, parent_of
from tests.mapping.test_plan import column, made

APPOINTMENT = compile_plan(default_map(), "appointment")
INVOICE = compile_plan(default_map(), "invoice")
PAYMENT = compile_plan(default_map(), "payment")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("12", 12.0), ("12.5", 12.5), ("-3.10", -3.1), ("$1,234.50", 1234.5), ("(25.00)", -25.0), ("€ 7", 7.0), ("£1,000,000", 1e6),
        ("0.005", 0.01), ("-0.005", -0.01), ("81.8188", 81.82), ("+2", 2.0), ("($5)", -5.0),
    ],
)  # fmt: skip
def test_amounts_are_read_however_they_are_written(given: str, sent: float):
    assert column("{from: name, as: money}", given) == sent


@pytest.mark.parametrize("bad", ["1.2.3", "1,23", "12,34.5", "ten", "(-5)", "1e3", "5 €", "1.234,50", "--1", "()", "$"])
def test_what_is_no_amount_is_rejected_with_a_way_out(bad: str):
    with pytest.raises(MappingRejected, match="INVALID_AMOUNT"):
        column("{from: name, as: money}", bad)


@pytest.mark.parametrize(
    ("whole", "given", "sent"),
    [
        ("units", "1234", 1234.0),
        ("cents", "1234", 12.34),
        ("cents", "($1,234)", -12.34),
        ("cents", "1234.5", 1234.5),
        ("reject", "1234.0", 1234.0),
    ],
)
def test_an_amount_without_decimals_means_what_the_map_says(whole: str, given: str, sent: float):
    assert column(f"{{from: name, as: money, whole: {whole}}}", given) == sent


@pytest.mark.parametrize("given", ["1234", "-1", "$1,234", "(0)"])
def test_where_nobody_knows_what_it_means_it_is_rejected_with_a_way_out(given: str):
    with pytest.raises(MappingRejected, match=r"AMOUNT_WITHOUT_CENTS .*whole: cents") as caught:
        column("{from: name, as: money, whole: reject}", given)
    assert caught.value.code == "AMOUNT_WITHOUT_CENTS"
    assert made("{from: name, as: money, whole: reject, on_invalid: blank}", given).repairs == [
        Repair("X", "AMOUNT_WITHOUT_CENTS_BLANKED")
    ]


def test_what_whole_amounts_mean_can_only_be_said_of_money():
    with pytest.raises(MapErrors, match="about amounts of money"):
        column("{from: name, as: number, whole: cents}", "1")


def test_an_amount_that_is_rounded_is_reported():
    found = made("{from: name, as: money}", "1.005")
    assert (found.columns["X"], found.repairs) == (1.01, [Repair("X", "AMOUNT_ROUNDED")])


@pytest.mark.parametrize(
    ("zone", "given", "sent"),
    [
        (None, "2026-01-02T03:04:05Z", "2026-01-02"),
        ("America/New_York", "2026-01-02T03:04:05Z", "2026-01-01"),
        ("America/New_York", "2026-01-02 23:30:00", "2026-01-02"),
        ("Pacific/Kiritimati", "2026-01-02T12:00:00Z", "2026-01-03"),
        (None, "2026-01-02", "2026-01-02"),
        (None, "0001-01-01", None),
        (None, "0001-01-01T00:00:00Z", None),
    ],
)
def test_a_day_is_that_of_the_practices_clock(zone: str | None, given: str, sent: str | None):
    assert made("{from: name, as: day}", given, zone=zone).columns["X"] == sent


ITEMS = json.dumps(
    [{"code": "C1", "description": "Long\ntalk", "quantity": 2, "net_price": "1.50"}, {"code": "C1"}, {"code": None}]
)


def test_a_list_becomes_its_entries_values_each_once_or_a_line_an_entry():
    assert column("{from: name, each: code, with: comma}", ITEMS) == "C1"
    lines = column("{from: name, each: [code, description, quantity, net_price]}", ITEMS)
    assert lines == "C1 Long talk 2 1.50\nC1"
    assert column("{from: name, each: code, default: none}", "[]") == "none"


@pytest.mark.parametrize("bad", ["{}", "[1]", "nonsense", '["a"]', "[" * 100_000])
def test_what_is_no_list_is_rejected_or_blanked(bad: str):
    with pytest.raises(MappingRejected, match="INVALID_LIST"):
        column("{from: name, each: code}", bad)
    assert column("{from: name, each: code, on_invalid: blank}", bad) is None


ENDS = "{from: name, as: datetime, plus_minutes: phone, else_from: city}"


@pytest.mark.parametrize(
    ("minutes", "other", "end"),
    [
        ("15", "2026-01-01T09:00:00Z", "2026-01-01T08:15:00.000Z"),
        ("", "2026-01-01T09:00:00Z", "2026-01-01T09:00:00.000Z"),
        ("//XXXX//", "", "2026-01-01T08:40:00.000Z"),
        ("X", "", "2026-01-01T08:05:00.000Z"),
    ],
)
def test_an_end_is_a_duration_a_pattern_of_five_minutes_or_another_field(minutes: str, other: str, end: str):
    assert column(ENDS, "2026-01-01T08:00:00Z", phone=minutes, city=other) == end


def test_a_map_of_values_to_yes_and_no_makes_no_of_nothing():
    spec = "{from: name, values: {CANCELLED: true, BOOKED: false}, otherwise: false}"
    assert [column(spec, given) for given in ("cancelled", "booked", "?", None, "")] == [
        True,
        False,
        False,
        False,
        False,
    ]


VISIT = {
    "patient_id": "5",
    "provider_id": "7",
    "practice_id": "",
    "appointment_type": "Check-up",
    "starts_at": "2026-01-01T08:00:00Z",
    "duration_minutes": "30",
    "status": "no_show",
    "updated_at": "2026-01-01T08:00:00Z",
}


def test_a_visit_refers_to_patient_practice_and_owner():
    found = APPOINTMENT.map("9", VISIT, {}, "r")
    assert found.references == [
        Reference("WhoId", "patient:5", "hold"),
        Reference("OwnerId", "provider:7", "placeholder"),
    ]
    assert (found.columns["WhatId"], found.columns["Cancelled__c"]) == (None, False)
    assert found.columns["Appointment_Status__c"] == "No show"
    nobody = APPOINTMENT.map("9", VISIT | {"provider_id": "0"}, {}, "r").references
    assert Reference("OwnerId", "user:~nobody", "hold") in nobody


def test_what_a_rule_leaves_out_is_said_in_the_maps_words():
    assert APPOINTMENT.skips(VISIT) is None
    assert APPOINTMENT.skips(VISIT | {"patient_id": " "}) == "a break and no visit"
    text = default_map_text().replace(
        "{without: patient_id, because: a break and no visit}",
        "{where: status, is: [Draft, NO_SHOW], because: never came}",
    )
    assert compile_plan(load_map(text, "t"), "appointment").skips(VISIT) == "never came"


def test_a_provider_stands_for_its_user_and_a_user_has_an_email():
    provider = compile_plan(default_map(), "provider")
    assert provider.map("3", {"user_id": "7"}, {}, "r").references == [Reference("Id", "user:7", "hold")]
    assert provider.map("3", {"user_id": None}, {}, "r").references == [Reference("Id", "user:~nobody", "hold")]
    user = compile_plan(default_map(), "user")
    given = {"email": " Ann@Clinic.example ", "first_name": "Ann", "last_name": "Lee"}
    assert user.map("7", given, {}, "r").columns == {"Email": "Ann@Clinic.example", "Name": "Ann Lee"}


def test_a_payment_counts_in_its_invoice_and_one_without_is_rejected():
    assert PAYMENT.target({"invoice_id": " 12 "}) == "invoice:12"
    values = PAYMENT.map("1", {"amount": "5.00", "paid_at": "2026-02-03T00:00:00Z"}, {}, "r").columns
    assert values == {"amount": 5.0, "paid_on": "2026-02-03"}
    with pytest.raises(MappingRejected, match="REFERENCE_MISSING"):
        PAYMENT.target({"invoice_id": "0"})


BILL = {
    "number": "I-1",
    "status": "paid",
    "total_amount": "90.00",
    "issue_date": "2026-01-05",
    "items": "[]",
    "patient_id": "5",
}
PAID = [{"amount": "0.10", "paid_at": "2026-03-01T00:00:00Z"}, {"amount": "0.20", "paid_at": "2026-02-01T00:00:00Z"}]


def stored_bill(bill: dict[str, Any], payments: list[dict[str, Any]]) -> dict[str, Any]:
    mapped = INVOICE.map("1", bill, {}, "r")
    counted = [Counted("payment", "payment:1", PAYMENT.map("1", one, {}, "r").columns) for one in payments]
    whole = mapped._replace(columns=Counting(default_map(), "invoice").complete(mapped.columns, counted))
    return as_stored(whole) | {"OwnerId": "005A"}


def compare_bill(bill: dict[str, Any], payments: list[dict[str, Any]], row: dict[str, Any]) -> list[str]:
    found = compile_comparison(default_map(), "invoice").compare(
        "1", bill, {}, row, parent_of, lambda _: "005A", [("payment", one, {}, "payment:1") for one in payments]
    )
    return [one.column for one in found]


def test_an_invoice_is_what_was_paid_and_when_last_or_what_it_says_itself():
    paid = stored_bill(BILL, PAID)
    assert (paid["Amount"], paid["CloseDate"], paid["StageName"]) == (0.3, "2026-03-01", "Closed Won")
    unpaid = stored_bill(BILL, [])
    assert (unpaid["Amount"], unpaid["CloseDate"]) == (90.0, "2026-01-05")
    for payments, row in ((PAID, paid), ([], unpaid)):
        assert compare_bill(BILL, payments, row) == []
    assert compare_bill(BILL, PAID, unpaid) == ["CloseDate", "Amount"]
    assert compare_bill(BILL, [], paid) == ["CloseDate", "Amount"]
    assert compare_bill(BILL, PAID, paid | {"OwnerId": "005B"}) == ["OwnerId"]
    assert compare_bill(BILL, PAID, paid | {"OwnerId": None}) == ["OwnerId"]


AMOUNT = st.decimals(-(10**6), 10**6, places=2).map(str) | st.sampled_from(
    ["(5.00)", "$1,000.5", "0.125", "1,2", "x", ""]
)


@given(
    st.lists(
        st.fixed_dictionaries({"amount": AMOUNT, "paid_at": st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z")})
    )
)
@settings(max_examples=200, deadline=None)
def test_both_agree_on_what_payments_come_to(payments: list[dict[str, Any]]):
    good = []
    for one in payments:
        try:
            PAYMENT.map("1", one, {}, "r")
        except MappingRejected:
            continue
        good.append(one)
    assert compare_bill(BILL, good, stored_bill(BILL, good)) == []


@cache
def forms(zone: str | None) -> Any:
    return load_map(
        f"""
map: 1
source_tag: VP
{f"time_zone: {zone}" if zone else ""}
objects:
  thing:
    resource: practices
    target: Account
    external_id: VP_Id__c
    on_delete: keep
    columns:
      A: {{from: name, as: money, on_invalid: blank}}
      B: {{from: phone, as: day, on_invalid: blank}}
      C: {{from: website, each: a, with: comma, max: 12, too_long: truncate, on_invalid: blank}}
      D: {{from: website, each: [a, b], on_invalid: blank, default: none}}
      E: {{from: npi, values: {{a: true, b: false}}, otherwise: false}}
      F: {{from: phone, as: datetime, plus_minutes: tax_id, else_from: city, on_invalid: blank}}
      G: {{from: name, as: money, whole: cents, on_invalid: blank}}
      H: {{from: name, as: money, whole: reject, on_invalid: blank}}
""",
        "forms",
    )


LIST = st.lists(
    st.dictionaries(
        st.sampled_from("ab"), st.none() | st.text(max_size=5) | st.integers() | st.floats() | st.booleans()
    )
).map(json.dumps)
MOMENT = st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z") | st.datetimes().map(
    lambda at: at.isoformat(" ", "seconds")
)


@pytest.mark.parametrize("zone", [None, "America/New_York", "Australia/Lord_Howe"])
@given(
    st.fixed_dictionaries(
        {
            "name": AMOUNT
            | st.text(max_size=8)
            | st.from_regex(r"\A[(+-]?[$]?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]{0,4})?\)?\Z"),
            "phone": MOMENT | st.dates().map(str) | st.text(max_size=10),
            "website": LIST | st.text(max_size=9),
            "npi": st.sampled_from(["a", "B", "c", "", None]),
            "tax_id": st.sampled_from(["", "30", "/X/", "x", "-1", None]),
            "city": MOMENT | st.sampled_from(["", "x", "0001-01-01T00:00:00Z"]),
        }
    )
)
@settings(max_examples=200, deadline=None)
@example({"name": "(1)", "phone": "0001-01-01", "website": "[]", "npi": None, "tax_id": "", "city": ""})
def test_every_further_form_compares_equal_to_what_it_made(zone: str | None, fields: Any):
    document = forms(zone)
    mapped = compile_plan(document, "thing").map("1", fields, {}, "r")
    assert compile_comparison(document, "thing").compare("1", fields, {}, as_stored(mapped), parent_of) == []


def test_an_amount_that_differs_by_a_cent_is_found():
    document = forms(None)
    fields = {"name": "10.10", "phone": None, "website": None, "npi": None, "tax_id": None, "city": None}
    row = as_stored(compile_plan(document, "thing").map("1", fields, {}, "r"))
    comparison = compile_comparison(document, "thing")
    for column_, wrong in (("A", float(Decimal("10.11"))), ("E", True), ("D", None), ("B", "2026-01-01")):
        assert [one.column for one in comparison.compare("1", fields, {}, row | {column_: wrong}, parent_of)] == [
            column_
        ]


def test_an_owner_is_active_has_the_email_and_is_whoever_was_decided():
    users = OwnerComparison(default_map(), "user")
    row = {"Id": "005A", "Email": "ANN@clinic.example", "IsActive": True}
    fields = {"email": "ann@clinic.example"}
    assert users.compare(fields, row, "MATCHED", lambda _: "005A") == []
    assert [one.column for one in users.compare({"email": "x@y.zz"}, row, "MATCHED", lambda _: "005A")] == ["Email"]
    assert users.compare({"email": None}, row, "DECIDED", lambda _: "005A") == []
    assert [one.column for one in users.compare(fields, row | {"IsActive": False}, "DECIDED", lambda _: "005A")] == [
        "IsActive"
    ]
    providers = OwnerComparison(default_map(), "provider")
    assert providers.compare({"user_id": "7"}, row, "SAME", {"user:7": "005A"}.get) == []
    assert [one.column for one in providers.compare({"user_id": "7"}, row, "SAME", {"user:7": "005B"}.get)] == ["Id"]


WRONG = {
    "    decide: email": ("    decide: e_mail", "has no field `e_mail`"),
    "same_as: {parent: user,": ("same_as: {parent: practice,", "owns nothing"),
    "part_of: {object: invoice,": ("part_of: {object: invoyce,", "unknown object `invoyce`"),
    "part_of: {object: invoice, from: invoice_id}": ("part_of: {object: patient, from: invoice_id}", "say `target: Contact`"),
    "sum: payment.amount": ("sum: payment.amnt", "has no column `amnt`"),
    "latest: payment.paid_on": ("sum: payment.paid_on", "can't be summed"),
    "{without: patient_id,": ("{without: patient,", "has no field `patient`"),
    "because: a break and no visit": ("becoz: x", "because"),
    "each: code, with: comma": ("each: code, as: money, with: comma", "a list becomes a text"),
    "else_from: ends_at": ("else_from: ended", "has no field `ended`"),
    "parent: patient, from: patient_id, on_absent: hold, on_none: reject": ("parent: payment, from: patient_id", "no rows to refer to"),
    "    resource: users\n    target: User": ("    resource: users\n    target: Contact", "say `target: User`"),
    "sum: payment.amount, from: total_amount": ("sum: payment.amount", "needs a field for when there are none"),
}  # fmt: skip


@pytest.mark.parametrize("old", WRONG)
def test_a_mistake_in_an_object_without_rows_is_named_with_a_hint(old: str):
    new, words = WRONG[old]
    assert old in default_map_text()
    with pytest.raises(MapErrors) as caught:
        load_map(default_map_text().replace(old, new, 1), "clinic.yaml")
    assert words in str(caught.value)
