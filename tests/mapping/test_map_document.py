import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.document import MapErrors, default_map, default_map_text, load_map
from topics.catalogue import ALSO, TARGETS, UNUSUAL

GOOD = """\
map: 1
source_tag: Visual Practice
objects:
  practice:
    resource: practices
    target: Account
    external_id: VP_Id__c
    on_delete: keep
    columns:
      Name: {from: name, max: 255}
"""


def errors_of(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(MapErrors) as caught:
        load_map(text, "clinic.yaml")
    return [(error.line, error.message, error.hint) for error in caught.value.errors]


def only_error(text: str, line: int) -> str:
    found = errors_of(text)
    assert [error[0] for error in found] == [line], found
    return f"{found[0][1]} ({found[0][2]})"


def test_the_default_map_is_valid_and_knows_what_its_objects_become():
    document = default_map()
    accounts = ["practice", "referring_physician", "insurance_carrier"]
    assert list(document.rows) == [
        *accounts,
        "patient",
        "practice_membership",
        "insurance_policy",
        "lab_result",
        "imaging_record",
        "appointment",
        "invoice",
        "note",
        "note_image",
        "communication",
        "document",
    ]
    assert document.owners == {"user", "provider"}
    assert document.parts == {"patient": ["coverage", "intake_form"], "invoice": ["payment"]}
    assert {name: others for name, others in document.extracted.items() if others} == {
        "insurance_policy": ("coverage",)
    }
    assert {name: rule.records_of for name, rule in document.objects.items() if rule.records_of} == {
        name: of for name, of in ALSO.items() if name not in UNUSUAL
    }
    assert {name: rule.target for name, rule in document.objects.items()} == {
        name: target for name, target in TARGETS.items() if name not in UNUSUAL
    }


def test_the_hash_ignores_comments_layout_order_and_spelled_out_defaults():
    plain = load_map(GOOD, "a").hash
    other = "# a comment\n" + GOOD.replace(
        "{from: name, max: 255}", "\n        max: 255 # x\n        from: name\n        as: text"
    )
    assert load_map(other, "b").hash == plain


def test_the_hash_changes_with_what_the_map_says():
    assert load_map(GOOD.replace("255", "254"), "a").hash != load_map(GOOD, "a").hash


def test_the_default_map_keeps_its_hash_over_processes():
    assert load_map(default_map_text(), "again").hash == default_map().hash
    assert len(default_map().hash) == 64


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("max: 255", "maxx: 255", 10, "unknown key `maxx` (did you mean `max`?)"),
        ("max: 255", "as: txt", 10, "unknown transform"),
        ("from: name", "from: nmae", 10, "`practices` has no field `nmae` (did you mean `name`?"),
        ("    external_id: VP_Id__c\n", "", 4, "add `external_id: VP_Id__c`"),
        ("    on_delete: keep", "    on_delete: flag", 8, "`flag` needs a column"),
        ("on_delete: keep", "on_delete: drop", 8, "'delete', 'flag' or 'keep'"),
        ("resource: practices", "resource: practises", 5, "did you mean `practices`?"),
        ("{from: name, max: 255}", "name", 10, "must be keys and values"),
        ("{from: name, max: 255}", "{}", 10, "this one has none"),
        ("{from: name, max: 255}", "{from: name, constant: x}", 10, "this one has 2: from, constant"),
        ("{from: name, max: 255}", "{from: name, max: many}", 10, "whole number"),
        ("{from: name, max: 255}", "{constant: 5}", 10, "put the value in quotes"),
        ("{from: name, max: 255}", "{from: name, too_long: truncate}", 10, "needs `max`"),
        ("{from: name, max: 255}", "{run: true, max: 3}", 10, "`max` means nothing here"),
        ("{from: name, max: 255}", "{from: name, required: true, default: x}", 10, "`required` can't fail"),
        ("{from: name, max: 255}", "{from: name, on_invalid: blank}", 10, "means nothing for text"),
        ("{from: name, max: 255}", "{from: name, as: date, max: 3}", 10, "means nothing for a date"),
        ("{from: name, max: 255}", "{from: name, values: {A: x, a: y}}", 10, "bad value map: `a` is the same value as `A`"),
        ("{from: name, max: 255}", "{from: name, values: {A: [x]}}", 10, "bad value map"),
        ("{from: name, max: 255}", "{from: name, values: {}}", 10, "bad value map"),
        ("{from: name, max: 255}", "{from: name, otherwise: x}", 10, "`otherwise` needs `values`"),
        ("{from: name, max: 255}", "{parent: practise, from: parent_id}", 10, "reference to unknown object `practise`"),
        ("{from: name, max: 255}", "{parent: practice}", 10, "a reference needs the field"),
        (
            "{from: name, max: 255}",
            "{parent: practice, from: parent_id, on_none: placeholder}",
            10,
            "no placeholder for `practice`",
        ),
        ("    on_delete: keep", "    on_delete: keep\n    match: [Nmae]", 9, "`match` names `Nmae`, which is no column"),
        ("    on_delete: keep", "    on_delete: keep\n    match: []", 9, "`match` is empty"),
        ("    on_delete: keep", "    on_delete: keep\n    match: [Name, Name]", 9, "names a column twice"),
        ("    on_delete: keep", "    on_delete: keep\n    match: Name", 9, "`match` can't be read"),
        ("    on_delete: keep", "    on_delete: keep\n    match: [Name]\n    on_ambiguous: guess", 10, "'hold'"),
        ("    on_delete: keep", "    on_delete: keep\n    among: {Type: x}", 9, "`among` needs `match`"),
        ("    on_delete: keep", "    on_delete: keep\n    match: [Name]\n    among: {}", 10, "`among` is empty"),
        ("    on_delete: keep", "    on_delete: keep\n    match: [Name]\n    among: {A b: x}", 10, "`A b` is no Salesforce"),
        ("    on_delete: keep", "    on_delete: keep\n    match: [Name]\n    among: [Name]", 10, "must be keys and values"),
        ("    on_delete: keep", "    on_delete: keep\n    on_ambiguous: hold", 9, "`on_ambiguous` needs `match`"),
        ("Name: {", "1Name: {", 10, "no Salesforce column name"),
        ("Name: {", "vp_id__C: {", 10, "same column as `external_id`"),
        ("map: 1", "map: 2", 1, "it is one of: 1"),
        ("map: 1\n", "map: 1\ntime_zone: America/Nowhere\n", 2, "unknown time zone (use a name of the IANA list"),
        ("map: 1\n", "map: 1\ntime_zone: America\n", 2, "unknown time zone"),
        ("map: 1\n", "map: 1\ntime_zone: ../UTC\n", 2, "unknown time zone"),
        ("map: 1\n", "map: 1\ntime_zone: ''\n", 2, "unknown time zone"),
        ("{from: name, max: 255}", "{from: name, plus_minutes: phone}", 10, "say `as: datetime`"),
        ("{from: name, max: 255}", "{from: name, as: datetime, plus_minutes: fone}", 10, "no field `fone` (did you mean `phone`?"),
        ("{from: name, max: 255}", "{custom: name, as: datetime, plus_minutes: phone}", 10, "`plus_minutes` means nothing here"),
        ("map: 1\n", "", 1, "begin the file with `map: 1`"),
        ("  practice:\n", "  pra-ctice:\n", 4, "can't be an object's name"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_a_hint(old: str, new: str, line: int, words: str):
    assert old in GOOD
    assert words in only_error(GOOD.replace(old, new), line)


def test_two_columns_with_the_same_name_name_both_lines():
    words = only_error(GOOD + "      Name: {from: phone}\n", 11)
    assert "`Name` is here twice; it is first on line 10" in words


def test_two_columns_that_differ_by_case_only_are_the_same_column():
    assert "`name` is the same column as `Name`" in only_error(GOOD + "      name: {from: phone}\n", 11)


def test_all_mistakes_come_at_once_in_the_order_of_their_lines():
    text = (
        GOOD.replace("    external_id: VP_Id__c\n", "").replace("source_tag", "source_tg")
        + "      Phone: {from: phne}\n      Fax: {frm: phone}\n"
        + "placeholders:\n  patient: {reference: nobody, columns: {LastName: x}}\n"
    )
    found = errors_of(text)
    assert [line for line, _, _ in found] == [1, 2, 4, 10, 11, 13, 13]


def test_the_text_of_the_errors_is_a_line_each_with_name_and_line():
    with pytest.raises(MapErrors) as caught:
        load_map(GOOD.replace("from: name", "from: nmae") + "  x: 1\n", "clinic.yaml")
    assert str(caught.value).startswith("clinic.yaml:10: `practices` has no field `nmae` (did you mean")
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the map is empty"),
        ("# nothing\n", "the map is empty"),
        ("map: [1", "not valid YAML"),
        ("- a\n", "a map must be keys and values"),
        ("map: 1\n\tx: 2", "not valid YAML"),
        ("a: 1\x00", "not valid YAML"),
        ("&a x: *a\n", "missing"),
        ("objects: &a {b: *a}\n", "nested too deeply"),
        ("? [a]\n: 1\n", "a key must be text"),
        ("map: 1\nsource_tag: x\nobjects: 5\n", "`objects` must be keys and values"),
        ("map: 1\nsource_tag: x\nobjects: {}\n", "empty"),
        ("map: 1\nsource_tag: x\nobjects: {practice: 1}\n", "must be keys and values"),
    ],
)
def test_a_text_that_is_no_map_is_refused_with_a_reason(text: str, words: str):
    assert any(words in message + hint for _, message, hint in errors_of(text))


def test_a_placeholder_must_have_its_own_kind_of_reference_and_the_required_columns():
    text = GOOD.replace("max: 255", "required: true") + "      VP_Run_Id__c: {run: true}\n"
    text += "placeholders:\n  practice:\n    reference: practice:5\n    columns: {VP_Run_Id__c: x}\n"
    found = errors_of(text)
    assert [line for line, _, _ in found] == [14, 15, 15]


def test_keys_of_a_value_map_keep_their_text():
    document = load_map(GOOD.replace("max: 255", "values: {010: ten, yes: true, ~: x}"), "a")
    assert document.objects["practice"].columns["Name"].values == {"010": "ten", "yes": True, "~": "x"}


@given(st.integers(0, 2**32), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_a_damaged_map_loads_or_is_refused_and_never_crashes(seed: int, wounds: int):
    dice = random.Random(seed)
    lines = default_map_text().splitlines()
    for _ in range(wounds):
        place = dice.randrange(len(lines))
        match dice.randrange(4):
            case 0:
                del lines[place]
            case 1:
                lines[place] = lines[place][: dice.randrange(len(lines[place]) + 1)]
            case 2:
                lines[place] = "  " * dice.randrange(3) + lines[place]
            case 3:
                cut = dice.randrange(len(lines[place]) + 1)
                lines[place] = lines[place][:cut] + dice.choice("{}[]:,#'\"&*!|>%@~ -?") + lines[place][cut:]
    with contextlib.suppress(MapErrors):
        load_map("\n".join(lines), "damaged")


MATCH = """\
    match: [{names}]
    columns:
      Kind: {{constant: x}}
      Since: {{from: created_at, as: datetime}}
      ParentId: {{parent: practice, from: parent_id}}
"""


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("Kind, Name", "`Kind` says nothing about the record"),
        ("Since", "`match` needs a column that rows can be looked for by"),
        ("Since, ParentId", ""),
    ],
)
def test_rows_match_by_what_tells_records_apart_and_can_be_looked_for(names: str, words: str) -> None:
    text = GOOD.replace("    columns:\n", MATCH.format(names=names))
    if words:
        assert words in only_error(text, 9)
    else:
        assert load_map(text, "a").objects["practice"].match == ("Since", "ParentId")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "ContactId: {parent: patient, from: patient_id, on_absent: hold, primary_role: OpportunityContactRole}",
            "ContactId: {parent: patient, from: patient_id, primary_role: ContactRole}",
            "`ContactRole` does not carry `ContactId` (write `primary_role: OpportunityContactRole`)",
        ),
        (
            "AccountId: {parent: practice, from: practice_id, on_absent: placeholder, on_none: placeholder}\n      OwnerId",
            "AccountId: {parent: practice, from: practice_id, primary_role: OpportunityContactRole}\n      OwnerId",
            "no role carries `AccountId` of `Opportunity` (remove it; Salesforce has this for `ContactId` of `Opportunity`)",
        ),
        (
            "Invoice_Number__c: {from: number, max: 80}",
            "Invoice_Number__c: {from: number, max: 80, primary_role: OpportunityContactRole}",
            "`primary_role` means nothing here",
        ),
    ],
)
def test_only_a_column_that_salesforce_takes_from_a_role_can_have_one(old: str, new: str, words: str):
    text = default_map_text()
    assert old in text
    (found,) = errors_of(text.replace(old, new))
    assert words in f"{found[1]} ({found[2]})"


def test_the_default_map_says_that_a_role_carries_the_contact_of_a_bill():
    document = default_map()
    assert {name: rule.contact_column for name, rule in document.rows.items() if rule.contact_column} == {
        "invoice": "ContactId"
    }
    assert document.roles == {"OpportunityContactRole"}


OVER = "over: {ends: ends_on, seen: written_on}"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "order: [priority, -starts_on]",
            "order: [priority, -startson]",
            "`order` names `startson`, which is no column",
        ),
        ("order: [priority, -starts_on]", "", "nothing says which `coverage` comes first (add `order:` to `part_of`"),
        (OVER, "over: {ends: endson, seen: written_on}", "`ends` names `endson`, which is no column"),
        (OVER, "over: {ends: ends_on, seen: priority}", "`priority` is a integer, not a day"),
        (OVER, "over: {ends: ends_on}", "`seen` is missing"),
        ("records_of: insurance_policy", "records_of: policy", "reference to unknown object `policy`"),
        ("records_of: insurance_policy", "records_of: payment", "the records of `payment` are of another resource"),
        ("records_of: insurance_policy", "records_of: coverage", "`coverage` has no records of its own"),
        ("first: coverage.group_number", "first: coverage.group", "`coverage` has no column `group`"),
        ("first: coverage.group_number", "first: payment.amount", "`payment` doesn't count in `patient`"),
        (
            "first: coverage.group_number",
            "first: coverage.priority",
            "a integer, the column a text (say `as: integer`)",
        ),
        ("first: coverage.group_number", "first: coverage.group_number, from: mrn, custom: x", "this one has 3"),
        ("latest: payment.paid_on, from", "latest: payment.paid_on, filled: true, from", "`filled` means nothing here"),
        ("map: 1", "map: 1\nas_of: 2026-02-30", "`as_of` is no day (write a day, e.g. `2026-11-30`)"),
        ("map: 1", "map: 1\nas_of: soon", "`as_of` is no day"),
    ],
)
def test_what_comes_first_and_what_is_over_must_make_sense(old: str, new: str, words: str):
    assert old in default_map_text()
    found = [f"{message} ({hint})" for _, message, hint in errors_of(default_map_text().replace(old, new))]
    assert any(words in one for one in found), found


def test_a_day_counts_alike_with_quotes_and_without():
    given = [default_map_text().replace("map: 1", f"map: 1\nas_of: {day}") for day in ("2026-11-30", "'2026-11-30'")]
    assert {load_map(text, "a").as_of for text in given} == {"2026-11-30"}


def test_only_what_counts_in_another_row_takes_the_records_of_another_object():
    text = default_map_text().replace(
        "    resource: referring-physicians\n", "    resource: practices\n    records_of: practice\n"
    )
    assert any("`records_of` needs `part_of`" in message for _, message, _ in errors_of(text))


DOCUMENTS = """\
map: 1
source_tag: Visual Practice
objects:
  document:
    resource: documents
    target: ContentVersion
    external_id: VP_Id__c
    on_delete: delete
    max_bytes: 1000
    columns:
      PathOnClient: {from: filename, required: true}
"""


@pytest.mark.parametrize(
    ("was", "now", "line", "said"),
    [
        ("target: ContentVersion", "target: Account", 9, "rows of Account have no content"),
        ("PathOnClient:", "Title:", 10, "a file needs PathOnClient"),
        ("max_bytes: 1000", "max_bytes: 3000000000", 9, "must be a whole number in range"),
        ("max_bytes: 1000", "match: [PathOnClient]", 9, "not recognised by their columns"),
    ],
)
def test_a_content_goes_along_with_documents_only(was: str, now: str, line: int, said: str):
    assert load_map(DOCUMENTS, "clinic.yaml").rows["document"].max_bytes == 1000
    assert said in only_error(DOCUMENTS.replace(was, now), line)


def test_only_documents_of_the_source_have_a_content():
    text = DOCUMENTS.replace("documents", "patients").replace("filename", "mrn")
    assert "`patients` have no content" in only_error(text, 6)
