"""The dirt of single records that is not usual: what each kind does to a record, where and how often.

Owns values and rates. Each kind strikes one early record for certain, so that a small practice has it too, and a share
of the others. Its dice are its own: switching it on changes nothing else. Called by the generator.
"""

import random
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

from sandbox.visual_practice.schema import LEFT_OUT, Record

Spoil = Callable[[Record, random.Random], None]

STATES = {"MA": "Massachusetts", "CA": "California", "ME": "Maine", "TX": "Texas", "NSW": "New South Wales"}
NO_PATIENT = "99999999"
GIGABYTE = 10**9


class Rule(NamedTuple):
    """A kind of dirt on one resource: the share of the records it strikes and what it does."""

    kind: str
    resource: str
    share: float
    spoil: Spoil


def _set(field: str, *values: object) -> Spoil:
    def spoil(record: Record, dice: random.Random) -> None:
        record[field] = dice.choice(values)

    return spoil


def _change(field: str, change: Callable[[str], object]) -> Spoil:
    """Changes a text that is there; other values stay."""

    def spoil(record: Record, _: random.Random) -> None:
        if isinstance(record.get(field), str) and record[field]:
            record[field] = change(record[field])

    return spoil


def _items(change: Callable[[str], object]) -> Spoil:
    def spoil(record: Record, _: random.Random) -> None:
        record["items"] = [item | {"net_price": change(item["net_price"])} for item in record["items"]]

    return spoil


def _dated(pattern: str) -> Callable[[str], object]:
    """A date as that pattern writes it; what is no date stays."""

    def change(text: str) -> object:
        year, month, day = text.split("-") if text.count("-") == 2 else ("", "", "")
        return pattern.format(year=year, short=year[2:], month=month, day=day) if year else text

    return change


def _comma(record: Record, _: random.Random) -> None:
    record["last_name"] = f"{record.get('last_name') or 'Doe'}, {record.get('first_name') or 'Jo'}"
    record["first_name"] = None


def _capitals(record: Record, _: random.Random) -> None:
    for field in ("first_name", "last_name"):
        record[field] = (record.get(field) or "Doe").upper()


def _numbered(record: Record, dice: random.Random) -> None:
    for field in ("first_name", "last_name"):
        record[field] = f"{record.get(field) or 'Doe'}{dice.randint(1, 999)}"


def _decomposed(record: Record, _: random.Random) -> None:
    record["first_name"] = unicodedata.normalize("NFD", "Zoë")
    record["last_name"] = unicodedata.normalize("NFD", "Muñoz")


def _opt_out(record: Record, dice: random.Random) -> None:
    record["accepted_email_marketing"], record["no_marketing_mail"] = None, dice.choice((True, False))


def _short_postcode(record: Record, dice: random.Random) -> None:
    record["city"], record["state"], record["country"] = "Boston", "MA", "US"
    record["postcode"] = str(dice.randint(2101, 2199))


def _state(record: Record, dice: random.Random) -> None:
    record["state"] = STATES.get(record.get("state") or "") or dice.choice(tuple(STATES.values()))


def _local(record: Record, _: random.Random) -> None:
    for field in ("starts_at", "ends_at"):
        record[field] = record[field].replace("T", " ").removesuffix("Z")


def _at(starts: str, ends: str) -> Spoil:
    def spoil(record: Record, _: random.Random) -> None:
        record["starts_at"], record["ends_at"] = starts, ends

    return spoil


def _reversed(record: Record, _: random.Random) -> None:
    record["starts_at"], record["ends_at"] = record["ends_at"], record["starts_at"]


def _pattern(record: Record, _: random.Random) -> None:
    signs = max(1, int(record["duration_minutes"]) // 5)
    record["duration_minutes"] = "/" + "X" * max(1, signs - 2) + "/" * (signs > 1)


def _long(record: Record, _: random.Random) -> None:
    record["duration_minutes"] = 3 * 24 * 60


def _numeric(record: Record, _: random.Random) -> None:
    codes = {"open": 10, "partially_paid": 15, "paid": 20, "void": 90, "written_off": 95}
    status = record["status"]
    if status in codes:
        record["status_description"] = status.replace("_", " ").capitalize()
        record["status"] = codes[status]


def _huge(record: Record, dice: random.Random) -> None:
    record["filename"], record["content_type"] = "cone-beam.dcm", "application/dicom"
    record["size"] = dice.randint(2 * GIGABYTE + 200_000_000, 3 * GIGABYTE)


def _long_id(record: Record, _: random.Random) -> None:
    record["id"] = str(2**53 + 1 + int(record["id"]))


def _gone(record: Record, _: random.Random) -> None:
    record["content"] = {"link": None}


def _unfinished(record: Record, _: random.Random) -> None:
    record["processing_completed"], record["content"] = False, {"link": None}


def _worded(record: Record, dice: random.Random) -> None:
    record["value"], record["value_is_numeric"] = dice.choice(("<0.5", "5,4", ">1,000", "12 mg/dL")), True


RULES = (
    Rule("empty_for_null", "patient", 0.02, _set("archived_at", "")),
    Rule("empty_for_null", "appointment", 0.02, _set("cancelled_at", "")),
    Rule("empty_for_null", "invoice", 0.02, _set("insurance_policy_id", "")),
    Rule("absent_fields", "patient", 0.02, _set("preferred_name", LEFT_OUT)),
    Rule("absent_fields", "appointment", 0.02, _set("cancellation_note", LEFT_OUT)),
    Rule("zero_references", "patient", 0.02, _set("provider_id", "0")),
    Rule("zero_references", "invoice", 0.10, _set("insurance_policy_id", "0")),
    Rule("long_ids", "patient", 0.005, _long_id),
    Rule("duplicate_mrns", "patient", 0.004, _set("mrn", "MRN-000001")),
    Rule("float_amounts", "invoice", 0.01, _change("total_amount", float)),
    Rule("float_amounts", "payment", 0.01, _change("amount", float)),
    Rule("three_decimals", "invoice", 0.02, _items(lambda text: f"{text}8")),
    Rule("cent_amounts", "payment", 0.01, _change("amount", lambda text: int(text.replace(".", "")))),
    Rule("currency_amounts", "invoice", 0.01, _change("total_amount", lambda text: f"${float(text):,.2f}")),
    Rule("bracketed_amounts", "payment", 0.01, _change("amount", lambda text: f"({text})")),
    Rule("local_times", "appointment", 0.01, _local),
    Rule("clock_gaps", "appointment", 0.001, _at("2024-03-10 02:30:00", "2024-03-10 02:45:00")),
    Rule("clock_overlaps", "appointment", 0.001, _at("2024-11-03 01:30:00", "2024-11-03 01:45:00")),
    Rule("reversed_times", "appointment", 0.002, _reversed),
    Rule("two_digit_years", "patient", 0.005, _change("date_of_birth", _dated("{month}/{day}/{short}"))),
    Rule("us_dates", "patient", 0.005, _change("date_of_birth", _dated("{month}/{day}/{year}"))),
    Rule("us_dates", "invoice", 0.005, _change("issue_date", _dated("{month}/{day}/{year}"))),
    Rule("future_births", "patient", 0.002, _set("date_of_birth", "2068-03-07", "2190-01-01")),
    Rule("pattern_durations", "appointment", 0.02, _pattern),
    Rule("empty_codes", "appointment", 0.01, _set("status", "")),
    Rule("custom_codes", "appointment", 0.01, _set("status", "Rang, no answer", "In chair 2", "confirmed (SMS)")),
    Rule("numeric_codes", "invoice", 0.05, _numeric),
    Rule("text_booleans", "appointment", 0.02, _set("patient_arrived", "true", "false", "1", "Yes", "X")),
    Rule("opt_out_flags", "patient", 0.02, _opt_out),
    Rule("capital_names", "patient", 0.01, _capitals),
    Rule("comma_names", "patient", 0.005, _comma),
    Rule("numbered_names", "patient", 0.005, _numbered),
    Rule("decomposed_accents", "patient", 0.005, _decomposed),
    Rule("short_postcodes", "patient", 0.01, _short_postcode),
    Rule("empty_postcodes", "patient", 0.01, _set("postcode", "")),
    Rule("state_names", "patient", 0.02, _state),
    Rule("orphan_appointments", "appointment", 0.005, _set("patient_id", None, NO_PATIENT)),
    Rule("empty_documents", "document", 0.005, _set("size", 0)),
    Rule("huge_documents", "document", 0.0002, _huge),
    Rule("same_filenames", "document", 0.05, _set("filename", "scan.pdf")),
    Rule("wrong_content_types", "document", 0.01, _set("content_type", "text/html", "application/octet-stream", "")),
    Rule("missing_contents", "document", 0.003, _gone),
    Rule("unprocessed_documents", "document", 0.003, _unfinished),
    Rule("unknown_practices", "practice_membership", 0.01, _set("practice_id", "999901", "999902")),
    Rule("worded_numbers", "lab_result", 0.02, _worded),
    Rule("zero_references", "appointment", 0.02, _set("provider_id", "0")),
    Rule("long_visits", "appointment", 0.002, _long),
)
FIRST, APART = 3, 2  # the n-th rule of a resource strikes its record FIRST + n * APART for certain (0-based)


class _Lane:
    """The rules of one resource: by position, and by a throw of the dice."""

    def __init__(self, resource: str, kinds: frozenset[str], seed: int) -> None:
        rules = [rule for rule in RULES if rule.resource == resource]
        self.placed = {FIRST + place * APART: rule for place, rule in enumerate(rules) if rule.kind in kinds}
        chosen = [rule for rule in rules if rule.kind in kinds]
        self.rules = chosen
        self.bounds = list(accumulate(rule.share for rule in chosen))
        self.dice = random.Random(f"dirt {resource} {seed}")
        self.position = -1


class Spoilers:
    """The dirt of one practice. Records of a resource must be handed in in order."""

    def __init__(self, kinds: frozenset[str], seed: int) -> None:
        resources = {rule.resource for rule in RULES if rule.kind in kinds}
        self._lanes = {resource: _Lane(resource, kinds, seed) for resource in sorted(resources)}

    def spoil(self, resource: str, record: Record) -> None:
        """Spoils the next record of a resource in place, or leaves it."""
        lane = self._lanes.get(resource)
        if lane is None:
            return
        lane.position += 1
        place = bisect_right(lane.bounds, lane.dice.random())
        rule = lane.rules[place] if place < len(lane.rules) else lane.placed.get(lane.position)
        if lane.position in lane.placed:
            rule = lane.placed[lane.position]
        if rule is not None:
            rule.spoil(record, lane.dice)
