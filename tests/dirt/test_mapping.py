"""Every kind of dirt goes through the real map, and becomes what is declared: record by record, without any server."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any, Final, NamedTuple

import pytest

from connectors.visual_practice.change import Change, ChangeReader
from cutover.dirty_data import RULES
from mapping.document import default_map_text, load_map
from mapping.plan import Mapped, MappingRejected, Plan, compile_plan
from mapping.source_fields import SOURCE_FIELDS
from sandbox.visual_practice import dirt
from tests.dirt.samples import Record, Struck, practice, struck

MADE_LATER: Final = ("FIELD_INTEGRITY_EXCEPTION", "DOCUMENT_", "OWNER_", "PARENT_", "RELATION_", "WAITING_")
"""Codes that no map gives: they follow from what other records, the content or the org are like. `tests/pipeline/test_dirty.py` has these."""


class Outcome(NamedTuple):
    """What a map makes of one record: `skipped`, rejected with `code`, or `row`."""

    object: str
    struck: Struck
    row: Mapped | None = None
    code: str | None = None
    skipped: bool = False

    @property
    def reported(self) -> set[str]:
        return {repair.code for repair in self.row.repairs} if self.row else set()


@cache
def plans(*, zoned: bool = False) -> dict[str, list[Plan]]:
    """By resource, of the default map, or of one that says what clock the practice's times are of."""
    text = default_map_text()
    if zoned:
        text = text.replace("\nsource_tag:", "\ntime_zone: America/New_York\nsource_tag:", 1)
    document = load_map(text, "map.yaml")
    found: dict[str, list[Plan]] = defaultdict(list)
    for name, rule in document.objects.items():
        found[rule.resource].append(compile_plan(document, name))
    return found


def read(resource: str, record: Record) -> Change:
    return ChangeReader(SOURCE_FIELDS[resource]).read(record)


def mapped(plan: Plan, one: Struck, record: Record) -> Outcome:
    change = read(one.resource, record)
    if plan.skips(change.fields) is not None:
        return Outcome(plan.object, one, skipped=True)
    try:
        return Outcome(plan.object, one, row=plan.map(change.vp_id, change.fields, change.custom, "run"))
    except MappingRejected as exc:
        return Outcome(plan.object, one, code=exc.code)


def outcomes(kind: str, *, zoned: bool = False) -> Iterator[Outcome]:
    """What becomes of each record that the kind has struck, in each object that takes it."""
    by_resource = plans(zoned=zoned)
    for one in struck(kind):
        for plan in by_resource.get(one.resource, ()):
            yield mapped(plan, one, one.record)


def rows(kind: str, object_: str) -> list[tuple[dict[str, Any], Record]]:
    """Columns and record of each row of an object; a link is its parent's reference. Fails when there is none."""
    found = [
        (one.row.columns | {link.column: link.parent for link in one.row.references}, one.struck.record)
        for one in outcomes(kind)
        if one.object == object_ and one.row is not None
    ]
    assert found, f"{kind} strikes no {object_}"
    return found


def without_dirt(one: Outcome) -> Outcome:
    assert one.struck.clean is not None
    (plan,) = (plan for plan in plans()[one.struck.resource] if plan.object == one.object)
    return mapped(plan, one.struck, one.struck.clean)


def test_every_kind_of_the_generator_has_a_rule_and_every_rule_a_kind() -> None:
    assert set(RULES) == set(dirt.KINDS)


@pytest.mark.parametrize("kind", sorted(kind for kind, rule in RULES.items() if rule.read))
def test_each_kind_is_mapped_as_declared(kind: str) -> None:
    rule = RULES[kind]
    found = list(outcomes(kind))
    assert found, "nothing is struck"
    later = tuple(code for code in (*rule.rejected, *rule.held) if code.startswith(MADE_LATER))
    assert {one.code for one in found if one.code} == {code for code in rule.rejected if code not in later}
    assert any(one.skipped for one in found) == rule.skipped
    # What the clean record's row would have reported anyway is not this kind's.
    news = {
        code
        for one in found
        if one.row is not None
        for code in one.reported - (without_dirt(one).reported if one.struck.clean is not None else set())
    }
    assert news == set(rule.reported)
    assert any(one.row is not None for one in found) == (rule.loaded or rule.superfluous or bool(later))


@pytest.mark.parametrize("kind", sorted(kind for kind, rule in RULES.items() if not rule.read))
def test_what_was_deleted_before_the_start_is_in_no_listing(kind: str) -> None:
    clean, dirty = practice(frozenset()), practice(frozenset({kind}))
    assert not clean["patients_deleted"]
    gone = {one["id"] for one in dirty["patients_deleted"]}
    assert gone
    assert gone.isdisjoint(one["id"] for one in dirty["patients"] + dirty["patients_archived"])


# -- what the columns hold ---------------------------------------------------------------------------------------------------------------

Wanted = Callable[[Record], Any]


def same(field: str) -> Wanted:
    return lambda record: record[field]


def stripped(field: str) -> Wanted:
    return lambda record: (record.get(field) or "").strip() or None


def nothing(_: Record) -> None:
    return None


def number(record: Record) -> float:
    text = str(record["amount"])
    return -float(text[1:-1]) if text.startswith("(") else float(text)


def if_it_is_one(record: Record) -> str | None:
    return record["email"] if record["email"] == "none@none.com" else None


def line_items(record: Record) -> str:
    parts = (
        " ".join(str(item[name]) for name in ("code", "description", "quantity", "net_price"))
        for item in record["items"]
    )
    return "\n".join(parts)


VALUES: Final[dict[str, tuple[tuple[str, str, Wanted], ...]]] = {  # by kind: object, column, what it holds
    "zero_dates": (("patient", "Birthdate", nothing),),
    "no_birth_date": (("patient", "Birthdate", nothing),),
    "empty_for_null": (("appointment", "Cancelled_At__c", nothing),),
    "absent_fields": (("patient", "Preferred_Name__c", nothing), ("appointment", "Cancellation_Note__c", nothing)),
    "blank_texts": (("patient", "Description", stripped("notes")),),
    "null_words": (("patient", "Description", same("notes")),),
    "zero_references": (("appointment", "OwnerId", lambda _: "user:~nobody"),),
    "no_practice": (("patient", "AccountId", lambda _: "practice:~unassigned"),),
    "long_ids": (("patient", "VP_Id__c", lambda record: f"patient:{record['id']}"),),
    "duplicate_patients": (("patient", "VP_Id__c", lambda record: f"patient:{record['id']}"),),
    "duplicate_mrns": (("patient", "MRN__c", same("mrn")), ("patient", "VP_Id__c", lambda r: f"patient:{r['id']}")),
    "undeleted_records": (("patient", "VP_Deleted_At__c", nothing), ("appointment", "VP_Deleted_At__c", nothing)),
    "archived_records": (("patient", "LastName", stripped("last_name")), ("patient", "VP_Deleted_At__c", nothing)),
    "float_amounts": (("payment", "amount", number), ("invoice", "Amount", same("total_amount"))),
    "three_decimals": (("invoice", "Line_Items__c", line_items),),
    "currency_amounts": (("invoice", "Amount", lambda r: float(r["total_amount"].strip("$").replace(",", ""))),),
    "bracketed_amounts": (("payment", "amount", number),),
    "reversed_times": (("appointment", "StartDateTime", lambda r: r["starts_at"].replace("Z", ".000Z")),),
    "two_digit_years": (("patient", "Birthdate", nothing),),
    "us_dates": (("patient", "Birthdate", nothing),),
    "long_visits": (("appointment", "StartDateTime", lambda r: r["starts_at"].replace("Z", ".000Z")),),
    "future_births": (("patient", "Birthdate", same("date_of_birth")),),
    "empty_codes": (
        ("appointment", "Appointment_Status__c", nothing),
        ("appointment", "Cancelled__c", lambda _: False),
    ),
    "custom_codes": (
        ("appointment", "Appointment_Status__c", same("status")),
        ("appointment", "Cancelled__c", lambda _: False),
    ),
    "numeric_codes": (
        (
            "invoice",
            "StageName",
            lambda record: {
                10: "Proposal/Price Quote",
                15: "Negotiation/Review",
                20: "Closed Won",
                90: "Closed Lost",
                95: "Closed Lost",
            }[record["status"]],
        ),
    ),
    "text_booleans": (("appointment", "Patient_Arrived__c", lambda record: record["patient_arrived"] != "false"),),
    "accents": (("patient", "FirstName", stripped("first_name")), ("patient", "MailingCity", stripped("city"))),
    "capital_names": (("patient", "LastName", same("last_name")),),
    "comma_names": (("patient", "LastName", same("last_name")), ("patient", "FirstName", nothing)),
    "numbered_names": (("patient", "LastName", same("last_name")),),
    "decomposed_accents": (("patient", "LastName", lambda _: unicodedata.normalize("NFD", "Muñoz")),),
    "spaced_names": (("patient", "FirstName", stripped("first_name")),),
    "quoted_names": (("patient", "LastName", same("last_name")),),
    "odd_preferred_names": (("patient", "Preferred_Name__c", same("preferred_name")),),
    "family_emails": (("patient", "Email", same("email")),),
    "placeholder_emails": (("patient", "Email", if_it_is_one),),
    "invalid_emails": (("patient", "Email", nothing),),
    "several_emails": (("patient", "Email", nothing),),
    "spaced_emails": (("patient", "Email", stripped("email")),),
    "worded_phones": (("patient", "MobilePhone", same("mobile_phone")),),
    "phone_extensions": (("patient", "MobilePhone", same("mobile_phone")),),
    "placeholder_phones": (("patient", "MobilePhone", same("mobile_phone")),),
    "several_phones": (("patient", "MobilePhone", same("mobile_phone")),),
    "empty_phones": (("patient", "MobilePhone", nothing),),
    "multiline_addresses": (
        (
            "patient",
            "MailingStreet",
            lambda record: "\n".join(filter(None, (record["address_1"], record["address_2"]))),
        ),
    ),
    "short_postcodes": (("patient", "MailingPostalCode", same("postcode")),),
    "empty_postcodes": (("patient", "MailingPostalCode", nothing),),
    "state_names": (("patient", "MailingState", same("state")),),
    "html_notes": (("patient", "Description", same("notes")),),
    "mixed_line_ends": (("patient", "Description", lambda record: record["notes"].replace("\r\n", "\n")),),
    "quotes_in_text": (("patient", "Description", same("notes")),),
    "emoji": (("patient", "Description", same("notes")),),
    "formulas": (("patient", "Description", same("notes")),),
    "odd_scripts": (("patient", "Description", same("notes")),),
    "control_characters": (("patient", "Description", lambda record: record["notes"].replace("\0", "")),),
    "worded_numbers": (("lab_result", "Value__c", same("value")),),
    "dangling_practices": (("patient", "AccountId", lambda record: f"practice:{record['practice_id']}"),),
    "orphan_appointments": (("appointment", "WhoId", lambda record: f"patient:{record['patient_id']}"),),
    "providers_without_email": (("user", "Email", nothing), ("provider", "Id", lambda r: f"user:{r['user_id']}")),
    "shared_provider_emails": (("user", "Email", same("email")), ("provider", "Id", lambda r: f"user:{r['user_id']}")),
    "many_children": (("appointment", "WhoId", lambda record: f"patient:{record['patient_id']}"),),
    "practice_cycles": (("practice", "ParentId", lambda record: f"practice:{record['parent_id']}"),),
    "unknown_practices": (("practice_membership", "AccountId", lambda r: f"practice:{r['practice_id']}"),),
    "repeated_practices": (("practice_membership", "AccountId", lambda r: f"practice:{r['practice_id']}"),),
    "self_parents": (("practice", "ParentId", nothing),),
    "empty_documents": (("document", "PathOnClient", same("filename")),),
    "huge_documents": (("document", "PathOnClient", same("filename")),),
    "same_filenames": (
        ("document", "Title", lambda _: "scan.pdf"),
        ("document", "VP_Id__c", lambda r: f"document:{r['id']}"),
    ),
    "wrong_content_types": (("document", "PathOnClient", same("filename")),),
    "missing_contents": (("document", "PathOnClient", same("filename")),),
    "unprocessed_documents": (("document", "PathOnClient", same("filename")),),
}


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_the_columns_of_such_a_record_hold_what_the_rule_says(kind: str) -> None:
    for object_, column, wanted in VALUES[kind]:
        for columns, record in rows(kind, object_):
            assert columns[column] == wanted(record), f"{column} of {object_}"


def test_every_kind_that_becomes_a_row_is_looked_at_column_by_column_or_changes_none() -> None:
    """What has no line above is rejected or left out, has a test of its own, or is in fields that the map does not move."""
    unlooked = {kind for kind, rule in RULES.items() if kind not in VALUES and rule.loaded}
    assert unlooked == {"guarantor_cycles", "opt_out_flags", "pattern_durations"}


@pytest.mark.parametrize("kind", ["guarantor_cycles", "opt_out_flags"])
def test_a_field_that_the_map_does_not_move_changes_nothing_of_the_row(kind: str) -> None:
    for one in outcomes(kind):
        assert one.row == without_dirt(one).row


def test_a_pattern_is_five_minutes_a_sign() -> None:
    for columns, record in rows("pattern_durations", "appointment"):
        assert set(record["duration_minutes"]) <= set("/X")
        start, end = (read_time(columns[name]) for name in ("StartDateTime", "EndDateTime"))
        assert (end - start).total_seconds() == 300 * len(record["duration_minutes"])


def test_a_visit_ends_after_it_starts_whatever_the_record_says_of_its_end() -> None:
    for columns, record in rows("reversed_times", "appointment"):
        assert record["ends_at"] < record["starts_at"]
        start, end = (read_time(columns[name]) for name in ("StartDateTime", "EndDateTime"))
        assert (end - start).total_seconds() == 60 * int(record["duration_minutes"])


def read_time(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text.replace(".000Z", "+00:00"))


@pytest.mark.parametrize(
    ("kind", "start", "reported"),
    [
        ("clock_gaps", "2024-03-10T07:30:00.000Z", {"LOCAL_TIME_SKIPPED"}),
        ("clock_overlaps", "2024-11-03T05:30:00.000Z", {"LOCAL_TIME_REPEATED"}),
        ("local_times", None, set()),
    ],
)
def test_with_the_practices_zone_local_times_are_instants(kind: str, start: str | None, reported: set[str]) -> None:
    for one in outcomes(kind, zoned=True):
        assert one.row is not None
        assert one.reported - {"DEFAULT_USED"} == reported
        assert start in {None, one.row.columns["StartDateTime"]}


def test_an_amount_of_more_than_two_decimals_is_rounded_to_the_cent_and_that_is_reported() -> None:
    (plan,) = plans()["payments"]
    row = plan.map("1", {"invoice_id": "1", "amount": "10.005", "paid_at": "2026-01-02T03:04:05Z"}, {}, "run")
    assert row.columns["amount"] == float(Decimal("10.005").quantize(Decimal("0.01"), ROUND_HALF_UP))
    assert [repair.code for repair in row.repairs] == ["AMOUNT_ROUNDED"]
