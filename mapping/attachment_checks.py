"""That what a map says of Attachments makes sense. Called by `rule_checks`."""

from collections.abc import Iterator, Mapping
from typing import Final

from mapping.map_errors import Mistake
from mapping.rules import ATTACHED_TO, FILE, MOST_ATTACHED, ObjectRule
from mapping.yaml_lines import Path

__all__ = ["EXTERNAL_ID", "attachment"]

EXTERNAL_ID: Final = "Description"
"""The only column that can hold our reference."""

_NAME: Final = "Name"
_NO_FIELDS: Final = "an Attachment has no custom fields"


def attachment(path: Path, rule: ObjectRule, objects: Mapping[str, ObjectRule]) -> Iterator[Mistake]:
    """Check an object whose rows are Attachments.

    Args:
        path: Of the object.
        rule: Its rule, with `target: Attachment`.
        objects: The objects that could be read.

    Yields:
        Each mistake, with the path it belongs to.
    """
    yield from _records(path, rule, objects)
    yield from _limit(path, rule)
    if rule.external_id != EXTERNAL_ID and rule.external_id:
        hint = f"say `external_id: {EXTERNAL_ID}`, which holds the Visual Practice id then"
        yield (*path, "external_id"), _NO_FIELDS, hint
    if rule.deleted_column is not None:
        yield (*path, "deleted_column"), _NO_FIELDS, "remove it, and say `on_delete: delete` or `keep`"
    if rule.on_delete == "flag":
        yield (*path, "on_delete"), "an Attachment can't be flagged as deleted", "say `on_delete: delete` or `keep`"
    for key in ("match", "among"):
        if getattr(rule, key) is not None:
            yield (*path, key), "Attachments are not recognised by their columns", "remove it"
    for column, example in (
        (_NAME, "{from: filename, max: 255, required: true}"),
        (ATTACHED_TO, "{parent: patient, …}"),
    ):
        if column not in rule.columns and rule.columns:
            yield (*path, "columns"), f"an Attachment needs {column}", f"add `{column}: {example}`"
    place = rule.columns.get(ATTACHED_TO)
    if place is not None and (place.parent is None or place.on_absent == "later" or place.on_none == "blank"):
        hint = f"write `{ATTACHED_TO}: {{parent: patient, from: patient_id, on_absent: hold, on_none: reject}}`"
        yield (*path, "columns", ATTACHED_TO), "an Attachment always hangs on a row", hint
    for column in rule.columns:
        if column.endswith("__c"):
            hint = f"remove it; an Attachment has {_NAME}, {ATTACHED_TO}, ContentType, OwnerId and IsPrivate"
            yield (*path, "columns", column), _NO_FIELDS, hint


def _records(path: Path, rule: ObjectRule, objects: Mapping[str, ObjectRule]) -> Iterator[Mistake]:
    given = rule.records_of
    file = None if given is None else objects.get(given)
    if given is None:
        hint = f"say `records_of: document`, the object with `target: {FILE}` that takes the documents which are no Attachments"
        yield path, "Attachments share the records of Files", hint
    elif file is not None and not file.is_file:
        yield (*path, "records_of"), f"`{given}` is no file", f"name an object with `target: {FILE}`"
    first = next((name for name, one in objects.items() if one.attaches and one.records_of == given), None)
    if given is not None and first != path[-1]:
        yield (*path, "records_of"), f"`{first}` takes the records of `{given}` already", "keep one of the two"


def _limit(path: Path, rule: ObjectRule) -> Iterator[Mistake]:
    if rule.max_bytes is None:
        hint = "say e.g. `max_bytes: 5000000`: documents up to this size are Attachments, all others Files"
        yield path, "an Attachment needs `max_bytes`", hint
    elif rule.max_bytes > MOST_ATTACHED:
        hint = f"say at most {MOST_ATTACHED}; larger documents are Files by themselves"
        yield (*path, "max_bytes"), "Salesforce takes no Attachment of this size", hint
