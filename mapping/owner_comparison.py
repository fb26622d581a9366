"""Is the Salesforce user who owns a member of staff's records the right one? A second opinion, as `comparators`.

Owns that comparison. What it can't catch: two people who share an e-mail.
"""

from collections.abc import Mapping
from typing import Any, Final

from mapping.comparators import Mismatch, OwnerOf
from mapping.compared_values import nothing, tidy
from mapping.rules import MapDocument

__all__ = ["OwnerComparison"]


class OwnerComparison:
    """Compares the users of one object of owners.

    Args:
        document: A loaded map.
        object_name: An object with `decide` or `same_as`.

    Attributes:
        columns: The columns of User to read back.
        count: How many each comparison looks at.
    """

    columns: Final = ("Id", "Email", "IsActive")
    count: Final = 3

    def __init__(self, document: MapDocument, object_name: str) -> None:
        self._rule = document.objects[object_name]
        stand_in = document.placeholder(object_name)
        self._stand_in = None if stand_in is None else stand_in.reference

    def compare(
        self, fields: Mapping[str, str | None], row: Mapping[str, Any], how: str, owner_of: OwnerOf
    ) -> list[Mismatch]:
        """Compare one user.

        Args:
            fields: The member of staff's standard fields as the source has them.
            row: The user, as Salesforce's JSON returns it.
            how: How they were found: `MATCHED` by their e-mail, `SAME` as another, or by a decision.
            owner_of: Gives the Salesforce id that was decided for an owner.
        """
        found: list[Mismatch] = []
        if row.get("IsActive") is not True:
            found.append(Mismatch("IsActive", "active"))
        if how == "MATCHED":
            email, stored = tidy(fields.get(self._rule.decide or "")), row.get("Email")
            if not email or nothing(stored) or str(stored).lower() != email.lower():
                found.append(Mismatch("Email", "email"))
        if self._rule.same_as is not None:
            key = tidy(fields.get(self._rule.same_as.from_))
            owner = self._stand_in if key in {"", "0"} else f"{self._rule.same_as.parent}:{key}"
            wanted = {None if owner is None else owner_of(owner)}
            if self._rule.same_as.on_absent == "placeholder" and self._stand_in is not None:
                wanted.add(owner_of(self._stand_in))
            if row.get("Id") not in wanted - {None}:
                found.append(Mismatch("Id", "same_as"))
        return found
