"""Images in texts as parents: a text waits for the files of its images, and goes on without those that don't come.

Pure. What is special about such a parent: its answer is the address of its file (`document` of its fate) and not a row's id; it goes into a slot of a text; and
none of its fates keeps the text back. `agents.parents` asks here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mapping.image_slots import filled
from mapping.plan import NAMED
from topics.messages import Need, Ready, Waiting

__all__ = ["MOST_ANSWERS", "NOT_MOVED", "document_after", "fill", "is_named", "may_be_told_again", "retellable"]

NOT_MOVED: Final = "IMAGE_NOT_MOVED"
"""Code of an image that the source doesn't have, or that was rejected or deleted: the text names it."""

MOST_ANSWERS: Final = 9
"""A version has room for the answers of so many parents, each of which may be another one later (`topics.version`)."""


def is_named(need: Need | Waiting) -> bool:
    """Whether the parent that is waited for is an image in a text."""
    return need["on_absent"] == NAMED


def retellable(needs: Sequence[Need]) -> list[Need]:
    """The parents of a row in the order in which they are asked: of more images than a version has room for, the first ones before all other parents.

    Those are waited for like the others, but what they say once is not corrected before the record's next version: nothing would tell the two apart.
    """
    images = [need for need in needs if is_named(need)]
    others = [need for need in needs if not is_named(need)]
    beyond = max(0, len(needs) - MOST_ANSWERS) if images else 0
    return [*images[:beyond], *others, *images[beyond:]]


def may_be_told_again(waiting: Waiting) -> bool:
    """Whether the version of the waiting row has room for another answer of this image."""
    return len(waiting["left"]) < MOST_ANSWERS


def fill(row: Ready, need: Need | Waiting, document: str | None) -> None:
    """Puts the address of an image's file into the row's text, or (None) that it was not moved."""
    row["columns"][need["column"]] = filled(str(row["columns"][need["column"]] or ""), need["parent"], document)


def document_after(fate: Mapping[str, Any], sf_id: str, document: str | None) -> dict[str, Any]:
    """What is known of the file of a parent that has landed as ``sf_id``: what was told now, else what was told of the same row."""
    known = document or (fate.get("document") if fate.get("id") == sf_id else None)
    return {"document": known} if known else {}
