"""What Salesforce's JSON gives back for a row that was written: the simulated other side of the property tests."""

from typing import Any

from mapping.plan import Mapped


def as_stored(mapped: Mapped) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column, value in mapped.columns.items():
        if isinstance(value, str):
            text = value.replace("\r\n", "\n").strip(" \t\n")
            if len(text) == 24 and text.endswith(".000Z") and text[10] == "T":
                text = text.replace(".000Z", ".000+0000")
            row[column] = text or None
        else:
            row[column] = value
    for reference in mapped.references:
        row[reference.column] = "001" + reference.parent
    return row


def parent_of(sf_id: str) -> str | None:
    return sf_id.removeprefix("001")
