"""The answer to one question of a submitted form, which travels as JSON: sections of questions, each with an answer or with options that were ticked.

Called by `transforms`; `compared_values` reads forms in another way. Source of the shape: `docs/sandbox.md`, resource `intake-forms`.
"""

import json
from functools import lru_cache
from typing import Any

__all__ = ["Answers"]


class Answers:
    """Reads the answers to one question.

    Args:
        question: Its name, or its names: a form may call it otherwise than an older one. Upper and lower case and blanks don't count.
        between: What stands between several ticked options.
    """

    def __init__(self, question: str | tuple[str, ...], between: str) -> None:
        names = (question,) if isinstance(question, str) else question
        self._names = frozenset(map(_plain, names))
        self._between = between

    def text(self, given: str) -> str | None:
        """The answer; "" when nobody has asked or answered, None when ``given`` is no form. Of a question that is there twice the first answer counts."""
        questions = _questions(given)
        if questions is None:
            return None
        answers = (_answer(one, self._between) for one in questions if _plain(one.get("name")) in self._names)
        return next(filter(None, answers), "")


@lru_cache(maxsize=16)
def _questions(given: str) -> list[dict[str, Any]] | None:
    """Kept for a moment: several columns are made of one form."""
    try:
        sections = json.loads(given, parse_int=str, parse_float=str).get("sections", [])
        questions = [question for section in sections for question in section.get("questions") or []]
        return questions if all(isinstance(question, dict) for question in questions) else None
    except (ValueError, RecursionError, TypeError, AttributeError):
        return None


def _answer(question: dict[str, Any], between: str) -> str:
    ticked = question.get("answers")
    if isinstance(ticked, list):
        chosen = [one.get("value") for one in ticked if isinstance(one, dict) and one.get("selected") is True]
        return between.join(filter(None, map(_text, chosen)))
    return _text(question.get("answer"))


def _text(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return (value if isinstance(value, str) else json.dumps(value)).strip()


def _plain(name: Any) -> str:
    return " ".join(name.split()).casefold() if isinstance(name, str) else ""
