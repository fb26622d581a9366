"""Every kind of dirt: it is there when it is asked for, and not when nothing is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox.visual_practice import dirt, generator
from sandbox.visual_practice.generator import Sizes
from sandbox.visual_practice.storage import Storage

Record = dict[str, Any]
Dump = dict[str, list[Record]]
Sign = Callable[[Dump], bool]

MONEY = re.compile(r"-?\d+\.\d\d")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CODES = {"booked", "confirmed", "arrived", "completed", "cancelled", "no_show"}
PATIENT_TEXTS = ("first_name", "middle_name", "last_name", "preferred_name", "city", "address_1")


def some(plural: str, test: Callable[[Record], object]) -> Sign:
    return lambda dump: any(test(record) for record in dump[plural])


def matches(plural: str, field: str, pattern: str) -> Sign:
    found = re.compile(pattern, re.DOTALL)
    return some(plural, lambda record: isinstance(record.get(field), str) and found.search(record[field]))


def text(record: Record, field: str) -> str:
    value = record.get(field)
    return value if isinstance(value, str) else ""


def shares_an_email(dump: Dump) -> bool:
    return max(Counter(record["email"] for record in dump["patients"] if record["email"]).values()) > 1


def misses_practices(dump: Dump) -> bool:
    known = {record["id"] for record in dump["practices"]}
    return any(record["practice_id"] and record["practice_id"] not in known for record in dump["patients"])


def goes_round(plural: str, field: str, least: int) -> Sign:
    def sign(dump: Dump) -> bool:
        parents = {record["id"]: record.get(field) for record in dump[plural]}
        for start, parent in parents.items():
            at, seen = parent, 1
            while at and at != start and seen <= len(parents):
                at, seen = parents.get(at), seen + 1
            if at == start and seen >= least:
                return True
        return False

    return sign


def without_email(dump: Dump) -> bool:
    emails = {user["id"]: user["email"] for user in dump["users"]}
    return any(not emails[provider["user_id"]] for provider in dump["providers"])


def shared_mailbox(dump: Dump) -> bool:
    emails = {user["id"]: user["email"] for user in dump["users"]}
    counts = Counter(emails[provider["user_id"]] for provider in dump["providers"] if emails[provider["user_id"]])
    return max(counts.values()) > 1


def orphans(dump: Dump) -> bool:
    known = {record["id"] for record in dump["patients"]}
    return any(record["patient_id"] not in known for record in dump["appointments"])


def merges(depth: int) -> Sign:
    def sign(dump: Dump) -> bool:
        into = {record["id"]: record.get("merged_into_id") for record in dump["patients_deleted"]}
        live = {record["id"] for record in dump["patients"]}

        def steps(identity: str) -> int:
            after = into.get(identity)
            return 0 if after is None else 1 + (0 if after in live else steps(after))

        return any(steps(identity) >= depth for identity in into)

    return sign


def twice(dump: Dump) -> bool:
    people = Counter(
        (record["first_name"], record["last_name"], record["date_of_birth"], record["address_1"])
        for record in dump["patients"]
    )
    return max(people.values()) > 1


def same_mrn(dump: Dump) -> bool:
    return max(Counter(record["mrn"] for record in dump["patients"]).values()) > 1


def same_filename(dump: Dump) -> bool:
    return max(Counter(record["filename"] for record in dump["documents"]).values()) > 1


def goes_home(dump: Dump) -> bool:
    own = {record["id"]: record["practice_id"] for record in dump["patients"]}
    return any(own.get(one["patient_id"]) == one["practice_id"] for one in dump["practice-memberships"])


def goes_twice(dump: Dump) -> bool:
    pairs = Counter((one["patient_id"], one["practice_id"]) for one in dump["practice-memberships"])
    return max(pairs.values()) > 1


def back_again(dump: Dump) -> bool:
    newest = max(record["updated_at"] for record in dump["patients"])
    return sum(record["updated_at"] == newest == "2025-06-30T18:00:00Z" for record in dump["patients"]) > 1


def wrong_type(record: Record) -> bool:
    return record["filename"].endswith((".pdf", ".jpg", ".txt")) and record["content_type"] in {
        "text/html",
        "application/octet-stream",
        "",
    }


SIGNS: dict[str, Sign] = {
    "accents": some("patients", lambda r: any(not text(r, field).isascii() for field in PATIENT_TEXTS)),
    "family_emails": shares_an_email,
    "no_practice": some("patients", lambda r: r["practice_id"] is None),
    "dangling_practices": misses_practices,
    "html_notes": matches("patients", "notes", "<p>"),
    "mixed_line_ends": matches("patients", "notes", "\n.*\r\n"),
    "quotes_in_text": matches("patients", "notes", '"no"'),
    "emoji": matches("patients", "notes", "😀"),
    "formulas": matches("patients", "notes", "^=|DROP TABLE"),
    "null_words": matches("patients", "notes", "^(null|#N/A|-)$"),
    "odd_scripts": matches("patients", "notes", "\u200b"),
    "blank_texts": matches("patients", "notes", "^(  .*)?$"),
    "control_characters": matches("patients", "notes", "\x00"),
    "endless_notes": some("patients", lambda r: len(text(r, "notes")) == 40_000),
    "placeholder_emails": matches("patients", "email", "^(none@none.com|n/a|unknown)$"),
    "invalid_emails": matches("patients", "email", "^(not an e-mail|a@b)$"),
    "several_emails": matches("patients", "email", ";"),
    "spaced_emails": matches("patients", "email", "^ "),
    "worded_phones": matches("patients", "mobile_phone", "^(n/a|call mum)$"),
    "phone_extensions": matches("patients", "mobile_phone", "ext"),
    "placeholder_phones": matches("patients", "mobile_phone", "^0+$"),
    "several_phones": matches("patients", "mobile_phone", " / "),
    "empty_phones": matches("patients", "mobile_phone", "^$"),
    "missing_surnames": some("patients", lambda r: not (r["last_name"] or "").strip()),
    "zero_dates": matches("patients", "date_of_birth", "^0001-01-01$"),
    "no_birth_date": some("patients", lambda r: r["date_of_birth"] is None),
    "spaced_names": matches("patients", "first_name", "^ "),
    "quoted_names": matches("patients", "last_name", '"Junior"'),
    "multiline_addresses": matches("patients", "address_1", "\n"),
    "odd_preferred_names": matches("patients", "preferred_name", "[😀<,]"),
    "endless_names": some("patients", lambda r: len(text(r, "last_name")) > 100),
    "empty_for_null": some("appointments", lambda r: r["cancelled_at"] == ""),
    "absent_fields": some("patients", lambda r: "preferred_name" not in r),
    "zero_references": some("invoices", lambda r: r["insurance_policy_id"] == "0"),
    "long_ids": some("patients", lambda r: int(r["id"]) > 2**53),
    "merged_patients": merges(1),
    "merge_chains": merges(2),
    "duplicate_patients": twice,
    "duplicate_mrns": same_mrn,
    "deleted_records": lambda dump: bool(dump["invoices_deleted"] and dump["patients_deleted"]),
    "undeleted_records": back_again,
    "archived_records": lambda dump: bool(dump["patients_archived"]),
    "float_amounts": some("invoices", lambda r: isinstance(r["total_amount"], float)),
    "three_decimals": some("invoices", lambda r: any(not MONEY.fullmatch(i["net_price"]) for i in r["items"])),
    "cent_amounts": some("payments", lambda r: isinstance(r["amount"], int)),
    "currency_amounts": matches("invoices", "total_amount", r"^\$"),
    "bracketed_amounts": matches("payments", "amount", r"^\("),
    "local_times": some("appointments", lambda r: not INSTANT.fullmatch(r["starts_at"])),
    "clock_gaps": matches("appointments", "starts_at", "^2024-03-10 02:"),
    "clock_overlaps": matches("appointments", "starts_at", "^2024-11-03 01:"),
    "reversed_times": some("appointments", lambda r: r["ends_at"] < r["starts_at"]),
    "long_visits": some("appointments", lambda r: r["duration_minutes"] == 4320),
    "two_digit_years": matches("patients", "date_of_birth", r"^\d\d/\d\d/\d\d$"),
    "us_dates": matches("patients", "date_of_birth", r"^\d\d/\d\d/\d{4}$"),
    "future_births": some("patients", lambda r: text(r, "date_of_birth") > "2026"),
    "pattern_durations": matches("appointments", "duration_minutes", "^/X"),
    "empty_codes": some("appointments", lambda r: r["status"] == ""),
    "custom_codes": some("appointments", lambda r: r["status"] and r["status"] not in CODES),
    "numeric_codes": some("invoices", lambda r: isinstance(r["status"], int) and r["status_description"]),
    "text_booleans": some("appointments", lambda r: isinstance(r["patient_arrived"], str)),
    "opt_out_flags": some(
        "patients", lambda r: r.get("no_marketing_mail") is not None and r["accepted_email_marketing"] is None
    ),
    "capital_names": some("patients", lambda r: len(text(r, "last_name")) > 2 and text(r, "last_name").isupper()),
    "comma_names": matches("patients", "last_name", ", "),
    "numbered_names": matches("patients", "last_name", r"\d$"),
    "decomposed_accents": some(
        "patients", lambda r: unicodedata.normalize("NFC", text(r, "first_name")) != text(r, "first_name")
    ),
    "short_postcodes": some("patients", lambda r: r["city"] == "Boston" and len(text(r, "postcode")) == 4),
    "empty_postcodes": some("patients", lambda r: r["postcode"] == ""),
    "state_names": matches("patients", "state", "^(Massachusetts|California|Maine|Texas|New South Wales)$"),
    "orphan_appointments": orphans,
    "providers_without_email": without_email,
    "shared_provider_emails": shared_mailbox,
    "many_children": lambda dump: max(Counter(r["patient_id"] for r in dump["appointments"]).values()) > 10_000,
    "guarantor_cycles": goes_round("patients", "guarantor_id", 2),
    "practice_cycles": goes_round("practices", "parent_id", 3),
    "self_parents": some("practices", lambda r: r["parent_id"] == r["id"]),
    "empty_documents": some("documents", lambda r: r["size"] == 0),
    "huge_documents": some("documents", lambda r: r["size"] > 2 * 10**9),
    "same_filenames": same_filename,
    "wrong_content_types": some("documents", wrong_type),
    "missing_contents": some("documents", lambda r: r["content"]["link"] is None and r["processing_completed"]),
    "unprocessed_documents": some("documents", lambda r: not r["processing_completed"]),
    "own_practices": goes_home,
    "unknown_practices": some("practice-memberships", lambda r: int(r["practice_id"]) > 900_000),
    "repeated_practices": goes_twice,
    "worded_numbers": some(
        "lab-results", lambda r: (r["value_is_numeric"] and not r["value"][-1:].isdigit()) or "<" in r["value"]
    ),
}
PATIENTS = 300
RARE = (dirt.USUAL - dirt.CLEAN) | {"no_practice"}  # not placed by position: a small practice may lack them


def made(folder: Path, kinds: frozenset[str], patients: int = PATIENTS, *, core: bool = False) -> Dump:
    storage = Storage(folder / f"{len(list(folder.iterdir()))}.sqlite")
    resources = generator.resources("core" if core else "all")
    try:
        generator.write(storage, Sizes(patients, 8, 7, kinds, resources=resources))
        dump: Dump = orjson.loads(b"".join(storage.dump()))
        return dump
    finally:
        storage.close()


@pytest.fixture(scope="module")
def spotless(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return made(tmp_path_factory.mktemp("spotless"), frozenset())


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return made(tmp_path_factory.mktemp("everything"), dirt.chosen("all"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return made(tmp_path_factory.mktemp("large"), dirt.USUAL, 8000, core=True)


def test_each_kind_has_a_sign_and_there_are_enough() -> None:
    assert set(SIGNS) == set(dirt.KINDS)
    assert len(dirt.KINDS) - len(dirt.TRAITS) >= 40


@pytest.mark.parametrize("kind", sorted(dirt.KINDS))
def test_it_is_not_there_when_no_dirt_is_asked_for(spotless: Dump, kind: str) -> None:
    assert not SIGNS[kind](spotless)


@pytest.mark.parametrize("kind", sorted(set(dirt.KINDS) - RARE))
def test_even_a_small_practice_has_it_when_all_dirt_is_asked_for(everything: Dump, kind: str) -> None:
    assert SIGNS[kind](everything)


@pytest.mark.parametrize("kind", sorted(RARE))
def test_usual_dirt_is_in_a_large_practice(large: Dump, kind: str) -> None:
    assert SIGNS[kind](large)


@pytest.mark.parametrize("kind", sorted(set(dirt.KINDS) - RARE - {"many_children"}))
def test_it_is_there_alone(tmp_path: Path, spotless: Dump, kind: str) -> None:
    dump = made(tmp_path, frozenset({kind}), 90)
    assert SIGNS[kind](dump)
    others = [name for name in set(dirt.KINDS) - {kind} if SIGNS[name](dump)]
    brought = {
        "merge_chains": {"merged_patients"},
        "local_times": {"reversed_times"},
        "clock_gaps": {"local_times"},
        "clock_overlaps": {"local_times"},
        "decomposed_accents": {"accents"},
        "archived_records": {"orphan_appointments"},
        "deleted_records": {"orphan_appointments", "dangling_practices"},
        "duplicate_patients": {"family_emails"},
    }
    assert set(others) <= brought.get(kind, set())


def test_switching_one_kind_off_changes_nothing_else(tmp_path: Path) -> None:
    usual = made(tmp_path, dirt.USUAL, core=True)
    without = made(tmp_path, dirt.USUAL - {"html_notes", "quoted_names"}, core=True)
    different = [
        (old["notes"], old["last_name"])
        for old, new in zip(usual["patients"], without["patients"], strict=True)
        if old != new
    ]
    assert all("<p>" in (notes or "") or "Junior" in (name or "") for notes, name in different)


def test_a_choice_is_written_with_names_and_sets() -> None:
    assert dirt.chosen("none") == frozenset()
    assert dirt.chosen("clean, zero_dates") == dirt.CLEAN | {"zero_dates"}
    assert dirt.chosen("all") == frozenset(dirt.KINDS)
    with pytest.raises(ValueError, match="mud"):
        dirt.chosen("usual,mud")


def test_the_command_lists_them() -> None:
    ran = subprocess.run([sys.executable, "-m", "sandbox", "dirt", "--json"], capture_output=True, check=True)
    assert json.loads(ran.stdout) == dirt.KINDS
