"""Cuts SOQL into tokens. Owns the lexical rules and nothing else; called by `syntax`."""

import re
from typing import NamedTuple

from sandbox.salesforce.errors import ApiError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\s*\.\s*[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<mark><=|>=|!=|<>|[=<>(),:])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Token(NamedTuple):
    """One token: its kind (`string`, `datetime`, `date`, `number`, `name`, `mark`, `end`), text and place."""

    kind: str
    text: str
    at: int


def malformed(text: str) -> ApiError:
    """400 of a query that cannot be read."""
    return ApiError(400, "MALFORMED_QUERY", text)


def split(soql: str) -> list[Token]:
    """The tokens of a query, ended by one of kind `end`; raises ApiError for what is no token."""
    tokens: list[Token] = []
    at = 0
    end = len(soql.rstrip())
    while at < end:
        found = _TOKEN.match(soql, at)
        if found is None or found.lastgroup is None:
            raise malformed(f"line 1:{at} no viable alternative at character '{soql[at : at + 1]}'")
        tokens.append(Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        at = found.end()
    tokens.append(Token("end", "<EOF>", end))
    return tokens


def unquoted(text: str, *, pattern: bool = False) -> str:
    """The value of a string token; for a LIKE pattern the escapes of `_` and `%` are kept."""

    def replaced(found: re.Match[str]) -> str:
        letter = found[1]
        if pattern and letter in "_%":
            return f"\\{letter}"
        if pattern and letter == "\\":
            return "\\\\"
        return _ESCAPES.get(letter.lower(), letter)

    return re.sub(r"\\(.)", replaced, text[1:-1], flags=re.DOTALL)
