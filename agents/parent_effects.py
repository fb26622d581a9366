"""What a message about a parent, or about one of its children, leads to: made by `agents.parents`, carried out by `agents.resolve`."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from topics.messages import Ready, Waiting


class Forward(NamedTuple):
    """The parent's id is known (or, None, left out for now): set it in the row and send it on.

    ``told`` counts the answers that the row may have gone on with before: without an id, at a placeholder, or with another id.
    """

    waiting: Waiting
    sf_id: str | None
    told: int


class Relate(NamedTuple):
    """The parent's id is known: the child relates it to an account. ``direct``: that is the one that the parent's own row has, so nothing is to be written."""

    waiting: Waiting
    sf_id: str
    direct: bool


class Hop(NamedTuple):
    """The source has no such parent: wait for its placeholder instead."""

    waiting: Waiting


class Later(NamedTuple):
    """The child doesn't wait for this parent: send it on without; it is linked when the parent has landed."""

    waiting: Waiting


class Without(NamedTuple):
    """An image is not in Salesforce: the text goes on and says so."""

    waiting: Waiting


class Hold(NamedTuple):
    """The child can't go on now; it stays here, by name."""

    row: Ready
    parent: str
    code: str


class Refuse(NamedTuple):
    """The map says that a child of an absent parent is rejected."""

    row: Ready
    parent: str


class Create(NamedTuple):
    """Somebody waits for a placeholder that nobody has asked for yet."""

    parent: str
    run: str


class Continue(NamedTuple):
    """More children than one page: go on after ``cursor``, in a message to ourselves."""

    parent: str
    cursor: str


class Lookup(NamedTuple):
    """Ask the source for this parent."""

    parent: str
    run: str


class Check(NamedTuple):
    """Ask the parent's loader whether its row is still there."""

    parent: str
    run: str


Effect: TypeAlias = Forward | Relate | Hop | Later | Without | Hold | Refuse | Create | Continue | Lookup | Check
