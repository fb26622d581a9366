"""Notes and communications under the default map, and under one that makes Events of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.check import check_map
from mapping.comparators import compile_comparison
from mapping.document import MapDocument, default_map, default_map_text, load_map
from mapping.plan import MappingRejected, Reference, compile_plan
from sandbox.salesforce import catalogue, describe
from tests.mapping.stored import as_stored, parent_of
from tests.mapping.test_comparators import BY_FIELD, ID, MOMENT, record
from tests.mapping.test_html_text import HTML

NOTE = {"patient_id": "7", "provider_id": "3", "appointment_id": "9", "updated_at": "2026-01-02T03:04:05Z"}
MESSAGE = {"patient_id": "7", "user_id": "5", "updated_at": "2026-01-02T03:04:05Z"}


def row(object_: str, **fields: Any) -> dict[str, Any]:
    base = NOTE if object_ == "note" else MESSAGE
    return compile_plan(default_map(), object_).map("1", base | fields, {}, "run").columns


@pytest.mark.parametrize(
    ("draft", "status"),
    [("true", "In Progress"), ("false", "Completed"), (None, "Completed"), ("", "Completed"), ("?", "Completed")],
)
def test_a_draft_is_a_task_in_progress_and_a_finished_note_is_completed(draft: str | None, status: str):
    made = row("note", title="Follow-up", body="<p>Better</p>", draft=draft)
    assert (made["Status"], made["Subject"], made["Description"]) == (status, "Follow-up", "Better")


def test_a_map_may_leave_drafts_out():
    text = default_map_text().replace(
        "    resource: notes\n", '    resource: notes\n    skip: [{where: draft, is: ["true"], because: a draft}]\n'
    )
    plan = compile_plan(load_map(text, "t"), "note")
    assert plan.skips(NOTE | {"draft": "true"}) == "a draft"
    assert plan.skips(NOTE | {"draft": "false"}) is None


@pytest.mark.parametrize(
    ("channel", "subject", "subtype", "told"),
    [
        ("email", "E-mail", "Email", "E-mail"),
        ("sms", "Text message", "Task", "Text message"),
        ("phone", "Call", "Call", "Call"),
        ("letter", "Letter", "Task", "Letter"),
        ("fax", "Message", "Task", "fax"),
        (None, "Message", "Task", None),
    ],
)
def test_a_communication_is_of_its_channel(channel: str | None, subject: str, subtype: str, told: str | None):
    made = row("communication", channel=channel, direction="received", sent_at="2026-03-04T23:30:00Z", body="a\r\nb")
    assert (made["Subject"], made["TaskSubtype"], made["Channel__c"]) == (subject, subtype, told)
    assert (made["Direction__c"], made["Status"], made["Description"]) == ("Received", "Completed", "a\nb")
    assert (made["ActivityDate"], made["Sent_At__c"]) == ("2026-03-04", "2026-03-04T23:30:00.000Z")
    assert row("communication", channel=channel, subject="Recall")["Subject"] == "Recall"


def test_the_day_is_the_practices():
    document = load_map(default_map_text().replace("map: 1", "map: 1\ntime_zone: America/New_York"), "t")
    made = compile_plan(document, "communication").map("1", MESSAGE | {"sent_at": "2026-03-04T03:30:00Z"}, {}, "run")
    assert made.columns["ActivityDate"] == "2026-03-03"


def test_who_they_belong_to_is_waited_for():
    note = compile_plan(default_map(), "note").map("1", NOTE, {}, "run")
    message = compile_plan(default_map(), "communication").map("1", MESSAGE, {}, "run")
    assert note.references == [
        Reference("WhoId", "patient:7", "hold"),
        Reference("OwnerId", "provider:3", "placeholder"),
    ]
    assert message.references[1] == Reference("OwnerId", "user:5", "placeholder")
    for object_, base in (("note", NOTE), ("communication", MESSAGE)):
        with pytest.raises(MappingRejected, match="WhoId: REFERENCE_MISSING"):
            compile_plan(default_map(), object_).map("1", base | {"patient_id": "0"}, {}, "run")


def test_a_text_is_taken_whole_or_not_at_all():
    assert len(row("note", body=f"<p>{'x' * 32000}</p>")["Description"]) == 32000
    assert len(row("communication", body="x" * 32000)["Description"]) == 32000
    for object_ in ("note", "communication"):
        with pytest.raises(MappingRejected, match="TEXT_TOO_LONG"):
            row(object_, body="x" * 32001)


CHANNEL = st.none() | st.sampled_from(["email", "SMS ", "phone", "letter", "fax", ""])
DRAFT = st.none() | st.sampled_from(["true", "false", "", "x"])
IDS = dict.fromkeys(("patient_id", "provider_id", "user_id", "appointment_id"), ID)
NOTES = record("notes", body=HTML, draft=DRAFT, **IDS)
MESSAGES = record("communications", channel=CHANNEL, sent_at=MOMENT | BY_FIELD["created_at"], **IDS)


@given(st.tuples(st.just("note"), NOTES) | st.tuples(st.just("communication"), MESSAGES))
@settings(max_examples=400, deadline=None)
def test_what_was_mapped_compares_equal(drawn: tuple[str, dict[str, Any]]):
    object_, fields = drawn
    try:
        mapped = compile_plan(default_map(), object_).map("1", fields, {}, "run")
    except MappingRejected:
        return
    comparison = compile_comparison(default_map(), object_)
    stored = as_stored(mapped) | {"OwnerId": "005"}
    assert comparison.compare("1", fields, {}, stored, parent_of, lambda _: "005") == []


# -- Events instead -----------------------------------------------------------------------------------------------------

EVENT = """\
  communication:
    resource: communications
    target: Event
    external_id: VP_Id__c
    on_delete: delete
    deleted_column: VP_Deleted_At__c
    columns:
      Subject: {from: subject, max: 255, too_long: truncate, default: Message}
      Description: {from: body, max: 32000}
      StartDateTime: {from: sent_at, as: datetime, required: true}
      EndDateTime: {from: sent_at, as: datetime, required: true}
      Channel__c: {from: channel, max: 40}
      WhoId: {parent: patient, from: patient_id, on_absent: hold, on_none: reject}
      OwnerId: {parent: user, from: user_id, on_absent: placeholder, on_none: placeholder}
      VP_Source__c: {source_tag: true}
      VP_Modified_At__c: {from: updated_at, as: datetime}
      VP_Run_Id__c: {run: true}

"""


def event_map(entry: str = EVENT) -> str:
    """The default map with another entry for communications, by default one that makes Events of them."""
    text = default_map_text()
    begins = text.index("  communication:\n")
    ends = text.index("  # The content is streamed", begins)
    return text[:begins] + entry + text[ends:]


def found_in_org(document: MapDocument) -> list[tuple[str, str, str]]:
    """What the check says about communications, in an org that is ready for Carryover."""
    schema = catalogue.standard()
    for name, added in catalogue.custom_fields().items():
        schema.of(name).add(added)
    targets = {rule.target for rule in document.rows.values()}
    org = {name: describe.sobject(schema, found, "") for name in targets if (found := schema.get(name)) is not None}
    findings = check_map(document, org)
    return [(f.severity, f.column, f.code) for f in findings if f.object == "communication" and f.severity != "info"]


def test_communications_may_become_events():
    document = load_map(event_map(), "t")
    assert document.rows["communication"].target == "Event"
    assert found_in_org(document) == []
    assert found_in_org(default_map()) == []


def test_columns_that_only_a_task_has_are_found_before_anything_is_sent():
    columns_of_a_task = EVENT.replace("      Channel__c:", "      TaskSubtype: {constant: Email}\n      Channel__c:")
    document = load_map(event_map(columns_of_a_task), "t")
    assert found_in_org(document) == [("error", "TaskSubtype", "COLUMN_MISSING")]


def test_what_has_no_place_is_listed():
    document = load_map(event_map(EVENT.replace("      Channel__c: {from: channel, max: 40}\n", "")), "t")
    schema = catalogue.standard()
    told = [f.message for f in check_map(document, {"Event": describe.sobject(schema, schema.of("Event"), "")})]
    assert {f"the source field {name} goes nowhere" for name in ("channel", "direction", "created_at")} <= set(told)
