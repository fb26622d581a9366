"""JSON as Salesforce prints it when asked with `X-PrettyPrint: 1`: `"key" : value`, arrays on the line they begin on.

Owns that form. Source of fact: recorded answers.
"""

from typing import Any

import orjson

STEP = "  "


def printed(value: Any, indent: str = "") -> str:
    """The text of a JSON value; `indent` is that of the line it begins on."""
    if isinstance(value, dict) and value:
        inner = indent + STEP
        lines = ",\n".join(f"{inner}{_plain(key)} : {printed(each, inner)}" for key, each in value.items())
        return f"{{\n{lines}\n{indent}}}"
    if isinstance(value, list) and value:
        return f"[ {', '.join(printed(each, indent) for each in value)} ]"
    if isinstance(value, dict | list):
        return "{ }" if isinstance(value, dict) else "[ ]"
    return _plain(value)


def _plain(value: Any) -> str:
    return orjson.dumps(value).decode()
