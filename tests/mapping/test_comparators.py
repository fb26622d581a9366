from datetime import date, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapping.comparators import Mismatch, compile_comparison
from mapping.document import default_map, load_map
from mapping.plan import MappingRejected, compile_plan
from mapping.source_fields import SOURCE_FIELDS
from tests.mapping.stored import as_stored, parent_of

ODD = st.text(
    alphabet=st.sampled_from("aZ0 .@-\t\r\n\x00\x1f\x7f\x85\xa0\u2028éß\U0001f600\ud800\ufffe,\"'#+:/"), max_size=12
)
TEXT = st.none() | st.text(max_size=60) | ODD
SOME = TEXT | st.sampled_from(["0001-01-01", "0001-01-01T00:00:00Z", "1980-13-01", "1980-01-01 "])
DAY = (
    st.dates().map(str)
    | st.dates(date(1690, 1, 1), date(2100, 1, 1)).map(str)
    | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
)
OFFSET = st.sampled_from(["Z", "+00:00", "-05:30", "+1400", "", "+1:00", "-24:00", "+23:59", "+12:60", "z", "+05"])
MOMENT = st.builds(
    lambda day, gap, clock, zone: f"{day}{gap}{clock}{zone}", DAY, st.sampled_from("T T_"), st.times().map(str), OFFSET
)
GOOD_MOMENT = st.datetimes(datetime(1800, 1, 1), datetime(2100, 1, 1)).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z")  # noqa: DTZ001
ATOM = st.text("aZ0.-_+'@ é", min_size=1, max_size=6)
EMAIL = st.emails() | st.builds(
    lambda a, b, c: f"{a}@{b}.{c}", ATOM, ATOM, st.sampled_from(["co", "c", "c1", "1c", "", "c-", "org "])
)
ID = st.none() | st.sampled_from(["", "0", "1", " 7 ", "~", "00"])
NUMBER = (
    st.floats().map(str)
    | st.decimals().map(str)
    | st.integers().map(str)
    | st.sampled_from(["1_0", "+-1", "٣", ".", "1."])
)
BY_FIELD = {
    "date_of_birth": SOME | DAY,
    "created_at": SOME | MOMENT,
    "updated_at": MOMENT,
    "email": EMAIL | TEXT,
    "practice_id": ID,
    "parent_id": ID,
    "gender": TEXT | st.sampled_from(["m", "F", " u "]),
    "title": TEXT | st.sampled_from(["dr", "Mr.", "PROF"]),
    "specialty": TEXT | st.sampled_from(["general  practice", "INSURANCE"]),
}


def record(resource: str, **always: Any) -> Any:
    return st.fixed_dictionaries(
        {field: always.get(field, BY_FIELD.get(field, TEXT)) for field in SOURCE_FIELDS[resource]}
    )


def agree(object_name: str, document: Any, vp_id: str, fields: Any, custom: Any) -> None:
    try:
        mapped = compile_plan(document, object_name).map(vp_id, fields, custom, "run")
    except MappingRejected:
        return
    comparison = compile_comparison(document, object_name)
    assert comparison.compare(vp_id, fields, custom, as_stored(mapped), parent_of) == []


@given(
    record("patients", last_name=st.just("A"), updated_at=GOOD_MOMENT),
    st.dictionaries(st.just("referral_source"), st.text(max_size=9) | ODD),
)
@settings(max_examples=300, deadline=None)
def test_a_mapped_patient_compares_equal(fields: Any, custom: dict[str, str]):
    agree("patient", default_map(), "1", fields, custom)


@given(record("practices", name=st.just("A"), updated_at=GOOD_MOMENT))
@settings(max_examples=200, deadline=None)
def test_a_mapped_practice_compares_equal(fields: Any):
    agree("practice", default_map(), "1", fields, {})


FORMS = load_map(
    """
map: 1
source_tag: VP
objects:
  thing:
    resource: practices
    target: Account
    external_id: VP_Id__c
    on_delete: keep
    columns:
      A: {from: name, as: number, on_invalid: blank}
      B: {from: phone, as: integer, on_invalid: blank}
      C: {from: website, as: boolean, on_invalid: blank}
      D: {from: npi, max: 5, too_long: truncate, default: none}
      E: {from: tax_id, values: {a: true, B: ~, 7: "x"}, otherwise: blank}
      F: {from: city, as: email, max: 12, too_long: truncate, on_invalid: blank, default: a@b.co}
      G: {join: [state, city], with: comma, max: 9, too_long: truncate}
      H: {from: country, as: datetime, on_invalid: blank}
      I: {from: postcode, as: date, on_invalid: blank}
""",
    "forms",
)


@given(
    st.fixed_dictionaries(
        {
            "name": TEXT | NUMBER,
            "phone": TEXT | NUMBER,
            "website": TEXT | st.sampled_from(["YES", "no", "x", "0", "ON"]),
            "npi": TEXT,
            "tax_id": TEXT | st.sampled_from(["A", " b", "7"]),
            "city": TEXT | EMAIL,
            "state": TEXT,
            "country": MOMENT | TEXT,
            "postcode": DAY | TEXT,
        }
    )
)
@settings(max_examples=500, deadline=None)
@example({"name": "1.", "phone": "+7", "country": "2026-01-01T00:00:00+1400", "postcode": "0001-01-01"})
def test_every_form_compares_equal_to_what_it_made(fields: Any):
    agree("thing", FORMS, "1", fields, {})


STRICT = {
    "number": "as: number",
    "integer": "as: integer",
    "boolean": "as: boolean",
    "email": "as: email",
    "date": "as: date",
    "datetime": "as: datetime",
    "text": "max: 4",
    "values": "values: {a: b, '1': c}",
    "required": "required: true",
    "required date": "as: date, required: true, on_invalid: blank",
}
SOURCES = {"number": NUMBER, "integer": NUMBER, "boolean": st.sampled_from(["yes", "2", "X", "nO"]), "email": EMAIL}
SOURCES |= {"date": DAY | SOME, "datetime": MOMENT | SOME, "required date": DAY | SOME}


@pytest.mark.parametrize("form", STRICT)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_both_agree_on_what_is_refused(form: str, data: st.DataObject):
    document = strict_map(form)
    source = data.draw(SOURCES.get(form, TEXT) | TEXT)
    fields = {"name": source}
    comparison = compile_comparison(document, "thing")
    try:
        mapped = compile_plan(document, "thing").map("1", fields, {}, "r")
    except MappingRejected:
        for stored in (None, source, "b", False, 0.0):
            row = {"VP_Id__c": "thing:1", "X": stored}
            assert comparison.compare("1", fields, {}, row, parent_of) != [], stored
    else:
        assert comparison.compare("1", fields, {}, as_stored(mapped), parent_of) == []


def strict_map(form: str) -> Any:
    return map_of(STRICT[form])


@cache
def map_of(options: str, zone: str | None = None) -> Any:
    """A map with one column, and a time zone if one is given."""
    return load_map(
        f"map: 1\nsource_tag: VP\n{f'time_zone: {zone}' if zone else ''}\nobjects:\n  thing:\n    resource: practices\n"
        "    target: Account\n    external_id: VP_Id__c\n    on_delete: keep\n    columns:\n"
        f"      X: {{from: name, {options}}}\n",
        options,
    )


FIELDS = {
    "last_name": "Smith",
    "email": "a@b.co",
    "date_of_birth": "1980-01-02",
    "gender": "M",
    "practice_id": "7",
    "notes": "a\r\nb",
    "address_1": "x",
    "updated_at": "2026-01-02T03:04:05Z",
}
ROW = as_stored(compile_plan(default_map(), "patient").map("1", FIELDS, {"referral_source": "Friend"}, "run"))


@pytest.mark.parametrize(
    ("column", "stored", "rule"),
    [
        ("LastName", "Smyth", "text"),
        ("LastName", None, "text"),
        ("LastName", "smith", "text"),
        ("Email", "a@b.com", "email"),
        ("Email", None, "email"),
        ("Birthdate", "1980-02-01", "date"),
        ("Gender__c", "M", "values"),
        ("AccountId", "001practice:8", "parent"),
        ("AccountId", None, "parent"),
        ("Description", "a b", "text"),
        ("MailingStreet", "x\ny", "join"),
        ("VP_Modified_At__c", "2026-01-02T03:04:06.000+0000", "datetime"),
        ("VP_Id__c", "patient:2", "external_id"),
        ("VP_Source__c", "Other", "source_tag"),
        ("VP_Run_Id__c", None, "run"),
        ("FirstName", "Eve", "text"),
        ("Referral_Source__c", None, "first"),
    ],
)
def test_a_column_that_differs_is_named(column: str, stored: Any, rule: str):
    comparison = compile_comparison(default_map(), "patient")
    row = {**ROW, column: stored}
    found = comparison.compare("1", FIELDS, {"referral_source": "Friend"}, row, parent_of)
    assert found == [Mismatch(column, rule)]


def test_the_run_may_be_another_one():
    comparison = compile_comparison(default_map(), "patient")
    row = {**ROW, "VP_Run_Id__c": "earlier"}
    assert comparison.compare("1", FIELDS, {"referral_source": "Friend"}, row, parent_of) == []


def test_the_placeholder_is_right_for_a_parent_that_may_be_absent():
    comparison = compile_comparison(default_map(), "patient")
    row = {**ROW, "AccountId": "001practice:~unassigned"}
    assert comparison.compare("1", FIELDS, {"referral_source": "Friend"}, row, parent_of) == []


def test_a_row_still_flagged_as_deleted_differs():
    comparison = compile_comparison(default_map(), "practice")
    fields = {"name": "A", "updated_at": "2026-01-02T03:04:05Z"}
    row = as_stored(compile_plan(default_map(), "practice").map("1", fields, {}, "r"))
    row["VP_Deleted_At__c"] = "2026-01-02T03:04:05.000+0000"
    assert comparison.compare("1", fields, {}, row, parent_of) == [Mismatch("VP_Deleted_At__c", "deleted_column")]


def test_all_columns_are_compared_and_read_back():
    comparison = compile_comparison(default_map(), "patient")
    named = {*default_map().objects["patient"].columns, "VP_Id__c", "VP_Deleted_At__c"}
    assert set(comparison.columns) == named - {"CreatedDate"}, "rows that were there before keep their own"
    assert comparison.count == 30


def test_the_comparators_share_no_code_with_the_transforms():
    import ast
    from pathlib import Path

    import mapping.comparators

    names = ("comparators", "compared_choice", "compared_html", "compared_texts", "compared_times", "compared_values")
    own = {f"mapping.{name}" for name in names}
    for name in own:
        path = Path(mapping.comparators.__file__).with_name(f"{name.partition('.')[2]}.py")
        nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
        imported = {node.module for node in nodes if node.module and node.module.startswith("mapping")}
        assert imported <= {*own, "mapping.rules"}


ZONES = ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC")
CHANGES = ("2026-03-08 02:30", "2026-11-01 01:30", "2026-10-04 02:10", "2011-12-30 09:00")
LOCAL = st.datetimes(datetime.fromisoformat("1699-12-30"), datetime.fromisoformat("4001-01-02")) | st.sampled_from(
    [datetime.fromisoformat(text) for text in CHANGES]
)
TIMES = (
    LOCAL.map(lambda moment: moment.isoformat(" "))
    | LOCAL.map(lambda moment: moment.isoformat("T", "minutes"))
    | MOMENT
)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "form",
    ["", ", plus_minutes: phone", ", plus_minutes: phone, required: true", ", on_invalid: blank, plus_minutes: phone"],
)
@given(
    source=TIMES | TEXT, minutes=st.integers(0, 3000).map(str) | st.sampled_from(["", "-1", "1.5", "9999999"]) | TEXT
)
@settings(max_examples=60, deadline=None)
def test_both_agree_on_times_by_the_clock(zone: str, form: str, source: str, minutes: str):
    document = map_of(f"as: datetime{form}", zone)
    fields = {"name": source, "phone": minutes}
    comparison = compile_comparison(document, "thing")
    try:
        mapped = compile_plan(document, "thing").map("1", fields, {}, "r")
    except MappingRejected:
        for stored in (None, source, "2026-01-01T00:00:00.000Z"):
            assert comparison.compare("1", fields, {}, {"VP_Id__c": "thing:1", "X": stored}, parent_of) != []
    else:
        row = as_stored(mapped)
        assert comparison.compare("1", fields, {}, row, parent_of) == []
        wrong = {**row, "X": "2026-01-01T00:00:01.000Z" if row["X"] != "2026-01-01T00:00:01.000Z" else None}
        assert comparison.compare("1", fields, {}, wrong, parent_of) != []
