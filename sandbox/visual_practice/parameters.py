"""What a request to Visual Practice may say in its query, and the words when it makes no sense.

Owns reading and checking; knows no storage. Called by the handlers.
"""

from collections.abc import Mapping, Sequence

from sandbox import clock
from sandbox.visual_practice.view import View

PER_PAGE, MOST_PER_PAGE = 50, 100
MOST_PAGE = 10**9


class BadRequestError(ValueError):
    """A parameter makes no sense; the text says which."""


def whole(query: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from 1."""
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_PAGE:
        raise BadRequestError(f"{name} must be a whole number from 1")
    return int(text)


def per_page(query: Mapping[str, str]) -> int:
    """How many records a page has; more than the most is the most."""
    return min(whole(query, "per_page", PER_PAGE), MOST_PER_PAGE)


def choice(query: Mapping[str, str], name: str, *choices: str) -> str:
    """One of the choices, the first when nothing is said."""
    value = query.get(name) or choices[0]
    if value not in choices:
        raise BadRequestError(f"{name} must be one of {', '.join(choices)}")
    return value


def instant(query: Mapping[str, str], name: str, view: View) -> str | None:
    """An instant in its stored form, or None."""
    text = query.get(name)
    if not text:
        return None
    try:
        stored = view.stored_instant(text)
        clock.practice_instant(stored)
    except ValueError as error:
        like = "2026-01-02 03:04:05" if view.profile.times == "local" else "2026-01-02T03:04:05Z"
        raise BadRequestError(f"{name} must look like {like}") from error
    return stored


def fields(query: Mapping[str, str], known: Sequence[str]) -> tuple[str, ...] | None:
    """The fields that are asked for, None for all."""
    text = query.get("fields")
    if not text:
        return None
    wanted = tuple(name.strip() for name in text.split(","))
    if unknown := set(wanted) - set(known):
        raise BadRequestError(f"unknown fields: {', '.join(sorted(unknown))}")
    return wanted
