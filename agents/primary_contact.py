"""Which contact roles of an opportunity are to be made, changed and removed, so that its primary contact is the one wanted.

Pure. A role that a person made, or one of ours that somebody has worked on since, is never removed; it only stops being primary.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Role(NamedTuple):
    """A contact role as the org has it.

    Attributes:
        id: Salesforce id.
        contact: Salesforce id of its contact.
        primary: whether the opportunity's contact is this one.
        untouched: the integration user made it and changed it last, and says nothing but who and whether primary.
    """

    id: str
    contact: str
    primary: bool
    untouched: bool


class Steps(NamedTuple):
    """What is to be done, in this order; nothing when the org is right.

    Attributes:
        promote: id of the role that is to become primary. Salesforce makes the others not primary by itself.
        create: whether a primary role is to be made.
        remove: ids of roles to delete.
    """

    promote: str | None
    create: bool
    remove: tuple[str, ...]

    @property
    def none(self) -> bool:
        return self.promote is None and not self.create and not self.remove


def steps(roles: Iterable[Role], wanted: str, former: str | None, *, ours: bool) -> Steps:
    """What makes ``wanted`` the primary contact.

    Carried out whole, in part, or twice, it leads to the same roles: whoever comes next looks again.

    Arguments:
        roles: of one opportunity.
        wanted: Salesforce id of the contact, "" for nobody.
        former: the contact that was wanted before, "" for nobody, None when that is not known.
        ours: whether we made the opportunity: then an untouched primary role is the one that came with it, or one that we made.
    """
    found = sorted(roles)
    chosen = _chosen([role for role in found if role.contact == wanted]) if wanted else None
    mine = {contact for contact in (former, wanted) if contact}
    remove = tuple(
        role.id
        for role in found
        if role.untouched and role != chosen and (role.contact in mine or (ours and role.primary))
    )
    promote = chosen.id if chosen is not None and not chosen.primary else None
    return Steps(promote, bool(wanted) and chosen is None, remove)


def _chosen(roles: list[Role]) -> Role | None:
    """Of several roles of the one contact the primary one; else one that a person made, which stays in any case."""
    return min(roles, key=lambda role: (not role.primary, role.untouched, role.id), default=None)
