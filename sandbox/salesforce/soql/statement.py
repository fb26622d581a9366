"""Turns a SOQL tree into SQL over the tables of `records`.

Owns the meaning: which column a path is, how conditions treat null, what is refused and with which text. Called by
`queries` (JSON) and `extracts` (Bulk).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sandbox.salesforce import ids
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.schema import NUMERIC, Field, Schema, SObject
from sandbox.salesforce.soql import dates, restrictions
from sandbox.salesforce.soql.joins import Join, Joins, NoFieldError, NoRelationshipError
from sandbox.salesforce.soql.syntax import SHOWN, Call, Comparison, Condition, Literal, Logical, Path, Query
from sandbox.salesforce.values import stored_instant

LITERALS = {  # of a field's type
    "boolean": {"boolean"},
    "date": {"date", "word"},
    "datetime": {"datetime", "date", "word"},
    **{kind: {"number"} for kind in NUMERIC},
}
ARCHIVED = frozenset({"Event", "Task"})  # whose archived records only queryAll shows
MOST_OF_ALL = 200  # records of FIELDS(ALL)
UNSUPPORTED = (
    "sObject type '{0}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after"
    " the entity name. Please reference your WSDL or the describe call for the appropriate names."
)


class Output(NamedTuple):
    """One column of the answer: where it goes in a record (`("Account", "Name")`), its field, and its SQL.

    `join` is the last relationship on the way, None for a column of the object itself.
    """

    path: tuple[str, ...]
    field: Field
    sql: str
    join: Join | None = None


class Child(NamedTuple):
    """A query for the children of each record: what the answer calls them, their object and their lookup."""

    name: str
    query: Query
    sobject: SObject
    lookup: Field


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
    children: list[Child] = field(default_factory=list)

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
    restrictions.check(query)
    return _Translation(schema, soql, query, sobject).statement(deleted=deleted or query.all_rows)


def _pointed(soql: str, at: int, text: str) -> str:
    start, end = max(0, at - 40), at + 40
    return f"\n{soql[start:end]}\n{' ' * (at - start)}^\nERROR at Row:1:Column:{at + 1}\n{text}"


def translate_children(schema: Schema, soql: str, child: Child, parents: Sequence[str], *, deleted: bool) -> Statement:
    """The SQL of the children of some records; how many each may have is the caller's to cut."""
    made = _Translation(schema, soql, child.query, child.sobject)
    return made.statement(deleted=deleted, among=(child.lookup.name, parents))


class _Translation:
    def __init__(self, schema: Schema, soql: str, query: Query, sobject: SObject) -> None:
        self._schema, self._soql, self._query, self._sobject = schema, soql, query, sobject
        self._joins = Joins(schema, sobject)
        self._values: list[Any] = []
        self._children: list[Child] = []

    def statement(self, *, deleted: bool, among: tuple[str, Sequence[str]] | None = None) -> Statement:
        query = self._query
        outputs = self._outputs()
        marks = [] if deleted else self._live()
        if among is not None:
            marks.append(f't."{among[0]}" IN ({", ".join("?" * len(among[1]))})')
            self._values.extend(among[1])
        if query.where is not None:
            marks.append(self._condition(query.where))
        rest = f" WHERE {' AND '.join(marks)}" if marks else ""
        if query.group:
            rest += f" GROUP BY {', '.join(self._operand(each)[0] for each in query.group)}"
        if query.having is not None:
            rest += f" HAVING {self._condition(query.having)}"
        if query.order:
            rest += f" ORDER BY {', '.join(self._ordered(each.by, each.descending, each.nulls_last) for each in query.order)}"
        if among is None and (query.limit is not None or query.offset):
            rest += f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset}"
        source = f'FROM "{self._sobject.name}" t{self._joins.sql}'
        return Statement(self._soql, query, self._sobject, outputs, source, rest, self._values, self._children)

    def selection(self) -> str:
        """The SQL of a query whose one column is compared with; raises ApiError."""
        outputs = self._outputs()
        if len(outputs) != 1 or self._query.aggregate:
            text = "The inner select of a semi-join must select exactly one field"
            raise ApiError(400, "MALFORMED_QUERY", text)
        marks = [*self._live(), f"{outputs[0].sql} IS NOT NULL"]
        if self._query.where is not None:
            marks.append(self._condition(self._query.where))
        limit = "" if self._query.limit is None else f" LIMIT {self._query.limit}"
        source = f'FROM "{self._sobject.name}" t{self._joins.sql}'
        return f"SELECT {outputs[0].sql} {source} WHERE {' AND '.join(marks)}{limit}"

    def _live(self) -> list[str]:
        archived = self._sobject.name in ARCHIVED and self._sobject.get("IsArchived") is not None
        return ["t.IsDeleted = 0", *(["t.IsArchived = 0"] if archived else [])]

    def _ordered(self, by: Path | Call, descending: bool, nulls_last: bool) -> str:
        aliased = self._aliased(by)
        sql = aliased or self._operand(by)[0]
        return f"{sql} {'DESC' if descending else 'ASC'} NULLS {'LAST' if nulls_last else 'FIRST'}"

    def _aliased(self, by: Path | Call) -> str | None:
        """The SQL behind the alias of a function in the select list."""
        for each in self._query.fields:
            if isinstance(each, Call) and each.alias and isinstance(by, Path) and by.parts == (each.alias,):
                return self._operand(each)[0]
        return None

    # -- what is selected ---------------------------------------------------------------------------------------

    def _outputs(self) -> list[Output]:
        outputs: list[Output] = []
        unnamed = 0
        for each in self._query.fields:
            if isinstance(each, Query):
                self._children.append(self._child(each))
            elif isinstance(each, Call) and each.function == "FIELDS":
                outputs += self._every(each)
            elif isinstance(each, Call) and each.function in SHOWN and each.argument is not None:
                output = self._output(each.argument)
                outputs.append(output._replace(path=(each.alias,)) if each.alias else output)
            elif isinstance(each, Call):
                sql, known = self._operand(each)
                outputs.append(Output((each.alias or f"expr{unnamed}",), known, sql))
                unnamed += each.alias is None
            else:
                outputs.append(self._output(each))
        if self._query.aggregate and not self._query.counting:
            self._check_grouped()
        return outputs

    def _output(self, path: Path) -> Output:
        sql, known, join = self._found(path)
        return Output((*(join.path if join else ()), known.name), known, sql, join)

    def _every(self, call: Call) -> list[Output]:
        which = "" if call.argument is None else call.argument.parts[0].upper()
        if which not in {"ALL", "STANDARD", "CUSTOM"}:
            raise ApiError(400, "MALFORMED_QUERY", "unexpected token: 'FIELDS'")
        if which != "STANDARD" and (self._query.limit is None or self._query.limit > MOST_OF_ALL):
            text = f"The SOQL FIELDS function must have a LIMIT of at most {MOST_OF_ALL}"
            raise ApiError(400, "MALFORMED_QUERY", text)
        return [
            Output((name,), known, f't."{name}"')
            for name, known in self._sobject.fields.items()
            if which == "ALL" or known.custom == (which == "CUSTOM")
        ]

    def _child(self, query: Query) -> Child:
        name = query.sobject.text
        for sobject, lookup in self._schema.lookups_to(self._sobject.name):
            if lookup.child is not None and lookup.child.lower() == name.lower():
                return Child(lookup.child, query, sobject, lookup)
        text = (
            f"Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a custom"
            " relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or"
            " the describe call for the appropriate names."
        )
        raise ApiError(400, "INVALID_TYPE", _pointed(self._soql, query.sobject.at, text))

    def _check_grouped(self) -> None:
        grouped = {_key(each) for each in self._query.group}
        for each in self._query.fields:
            if isinstance(each, Query) or (isinstance(each, Call) and each.aggregate) or _key(each) in grouped:
                continue
            shown = each.function if isinstance(each, Call) else ".".join(each.parts)
            raise ApiError(400, "MALFORMED_QUERY", f"Field must be grouped or aggregated: {shown}")

    def _operand(self, operand: Path | Call) -> tuple[str, Field]:
        if isinstance(operand, Path):
            return self._found(operand)[:2]
        if operand.argument is None:
            return "count(*)", Field(name="expr", label="expr", type="int")
        sql, known, _ = self._found(operand.argument)
        if operand.function in SHOWN:
            return sql, known
        if operand.function in dates.FUNCTIONS:
            kind = "date" if operand.function == "DAY_ONLY" else "int"
            return dates.FUNCTIONS[operand.function](sql), Field(name="expr", label="expr", type=kind)
        if operand.function.startswith("COUNT"):
            distinct = "DISTINCT " if operand.function == "COUNT_DISTINCT" else ""
            return f"count({distinct}{sql})", Field(name="expr", label="expr", type="int")
        return f"{operand.function.lower()}({sql})", known

    def _found(self, path: Path) -> tuple[str, Field, Join | None]:
        *before, name = path.parts
        own = {self._sobject.name.lower(), self._query.alias}
        if before and before[0].lower() in own and self._sobject.relationship(before[0]) is None:
            before = before[1:]
        try:
            if before:
                join = self._joins.follow(tuple(before))
                return (*join.column(name), join)
        except NoRelationshipError as error:
            text = (
                f"Didn't understand relationship '{error.args[0]}' in field path. If you are attempting to use a custom"
                " relationship, be sure to append the '__r' after the custom relationship name. Please reference your"
                " WSDL or the describe call for the appropriate names."
            )
            raise ApiError(400, "INVALID_FIELD", _pointed(self._soql, path.at, text)) from error
        except NoFieldError as error:
            raise self._no_column(path, *error.args) from error
        known = self._sobject.get(name)
        if known is None:
            raise self._no_column(path, name, self._sobject.name)
        return f't."{known.name}"', known, None

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
        if known.long:
            text = f"field '{known.name}' can not be filtered in a query call"
            raise ApiError(400, "INVALID_FIELD", _pointed(self._soql, comparison.left.at, text))
        operator = comparison.operator
        if comparison.query is not None:
            return self._joined(sql, comparison.query, negated=operator == "not in")
        if operator in {"includes", "excludes"}:
            return self._including(sql, known, comparison.right, negated=operator == "excludes")
        spans = [self._span(known, literal) for literal in comparison.right]
        if any(spans) and operator not in {"in", "not in"}:
            return self._within(sql, operator, spans[0])
        values = [self._value(known, literal) for literal in comparison.right]
        if operator in {"in", "not in"}:
            return self._membership(sql, values, negated=operator == "not in")
        value = values[0]
        if value is None:
            return f"{sql} IS {'' if operator == '=' else 'NOT '}NULL"
        self._values.append(value)
        if operator == "!=":
            return f"{sql} IS NOT ?"
        if operator == "like":
            return f"{sql} LIKE ? ESCAPE '\\'"
        return f"{sql} {operator} ?"

    def _joined(self, sql: str, query: Query, *, negated: bool) -> str:
        sobject = self._schema.get(query.sobject.text)
        if sobject is None:
            text = UNSUPPORTED.format(query.sobject.text)
            raise ApiError(400, "INVALID_TYPE", _pointed(self._soql, query.sobject.at, text))
        inner = _Translation(self._schema, self._soql, query, sobject)
        selected = inner.selection()
        self._values.extend(inner._values)
        return f"({sql} IS NULL OR {sql} NOT IN ({selected}))" if negated else f"{sql} IN ({selected})"

    def _including(self, sql: str, known: Field, right: Sequence[Literal], *, negated: bool) -> str:
        if known.type != "multipicklist":
            operator = "EXCLUDES" if negated else "INCLUDES"
            text = f"operator {operator} is only valid on multi-select picklists"
            raise ApiError(400, "INVALID_FIELD", _pointed(self._soql, right[0].at, text))
        choices = []
        for literal in right:
            parts = literal.text.split(";")
            choices.append(" AND ".join([f"instr(';' || {sql} || ';', ?) > 0"] * len(parts)))
            self._values.extend(f";{part};" for part in parts)
        found = f"coalesce(({') OR ('.join(choices)}), 0)"
        return f"NOT {found}" if negated else found

    def _span(self, known: Field, literal: Literal) -> tuple[str, str] | None:
        """The first instant or day of a date literal and the first one after it, None when it is no such literal."""
        if literal.kind != "word" or known.type not in {"date", "datetime"}:
            return None
        found = dates.span(literal.text)
        if found is None:
            raise ApiError(
                400, "MALFORMED_QUERY", _pointed(self._soql, literal.at, f"unexpected token: '{literal.text}'")
            )
        end = "T00:00:00.000+0000" if known.type == "datetime" else ""
        return f"{found[0]}{end}", f"{found[1]}{end}"

    def _within(self, sql: str, operator: str, span: tuple[str, str] | None) -> str:
        assert span is not None
        first, after = span
        if operator in {"=", "!="}:
            self._values += [first, after]
            inside = f"({sql} >= ? AND {sql} < ?)"
            return inside if operator == "=" else f"NOT coalesce({inside}, 0)"
        value, compared = {"<": (first, "<"), "<=": (after, "<"), ">": (after, ">="), ">=": (first, ">=")}[operator]
        self._values.append(value)
        return f"{sql} {compared} ?"

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
        if literal.kind == "word":  # in a list
            found = self._span(known, literal)
            assert found is not None
            return found[0]
        if known.type == "date":
            return literal.text
        made = stored_instant(literal.text if literal.kind == "datetime" else f"{literal.text}T00:00:00Z")
        if made is None:
            raise ApiError(400, "INVALID_FIELD", _pointed(self._soql, literal.at, f"invalid date: {literal.text}"))
        return made


def _key(operand: Path | Call) -> tuple[str, ...]:
    """What makes two mentions of a grouped operand the same."""
    if isinstance(operand, Path):
        return tuple(part.lower() for part in operand.parts)
    return (operand.function, *(_key(operand.argument) if operand.argument else ()))
