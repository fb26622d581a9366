"""Does a map fit an org? Findings from the org's own describes.

Owns the comparison of a map with what an org has: objects, columns, types, lengths, picklists, rights. Pure: whoever
calls fetches the describes with the user that will load, so that a column hidden from that user counts as missing.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from mapping.rules import ATTACHMENT, RELATION, Column, MapDocument, ObjectRule
from mapping.source_fields import SOURCE_FIELDS

__all__ = [
    "ATTACHMENTS_OFF",
    "FILES_OFF",
    "SETTING_OFF",
    "Finding",
    "check_map",
    "insert_only_columns",
    "lacking_for_roles",
    "left_out",
    "withheld",
]

Describes = Mapping[str, Mapping[str, Any]]
"""Salesforce object -> the answer of `GET /sobjects/<object>/describe`; one that doesn't exist is absent."""


class Finding(NamedTuple):
    """One thing to know before a map is confirmed.

    Attributes:
        severity: `error` blocks; `warning` will cost some records; `info` is only said.
        object: Object name in the map.
        column: Salesforce column, "" when it is about the whole object.
        code: E.g. `COLUMN_MISSING`.
        message: What is the case.
        hint: What to do.
    """

    severity: Literal["error", "warning", "info"]
    object: str
    column: str
    code: str
    message: str
    hint: str


_TEXTUAL: Final = frozenset(
    {"string", "textarea", "picklist", "multipicklist", "combobox", "phone", "url", "email", "encryptedstring", "id"}
)
_NUMERIC: Final = frozenset({"int", "long", "double", "currency", "percent"})
_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "text": _TEXTUAL,
    "html": _TEXTUAL,
    "email": frozenset({"email", "string", "textarea"}),
    "date": frozenset({"date"}),
    "day": frozenset({"date"}),
    "datetime": frozenset({"datetime"}),
    "number": frozenset({"double", "currency", "percent"}),
    "money": frozenset({"double", "currency"}),
    "integer": _NUMERIC,
    "boolean": frozenset({"boolean"}),
    "ongoing": frozenset({"boolean"}),
}
_ID_LENGTH: Final = 18
_NO_LOOKUP: Final = frozenset({"ContentVersion", ATTACHMENT})
"""Objects that no custom lookup can lead to (Setup offers none): a text of an id's length keeps their ids."""
SETTING_OFF: Final = "CONTACTS_TO_MULTIPLE_ACCOUNTS_OFF"
"""The org doesn't let contacts have several accounts: then there is no object for their relations."""
ATTACHMENTS_OFF: Final = "ATTACHMENTS_OFF"
FILES_OFF: Final = "FILES_OFF"
"""The org doesn't let us see and make Attachments, or Files."""
_FILLED_BY_SALESFORCE: Final = frozenset({"OwnerId", "RecordTypeId", "CurrencyIsoCode"})


def check_map(document: MapDocument, describes: Describes) -> list[Finding]:
    """Compare a map with an org.

    Args:
        document: A loaded map.
        describes: The org's describes of the map's targets, and of `MapDocument.roles`.

    Returns:
        What was found, by object; no `error` among them means the org can take the map's rows. It says nothing about
        validation rules, triggers and duplicate rules, which no describe shows.
    """
    found: list[Finding] = []
    for name, rule in document.rows.items():
        found.extend(_object(document, name, rule, describes))
    return found


def left_out(document: MapDocument, describes: Describes) -> dict[str, frozenset[str]]:
    """Columns of the map that are to be set where the org allows it, and that this one does not let us set, by object.

    Args:
        document: A loaded map.
        describes: The org's describes of the map's targets.

    Returns:
        Object name -> those columns.
    """
    answer: dict[str, frozenset[str]] = {}
    for name, rule in document.rows.items():
        fields = _fields(describes.get(rule.target, {}))
        answer[name] = frozenset(
            column
            for column, spec in rule.columns.items()
            if spec.where_allowed and not fields.get(column.casefold(), {}).get("createable")
        )
    return answer


def insert_only_columns(document: MapDocument, describes: Describes) -> dict[str, frozenset[str]]:
    """Columns that can be set when a row is created and never again, by object.

    Args:
        document: A loaded map.
        describes: The org's describes of the map's targets.

    Returns:
        Object name -> its columns that the org lets this user create but not update. Other rules than the field's own
        (a validation rule, a locked record) aren't seen.
    """
    answer: dict[str, frozenset[str]] = {}
    for name, rule in document.rows.items():
        fields = _fields(describes.get(rule.target, {}))
        answer[name] = frozenset(
            column
            for column in rule.columns
            if (field := fields.get(column.casefold())) is not None
            and field.get("createable")
            and not field.get("updateable")
        )
    return answer


def withheld(document: MapDocument, describes: Describes) -> dict[str, str]:
    """Salesforce objects that this org does not offer us, and does not have to: rows of theirs are held by name, and all others go on.

    Args:
        document: A loaded map.
        describes: The org's describes of the map's targets.

    Returns:
        Salesforce object -> the code by which its rows are held. Of other objects that are missing `check_map` tells an error.
    """
    found: dict[str, str] = {}
    for rule in document.rows.values():
        describe = describes.get(rule.target)
        if rule.relates and describe is None:
            found[rule.target] = SETTING_OFF
        elif rule.has_content and (describe is None or not describe.get("createable", True)):
            found[rule.target] = ATTACHMENTS_OFF if rule.attaches else FILES_OFF
    return found


def _fields(describe: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(field["name"]).casefold(): field for field in describe.get("fields", ())}


def _object(document: MapDocument, name: str, rule: ObjectRule, describes: Describes) -> Iterator[Finding]:
    describe = describes.get(rule.target)
    code = withheld(document, describes).get(rule.target)
    if code is not None:
        yield _withheld(name, rule, code, describe)
        return
    if describe is None:
        hint = "create it in the org, give the integration user access to it, or correct `target` in the map"
        yield Finding("error", name, "", "OBJECT_MISSING", f"the org has no object {rule.target}", hint)
        return
    yield from _object_rights(name, rule, describe)
    fields = _fields(describe)
    yield from _external_id(name, rule, fields)
    for column, spec in rule.columns.items():
        field = fields.get(column.casefold())
        if spec.where_allowed and not (field or {}).get("createable"):
            yield _left_out(name, column)
            continue
        if field is None:
            yield _missing(name, rule, column, fields)
            continue
        yield from _rights(name, column, field, spec)
        yield from _column(document, name, column, spec, field)
        if spec.primary_role is not None:
            yield from _role(name, column, spec.primary_role, describes)
    if rule.deleted_column is not None:
        field = fields.get(rule.deleted_column.casefold())
        if field is None:
            yield _missing(name, rule, rule.deleted_column, fields)
        else:
            yield from _type(name, rule.deleted_column, "datetime", field)
            yield from _rights(name, rule.deleted_column, field)
    for column in rule.match or ():
        if not fields.get(column.casefold(), {}).get("filterable", True):
            hint = "match by other columns; Salesforce can't search this one"
            yield Finding("error", name, column, "NOT_FILTERABLE", f"no rows can be looked for by {column}", hint)
    yield from _among(name, rule, fields)
    yield from _required_by_org(name, rule, fields)
    yield from _unused(name, rule)


_TO_DO: Final = {
    SETTING_OFF: 'let "Allow users to relate a contact to multiple accounts" be on (Setup, Account Settings) and give the integration user access to '
    + RELATION,
    ATTACHMENTS_OFF: "let the integration user read, create, edit and delete Attachments (in Salesforce that follows from Edit on what they hang on), or take "
    "the object out of the map: all documents are Files then",
    FILES_OFF: "give the integration user Salesforce CRM Content (a box at the user), and Files",
}
"""What lets us have an object that an org needn't offer."""


def _withheld(name: str, rule: ObjectRule, code: str, describe: Mapping[str, Any] | None) -> Finding:
    hint = f"{_TO_DO[code]}; then start the workers again, and `carryover replay --held {code}` brings what was held"
    lacks = f"has no {rule.target} that we see" if describe is None else f"lets us make no {rule.target}"
    return Finding("warning", name, "", code, f"the org {lacks}: every record is held as {code}", hint)


def _left_out(name: str, column: str) -> Finding:
    hint = (
        'nothing, if the columns with the original times are enough; else switch "Set Audit Fields upon Record Creation" on (Setup, User Interface) '
        "and give the integration user that permission"
    )
    message = f"{column} can't be set by us; it is left to Salesforce"
    return Finding("info", name, column, "LEFT_OUT", message, hint)


def _among(name: str, rule: ObjectRule, fields: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for column, value in (rule.among or {}).items():
        field = fields.get(column.casefold())
        if field is None:
            yield _missing(name, rule, column, fields)
        elif isinstance(value, bool) != (field.get("type") == "boolean"):
            hint = "compare a checkbox with true or false, and nothing else with them"
            message = f"{column} is a {field.get('type')}: no row has what `among` asks for"
            yield Finding("error", name, column, "TYPE_MISMATCH", message, hint)


def _object_rights(name: str, rule: ObjectRule, describe: Mapping[str, Any]) -> Iterator[Finding]:
    needed = ["createable", "updateable"]
    if rule.on_delete == "delete" and not rule.is_file:  # a file is deleted as a whole, by its ContentDocument
        needed.append("deletable")
    for right in needed:
        if not describe.get(right, True):
            hint = "give the integration user this right in a permission set"
            yield Finding("error", name, "", "OBJECT_RIGHT_MISSING", f"{rule.target} is not {right} for us", hint)


def _missing(name: str, rule: ObjectRule, column: str, fields: Mapping[str, Mapping[str, Any]]) -> Finding:
    near = difflib.get_close_matches(column, [str(field["name"]) for field in fields.values()], n=1)
    hint = "create it with `carryover schema apply`, or let the integration user see it (field-level security)"
    hint += f"; did you mean {near[0]}?" if near else ""
    return Finding("error", name, column, "COLUMN_MISSING", f"{rule.target} has no column {column} that we see", hint)


def _external_id(name: str, rule: ObjectRule, fields: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    column = rule.external_id
    field = fields.get(column.casefold())
    if field is None:
        yield _missing(name, rule, column, fields)
        return
    if rule.attaches:  # no column of it can be either: rows are told apart by it, not asked for
        yield from _type(name, column, "text", field)
        yield from _rights(name, column, field)
        return
    for flag, code in (("externalId", "NOT_EXTERNAL_ID"), ("unique", "NOT_UNIQUE")):
        if not field.get(flag):
            what = "an external id" if flag == "externalId" else "unique"
            hint = f"tick '{'External ID' if flag == 'externalId' else 'Unique'}' on the field in Salesforce's setup"
            yield Finding("error", name, column, code, f"{column} is not {what}", hint)
    yield from _type(name, column, "text", field)
    yield from _rights(name, column, field)


def _rights(name: str, column: str, field: Mapping[str, Any], spec: Column | None = None) -> Iterator[Finding]:
    if not field.get("createable"):
        hint = "make it editable for the integration user, or take it out of the map if Salesforce computes it"
        yield Finding("error", name, column, "NOT_CREATEABLE", f"{column} can't be written by us", hint)
    elif not field.get("updateable"):
        hint = "nothing to do: it is sent when a row is created and left out afterwards"
        if spec is not None and spec.primary_role is not None:
            hint = f"nothing to do: it is sent when a row is created, and then carried by {spec.primary_role}"
        elif spec is not None and spec.parent is not None:
            hint += "; what changes in the source is told by verification"
        yield Finding("info", name, column, "INSERT_ONLY", f"{column} can be set only when a row is created", hint)


def _role(name: str, column: str, role: str, describes: Describes) -> Iterator[Finding]:
    lacking = lacking_for_roles(describes.get(role))
    if lacking:
        message = f"{role} {lacking}: a record whose {column} has changed will be rejected (CONTACT_ROLE_HIDDEN)"
        hint = f"let the integration user read, create, edit and delete {role}: in Salesforce that follows from Edit on the row it belongs to"
        yield Finding("warning", name, column, "CONTACT_ROLE_HIDDEN", message, hint)


def lacking_for_roles(describe: Mapping[str, Any] | None) -> str:
    """What keeps us from changing contact roles, in words; "" when nothing does.

    Args:
        describe: The org's describe of the roles' object, None when the org has none that we see.
    """
    if describe is None:
        return "is not there for us"
    missing = [right for right in ("createable", "updateable", "deletable") if not describe.get(right, True)]
    fields = _fields(describe)
    for column, right in (("OpportunityId", "createable"), ("ContactId", "createable"), ("IsPrimary", "updateable")):
        if not fields.get(column.casefold(), {}).get(right):
            missing.append(f"{column} {right}")
    return f"is not {', '.join(missing)} for us" if missing else ""


def _type(name: str, column: str, form: str, field: Mapping[str, Any]) -> Iterator[Finding]:
    kind = str(field.get("type"))
    if kind not in _TYPES[form]:
        near = [other for other, kinds in _TYPES.items() if kind in kinds]
        hint = f"say `as: {near[0]}` in the map" if near else "map another column"
        yield Finding("error", name, column, "TYPE_MISMATCH", f"{column} is a {kind}, the map writes {form}", hint)


def _column(document: MapDocument, name: str, column: str, spec: Column, field: Mapping[str, Any]) -> Iterator[Finding]:
    if spec.parent is not None:
        target = document.objects[spec.parent].target
        is_text = field.get("type") == "string" and field.get("length", 0) >= _ID_LENGTH
        if not (target in _NO_LOOKUP and is_text) and (
            field.get("type") != "reference" or target not in field.get("referenceTo", ())
        ):
            hint = f"map a lookup to {target}, or correct `parent`"
            yield Finding("error", name, column, "TYPE_MISMATCH", f"{column} is no lookup to {target}", hint)
        return
    if spec.first is not None and spec.counted is not None:  # what is written is what the part made of it
        part, named = spec.counted
        spec = document.objects[part].columns[named]
    given = _given(document, spec)
    if given is None:
        yield from _type(name, column, spec.as_, field)
        yield from _length(name, column, spec, field)
        return
    form = "boolean" if any(isinstance(value, bool) for value in given) else "text"
    if not any(isinstance(value, int) and not isinstance(value, bool) for value in given):
        yield from _type(name, column, form, field)
    yield from _fixed(name, column, given, field)


def _given(document: MapDocument, spec: Column) -> list[object] | None:
    """The values a column can get, when the map itself lists them."""
    if spec.kind == "source_tag":
        return [document.source_tag]
    if spec.kind == "constant":
        return [spec.constant]
    if spec.values is None:
        return None
    given: list[object] = [*spec.values.values(), spec.default]
    if spec.otherwise not in {"keep", "blank", "reject"}:
        given.append(spec.otherwise)
    return [value for value in dict.fromkeys(given) if value is not None]


def _length(name: str, column: str, spec: Column, field: Mapping[str, Any]) -> Iterator[Finding]:
    length = field.get("length") or 0
    if (
        length <= 0
        or spec.as_ not in {"text", "html", "email"}
        or field.get("type") not in _TEXTUAL
        or spec.kind == "run"
    ):
        return
    if spec.max is None and not (spec.as_ == "email" and length >= 80):
        hint = f"say `max: {length}` in the map, so that longer values are reported before they are sent"
        yield Finding("warning", name, column, "NO_MAX", f"the org takes {length} characters, the map any", hint)
    elif spec.max is not None and spec.max > length:
        hint = f"say `max: {length}` in the map, or make the field longer"
        message = f"the map allows {spec.max} characters, the org {length}"
        yield Finding("error", name, column, "LONGER_THAN_ORG", message, hint)


def _fixed(name: str, column: str, given: list[object], field: Mapping[str, Any]) -> Iterator[Finding]:
    length = field.get("length") or 0
    texts = [value for value in given if isinstance(value, str)]
    if 0 < length < max((len(text) for text in texts), default=0):
        hint = f"use texts of at most {length} characters in the map, or make the field longer"
        yield Finding("error", name, column, "LONGER_THAN_ORG", f"a text in the map is longer than {length}", hint)
    if field.get("type") not in {"picklist", "multipicklist"}:
        return
    active = {str(entry["value"]).casefold() for entry in field.get("picklistValues", ()) if entry.get("active", True)}
    unknown = [text for text in texts if text.casefold() not in active]
    if unknown:
        restricted = bool(field.get("restrictedPicklist"))
        hint = "add them to the picklist in Salesforce, or correct the map"
        message = f"the picklist doesn't have: {', '.join(unknown)}"
        yield Finding("error" if restricted else "info", name, column, "PICKLIST_VALUE_MISSING", message, hint)


def _required_by_org(name: str, rule: ObjectRule, fields: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    mapped = {column.casefold() for column in rule.columns} | {rule.external_id.casefold()}
    for key, field in fields.items():
        must = field.get("createable") and not field.get("nillable", True) and not field.get("defaultedOnCreate")
        if not must or field.get("type") in {"boolean", "base64"} or field["name"] in _FILLED_BY_SALESFORCE:
            continue
        column = str(field["name"])
        if key not in mapped:
            hint = "map it; a `constant` or a `default` will do"
            yield Finding("error", name, column, "REQUIRED_NOT_MAPPED", f"the org requires {column}", hint)
            continue
        spec = next((spec for other, spec in rule.columns.items() if other.casefold() == key), None)
        if spec is not None and spec.kind in {"from", "custom", "join"} and not spec.required and spec.default is None:
            hint = "say `required: true` or give a `default` in the map"
            message = f"the org requires {column}, the map may leave it empty"
            yield Finding("warning", name, column, "REQUIRED_MAY_BE_EMPTY", message, hint)


def _unused(name: str, rule: ObjectRule) -> Iterator[Finding]:
    columns = rule.columns.values()
    used = {field for spec in columns for field in (*spec.source_fields, spec.plus_minutes, spec.else_from, spec.seen)}
    used |= {spec.default_by.from_ for spec in columns if spec.default_by is not None}
    for field in SOURCE_FIELDS[rule.resource]:
        if field not in used:
            message = f"the source field {field} goes nowhere"
            yield Finding("info", name, "", "SOURCE_FIELD_UNUSED", message, "map it if it matters to you")
