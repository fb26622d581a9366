"""Texts, numbers, amounts and lists as a comparison reads them.

A second opinion, as `comparators`, which calls it: nothing is shared with `transforms` or `entries`.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mapping.rules import Column

__all__ = ["GLUE", "amount", "answer", "entries", "looks_like_email", "nothing", "number_of", "tidy"]

GLUE: Final = {"newline": chr(10), "space": chr(32), "comma": ", "}
_LOCAL_MARKS: Final = frozenset("!#$%&'*/=?^_+-`{|}~.")


def nothing(stored: Any) -> bool:
    """Whether Salesforce says that a column is empty."""
    return stored is None or stored == ""


def _storable(character: str) -> bool:
    """Whether XML 1.0, and with it Salesforce, can hold the character."""
    number = ord(character)
    if number < 0x20:
        return character in "\t\n\r"
    return not 0xD800 <= number <= 0xDFFF and number not in {0xFFFE, 0xFFFF}


def tidy(text: str | None) -> str:
    """What a text is once stored: storable characters, one kind of line end, no blanks around."""
    if text is None:
        return ""
    if not (text.isascii() and text.isprintable()):
        kept: list[str] = []
        before = ""
        for character in text:
            if not (character == "\n" and before == "\r") and _storable(character):
                kept.append("\n" if character == "\r" else character)
            before = character
        text = "".join(kept)
    return text.strip()


def number_of(text: str) -> Decimal | None:
    """The number that a text is, None when it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and "_" not in text and text.isascii() else None


def amount(text: str, undotted: str = "units") -> Decimal | None:
    """The amount in cents, rounded half away from zero, as `decimal` alone can't read it; ``undotted`` is what one without decimals means."""
    sign = 1
    if text.startswith("(") and text.endswith(")"):
        sign, text = -1, text[1:-1].strip()
        if text[:1] in {"+", "-"}:
            return None
    elif text[:1] in {"+", "-"}:
        sign, text = (-1 if text[0] == "-" else 1), text[1:]
    if text[:1] in {"$", "€", "£"}:
        text = text[1:]
    text = text.lstrip()
    whole, dot, fraction = text.partition(".")
    groups = whole.split(",")
    shaped = len(groups) == 1 or (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]))
    digits = "".join(groups)
    if not dot and undotted == "reject":
        return None
    if not shaped or not digits.isdigit() or not digits.isascii() or len(groups) > 5:
        return None
    if len(digits) > (13 if len(groups) == 1 else 15):
        return None
    if dot and not (fraction.isdigit() and fraction.isascii() and len(fraction) <= 18):
        return None
    places = (fraction + "000")[:3]
    cents = int(digits) if not dot and undotted == "cents" else int(digits) * 100 + int(places[:2]) + (places[2] >= "5")
    return sign * Decimal(cents) / 100


def entries(column: Column, text: str) -> str | None:
    """The entries of a JSON list as the column's text; None when it is no list of objects."""
    try:
        found = json.loads(text, parse_int=lambda digits: digits, parse_float=lambda digits: digits)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    several = not isinstance(column.each, str)
    names = list(column.each or ()) if several else [column.each]
    lines: list[str] = []
    for entry in found:
        if not isinstance(entry, dict):
            return None
        words: list[str] = []
        for name in names:
            value = entry.get(name)
            if value is not None:
                words += (value if isinstance(value, str) else json.dumps(value)).split()
        line = " ".join(words)
        if line and (several or line not in lines):
            lines.append(line)
    return GLUE[column.with_].join(lines)


def answer(column: Column, text: str) -> str | None:
    """The answer to the column's question in a submitted form; None when it is no form."""
    asked = [column.answer] if isinstance(column.answer, str) else list(column.answer or ())
    wanted = {tuple(name.casefold().split()) for name in asked}
    try:
        sections = json.loads(text, parse_int=lambda digits: digits, parse_float=lambda digits: digits).get(
            "sections", []
        )
        questions = [question for section in sections for question in section.get("questions") or []]
        named = [(question.get("name"), question.get("answers"), question.get("answer")) for question in questions]
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None
    for name, options, said in named:
        if not isinstance(name, str) or tuple(name.casefold().split()) not in wanted:
            continue
        values = [said]
        if isinstance(options, list):
            ticked = [option for option in options if isinstance(option, dict) and option.get("selected") is True]
            values = [option.get("value") for option in ticked]
        texts = [value if isinstance(value, str) else json.dumps(value) for value in values if _is_plain(value)]
        found = GLUE[column.with_].join(text.strip() for text in texts if text.strip())
        if found:
            return found
    return ""


def _is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, dict | list)


def looks_like_email(text: str) -> bool:
    """Whether Salesforce would take it for an address."""
    local, at, domain = text.partition("@")
    if not at or not text.isascii() or not local or "" in local.split("."):
        return False
    if any(not (mark.isalnum() or mark in _LOCAL_MARKS) for mark in local):
        return False
    labels = domain.split(".")
    if len(labels) < 2 or len(labels[-1]) < 2 or not labels[-1][-1].isalpha():
        return False
    for label in labels:
        plain = label.replace("-", "")
        if not plain.isalnum() or label.startswith("-") or label.endswith("-"):
            return False
    return True
