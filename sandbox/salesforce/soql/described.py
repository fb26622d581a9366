"""What the columns of a query are: the answer to `GET /query?columns=true`, which the Salesforce CLI asks for.

Owns that shape. Source of fact: what the CLI reads of it; keys beyond those are the usual ones, unverified.
"""

from typing import Any

from sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field, Schema
from sandbox.salesforce.soql.statement import Statement, translate_children


def columns(schema: Schema, statement: Statement) -> dict[str, Any]:
    """The columns of a translated query; relationships hold those of their records in `joinColumns`."""
    listed = _listed([(output.path, output.field) for output in statement.outputs], grouped=statement.query.aggregate)
    for child in statement.children:
        inner = columns(schema, translate_children(schema, statement.soql, child, [], deleted=False))
        listed.append(_column(child.name, None, inner["columnMetadata"], aggregate=True))
    return {
        "columnMetadata": listed,
        "entityName": statement.sobject.name,
        "groupBy": bool(statement.query.aggregate),
        "idSelected": any(output.path == ("Id",) for output in statement.outputs),
        "keyPrefix": statement.sobject.prefix,
    }


def _listed(outputs: list[tuple[tuple[str, ...], Field]], *, grouped: bool) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    joined: dict[str, list[tuple[tuple[str, ...], Field]]] = {}
    for path, field in outputs:
        if len(path) == 1 or grouped:
            listed.append(_column(path[-1], field, [], aggregate=False))
        elif path[0] in joined:
            joined[path[0]].append((path[1:], field))
        else:
            joined[path[0]] = [(path[1:], field)]
            listed.append(_column(path[0], None, [], aggregate=False))
    for column in listed:
        if column["columnName"] in joined:
            column["joinColumns"] = _listed(joined[column["columnName"]], grouped=False)
    return listed


def _column(name: str, field: Field | None, inner: list[dict[str, Any]], *, aggregate: bool) -> dict[str, Any]:
    kind = field.type if field else ""
    return {
        "aggregate": aggregate,
        "apexType": "Id" if kind in {"id", "reference"} else "Boolean" if kind == "boolean" else "String",
        "booleanType": kind == "boolean",
        "columnName": name,
        "custom": bool(field and field.custom),
        "displayName": name,
        "foreignKeyName": None,
        "insertable": bool(field and field.createable),
        "joinColumns": inner,
        "numberType": kind in NUMERIC,
        "textType": kind in TEXTUAL,
        "updatable": bool(field and field.updateable),
    }
