"""Turns the JSON records of a request into one chunk for `rows`.

Owns what JSON may say: types, nested parents, `attributes`. A value of the wrong JSON type refuses the whole request,
as Salesforce's parser does. Called by `writes`.
"""

from collections.abc import Sequence
from typing import Any

from sandbox.salesforce import values
from sandbox.salesforce.columns import Column
from sandbox.salesforce.errors import ApiError, no_such_column
from sandbox.salesforce.schema import NUMERIC, Field, Schema, SObject
from sandbox.salesforce.values import CLEAR

Record = dict[str, Any]
_NAMES = {
    str: "VALUE_STRING",
    int: "VALUE_NUMBER_INT",
    float: "VALUE_NUMBER_FLOAT",
    list: "START_ARRAY",
    dict: "START_OBJECT",
}


def columns(schema: Schema, sobject: SObject, records: Sequence[Record]) -> tuple[list[Column], list[list[Any]]]:
    """The columns that any record has and their cells; what a record lacks is None, what it nulls is CLEAR."""
    found: dict[str, Column] = {}
    cells: dict[str, list[Any]] = {}
    for row, record in enumerate(records):
        for name, value in record.items():
            if name == "attributes":
                continue
            column, cell = _cell(schema, sobject, name, value)
            if column.field.name not in found:
                found[column.field.name] = column
                cells[column.field.name] = [None] * len(records)
            cells[column.field.name][row] = cell
    return list(found.values()), list(cells.values())


def _cell(schema: Schema, sobject: SObject, name: str, value: Any) -> tuple[Column, Any]:
    if isinstance(value, dict):
        return _parent(schema, sobject, name, value)
    field = sobject.get(name)
    if field is None or field.parts:
        raise ApiError(400, "INVALID_FIELD", no_such_column(name, sobject.name))
    return Column(name, field), _raw(field, value)


def _parent(schema: Schema, sobject: SObject, name: str, value: Record) -> tuple[Column, Any]:
    lookup = sobject.relationship(name)
    named = [(key, inner) for key, inner in value.items() if key != "attributes"]
    if lookup is None or len(named) != 1:
        raise ApiError(400, "INVALID_FIELD", no_such_column(name, sobject.name))
    kind = value.get("attributes", {}).get("type") or lookup.references[0]
    parent = schema.get(kind)
    key = parent.get(named[0][0]) if parent else None
    if parent is None or key is None or not key.key:
        raise ApiError(400, "INVALID_FIELD", no_such_column(named[0][0], kind))
    return Column(name, lookup, parent, key), _raw(key, named[0][1])


def _raw(field: Field, value: Any) -> Any:
    if value is None:
        return CLEAR
    kind = "boolean" if field.type == "boolean" else "number" if field.type in NUMERIC else "text"
    fits: dict[str, tuple[type, ...]] = {"boolean": (bool,), "number": (int, float), "text": (str,)}
    if not isinstance(value, fits[kind]) or (kind == "number" and isinstance(value, bool)):
        raise _unreadable(field, value)
    if field.type in {"date", "datetime"} and str(value).strip():
        wrong: values.Errors = {}
        values.converter(field)(field, [value], wrong)
        if wrong and wrong[0].code == "INVALID_TYPE_ON_FIELD_IN_RECORD":
            raise _unreadable(field, value)
    return CLEAR if value == "" else value


def _unreadable(field: Field, value: Any) -> ApiError:
    kind = field.type if field.type in {"date", "datetime", "boolean", "double", "currency", "int"} else "string"
    token = f"VALUE_{str(value).upper()}" if isinstance(value, bool) else _NAMES.get(type(value), "VALUE_STRING")
    shown = "" if isinstance(value, bool | list | dict) else f" value {value}"
    text = f"Cannot deserialize instance of {kind} from {token}{shown} or request may be missing a required field at [line:1, column:2]"
    return ApiError(400, "JSON_PARSER_ERROR", text)
