from typing import Any

import pytest

from mapping.document import default_map, load_map
from mapping.plan import Mapped, MappingRejected, Reference, Repair, compile_plan, placeholder_row

PATIENT = compile_plan(default_map(), "patient")
PRACTICE = compile_plan(default_map(), "practice")


def patient(**fields: str | None) -> Mapped:
    return PATIENT.map("1204", {"last_name": "Smith", "updated_at": "2026-01-02T03:04:05Z", **fields}, {}, "run-1")


def made(spec: str, source: str | None, *, zone: str | None = None, **more: str) -> Mapped:
    """A record whose name is ``source``, under a map with this one column and, if given, this time zone."""
    text = (
        f"map: 1\nsource_tag: VP\n{f'time_zone: {zone}' if zone else ''}\nobjects:\n  thing:\n    resource: practices\n"
        f"    target: Account\n    external_id: VP_Id__c\n    on_delete: keep\n    columns:\n      X: {spec}\n"
    )
    return compile_plan(load_map(text, "t"), "thing").map("1", {"name": source, **more}, {}, "r")


def column(spec: str, source: str | None, **more: str) -> Any:
    return made(spec, source, **more).columns["X"]


def test_a_row_has_its_reference_tag_and_run():
    row = patient().columns
    assert (row["VP_Id__c"], row["VP_Source__c"], row["VP_Run_Id__c"]) == ("patient:1204", "Visual Practice", "run-1")


def test_every_column_of_the_map_is_in_the_row_even_when_empty():
    mapped = patient()
    wanted = {*default_map().objects["patient"].columns, "VP_Id__c", "VP_Deleted_At__c"}
    assert {*mapped.columns, *(reference.column for reference in mapped.references)} == wanted
    assert mapped.columns["FirstName"] is None


def test_texts_are_trimmed_and_empty_ones_are_null():
    row = patient(first_name="  Ann \t", middle_name="   ", notes="a\r\nb\rc").columns
    assert (row["FirstName"], row["MiddleName"], row["Description"]) == ("Ann", None, "a\nb\nc")


def test_addresses_are_joined_line_by_line():
    assert patient(address_1=" 1 Main St ", address_2="Apt 4").columns["MailingStreet"] == "1 Main St\nApt 4"
    assert patient(address_1=None, address_2="Apt 4").columns["MailingStreet"] == "Apt 4"
    assert patient(address_1=" ", address_2=None).columns["MailingStreet"] is None


def test_control_characters_are_dropped_and_reported():
    mapped = patient(first_name="A\x00n\x1fn\ud800")
    assert mapped.columns["FirstName"] == "Ann"
    assert mapped.repairs == [Repair("FirstName", "CONTROL_CHARACTERS_DROPPED")]


def test_a_missing_last_name_is_rejected_without_showing_values():
    with pytest.raises(MappingRejected) as caught:
        patient(last_name=" ", first_name="Secret", mrn="S" * 99)
    assert caught.value.code == "REQUIRED_MISSING"
    assert caught.value.columns == ("LastName", "MRN__c")
    assert "Secret" not in str(caught.value)
    assert "SSS" not in repr(caught.value)
    assert "default" in caught.value.message


def test_an_invalid_email_is_left_out_and_reported():
    mapped = patient(email="none at none")
    assert mapped.columns["Email"] is None
    assert mapped.repairs == [Repair("Email", "INVALID_EMAIL_BLANKED")]
    assert patient(email="a@" + "b" * 90 + ".com").repairs == [Repair("Email", "TEXT_TOO_LONG_BLANKED")]


@pytest.mark.parametrize("good", ["a@b.co", "o'brien+x@ex-ample.org", "A.B@C.D.museum"])
def test_a_valid_email_is_kept(good: str):
    assert patient(email=good).columns["Email"] == good


@pytest.mark.parametrize(
    "bad", ["a", "a@b", "a@@b.co", "a b@c.de", "a@b.co,c@d.ef", ".a@b.co", "a..b@c.de", "a@-b.co", "é@b.co"]
)
def test_what_is_no_email_is_not_sent(bad: str):
    assert patient(email=bad).columns["Email"] is None


@pytest.mark.parametrize(
    ("given", "sent"),
    [("1980-02-29", "1980-02-29"), ("0001-01-01", None), ("", None), ("1981-02-29", None), ("19800229", None),
     ("1980-2-9", None), ("1699-12-31", None), ("2026-W01-1", None), ("02/29/1980", None)],
)  # fmt: skip
def test_dates_are_checked(given: str, sent: str | None):
    assert patient(date_of_birth=given).columns["Birthdate"] == sent


def test_an_invalid_date_is_reported_and_no_date_is_not():
    assert patient(date_of_birth="1981-02-29").repairs == [Repair("Birthdate", "INVALID_DATE_BLANKED")]
    assert patient(date_of_birth="0001-01-01").repairs == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05.987Z", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"),
        ("2026-01-02 03:04:05-0530", "2026-01-02T08:34:05.000Z"),
        ("0001-01-01T00:00:00Z", None),
        ("2026-01-02T03:04:05", None),
        ("2026-01-02T25:04:05Z", None),
        ("2026-01-02", None),
    ],
)
def test_datetimes_become_utc(given: str, sent: str | None):
    assert patient(created_at=given).columns["VP_Created_At__c"] == sent


def test_values_are_mapped_whatever_their_case():
    assert patient(title=" dr. ", gender="female").columns["Salutation"] == "Dr."
    assert patient(gender="female").columns["Gender__c"] == "Female"
    assert patient(gender="non-binary").columns["Gender__c"] == "non-binary"


@pytest.mark.parametrize(("otherwise", "sent"), [("blank", None), ("keep", "c"), ("Z", "Z")])
def test_an_unmapped_value_goes_the_way_the_map_says(otherwise: str, sent: str | None):
    assert column(f"{{from: name, values: {{a: b}}, otherwise: {otherwise}}}", "c") == sent


def test_an_unmapped_value_is_rejected_by_default():
    with pytest.raises(MappingRejected, match="VALUE_NOT_MAPPED"):
        column("{from: name, values: {a: b}}", "c")


def test_a_value_map_can_invert_a_flag():
    spec = "{from: name, values: {'true': false, 'false': true}, otherwise: blank}"
    assert column(spec, "true") is False
    assert column(spec, "FALSE") is True


def test_a_text_that_is_too_long_is_rejected_or_cut():
    with pytest.raises(MappingRejected, match="TEXT_TOO_LONG"):
        column("{from: name, max: 3}", "abcd")
    assert column("{from: name, max: 3, too_long: truncate}", "ab cd") == "ab"
    assert column("{from: name, max: 3}", " abc ") == "abc"


def test_a_default_replaces_no_value():
    assert column("{from: name, default: (none)}", " ") == "(none)"


@pytest.mark.parametrize(
    ("form", "given", "sent"),
    [("number", "1.50", 1.5), ("number", "-.5", -0.5), ("integer", "007", 7), ("boolean", "Yes", True),
     ("boolean", "0", False), ("boolean", None, False), ("number", None, None)],
)  # fmt: skip
def test_numbers_and_checkboxes_are_read(form: str, given: str | None, sent: object):
    value = column(f"{{from: name, as: {form}}}", given)
    assert value == sent
    assert type(value) is type(sent)


@pytest.mark.parametrize(
    ("form", "bad"), [("number", "1e5"), ("number", "nan"), ("integer", "1.0"), ("boolean", "maybe")]
)
def test_what_is_no_number_is_rejected(form: str, bad: str):
    with pytest.raises(MappingRejected, match="INVALID_"):
        column(f"{{from: name, as: {form}}}", bad)


def test_a_parent_is_a_reference_not_a_column():
    mapped = patient(practice_id=" 77 ")
    assert mapped.references == [Reference("AccountId", "practice:77", "placeholder")]
    assert "AccountId" not in mapped.columns


@pytest.mark.parametrize("none", [None, "", "0", " 0 "])
def test_no_parent_is_the_placeholder_or_nothing_as_the_map_says(none: str | None):
    assert patient(practice_id=none).references == [Reference("AccountId", "practice:~unassigned", "hold")]
    practice = PRACTICE.map("5", {"name": "A", "parent_id": none, "updated_at": "2026-01-02T03:04:05Z"}, {}, "r")
    assert practice.references == []
    assert practice.columns["ParentId"] is None


def test_a_record_that_is_its_own_parent_has_none():
    practice = PRACTICE.map("5", {"name": "A", "parent_id": "5", "updated_at": "2026-01-02T03:04:05Z"}, {}, "r")
    assert practice.columns["ParentId"] is None
    assert practice.repairs == [Repair("ParentId", "SELF_REFERENCE_BLANKED")]


def test_custom_fields_are_read_from_the_custom_map():
    row = PATIENT.map("1", {"last_name": "A", "updated_at": None}, {"referral_source": " Friend "}, "r").columns
    assert row["Referral_Source__c"] == "Friend"


def test_a_row_that_comes_back_loses_its_deleted_flag():
    practice = PRACTICE.map("5", {"name": "A"}, {}, "r")
    assert practice.columns["VP_Deleted_At__c"] is None
    flagged = PRACTICE.flag("5", "2026-01-02T03:04:05.000Z", "r2")
    assert flagged == {"VP_Id__c": "practice:5", "VP_Deleted_At__c": "2026-01-02T03:04:05.000Z", "VP_Run_Id__c": "r2"}
    with pytest.raises(ValueError, match="isn't flagged"):
        compile_plan(default_map(), "user").flag("5", "2026-01-02T03:04:05.000Z", "r")


def test_the_placeholder_is_a_whole_row():
    assert placeholder_row(default_map(), "practice", "r") == {
        "Name": "Unassigned Account",
        "VP_Id__c": "practice:~unassigned",
        "VP_Source__c": "Visual Practice",
        "VP_Run_Id__c": "r",
    }


def test_mapping_twice_gives_the_same_row():
    fields = {"last_name": "A", "email": "x", "notes": "a\x00"}
    assert PATIENT.map("1", fields, {}, "r") == PATIENT.map("1", fields, {}, "r")


def at(
    zone: str | None, source: str, spec: str = "{from: name, as: datetime}", **more: str
) -> tuple[Any, list[Repair]]:
    """What a time becomes under a map of this zone, and what is noted."""
    found = made(spec, source, zone=zone, **more)
    return found.columns["X"], found.repairs


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("America/New_York", "2026-01-15 09:30:00", "2026-01-15T14:30:00.000Z"),
        ("America/New_York", "2026-07-15T09:30", "2026-07-15T13:30:00.000Z"),
        ("Asia/Kolkata", "2026-07-15 00:10:00.5", "2026-07-14T18:40:00.000Z"),
        ("Pacific/Kiritimati", "2026-01-01 01:00:00", "2025-12-31T11:00:00.000Z"),
        ("America/New_York", "2026-01-15T09:30:00+01:00", "2026-01-15T08:30:00.000Z"),  # says itself what it means
        ("America/New_York", "2026-01-15T09:30:00Z", "2026-01-15T09:30:00.000Z"),
    ],
)
def test_a_time_without_an_offset_is_of_the_maps_zone(zone: str, local: str, instant: str):
    assert at(zone, local) == (instant, [])


@pytest.mark.parametrize(
    ("zone", "local", "instant", "code"),
    [
        ("America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:30:00.000Z", "LOCAL_TIME_SKIPPED"),
        ("America/New_York", "2026-03-08 03:00:00", "2026-03-08T07:00:00.000Z", None),
        ("America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00.000Z", "LOCAL_TIME_REPEATED"),
        ("America/New_York", "2026-11-01 02:00:00", "2026-11-01T07:00:00.000Z", None),
        ("Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03T15:45:00.000Z", "LOCAL_TIME_SKIPPED"),
        ("Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30T22:00:00.000Z", "LOCAL_TIME_SKIPPED"),  # a whole day
    ],
)
def test_where_the_clock_changes_a_time_is_taken_and_reported(zone: str, local: str, instant: str, code: str | None):
    assert at(zone, local) == (instant, [Repair("X", code)] if code else [])


def test_without_a_zone_a_time_without_an_offset_is_refused_and_the_way_out_is_named():
    with pytest.raises(MappingRejected) as caught:
        at(None, "2026-01-15 09:30:00")
    assert caught.value.code == "INVALID_DATETIME"
    assert "time_zone" in caught.value.message


@pytest.mark.parametrize(
    ("minutes", "end"),
    [
        ("30", "2026-03-08T07:15:00.000Z"),  # the clock is put forward in between: half an hour is half an hour
        (" 0 ", "2026-03-08T06:45:00.000Z"),
        ("2880", "2026-03-10T06:45:00.000Z"),
    ],
)
def test_an_end_is_so_many_minutes_after_its_start(minutes: str, end: str):
    ends = "{from: name, as: datetime, plus_minutes: phone}"
    assert at("America/New_York", "2026-03-08 01:45:00", ends, phone=minutes) == (end, [])


@pytest.mark.parametrize(
    ("minutes", "code"),
    [
        ("", "DURATION_MISSING"),
        ("-5", "INVALID_DURATION"),
        ("half", "INVALID_DURATION"),
        ("9999999", "INVALID_DURATION"),
    ],
)
def test_a_duration_that_is_none_is_refused_or_blanked(minutes: str, code: str):
    with pytest.raises(MappingRejected) as caught:
        at("UTC", "2026-03-08 01:45:00", "{from: name, as: datetime, plus_minutes: phone}", phone=minutes)
    assert caught.value.code == code
    blank = "{from: name, as: datetime, plus_minutes: phone, on_invalid: blank}"
    assert at("UTC", "2026-03-08 01:45:00", blank, phone=minutes) == (None, [Repair("X", f"{code}_BLANKED")])
