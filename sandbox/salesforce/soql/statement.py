"""Turns a SOQL tree into SQL over the tables of `records`.

Owns the meaning: which column a path is, how conditions treat null, what is refused and with which text. Called by
`queries` (JSON) and `extracts` (Bulk).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sandbox.salesforce import ids
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.schema import NUMERIC, Field, Schema, SObject
from sandbox.salesforce.soql.syntax import Call, Comparison, Condition, Literal, Logical, Path, Query
from sandbox.salesforce.values import stored_instant

LITERALS = {  # of a field's type
    "boolean": {"boolean"},
    "date": {"date", "word"},
    "datetime": {"datetime", "date", "word"},
    **{kind: {"number"} for kind in NUMERIC},
}
ARCHIVED = frozenset({"Event", "Task"})  # whose archived records only queryAll shows
UNSUPPORTED = (
    "sObject type '{0}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after"
    " the entity name. Please reference your WSDL or the describe call for the appropriate names."
)


class Output(NamedTuple):
    """One column of the answer: where it goes in a record (`("Account", "Name")`), its field, and its SQL."""

    path: tuple[str, ...]
    field: Field
    sql: str


@dataclass(slots=True)
class Statement:
    """A translated query: `source` is FROM with its joins, `rest` what follows, `values` the parameters of `rest`."""

    soql: str
    query: Query
    sobject: SObject
    outputs: list[Output]
    source: str
    rest: str
    values: list[Any]
    parents: list[tuple[str, SObject]] = field(default_factory=list)  # relationship in the answer, object

    def sql(self, *columns: str) -> str:
        """The SELECT of these columns."""
        return f"SELECT {', '.join(columns)} {self.source}{self.rest}"

    def sql_of_rows(self, rows: Sequence[int], *columns: str) -> str:
        """The SELECT of these columns for rows that are known by number; it takes no parameters."""
        return f"SELECT {', '.join(columns)} {self.source} WHERE t.seq IN ({', '.join(map(str, rows))})"


def translate(schema: Schema, soql: str, query: Query, *, deleted: bool) -> Statement:
    """The SQL of a query; raises ApiError (INVALID_TYPE, INVALID_FIELD, MALFORMED_QUERY)."""
    sobject = schema.get(query.sobject.text)
    if sobject is None:
        raise ApiError(400, "INVALID_TYPE", _pointed(soql, query.sobject.at, UNSUPPORTED.format(query.sobject.text)))
    return _Translation(schema, soql, query, sobject).statement(deleted=deleted or query.all_rows)


def _pointed(soql: str, at: int, text: str) -> str:
    start, end = max(0, at - 40), at + 40
    return f"\n{soql[start:end]}\n{' ' * (at - start)}^\nERROR at Row:1:Column:{at + 1}\n{text}"


class _Translation:
    def __init__(self, schema: Schema, soql: str, query: Query, sobject: SObject) -> None:
        self._schema, self._soql, self._query, self._sobject = schema, soql, query, sobject
        self._joins: dict[str, tuple[str, Field, SObject]] = {}  # relationship → alias, lookup, parent
        self._values: list[Any] = []

    def statement(self, *, deleted: bool) -> Statement:
        query = self._query
        outputs = self._outputs()
        marks = [] if deleted else self._live()
        if query.where is not None:
            marks.append(self._condition(query.where))
        rest = f" WHERE {' AND '.join(marks)}" if marks else ""
        if query.group:
            rest += f" GROUP BY {', '.join(self._column(path)[0] for path in query.group)}"
        if query.having is not None:
            rest += f" HAVING {self._condition(query.having)}"
        if query.order:
            rest += f" ORDER BY {', '.join(self._ordered(each.by, each.descending, each.nulls_last) for each in query.order)}"
        if query.limit is not None or query.offset:
            rest += f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset}"
        joins = "".join(
            f' LEFT JOIN "{parent.name}" {alias} ON {alias}.Id = t."{lookup.name}"'
            for alias, lookup, parent in self._joins.values()
        )
        parents = [(lookup.relationship or "", parent) for _, lookup, parent in self._joins.values()]
        return Statement(
            self._soql,
            query,
            self._sobject,
            outputs,
            f'FROM "{self._sobject.name}" t{joins}',
            rest,
            self._values,
            parents,
        )

    def _live(self) -> list[str]:
        archived = self._sobject.name in ARCHIVED and self._sobject.get("IsArchived") is not None
        return ["t.IsDeleted = 0", *(["t.IsArchived = 0"] if archived else [])]

    def _ordered(self, by: Path | Call, descending: bool, nulls_last: bool) -> str:
        return f"{self._operand(by)[0]} {'DESC' if descending else 'ASC'} NULLS {'LAST' if nulls_last else 'FIRST'}"

    # -- what is selected ---------------------------------------------------------------------------------------

    def _outputs(self) -> list[Output]:
        outputs: list[Output] = []
        unnamed = 0
        for each in self._query.fields:
            if isinstance(each, Call) and each.function == "FIELDS":
                outputs += [Output((name,), known, f't."{name}"') for name, known in self._sobject.fields.items()]
            elif isinstance(each, Call):
                sql, known = self._operand(each)
                outputs.append(Output((each.alias or f"expr{unnamed}",), known, sql))
                unnamed += each.alias is None
            else:
                sql, known = self._column(each)
                name = known.name if len(each.parts) == 1 else each.parts[-1]
                path = (self._relationship(each), known.name) if len(each.parts) == 2 else (name,)
                outputs.append(Output(path, known, sql))
        if self._query.aggregate and not self._query.counting:
            grouped = {path.parts for path in self._query.group}
            for each in self._query.fields:
                if isinstance(each, Path) and each.parts not in grouped:
                    raise ApiError(
                        400, "MALFORMED_QUERY", f"Field must be grouped or aggregated: {'.'.join(each.parts)}"
                    )
        return outputs

    def _relationship(self, path: Path) -> str:
        return self._joins[path.parts[0].lower()][1].relationship or path.parts[0]

    def _operand(self, operand: Path | Call) -> tuple[str, Field]:
        if isinstance(operand, Path):
            return self._column(operand)
        if operand.argument is None:
            return "count(*)", Field(name="expr", label="expr", type="int")
        sql, known = self._column(operand.argument)
        if operand.function.startswith("COUNT"):
            distinct = "DISTINCT " if operand.function == "COUNT_DISTINCT" else ""
            return f"count({distinct}{sql})", Field(name="expr", label="expr", type="int")
        return f"{operand.function.lower()}({sql})", known

    def _column(self, path: Path) -> tuple[str, Field]:
        *before, name = path.parts
        if before and before[0].lower() == self._sobject.name.lower() and self._sobject.relationship(before[0]) is None:
            before = before[1:]
        if not before:
            return self._known(self._sobject, "t", name, path)
        if len(before) > 1:
            raise self._no_column(path, name, self._sobject.name)
        alias, parent = self._join(before[0], path)
        return self._known(parent, alias, name, path)

    def _join(self, relationship: str, path: Path) -> tuple[str, SObject]:
        wanted = relationship.lower()
        if wanted not in self._joins:
            lookup = self._sobject.relationship(relationship)
            parent = next(
                (found for name in (lookup.references if lookup else ()) if (found := self._schema.get(name))), None
            )
            if lookup is None or parent is None:
                text = (
                    f"Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom"
                    " relationship, be sure to append the '__r' after the custom relationship name. Please reference your"
                    " WSDL or the describe call for the appropriate names."
                )
                raise ApiError(400, "INVALID_FIELD", _pointed(self._soql, path.at, text))
            self._joins[wanted] = (f"p{len(self._joins)}", lookup, parent)
        alias, _, parent = self._joins[wanted]
        return alias, parent

    def _known(self, sobject: SObject, alias: str, name: str, path: Path) -> tuple[str, Field]:
        known = sobject.get(name)
        if known is None:
            raise self._no_column(path, name, sobject.name)
        return f'{alias}."{known.name}"', known

    def _no_column(self, path: Path, name: str, sobject: str) -> ApiError:
        text = (
            f"No such column '{name}' on entity '{sobject}'. If you are attempting to use a custom field, be sure to append the"
            " '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
        )
        return ApiError(400, "INVALID_FIELD", _pointed(self._soql, path.at, text))

    # -- conditions ---------------------------------------------------------------------------------------------

    def _condition(self, condition: Condition) -> str:
        if isinstance(condition, Logical):
            parts = [self._condition(each) for each in condition.parts]
            if condition.operator == "not":
                return f"NOT coalesce({parts[0]}, 0)"
            return f"({f' {condition.operator.upper()} '.join(parts)})"
        return self._comparison(condition)

    def _comparison(self, comparison: Comparison) -> str:
        sql, known = self._operand(comparison.left)
        operator = comparison.operator
        values = [self._value(known, literal) for literal in comparison.right]
        if operator in {"in", "not in"}:
            return self._membership(sql, values, negated=operator == "not in")
        value = values[0]
        if value is None:
            return f"{sql} IS {'' if operator == '=' else 'NOT '}NULL"
        if operator == "!=":
            self._values.append(value)
            return f"{sql} IS NOT ?"
        self._values.append(value)
        if operator == "like":
            return f"{sql} LIKE ? ESCAPE '\\'"
        if operator in {"includes", "excludes"}:
            raise ApiError(400, "INVALID_FIELD", f"operator {operator} is only valid on multi-select picklists")
        return f"{sql} {operator} ?"

    def _membership(self, sql: str, values: list[Any], *, negated: bool) -> str:
        some = [value for value in values if value is not None]
        self._values.extend(some)
        listed = f"{sql} {'NOT ' if negated else ''}IN ({', '.join('?' * len(some))})"
        if negated:
            return f"({sql} IS NOT NULL AND {listed})" if None in values else f"({sql} IS NULL OR {listed})"
        return f"({sql} IS NULL OR {listed})" if None in values else listed

    def _value(self, known: Field, literal: Literal) -> Any:
        if literal.kind == "null" or (literal.kind == "string" and not literal.text):
            return None
        allowed = LITERALS.get(known.type, {"string"})
        if literal.kind not in allowed:
            quotes = "should not be" if literal.kind == "string" else "should be"
            text = f"value of filter criterion for field '{known.name}' must be of type {known.type} and {quotes} enclosed in quotes"
            raise ApiError(400, "INVALID_FIELD", _pointed(self._soql, literal.at, text))
        if literal.kind == "boolean":
            return int(literal.text == "true")
        if literal.kind == "number":
            return float(literal.text)
        if known.type in {"date", "datetime"}:
            return self._instant(known, literal)
        if known.type in {"id", "reference"}:
            long = ids.long(literal.text)
            if long is None:
                text = f"invalid ID field: {literal.text}"
                raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", _pointed(self._soql, literal.at, text))
            return long
        return literal.text

    def _instant(self, known: Field, literal: Literal) -> str:
        if literal.kind == "word":
            day = _named_day(literal.text)
            if day is None:
                raise ApiError(
                    400, "MALFORMED_QUERY", _pointed(self._soql, literal.at, f"unexpected token: '{literal.text}'")
                )
            return day if known.type == "date" else f"{day}T00:00:00.000+0000"
        if known.type == "date":
            return literal.text
        made = stored_instant(literal.text if literal.kind == "datetime" else f"{literal.text}T00:00:00Z")
        if made is None:
            raise ApiError(400, "INVALID_FIELD", _pointed(self._soql, literal.at, f"invalid date: {literal.text}"))
        return made


def _named_day(word: str) -> str | None:
    fixed = {"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}
    found = re.fullmatch(r"(LAST|NEXT)_N_DAYS:(\d{1,5})", word)
    if found:
        days = int(found[2]) * (-1 if found[1] == "LAST" else 1)
    elif word in fixed:
        days = fixed[word]
    else:
        return None
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"
