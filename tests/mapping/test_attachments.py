from typing import Any

import pytest

from mapping.attachments import AS_ATTACHMENT, AS_FILE
from mapping.check import check_map, withheld
from mapping.document import MapErrors, load_map
from mapping.plan import compile_plan

MAP = """\
map: 1
source_tag: Visual Practice
objects:
  patient:
    resource: patients
    target: Contact
    external_id: VP_Id__c
    on_delete: keep
    columns:
      LastName: {from: last_name, max: 80, required: true}
  document:
    resource: documents
    target: ContentVersion
    external_id: VP_Id__c
    on_delete: delete
    columns:
      PathOnClient: {from: filename, max: 500, required: true}
  attachment:
    resource: documents
    records_of: document
    target: Attachment
    external_id: Description
    max_bytes: 1000
    on_delete: delete
    columns:
      Name: {from: filename, max: 255, required: true}
      ParentId: {parent: patient, from: patient_id, on_none: reject}
"""


def errors_of(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(MapErrors) as caught:
        load_map(text, "clinic.yaml")
    return [(error.line, error.message, error.hint) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("fields", "attachment", "document"),
    [
        ({"size": "1000"}, None, AS_ATTACHMENT),
        ({"size": " 999 ", "content_type": "application/pdf"}, None, AS_ATTACHMENT),
        ({"size": "0"}, None, AS_ATTACHMENT),
        ({"size": "1001"}, AS_FILE, None),
        ({"size": None}, AS_FILE, None),
        ({"size": ""}, AS_FILE, None),
        ({"size": "-5"}, AS_FILE, None),
        ({"size": "4 KB"}, AS_FILE, None),
        ({"size": "٣"}, AS_FILE, None),
        ({}, AS_FILE, None),
        ({"size": "10", "content_type": "image/png"}, AS_FILE, None),
        ({"size": "10", "content_type": " IMAGE/x-odd; q=1"}, AS_FILE, None),
    ],
)
def test_a_record_is_left_out_of_exactly_one_of_the_two(
    fields: dict[str, str | None], attachment: str | None, document: str | None
):
    document_ = load_map(MAP, "clinic.yaml")
    assert compile_plan(document_, "attachment").skips(fields) == attachment
    assert compile_plan(document_, "document").skips(fields) == document


def test_a_map_without_attachments_leaves_no_document_out():
    text = MAP[: MAP.index("  attachment:")]
    assert compile_plan(load_map(text, "clinic.yaml"), "document").skips({"size": "1"}) is None


def test_the_map_s_own_rules_leave_records_out_of_both():
    text = MAP.replace(
        "    columns:\n      Name",
        "    skip: [{where: category, is: [draft], because: a draft}]\n    columns:\n      Name",
    )
    plan = compile_plan(load_map(text, "clinic.yaml"), "attachment")
    assert plan.skips({"size": "1", "category": "Draft"}) == "a draft"


@pytest.mark.parametrize(
    ("was", "now", "said", "hint"),
    [
        ("    records_of: document\n", "", "Attachments share the records of Files", "records_of: document"),
        ("records_of: document", "records_of: patient", "`patient` is no file", "ContentVersion"),
        ("external_id: Description", "external_id: VP_Id__c", "no custom fields", "external_id: Description"),
        (
            "      Name:",
            "      Description: {from: description, max: 99}\n      Name:",
            "the same column as",
            "keep one",
        ),
        ("      Name:", "      VP_Run_Id__c: {run: true}\n      Name:", "no custom fields", "remove it"),
        (
            "1000\n    on_delete",
            "1000\n    deleted_column: VP_Deleted_At__c\n    on_delete",
            "no custom fields",
            "keep",
        ),
        (
            "1000\n    on_delete: delete",
            "1000\n    on_delete: flag",
            "can't be flagged",
            "`on_delete: delete` or `keep`",
        ),
        ("1000\n", "1000\n    match: [Name]\n", "not recognised by their columns", "remove it"),
        (
            "      ParentId: {parent: patient, from: patient_id, on_none: reject}\n",
            "",
            "needs ParentId",
            "parent: patient",
        ),
        ("on_none: reject", "on_none: blank", "always hangs on a row", "on_none: reject"),
        ("      Name: {from: filename, max: 255, required: true}\n", "", "an Attachment needs Name", "filename"),
        ("    max_bytes: 1000\n", "", "an Attachment needs `max_bytes`", "5000000"),
        ("max_bytes: 1000", "max_bytes: 30000000", "takes no Attachment of this size", "26214400"),
    ],
)
def test_mistakes_about_attachments_are_told(was: str, now: str, said: str, hint: str):
    assert was in MAP
    found = errors_of(MAP.replace(was, now))
    assert any(said in message and hint in advice for _, message, advice in found), found


def test_a_document_has_one_object_of_attachments():
    text = MAP + MAP[MAP.index("  attachment:") :].replace("  attachment:", "  other:", 1)
    assert [message for _, message, _ in errors_of(text)] == ["`attachment` takes the records of `document` already"]


def test_only_documents_are_attachments():
    found = errors_of(MAP.replace("    resource: documents\n    records_of", "    resource: notes\n    records_of"))
    assert any("are no Attachments" in message for _, message, _ in found)


def test_images_in_notes_are_files():
    note = """\
  note:
    resource: notes
    target: Task
    external_id: VP_Id__c
    on_delete: keep
    columns:
      Description: {from: body, as: html, images: [attachment], max: 32000}
"""
    assert [message for _, message, _ in errors_of(MAP + note)] == ["`attachment` is no file"]


def field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "length": 500, "createable": True, "updateable": True, "nillable": True, **more}


def org() -> dict[str, Any]:
    rights = {"createable": True, "updateable": True, "deletable": True}
    own = field("VP_Id__c", externalId=True, unique=True)
    return {
        "Contact": {**rights, "fields": [own, field("LastName", length=80)]},
        "ContentVersion": {**rights, "deletable": False, "fields": [own, field("PathOnClient")]},
        "Attachment": {
            **rights,
            "fields": [
                field("Name", length=255),
                field("Description", "textarea", filterable=False),
                field("Body", "base64", nillable=False),
                field("ParentId", "reference", updateable=False, referenceTo=["Account", "Contact"]),
            ],
        },
    }


def test_an_org_with_attachments_fits_although_they_have_no_external_id():
    found = check_map(load_map(MAP, "clinic.yaml"), org())
    assert [one for one in found if one.severity != "info"] == []
    assert ("attachment", "ParentId", "INSERT_ONLY") in {one[1:4] for one in found}


@pytest.mark.parametrize(
    ("sobject", "name", "code"),
    [("Attachment", "attachment", "ATTACHMENTS_OFF"), ("ContentVersion", "document", "FILES_OFF")],
)
@pytest.mark.parametrize("hidden", [True, False])
def test_an_org_that_does_not_offer_them_is_told_of_and_holds_only_their_rows(
    sobject: str, name: str, code: str, hidden: bool
):
    document, describes = load_map(MAP, "clinic.yaml"), org()
    if hidden:
        del describes[sobject]
    else:
        describes[sobject]["createable"] = False
    (found,) = [one for one in check_map(document, describes) if one.severity != "info"]
    assert (found.severity, found.object, found.code) == ("warning", name, code)
    assert f"replay --held {code}" in found.hint
    assert withheld(document, describes) == {sobject: code}
