"""Turns XML into plain values and back: an element with children is a dict, a repeated one a list, any other a text.

Owns that form only; namespaces are dropped, `xsi:nil` is None. Documents with a DTD are refused: nothing here needs one.
"""

from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class MalformedError(ValueError):
    """A text that is no XML; the text of the error says why."""


def parse(text: bytes) -> ET.Element:
    """The root element; raises MalformedError."""
    if b"<!DOCTYPE" in text:
        raise MalformedError("DOCTYPE is not allowed")
    try:
        return ET.fromstring(text)  # noqa: S314  (without a DTD there is nothing to expand)
    except ET.ParseError as error:
        raise MalformedError(str(error)) from error


def name(element: ET.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def value(element: ET.Element) -> Any:
    """What an element holds; its `xsi:type`, if it has one, is under the key `@type`, without its prefix."""
    if element.get(NIL) in {"true", "1"}:
        return None
    kind = element.get(TYPE, "").rpartition(":")[2]
    if not len(element):
        text = element.text or ""
        return {"@type": kind} if kind and not text.strip() else text
    found: dict[str, Any] = {"@type": kind} if kind and ":" not in kind else {}
    for child in element:
        key, inner = name(child), value(child)
        if key not in found:
            found[key] = inner
        elif isinstance(found[key], list):
            found[key].append(inner)
        else:
            found[key] = [found[key], inner]
    return found


def many(found: Any) -> list[Any]:
    """A repeated element as a list, however often it occurred."""
    return found if isinstance(found, list) else [] if found is None or found == "" else [found]


def write(key: str, given: Any) -> str:
    """One element, or one for each item of a list; None is left out. A key `@type` of a dict becomes its `xsi:type`."""
    if given is None:
        return ""
    if isinstance(given, list):
        return "".join(write(key, each) for each in given)
    if isinstance(given, dict):
        inner = "".join(write(each, one) for each, one in given.items() if not each.startswith("@"))
        kind = f' xsi:type="{given["@type"]}"' if "@type" in given else ""
        return f"<{key}{kind}>{inner}</{key}>"
    if isinstance(given, bool):
        return f"<{key}>{str(given).lower()}</{key}>"
    return f"<{key}>{escape(str(given))}</{key}>"
