"""Reads SOQL into a tree. Owns the grammar; knows no object and no field. Called by `statement`."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sandbox.salesforce.soql import dates
from sandbox.salesforce.soql.tokens import Token, malformed, split, unquoted

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"})
SHOWN = frozenset({"TOLABEL", "FORMAT", "CONVERTCURRENCY"})  # which leave a value as it is, here
FUNCTIONS = AGGREGATES | SHOWN | {"FIELDS"} | dates.FUNCTIONS.keys()
COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}
END_OF_CONDITION = {"group", "having", "order", "limit", "offset", "with", "for", "all", "using"}
WITH = {"security_enforced", "user_mode", "system_mode"}
FOR = {"view", "reference", "update"}


class Path(NamedTuple):
    """A field, perhaps of a parent: `("Account", "Name")`; `at` is its place in the text."""

    parts: tuple[str, ...]
    at: int


class Call(NamedTuple):
    """A function, `argument` is None for `COUNT()`; `alias` is its name in the answer."""

    function: str
    argument: Path | None
    alias: str | None
    at: int

    @property
    def aggregate(self) -> bool:
        """Whether it makes one value of many."""
        return self.function in AGGREGATES


class Literal(NamedTuple):
    """A value in a condition. `kind` is string, datetime, date, number, boolean, null or word (`TODAY`, `LAST_N_DAYS:3`)."""

    kind: str
    text: str
    at: int


class Comparison(NamedTuple):
    """`left operator right`; the operator is one of the comparisons, `like`, `in`, `not in`, `includes` or `excludes`.

    With `query`, the values are those that another query selects.
    """

    left: Path | Call
    operator: str
    right: tuple[Literal, ...]
    query: "Query | None" = None


class Logical(NamedTuple):
    """`and`/`or` over several conditions, or `not` over one."""

    operator: str
    parts: "tuple[Condition, ...]"


Condition = Comparison | Logical


class Order(NamedTuple):
    """One term of ORDER BY; nulls come first unless said otherwise."""

    by: Path | Call
    descending: bool
    nulls_last: bool


@dataclass(slots=True)
class Query:
    """A whole query."""

    fields: "list[Path | Call | Query]"
    sobject: Token
    where: Condition | None = None
    group: list[Path | Call] = field(default_factory=list)
    having: Condition | None = None
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False
    alias: str | None = None

    @property
    def counting(self) -> bool:
        """Whether it is `SELECT COUNT() FROM …`, which has no records in its answer."""
        only = self.fields[0]
        return len(self.fields) == 1 and isinstance(only, Call) and only.function == "COUNT" and only.argument is None

    @property
    def aggregate(self) -> bool:
        """Whether the rows of the answer are no records."""
        return bool(self.group) or any(isinstance(each, Call) and each.aggregate for each in self.fields)


def parse(soql: str) -> Query:
    """The tree of a query; raises ApiError with MALFORMED_QUERY."""
    return _Parser(split(soql)).whole()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at = tokens, 0

    # -- tokens -------------------------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is(self, *words: str) -> bool:
        ahead = self._tokens[self._at : self._at + len(words)]
        return len(ahead) == len(words) and all(
            token.kind in {"name", "mark"} and token.text.lower() == word
            for token, word in zip(ahead, words, strict=True)
        )

    def _skip(self, *words: str) -> bool:
        if self._is(*words):
            self._at += len(words)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise self._unexpected()

    def _unexpected(self) -> Exception:
        token = self._next
        if token.kind == "end":
            return malformed("unexpected token: '<EOF>'")
        return malformed(f"unexpected token: '{token.text}'")

    # -- grammar ------------------------------------------------------------------------------------------------

    def whole(self) -> Query:
        query = self.query()
        if self._next.kind != "end":
            raise self._unexpected()
        return query

    def query(self) -> Query:
        self._expect("select")
        fields = [self._selected()]
        while self._skip(","):
            fields.append(self._selected())
        self._expect("from")
        query = Query(fields, self._name())
        if self._next.kind == "name" and self._next.text.lower() not in END_OF_CONDITION | {"where"}:
            query.alias = self._take().text.lower()
        if self._skip("using", "scope"):
            self._name()
        if self._skip("where"):
            query.where = self._condition()
        self._modes(query)
        self._grouping(query)
        if self._skip("order", "by"):
            query.order = [self._order()]
            while self._skip(","):
                query.order.append(self._order())
        if self._skip("limit"):
            query.limit = self._whole()
        if self._skip("offset"):
            query.offset = self._whole()
        if self._skip("for") and self._take().text.lower() not in FOR:
            self._at -= 1
            raise self._unexpected()
        query.all_rows = self._skip("all", "rows")
        return query

    def _modes(self, query: Query) -> None:
        del query  # all users may see all records here
        if self._skip("with") and self._take().text.lower() not in WITH:
            self._at -= 1
            raise self._unexpected()

    def _grouping(self, query: Query) -> None:
        if self._skip("group", "by"):
            query.group = [self._operand()]
            while self._skip(","):
                query.group.append(self._operand())
        if self._skip("having"):
            query.having = self._condition()

    def _name(self) -> Token:
        if self._next.kind != "name":
            raise self._unexpected()
        return self._take()

    def _path(self) -> Path:
        token = self._name()
        return Path(tuple(part.strip() for part in token.text.split(".")), token.at)

    def _operand(self) -> Path | Call:
        token = self._next
        if token.kind == "name" and self._tokens[self._at + 1].text == "(":
            return self._call()
        return self._path()

    def _call(self) -> Call:
        token = self._take()
        function = token.text.upper()
        if function not in FUNCTIONS:
            raise malformed(f"unexpected token: '{token.text}'")
        self._expect("(")
        argument = None if self._is(")") else self._path()
        self._expect(")")
        return Call(function, argument, None, token.at)

    def _selected(self) -> Path | Call | Query:
        if self._skip("("):
            query = self.query()
            self._expect(")")
            return query
        operand = self._operand()
        named = self._next.kind == "name" and not self._is("from")
        if isinstance(operand, Call) and named:
            return operand._replace(alias=self._take().text)
        return operand

    def _order(self) -> Order:
        by = self._operand()
        descending = self._skip("desc")
        if not descending:
            self._skip("asc")
        nulls_last = self._skip("nulls", "last")
        if not nulls_last:
            self._skip("nulls", "first")
        return Order(by, descending, nulls_last)

    def _whole(self) -> int:
        token = self._take()
        if token.kind != "number" or not token.text.isdigit():
            raise malformed(f"unexpected token: '{token.text}'")
        return int(token.text)

    def _condition(self) -> Condition:
        parts = [self._term()]
        operator = "and" if self._is("and") else "or" if self._is("or") else None
        while operator and self._skip(operator):
            parts.append(self._term())
        if self._is("and") or self._is("or"):
            raise self._unexpected()  # mixed without parentheses
        return parts[0] if operator is None else Logical(operator, tuple(parts))

    def _term(self) -> Condition:
        if self._skip("not"):
            return Logical("not", (self._term(),))
        if self._skip("("):
            inner = self._condition()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        left = self._operand()
        token = self._take()
        operator = token.text.lower()
        if operator == "not":
            self._expect("in")
            operator = "not in"
        if operator in {"in", "not in"} and self._is("(", "select"):
            self._expect("(")
            query = self.query()
            self._expect(")")
            return Comparison(left, operator, (), query)
        if operator in {"in", "not in", "includes", "excludes"}:
            return Comparison(left, operator, self._list())
        if operator not in COMPARISONS | {"like"}:
            raise malformed(f"unexpected token: '{token.text}'")
        return Comparison(left, "!=" if operator == "<>" else operator, (self._literal(pattern=operator == "like"),))

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        values = [self._literal()]
        while self._skip(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self, *, pattern: bool = False) -> Literal:
        token = self._take()
        if token.kind == "string":
            return Literal("string", unquoted(token.text, pattern=pattern), token.at)
        if token.kind in {"datetime", "date", "number"}:
            return Literal(token.kind, token.text, token.at)
        if token.kind != "name":
            self._at -= 1
            raise self._unexpected()
        word = token.text.lower()
        if word in {"true", "false"}:
            return Literal("boolean", word, token.at)
        if word == "null":
            return Literal("null", "", token.at)
        days = f":{self._whole()}" if self._skip(":") else ""
        return Literal("word", token.text.upper() + days, token.at)
