"""What lab results and imaging records become, written down a second time for a few columns; nothing is shared with the product's mapping."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = dict[str, list[Record]]

FLAGS = {"L": "Low", "LL": "Critically low", "H": "High", "HH": "Critically high", "": None, None: None}
STATES = {"P": "Preliminary", "I": "Pending", "C": "Corrected", "F": "Final", "X": "Cancelled"}
RESULT = {
    "test_code": "Test_Code__c",
    "test_name": "Test_Name__c",
    "value": "Value__c",
    "unit": "Unit__c",
    "reference_range": "Reference_Range__c",
    "document_id": "Document_Id__c",
}
IMAGE = {
    "modality": "Modality__c",
    "body_site": "Body_Site__c",
    "study_uid": "Study_UID__c",
    "report": "Report__c",
    "document_id": "Document_Id__c",
}


def check_results(source: Records, rows: dict[str, Record], reference_of: dict[str, str]) -> None:
    """Every result of a patient who is in the org is a row, and no other is."""
    for reference, record in _wanted("lab_result", source.get("lab-results", ()), rows, reference_of).items():
        row = rows[reference]
        _check_texts(reference, record, row, RESULT)
        assert row.get("Abnormal_Flag__c") == FLAGS[record["abnormal"]], f"Abnormal_Flag__c of {reference}"
        assert row.get("Status__c") == STATES.get(record["status"]), f"Status__c of {reference}"
        assert _second(row.get("Collected_At__c")) == _second(record["collected_at"]), f"Collected_At__c of {reference}"


def check_images(source: Records, rows: dict[str, Record], reference_of: dict[str, str]) -> None:
    """Every imaging record of a patient who is in the org is a row, and no other is."""
    for reference, record in _wanted("imaging_record", source.get("imaging-records", ()), rows, reference_of).items():
        row = rows[reference]
        _check_texts(reference, record, row, IMAGE)
        assert row.get("Status__c") == record["status"].capitalize(), f"Status__c of {reference}"
        assert _second(row.get("Taken_At__c")) == _second(record["taken_at"]), f"Taken_At__c of {reference}"


def _wanted(object_: str, records: Any, rows: dict[str, Record], reference_of: dict[str, str]) -> dict[str, Record]:
    there = set(reference_of.values())
    live = {f"{object_}:{one['id']}": one for one in records}
    wanted = {ref: one for ref, one in live.items() if f"patient:{one['patient_id']}" in there}
    assert wanted.keys() <= rows.keys(), f"missing {sorted(wanted.keys() - rows.keys())[:10]}"
    extra = {ref for ref in rows.keys() - live.keys() if not rows[ref].get("VP_Deleted_At__c")}
    assert not extra, f"not in the source: {sorted(extra)[:10]}"
    for reference, record in wanted.items():
        owner = reference_of.get(rows[reference]["Contact__c"])
        assert owner == f"patient:{record['patient_id']}", f"Contact__c of {reference}"
    return wanted


def _check_texts(reference: str, record: Record, row: Record, columns: dict[str, str]) -> None:
    for field, column in columns.items():
        assert row.get(column) == (record[field] or None), f"{column} of {reference}"


def _second(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("+0000", "+00:00")) if text else None


def result(vp_id: str, of: str, **more: Any) -> Record:
    """A lab result as tests put it into the practice."""
    return {
        "id": vp_id,
        "patient_id": of,
        "document_id": "77",
        "test_code": "GLU",
        "test_name": "Glucose",
        "status": "P",
        "value": "151",
        "unit": "mg/dL",
        "reference_range": "70-99",
        "abnormal": "H",
        "collected_at": "2026-03-04T05:06:07Z",
        **more,
    }
